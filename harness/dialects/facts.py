"""All that a dialect states, one statement at a time: where it stands, what it says, how it is known.

Two views of the same fields. A *statement* is counted once, under the shape
that holds it, however many events share the shape. A *place* is where a field
stands in one event, by its dotted path: `session.tools[].name`, or where an
object has kinds, `session.turn_detection<server_vad>.threshold`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.dialects.model import (
    Acceptance,
    Dialect,
    Evidence,
    Fact,
    Field,
    MapRow,
    Shape,
    Vocabulary,
)
from harness.messages import MISSING, get_path

SESSION_UPDATE = "session.update"
"""In canonical form; a dialect may have a second event for transcription sessions."""

MODALITIES = "output_modalities"
"""In canonical form."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact of a dialect. `acceptance` is None where nothing can be accepted or refused."""

    section: str
    name: str
    acceptance: Acceptance | None
    fact: Fact


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path; `element`: into the elements of an array; `kinds`: of the object it leads to."""

    name: str
    element: bool = False
    kinds: tuple[str, ...] = ()

    def __str__(self) -> str:
        kinds = f"<{'|'.join(self.kinds)}>" if self.kinds else ""
        return f"{self.name}{'[]' if self.element else ''}{kinds}"


@dataclass(frozen=True, slots=True)
class Place:
    """One field where it stands in an event: inside the object that `steps` lead to."""

    event: str
    steps: tuple[Step, ...]
    shape: str
    field: Field

    @property
    def holder(self) -> str:
        """The path of the object that holds the field; empty for the event itself."""
        return ".".join(map(str, self.steps))

    @property
    def path(self) -> str:
        return f"{self.holder}.{self.field.name}" if self.steps else self.field.name

    @property
    def statement(self) -> str:
        """The name of the statement that is made of the field."""
        return field_name(self.shape, self.field)


@dataclass(frozen=True, slots=True)
class Default:
    """What holds where a client says nothing.

    `of_field`: the service takes it where the field is left out of its object;
    otherwise it is what the session starts with.
    """

    value: Any
    of_field: bool


@dataclass(frozen=True, slots=True)
class ModalityRule:
    """Which modalities the client may ask for, at one place."""

    place: Place
    allowed: tuple[tuple[str, ...], ...]
    """The sets that are known; empty where any set of the field's values is."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How well a dialect is known.

    `levels` counts what is stated at each level of evidence. What is unknown is
    no statement: it is counted apart, with what the client may and may not say.
    """

    levels: Mapping[Evidence, int]
    client: Mapping[Acceptance, int]

    @property
    def stated(self) -> int:
        return sum(self.levels.values())

    def share(self, level: Evidence) -> float:
        """The part of all statements that stands at this level, 0 to 1."""
        return self.levels[level] / self.stated if self.stated else 0.0


def shares(dialect: Dialect) -> Shares:
    """How much of a dialect is known, and how well."""
    all_of_it = statements(dialect)
    levels = Counter(one.fact.evidence for one in all_of_it if one.acceptance is not Acceptance.UNKNOWN)
    client = Counter(
        one.acceptance
        for one in all_of_it
        if one.section in ("client.event", "client.field") and one.acceptance is not None
    )
    return Shares(
        {level: levels[level] for level in Evidence},
        {acceptance: client[acceptance] for acceptance in Acceptance},
    )


def statements(dialect: Dialect) -> tuple[Statement, ...]:
    """Every fact of a dialect, each once, in the order of its file."""
    return (
        *_of_handshake(dialect),
        *_of_keys(dialect),
        *(Statement("service", known.name, None, known.fact) for known in dialect.service.facts),
        *(Statement("limit", known.name, None, known.fact) for known in dialect.limits),
        *(Statement("close", f"{rule.code} by {rule.by}", None, rule.fact) for rule in dialect.closes),
        *_of_side("client", dialect.client),
        *_of_side("server", dialect.server),
        *(Statement("error", error.name, None, error.fact) for error in dialect.errors.values()),
        *(Statement("failure", failure.name, None, failure.fact) for failure in dialect.failures),
        *(Statement("order", rule.name, None, rule.fact) for rule in dialect.orders.values()),
    )


def _of_handshake(dialect: Dialect) -> Iterator[Statement]:
    handshake = dialect.handshake
    for query in handshake.query:
        yield Statement("handshake.query", query.name, query.acceptance, query.fact)
    for header in handshake.headers:
        yield Statement("handshake.header", header.name, header.acceptance, header.fact)
    yield Statement("handshake.auth", ", ".join(handshake.auth), None, handshake.auth_fact)
    for refusal in handshake.refusals.values():
        yield Statement("handshake.refusal", refusal.name, None, refusal.fact)
        body = replace(refusal.fact, evidence=refusal.body_evidence)
        yield Statement("handshake.refusal", f"{refusal.name}, its body", None, body)
    for late in handshake.late.values():
        yield Statement("handshake.late", late.name, None, late.fact)


def _of_keys(dialect: Dialect) -> Iterator[Statement]:
    keys = dialect.keys
    if keys is None:
        return
    yield Statement("keys", "path", None, keys.fact)
    yield Statement("keys", "seconds", None, keys.seconds_fact)
    yield Statement(
        "keys", "refusals, their bodies", None, replace(keys.fact, evidence=keys.refusal_evidence)
    )
    for outage in keys.outages:
        yield Statement("keys.outage", outage.field, None, outage.fact)


def _of_side(side: str, vocabulary: Vocabulary) -> Iterator[Statement]:
    for event in vocabulary.events.values():
        yield Statement(f"{side}.event", event.type, event.acceptance, event.fact)
    rule = vocabulary.unlisted_event
    if rule.acceptance is not Acceptance.UNKNOWN:
        yield Statement(f"{side}.rule", "any other event", rule.acceptance, rule.fact)
    for shape in reached_shapes(vocabulary).values():
        if shape.variants is not None:
            if shape.by_required and shape.by_fact is not None:
                yield Statement(f"{side}.rule", f"{shape.name}: {shape.by} is required", None, shape.by_fact)
            continue
        for field in shape.fields.values():
            yield Statement(f"{side}.field", field_name(shape.name, field), field.acceptance, field.fact)
        if shape.unlisted.acceptance is not Acceptance.UNKNOWN:
            name = f"{shape.name}: any other field"
            yield Statement(f"{side}.rule", name, shape.unlisted.acceptance, shape.unlisted.fact)


def field_name(shape: str, field: Field) -> str:
    """The name of a field's statement: of its shape, or of its event where that has no shape of its own."""
    return f"{shape.removeprefix('event ')}.{field.name}"


