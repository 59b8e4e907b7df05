"""Single faults put into a session, each at a known place."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.diff.sessions import Entry

KINDS = ("drop", "insert", "change", "rename", "misdirect")
_LEFT_OUT = {"event_id", "obfuscation", "id", "audio", "expires_at", "type", "object"}
_REFERENCES = ("item_id", "response_id", "previous_item_id")


@dataclass(frozen=True)
class Edit:
    """One fault: the line in A that it concerns, and the line in B, where there is one."""

    kind: str
    type: str
    a: int | None
    b: int | None


def edited(
    entries: Iterable[Entry], share: float, source: random.Random, kinds: tuple[str, ...] = KINDS
) -> tuple[list[Entry], list[Edit]]:
    """The entries with a share of them edited, each kind as often as the others, and the list of edits."""
    entries = list(entries)
    chosen = set(source.sample(range(len(entries)), max(1, round(share * len(entries)))))
    return edited_at(entries, chosen, source, kinds)


def edited_at(
    entries: list[Entry], places: set[int], source: random.Random, kinds: tuple[str, ...] = KINDS
) -> tuple[list[Entry], list[Edit]]:
    """The entries with an edit at each of the places, counted from 0."""
    found: list[Entry] = []
    edits: list[Edit] = []
    for index, (side, event) in enumerate(entries):
        line, here = index + 1, len(found) + 1
        if index not in places:
            found.append((side, event))
            continue
        kind = source.choice(kinds)
        new = _EDITS[kind](event, entries, source) if kind in _EDITS else None
        if kind == "insert":
            found += [(side, event), (side, copy.deepcopy(event))]
            edits.append(Edit(kind, event["type"], None, here + 1))
        elif new is None:
            edits.append(Edit("drop", event["type"], line, None))
        else:
            found.append((side, new))
            edits.append(Edit(kind, event["type"], line, here))
    return found, edits


def _changed(event: dict[str, Any], entries: list[Entry], source: random.Random) -> dict[str, Any] | None:
    new = copy.deepcopy(event)
    if event["type"] == "input_audio_buffer.append":
        new["audio"] += "AAEC"
        return new
    places = list(_leaves(new))
    if not places:
        return None
    holder, key = source.choice(places)
    value = holder[key]
    if isinstance(value, str):
        holder[key] = value + ("AAEC" if event["type"].endswith("audio.delta") else " indeed")
    else:
        holder[key] = 1 + value if isinstance(value, int) and not isinstance(value, bool) else "something"
    return new


def _renamed(event: dict[str, Any], entries: list[Entry], source: random.Random) -> dict[str, Any]:
    head, *middle, tail = event["type"].split(".")
    middle = [*middle[:-1], f"new_{middle[-1]}"] if middle else []
    return {**copy.deepcopy(event), "type": ".".join([head, *middle, tail if middle else f"new_{tail}"])}


def _misdirected(event: dict[str, Any], entries: list[Entry], source: random.Random) -> dict[str, Any] | None:
    name = source.choice(_REFERENCES)
    others = [other[name] for _, other in entries if isinstance(other.get(name), str)]
    others = [other for other in others if other != event.get(name)]
    if not isinstance(event.get(name), str) or not others:
        return None
    return {**event, name: source.choice(others)}


_EDITS = {"change": _changed, "rename": _renamed, "misdirect": _misdirected}


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """The places of values that count by default."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _LEFT_OUT or key.endswith("_id"):
                continue
            if isinstance(inner, (dict, list)) and inner:
                yield from _leaves(inner)
            else:
                yield value, key
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if isinstance(inner, (dict, list)) and inner:
                yield from _leaves(inner)
            else:
                yield value, index
