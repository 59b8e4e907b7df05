"""Judges a client event by a dialect's tables: what the service refuses, and what nobody knows.

The walk looks names up; it builds nothing and keeps nothing, so it can stand
on the server's hot path. Paths are written as the service writes them in
`error.param`: `session.tools[2].meta`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.dialects.model import Acceptance, Dialect, Fact, Field, Shape, Vocabulary
from harness.messages import Json, json_type


@dataclass(frozen=True, slots=True)
class Refusal:
    """The service refuses the event for this. `error` names an entry of the catalogue.

    `listed`: the tables name the field, as one that another generation of the
    API has; without it, nobody knows such a field.
    """

    error: str
    path: str
    value: Any
    expected: str
    fact: Fact
    instead: str | None = None
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Unproven:
    """Nobody published what the service does with this; our server accepts it."""

    path: str
    reason: str
    fact: Fact
    instead: str | None = None


Judgement = Refusal | Unproven


def judge_client_event(dialect: Dialect, event: Json) -> list[Judgement]:
    """Everything refused or unproven in one client event, in the order of its fields."""
    return list(_judge_event(dialect.client, event))


def _judge_event(vocabulary: Vocabulary, event: Json) -> Iterator[Judgement]:
    type_ = event["type"]
    spec = vocabulary.events.get(type_)
    if spec is None:
        rule = vocabulary.unlisted_event
        if rule.acceptance is Acceptance.REFUSED and rule.error:
            known = ", ".join(f"'{name}'" for name in vocabulary.events)
            yield Refusal(rule.error, "type", type_, known, rule.fact)
        else:
            yield Unproven("type", f"no client event {type_!r} is known", rule.fact)
        return
    if spec.acceptance is Acceptance.UNKNOWN:
        yield Unproven("type", f"whether {type_!r} is accepted is not known", spec.fact)
    body = {key: value for key, value in event.items() if key not in ("type", "event_id")}
    yield from _judge_object(vocabulary, vocabulary.shapes[spec.shape], body, "")


def _judge_object(
    vocabulary: Vocabulary, shape: Shape, value: Json, path: str, skip: str | None = None
) -> Iterator[Judgement]:
    if shape.by is not None and shape.variants is not None:
        yield from _judge_variant(vocabulary, shape, value, path)
        return
    for name, inner in value.items():
        spec = shape.fields.get(name)
        at = f"{path}.{name}" if path else name
        if spec is None:
            yield from _judge_unlisted(shape, at, inner)
        else:
            yield from _judge_field(vocabulary, spec, inner, at)
    for spec in shape.fields.values():
        if spec.required and spec.name not in value and spec.name != skip:
            at = f"{path}.{spec.name}" if path else spec.name
            expected = " or ".join(map(repr, spec.values)) or _kind_names(spec)
            yield Refusal("missing_required_parameter", at, None, expected, spec.fact)
        elif spec.absent is Acceptance.UNKNOWN and spec.name not in value:
            at = f"{path}.{spec.name}" if path else spec.name
            yield Unproven(at, "whether it may be left out is not known", spec.fact)


def _judge_variant(vocabulary: Vocabulary, shape: Shape, value: Json, path: str) -> Iterator[Judgement]:
    assert shape.by is not None
    assert shape.variants is not None
    tag = value.get(shape.by)
    at = f"{path}.{shape.by}" if path else shape.by
    variant = shape.variants.get(tag) if isinstance(tag, str) else None
    fact = shape.by_fact or shape.unlisted.fact
    if shape.by not in value and shape.by_required:
        expected = " or ".join(map(repr, shape.variants))
        yield Refusal("missing_required_parameter", at, None, expected, fact)
    elif shape.by not in value and shape.otherwise is None:
        yield Unproven(at, "whether it may be left out is not known", fact)
    elif variant is None and shape.otherwise is None:
        yield Unproven(at, f"whether {tag!r} is accepted is not known", fact)
    variant = variant or shape.otherwise
    if variant is not None:
        inner = vocabulary.shapes[variant]
        reported = shape.by not in value and shape.by_required
        yield from _judge_object(vocabulary, inner, value, path, skip=shape.by if reported else None)


def _judge_unlisted(shape: Shape, path: str, value: Any) -> Iterator[Judgement]:
    rule = shape.unlisted
    if rule.acceptance is Acceptance.REFUSED and rule.error and value is not None:
        yield Refusal(rule.error, path, value, "no such field", rule.fact)
    else:
        yield Unproven(path, "no document names this field", rule.fact)


def _judge_field(vocabulary: Vocabulary, spec: Field, value: Any, path: str) -> Iterator[Judgement]:
    if spec.acceptance is Acceptance.REFUSED and value is None:
        yield Unproven(path, "whether an explicit null is refused here is not known", spec.fact)
        return
    if spec.acceptance is Acceptance.REFUSED:
        error = spec.error or "unknown_parameter"
        yield Refusal(error, path, value, "no such field", spec.fact, spec.instead, listed=True)
        return
    if spec.acceptance is Acceptance.UNKNOWN:
        yield Unproven(
            path, spec.fact.note or "whether this is accepted is not known", spec.fact, spec.instead
        )
        return
    kind = json_type(value)
    if kind in spec.unproven or (isinstance(value, str) and value in spec.unproven):
        yield Unproven(
            path,
            spec.fact.note or f"{value!r:.40} here is not known to be taken by every service",
            spec.fact,
            spec.instead,
        )
        return
    if not is_of(vocabulary, spec.kinds, value):
        if value is None:
            yield Unproven(path, "whether an explicit null is accepted is not known", spec.fact, spec.instead)
        else:
            yield Refusal("invalid_type", path, value, _kind_names(spec), spec.fact)
        return
    yield from _judge_value(spec, value, path)
    if isinstance(value, dict):
        for name in spec.kinds:
            if name in vocabulary.shapes:
                yield from _judge_object(vocabulary, vocabulary.shapes[name], value, path)
    elif isinstance(value, list):
        yield from _judge_elements(vocabulary, spec, value, path)


def _judge_elements(vocabulary: Vocabulary, spec: Field, value: list[Any], path: str) -> Iterator[Judgement]:
    for index, element in enumerate(value) if spec.of else ():  # without a kind, any element will do
        at = f"{path}[{index}]"
        if not is_of(vocabulary, spec.of, element):
            yield Refusal("invalid_type", at, element, " or ".join(spec.of), spec.fact)
        elif isinstance(element, dict):
            for name in spec.of:
                if name in vocabulary.shapes:
                    yield from _judge_object(vocabulary, vocabulary.shapes[name], element, at)


def _judge_value(spec: Field, value: Any, path: str) -> Iterator[Judgement]:
    beyond = list(_judge_range(spec, value, path))
    if beyond:
        yield from beyond
        return
    if spec.sets and isinstance(value, list):
        known = all(isinstance(member, str) for member in value) and frozenset(value) in spec.sets
        expected = " or ".join(str(sorted(members)) for members in spec.sets)
    elif spec.values and _ruled(spec, value):
        known = value in spec.values
        expected = ", ".join(repr(item) for item in spec.values)
    else:
        return
    if known:
        return
    if spec.outside is Acceptance.REFUSED:
        yield Refusal(spec.error or "invalid_value", path, value, expected, spec.fact, spec.instead)
    else:
        yield Unproven(path, f"{value!r} is not among the known values ({expected})", spec.fact, spec.instead)


def _ruled(spec: Field, value: Any) -> bool:
    """Whether a list of known values speaks of this one: strings of strings, numbers of numbers."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return False
    return any(isinstance(value, str) == isinstance(item, str) for item in spec.values)


