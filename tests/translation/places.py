"""Where the tables put a field, and an event without what was listed as lost: a witness beside the code."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from typing import Any

from harness.dialects import Dialect
from harness.messages import Side
from harness.translation import Translator
from harness.translation.objects import canonical_paths, wire_paths

GONE = object()


def steps(path: str) -> list[Any]:
    return [int(index) if index else name for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)]


def without(event: Any, paths: Iterable[str]) -> Any:
    """A copy of an event without some places."""
    result = copy.deepcopy(event)
    for path in paths:
        *parents, last = steps(path)
        holder = result
        for step in parents:
            there = step in holder if isinstance(holder, dict) else step in range(len(holder or ()))
            holder = holder[step] if there and isinstance(holder, (dict, list)) else None
        fits = last in holder if isinstance(holder, dict) else isinstance(holder, list) and last < len(holder)
        if fits:
            holder[last] = GONE
    return _closed_up(result)


def _closed_up(value: Any) -> Any:
    if isinstance(value, list):
        return [_closed_up(inner) for inner in value if inner is not GONE]
    if isinstance(value, dict):
        return {key: _closed_up(inner) for key, inner in value.items() if inner is not GONE}
    return value


def after_closing_up(paths: Iterable[str]) -> set[str]:
    """Where places stand when the elements among them are gone; an element itself stands nowhere."""
    every = {tuple(steps(path)) for path in paths}
    elements = {path for path in every if isinstance(path[-1], int)}
    moved = set()
    for path in every - elements:
        place = list(path)
        for at, step in enumerate(path):
            if isinstance(step, int):
                before = [(*path[:at], index) for index in range(step)]
                place[at] = step - sum(element in elements for element in before)
        if not any(path[: at + 1] in elements for at in range(len(path))):
            moved.add("".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)[1:])
    return moved


def own_places(dialect: Dialect, side: Side, type_: str, path: str) -> set[str]:
    """A place and, where it stands under a name of canonical form, the places the wire has for it."""
    holder, _, inside = path.partition(".")
    rows = Translator(dialect).objects(side, type_).get(holder, ())
    return {path, *(f"{holder}.{place}" for place in wire_paths(rows, inside))}


def source_places(target: Dialect, made: Any, source: Dialect, event: Any, path: str) -> set[str]:
    """Where the source has what the target has at a path."""
    holder, _, inside = path.partition(".")
    rows = Translator(target).objects(Side.CLIENT, made["type"]).get(holder, ())
    places = {f"{holder}.{place}" for place in canonical_paths(rows, inside)} if inside else {holder}
    return {place for found in places for place in own_places(source, Side.CLIENT, event["type"], found)}


def emptied(paths: Iterable[str]) -> set[tuple[Any, ...]]:
    """The objects around some places: each may be left empty, or be gone."""
    return {tuple(steps(path)[:length]) for path in paths for length in range(1, len(steps(path)))}


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place that holds no further place, with its value. Modalities are one value, a set."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*at, key))
    elif isinstance(value, list) and value and not (at and str(at[-1]).endswith("modalities")):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*at, index))
    else:
        yield at, frozenset(value) if isinstance(value, list) and value else value
