"""Where the tables put a field, and events without what was listed as lost: a witness beside the code."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from typing import Any

from harness.dialects import Dialect
from harness.messages import Json, Side
from harness.translation import Translator, items_of
from harness.translation.objects import canonical_paths, wire_paths

Place = tuple[Any, ...]
GONE = object()


def steps(path: str) -> Place:
    return tuple(int(index) if index else name for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path))


def dotted(place: Place) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)[1:]


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


def leaves(value: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every place that holds no further place, with its value. Modalities are one value, a set."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*at, key))
    elif isinstance(value, list) and value and not (at and str(at[-1]).endswith("modalities")):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*at, index))
    else:
        yield at, frozenset(value) if isinstance(value, list) and value else value


def rest(event: Json, paths: set[str]) -> dict[Place, Any]:
    """The places of an event and their values, without some; an object they leave empty may be gone too."""
    around = {steps(path)[:length] for path in paths for length in range(1, len(steps(path)))}
    found = leaves(without(_undecorated(event), paths))
    return {place: value for place, value in found if not (value == {} and place in around)}


def _undecorated(event: Json) -> Json:
    """Without what the service of one dialect puts on everything, and that of another on nothing."""
    result = copy.deepcopy(event)
    for item in items_of(result):
        if item.get("object") == "realtime.item":
            del item["object"]
    if "part" in result and result.get("content") == result["part"]:
        del result["content"]
    return result


def after_closing_up(paths: Iterable[str]) -> set[str]:
    """Where places stand when the elements among them are gone; an element itself stands nowhere."""
    every = {steps(path) for path in paths}
    elements = {path for path in every if isinstance(path[-1], int)}
    moved = set()
    for path in every - elements:
        place = list(path)
        for at, step in enumerate(path):
            if isinstance(step, int):
                place[at] = step - sum((*path[:at], index) in elements for index in range(step))
        if not any(path[: at + 1] in elements for at in range(len(path))):
            moved.add(dotted(tuple(place)))
    return moved


def _rows(dialect: Dialect, side: Side, type_: str, holder: str) -> Any:
    return Translator(dialect).objects(side, type_).get(holder, ())


def in_canonical(dialect: Dialect, side: Side, type_: str, path: str) -> set[str]:
    """Where canonical form has what an event of a dialect has at a path."""
    holder, _, inside = path.partition(".")
    rows = _rows(dialect, side, type_, holder)
    return {f"{holder}.{place}" for place in canonical_paths(rows, inside)} if inside else {path}


def on_wire(dialect: Dialect, side: Side, type_: str, path: str) -> set[str]:
    """A place and, where it is one of canonical form, the places that the wire has for it."""
    holder, _, inside = path.partition(".")
    rows = _rows(dialect, side, type_, holder)
    return {path, *(f"{holder}.{place}" for place in wire_paths(rows, inside))} if inside else {path}