def _judge_range(spec: Field, value: Any, path: str) -> Iterator[Judgement]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    if spec.least is not None and value < spec.least:
        expected = f"{spec.least:g}"
        if spec.beyond is Acceptance.REFUSED:
            yield Refusal(spec.error or "invalid_value", path, value, expected, spec.fact, spec.instead)
        else:
            yield Unproven(path, f"{value!r} is below the documented {expected}", spec.fact)
    elif spec.most is not None and value > spec.most:
        yield Unproven(path, f"{value!r} is above the documented {spec.most:g}", spec.fact)


def is_of(vocabulary: Vocabulary, kinds: tuple[str, ...], value: Any) -> bool:
    """Whether a value is of one of some kinds: JSON types, `any`, shapes."""
    actual = json_type(value)
    return any(
        kind in ("any", actual)
        or (kind == "number" and actual == "integer")
        or (kind == "integer" and isinstance(value, float) and value.is_integer())  # 1.0 is one in JSON
        or (kind in vocabulary.shapes and actual == "object")
        for kind in kinds
    )


def _kind_names(spec: Field) -> str:
    return " or ".join("object" if kind not in _JSON else kind for kind in spec.kinds)


_JSON = frozenset({"string", "integer", "number", "boolean", "null", "array", "any", "object"})
