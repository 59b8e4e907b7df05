"""What other dialects call the things of one dialect, for logs that are judged as something they are not.

Everything here is computed from the tables: the translation rows, and which
dialect lists which event or field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from harness.dialects import Dialect, bundled_dialect, dialect_names
from harness.dialects.model import Evidence, Fact, Field, MapRow, Shape, Vocabulary
from harness.findings import Basis

_ADDED, _DONE = "conversation.item.added", "conversation.item.done"
_MOST_NAMED = 3
_RANKS = tuple(Evidence)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A name that this dialect has not, and others have.

    `here`: what this dialect has in its place, none where it has nothing.
    `marks`: the name belongs to another generation for certain, whatever the
    service may add.
    """

    here: tuple[str, ...]
    dialects: tuple[str, ...]
    basis: tuple[Basis, ...]
    marks: bool

    @property
    def owners(self) -> str:
        """Whose name it is, for people."""
        named = ", ".join(self.dialects[:_MOST_NAMED])
        rest = len(self.dialects) - _MOST_NAMED
        return f"{named} and {rest} more" if rest > 0 else named


@lru_cache(maxsize=512)  # a hostile log may make up any number of names
def foreign_event(dialect: Dialect, type_: str) -> Foreign | None:
    """What is known of a server event that this dialect does not list; None where no dialect lists it."""
    having = [other for other in _bundled() if type_ in other.server.events]
    if not having:
        return None
    canonical = next(
        (table[type_] for table in (other.translation.events for other in having) if type_ in table), type_
    )
    if canonical == _DONE:
        canonical = _ADDED  # where one event stands for both, it is that of the first
    here = {canonical: wire for wire, canonical in dialect.translation.events.items()}.get(
        canonical, canonical
    )
    places: tuple[str, ...] = (here,) if here in dialect.server.events else ()
    if here == _ADDED and places and dialect.translation.item_done == "separate":
        places = (_ADDED, _DONE)
    basis = [_basis(f"{place} here", dialect.server.events[place].fact) for place in places]
    basis = basis or [_basis(f"without {type_}", dialect.server.unlisted_event.fact)]
    basis.append(_best({other.name: other.server.events[type_].fact for other in having}, type_))
    return Foreign(places, _named(having), tuple(basis), marks=bool(places))


@lru_cache(maxsize=512)
def foreign_field(dialect: Dialect, type_: str, holder: str, name: str) -> Foreign | None:
    """What is known of a field of a session or response that this dialect does not list there."""
    own = object_fields(dialect, type_, holder)
    having = [(other, object_fields(other, _type_in(other, type_), holder)) for other in _bundled()]
    having = [(other, fields) for other, fields in having if name in fields]
    if not having:
        return None
    places: list[str] = []
    fixed = False
    for other, _ in having:
        for canonical in _canonical(_rows(other, holder), name):
            fixed = fixed or any(row.canonical == canonical and row.fixed for row in _rows(dialect, holder))
            places.extend(place for place in _places(dialect, holder, own, canonical) if place != name)
    here = tuple(dict.fromkeys(places))
    basis = [_basis(f"{holder}.{place} here", own[place.split(".")[0]].fact) for place in here[:1]]
    basis = basis or [_basis(f"without {holder}.{name}", dialect.server.unlisted_event.fact)]
    basis.append(_best({other.name: fields[name].fact for other, fields in having}, f"{holder}.{name}"))
    return Foreign(
        tuple(f"{holder}.{place}" for place in here),
        _named([other for other, _ in having]),
        tuple(basis),
        marks=fixed or bool(here),
    )


@cache
def part_here(dialect: Dialect, part: str) -> str | None:
    """What a content part of another dialect is called in this one; None where it has no such name."""
    others = (other.translation.parts for other in _bundled())
    canonical = next((table[part] for table in others if part in table), part)
    here = {canonical: wire for wire, canonical in dialect.translation.parts.items()}.get(
        canonical, canonical
    )
    return here if here != part else None


@cache
def fields_elsewhere(type_: str, name: str) -> tuple[str, ...]:
    """The dialects in which an event has a field of its own by this name."""
    found = []
    for other in _bundled():
        spec = other.server.events.get(_type_in(other, type_))
        if spec is not None and name in other.server.shapes[spec.shape].fields:
            found.append(other.name)
    return tuple(found)


def object_fields(dialect: Dialect, type_: str, holder: str) -> Mapping[str, Field]:
    """Every field that the session or response of an event can have, of all its variants together."""
    vocabulary = dialect.server
    spec = vocabulary.events.get(type_)
    held = vocabulary.shapes[spec.shape].fields.get(holder) if spec is not None else None
    if held is None:
        return {}
    return {
        name: field
        for kind in held.kinds
        if kind in vocabulary.shapes
        for shape in _variants(vocabulary, vocabulary.shapes[kind])
        for name, field in shape.fields.items()
    }


def _variants(vocabulary: Vocabulary, shape: Shape) -> Iterator[Shape]:
    if shape.variants is None:
        yield shape
        return
    for name in shape.variants.values():
        yield from _variants(vocabulary, vocabulary.shapes[name])


@cache
def _bundled() -> tuple[Dialect, ...]:
    return tuple(bundled_dialect(name) for name in dialect_names())


def _basis(claim: str, fact: Fact) -> Basis:
    return Basis(fact.evidence, f"{claim}: {fact.source}")


def _best(facts: dict[str, Fact], name: str) -> Basis:
    """The best evidence that some other dialect has the name."""
    owner, fact = min(facts.items(), key=lambda pair: _RANKS.index(pair[1].evidence))
    return _basis(f"{name} in {owner}", fact)


def _named(dialects: list[Dialect]) -> tuple[str, ...]:
    return tuple(dialect.name for dialect in dialects)


def _type_in(other: Dialect, type_: str) -> str:
    """The session events have two names where there are transcription sessions."""
    return type_ if type_ in other.server.events else type_.removeprefix("transcription_")


def _rows(dialect: Dialect, holder: str) -> tuple[MapRow, ...]:
    return dialect.translation.session if holder == "session" else dialect.translation.response


def _canonical(rows: tuple[MapRow, ...], name: str) -> list[str]:
    """The canonical places of a dialect's own field."""
    mapped = [row for row in rows if row.wire is not None and row.wire.split(".")[0] == name]
    return [row.canonical for row in mapped if row.canonical] if mapped else [name]


def _places(dialect: Dialect, holder: str, own: Mapping[str, Field], canonical: str) -> Iterator[str]:
    """Where this dialect has what stands at a canonical place, or below it."""
    rows = [row for row in _rows(dialect, holder) if row.canonical is not None]
    exact = [row for row in rows if row.canonical == canonical]
    below = [row for row in rows if str(row.canonical).startswith(f"{canonical}.")]
    found = [row.wire for row in exact or below if row.wire is not None]
    if not exact and not below:
        found = [canonical]
    yield from (place for place in found if place.split(".")[0] in own)
