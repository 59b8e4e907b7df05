"""Session and response objects, from a wire's fields to canonical ones and back, row by row.

What has no place on the other side is named as a `Loss`, and so is a value that
comes back other than it went: a format fuller than it was, a field under the
name its own side has for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.dialects.model import MapRow
from harness.messages import MISSING, Json, copied, get_path, put_path

NO_PLACE_IN_CANONICAL = "canonical form has no place for it"
NO_PLACE_ON_WIRE = "the wire has no place for it"
OTHER_NAME = "a name of canonical form: it comes back under the wire's own"
TAKEN_NAME = "the name stands for something else on the wire"

Rows = tuple[MapRow, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that could not be carried over, by its dotted path in the event it came from.

    The path `type` stands for the event as a whole.
    """

    path: str
    reason: str


def objects_to_canonical(rows: Rows, wire: Json, losses: list[Loss], at: str) -> Json:
    """A session or response object in canonical form; fields without a row keep their names."""
    if not rows:
        return wire
    result: Json = {}
    for row in rows:
        if row.wire is None and row.canonical is not None and row.fixed is not None:
            put_path(result, row.canonical, row.fixed)
    order = {name: place for place, name in enumerate(wire)}
    moved, rest = _taken(rows, _wire, wire)
    # Deep places last, for a shallow one would bury them; else in the order of the wire.
    moved.sort(key=lambda found: (_depth(found[0].canonical), order[_root(found[0].wire)]))
    for row, value in moved:
        if row.canonical is None:
            losses.append(Loss(f"{at}.{row.wire}", NO_PLACE_IN_CANONICAL))
        else:
            mapped = _mapped(row, wire, value, losses, f"{at}.{row.wire}", to_wire=False)
            put_path(result, row.canonical, mapped)
    _put_rest(rows, rest, result, losses, at, to_wire=False)
    return result


def objects_to_wire(rows: Rows, canonical: Json, losses: list[Loss], at: str) -> Json:
    """A session or response object in wire form; what the wire cannot hold becomes a loss."""
    if not rows:
        return canonical
    result: Json = {}
    moved, rest = _taken(rows, _canonical, canonical)
    for row, value in moved:
        if row.wire is not None:
            mapped = _mapped(row, canonical, value, losses, f"{at}.{row.canonical}", to_wire=True)
            put_path(result, row.wire, mapped)
        elif row.fixed is None or value != row.fixed:
            losses.append(Loss(f"{at}.{row.canonical}", NO_PLACE_ON_WIRE))
    _put_rest(rows, rest, result, losses, at, to_wire=True)
    return result


def canonical_paths(rows: Rows, path: str) -> tuple[str, ...]:
    """Where canonical form has what a wire has at a path, both relative to the object."""
    return _counterparts(rows, path, _wire, _canonical)


def wire_paths(rows: Rows, path: str) -> tuple[str, ...]:
    """Where a wire has what canonical form has at a path, both relative to the object."""
    return _counterparts(rows, path, _canonical, _wire)


Place = Callable[[MapRow], str | None]


def _wire(row: MapRow) -> str | None:
    return row.wire


def _canonical(row: MapRow) -> str | None:
    return row.canonical


def _depth(path: str | None) -> int:
    return (path or "").count(".")


def _root(path: str | None) -> str:
    return (path or "").split(".")[0]


def _taken(rows: Rows, here: Place, source: Json) -> tuple[list[tuple[MapRow, Any]], Json]:
    """Each row's value, those of the deepest rows first, and what no row spoke of."""
    rest = copied(source)
    found: list[tuple[MapRow, Any]] = []
    for row in sorted(rows, key=lambda row: -_depth(here(row))):
        path = here(row)
        value = MISSING if path is None else get_path(rest, path)
        if path is not None and value is not MISSING:
            _remove(rest, path)
            found.append((row, value))
    return found, rest


def _put_rest(rows: Rows, rest: Json, result: Json, losses: list[Loss], at: str, *, to_wire: bool) -> None:
    """Carries over what no row spoke of, under its own name.

    A wire may know canonical names beside its own; they fill what its own leave
    free. A name that the other wire has for something else would be misread.
    """
    here, there = (_canonical, _wire) if to_wire else (_wire, _canonical)
    split = {_root(here(row)) for row in rows if _depth(here(row))}
    taken = {_root(there(row)) for row in rows}
    for name, value in rest.items():
        if name in split:
            reason = NO_PLACE_ON_WIRE if to_wire else NO_PLACE_IN_CANONICAL
            losses.extend(Loss(f"{at}.{path}", reason) for path in _leaves(value, name))
            continue
        if name in taken:
            losses.append(Loss(f"{at}.{name}", TAKEN_NAME if to_wire else OTHER_NAME))
        if name not in taken or not to_wire:
            _put_where_free(result, name, value)


def _put_where_free(target: Json, name: str, value: Any) -> None:
    if name not in target:
        target[name] = value
    elif isinstance(target[name], dict) and isinstance(value, dict):
        for key, inner in value.items():
            _put_where_free(target[name], key, inner)


def _mapped(row: MapRow, source: Json, value: Any, losses: list[Loss], path: str, *, to_wire: bool) -> Any:
    """A row's value as the other side spells it. `value` lacks what deeper rows took out of it."""
    if not row.values or value is None:
        return value
    whole = get_path(source, str(row.canonical if to_wire else row.wire))
    pairs = [(canonical, wire) if to_wire else (wire, canonical) for wire, canonical in row.values]
    for candidate in (whole, value):
        for known, other in pairs:
            if _same(candidate, known):
                # Two spellings may have one counterpart; then the first of them comes back.
                back = next(spelling for spelling, counterpart in pairs if _same(other, counterpart))
                if not _same(back, candidate) and whole is candidate:
                    losses.append(Loss(path, f"{candidate!r:.80} comes back as {back!r:.80}"))
                return copied(other)
    losses.append(Loss(path, f"{value!r:.80} has no counterpart"))
    return value


def _same(value: Any, known: Any) -> bool:
    """Equal; lists as sets; an audio format also where it leaves the rate out."""
    if isinstance(value, list) and isinstance(known, list):
        return all(member in known for member in value) and all(member in value for member in known)
    if isinstance(value, dict) and isinstance(known, dict) and "type" in value:
        return all(known.get(key) == inner for key, inner in value.items())
    return bool(value == known)


def _remove(target: Json, path: str) -> None:
    """Takes a place away, and the objects around it that this leaves empty."""
    parent, _, last = path.rpartition(".")
    holder = get_path(target, parent) if parent else target
    del holder[last]
    if parent and not holder:
        _remove(target, parent)


def _leaves(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{at}.{name}")
    else:
        yield at


def _counterparts(rows: Rows, path: str, here: Place, there: Place) -> tuple[str, ...]:
    """The longest row that holds a path decides; of a path above rows, all of them."""
    known = [(mine, other, row) for row in rows if (mine := here(row)) and (other := there(row))]
    holding = [found for found in known if _holds(found[0], path)]
    if holding:
        mine, other, row = max(holding, key=lambda found: len(found[0]))
        return (other if row.values else other + path[len(mine) :],)  # a spelling has no inside
    return tuple(dict.fromkeys(other for mine, other, _ in known if _holds(path, mine))) or (path,)


def _holds(outer: str, path: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))
