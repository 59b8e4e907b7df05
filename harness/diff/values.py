"""Structural differences between two JSON values. The one home of `deepdiff`."""

from __future__ import annotations

from typing import Any

from harness.findings import Change


def changes(expected: Any, actual: Any, at: str = "") -> tuple[Change, ...]:
    """What differs, leaf by leaf, by dotted path below `at`; arrays keep their order.

    `threshold_to_diff_deeper=0`: by default two objects that share few keys
    (a flat and a nested session) are reported as one change.
    """
    left, right = _without_equals(expected, actual)
    from deepdiff import DeepDiff  # noqa: PLC0415 - loads longer than most commands take

    tree = DeepDiff(
        left,
        right,
        view="tree",
        threshold_to_diff_deeper=0,
        ignore_private_variables=False,
    )
    kinds = {
        "dictionary_item_added": "added",
        "iterable_item_added": "added",
        "dictionary_item_removed": "removed",
        "iterable_item_removed": "removed",
        "values_changed": "changed",
        "type_changes": "changed",
    }
    found: list[Change] = []
    for name, kind in kinds.items():
        for level in tree.get(name, ()):
            if kind == "changed" and _same_number(level.t1, level.t2):
                continue
            path = _dotted(at, level.path(output_format="list"))
            old = None if kind == "added" else level.t1
            new = None if kind == "removed" else level.t2
            found.append(Change(kind, path, old, new))
    return tuple(sorted(found, key=lambda change: change.path))


def _without_equals(one: Any, other: Any) -> tuple[Any, Any]:
    """Two values without the fields that are equal, which `DeepDiff` would walk through at length."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one, other
    left, right = {}, {}
    for name, value in one.items():
        if name not in other:
            left[name] = value
        # As text, for True == 1: what is equal and does not look so is left to DeepDiff.
        elif repr(value) != repr(other[name]):
            left[name], right[name] = _without_equals(value, other[name])
    right.update((name, value) for name, value in other.items() if name not in one)
    return left, right


def _same_number(one: Any, other: Any) -> bool:
    """1 and 1.0 are one number in JSON; true is none."""
    return not isinstance(one, bool) and not isinstance(other, bool) and bool(one == other)


def _dotted(at: str, parts: list[str | int]) -> str:
    path = at
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path = f"{path}.{part}" if path else part
    return path or "(whole)"