def reached_shapes(vocabulary: Vocabulary) -> dict[str, Shape]:
    """The shapes that stand in some event, by name, in the order the events lead to them."""
    found: dict[str, Shape] = {}
    waiting = [event.shape for event in reversed([*vocabulary.events.values()])]
    while waiting:
        name = waiting.pop()
        if name in found or name not in vocabulary.shapes:
            continue
        shape = found[name] = vocabulary.shapes[name]
        waiting.extend(reversed(_named_by(shape)))
    return found


def _named_by(shape: Shape) -> list[str]:
    if shape.variants is not None:
        return [*shape.variants.values()]
    return [kind for field in shape.fields.values() for kind in (*field.kinds, *field.of)]


def places(vocabulary: Vocabulary, type_: str) -> Iterator[Place]:
    """Every field of an event with its path, objects before what they hold."""
    yield from _places(vocabulary, type_, vocabulary.shapes[vocabulary.events[type_].shape], (), ())


def _places(
    vocabulary: Vocabulary, event: str, shape: Shape, steps: tuple[Step, ...], above: tuple[str, ...]
) -> Iterator[Place]:
    if shape.name in above:  # a shape that holds itself has no end
        return
    above = (*above, shape.name)
    if shape.variants is not None:
        kinds: dict[str, list[str]] = {}
        for kind, name in shape.variants.items():
            kinds.setdefault(name, []).append(kind)
        for name, tags in kinds.items():
            into = (*steps[:-1], replace(steps[-1], kinds=tuple(tags))) if steps else steps
            yield from _places(vocabulary, event, vocabulary.shapes[name], into, above)
        return
    for field in shape.fields.values():
        yield Place(event, steps, shape.name, field)
    for field in shape.fields.values():
        for kind in (*field.kinds, *field.of):
            if kind in vocabulary.shapes:
                into = (*steps, Step(field.name, element=kind in field.of))
                yield from _places(vocabulary, event, vocabulary.shapes[kind], into, above)


# What holds where the client says nothing.


def default_of(dialect: Dialect, place: Place) -> Default | None:
    """What is known to hold where a client leaves this field out; None where nothing is."""
    if place.field.default is not MISSING:
        return Default(place.field.default, of_field=True)
    value = _starts_as(dialect, place)
    return None if value is MISSING else Default(value, of_field=False)


def _starts_as(dialect: Dialect, place: Place) -> Any:
    """What the session starts with at a place of an update, in the wire's words."""
    table, service = dialect.translation, dialect.service
    renamed = place.event in table.client_events
    canonical = table.client_events.get(place.event, place.event)
    if canonical != SESSION_UPDATE or not place.steps or place.steps[0].name != "session":
        return MISSING
    kind = service.transcription_session.get("type")
    transcription = renamed or (kind is not None and kind in place.steps[0].kinds)
    session = service.transcription_session if transcription else service.session
    rows = table.transcription if transcription else table.session
    inner = place.steps[1:]
    first, *rest = (*(step.name for step in inner), place.field.name)
    value = _on_wire(rows, session, first)
    for step, name in zip(inner, rest, strict=True):
        if step.element or not isinstance(value, dict):
            return MISSING
        if step.kinds and value.get("type") not in step.kinds:
            return MISSING  # the session starts with an object of another kind
        value = value.get(name, MISSING)
    return value


def _on_wire(rows: tuple[MapRow, ...], session: Mapping[str, Any], name: str) -> Any:
    """One field of a canonical session as the wire has it, or MISSING."""
    row = next((row for row in rows if row.wire == name), None)
    if row is None:
        return session.get(name, MISSING)
    value = MISSING if row.canonical is None else get_path(dict(session), row.canonical)
    return next((wire for wire, canonical in row.values if canonical == value), value)


def modality_rules(dialect: Dialect) -> tuple[ModalityRule, ...]:
    """Which modalities an update and a response may ask for."""
    found: list[ModalityRule] = []
    for type_, holder, rows in (
        (SESSION_UPDATE, "session", dialect.translation.session),
        ("response.create", "response", dialect.translation.response),
    ):
        name = next((row.wire for row in rows if row.canonical == MODALITIES), MODALITIES)
        for place in places(dialect.client, type_):
            if place.field.name == name and [step.name for step in place.steps] == [holder]:
                allowed = tuple(tuple(sorted(members)) for members in place.field.sets)
                found.append(ModalityRule(place, allowed))
    return tuple(found)
