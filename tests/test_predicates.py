from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.dialects import bundled_dialect, dialect_names, event_schema
from harness.messages import Side
from harness.predicates import Predicate, predicate
from harness.validation import Schema, bundled_schema, subschema

SCALARS: list[Any] = [None, True, False, 0, 1, 1.0, 0.5, -1, 10**400, "", "a", "b", "ab"]
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array"])


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": inner,
            "items": inner,
            "contains": inner,
            "anyOf": some,
            "allOf": some,
            "oneOf": some,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "minimum": st.sampled_from([0, 0.5, 1]),
            "maximum": st.sampled_from([0, 0.5, 1]),
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "pattern": st.sampled_from(["a", "^b", "b$", "^(a|ab)$"]),
            "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2), max_size=2),
            "description": st.just("says nothing"),
        },
    )


LEAVES = (
    st.booleans()
    | st.builds(lambda name: {"type": name}, TYPES)
    | st.builds(lambda value: {"const": value}, VALUES)
    | st.sampled_from([{"$ref": "#/$defs/list"}, {"$ref": "#/$defs/name"}])
)
SCHEMAS = st.recursive(LEAVES, keywords, max_leaves=8).map(
    lambda schema: {
        "allOf": [schema],
        "$defs": {
            "list": {"type": ["object", "null"], "properties": {"a": {"$ref": "#/$defs/list"}}},
            "name": {"type": "string"},
        },
    }
)


def made(schema: Any) -> Predicate:
    found = predicate(schema)
    assert found is not None
    return found


@settings(max_examples=400)
@given(SCHEMAS, st.lists(VALUES, min_size=1, max_size=8))
def test_a_predicate_and_jsonschema_agree(schema: dict[str, Any], values: list[Any]) -> None:
    fulfils, validator = made(schema), Draft202012Validator(schema)

    for value in values:
        assert fulfils(value) == validator.is_valid(value), value


@cache
def event_schemas() -> dict[str, list[dict[str, Any]]]:
    """The schemas of all dialects, by event type."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in dialect_names():
        dialect = bundled_dialect(name)
        for side, vocabulary in ((Side.CLIENT, dialect.client), (Side.SERVER, dialect.server)):
            for type_ in vocabulary.events:
                schema = event_schema(dialect, side, type_)
                assert schema is not None
                found.setdefault(type_, []).append(schema)
    return found


def test_every_event_of_every_dialect_has_a_predicate() -> None:
    assert [type_ for type_, found in event_schemas().items() if None in map(predicate, found)] == []


def cassette_events() -> Iterator[dict[str, Any]]:
    for path in sorted((Path(__file__).parents[1] / "cassettes").rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            event = json.loads(line).get("event")
            if event is not None:
                yield event


def spoiled(value: Any) -> Iterator[Any]:
    """Every value that differs in one place: a field away, one too many, or another type of value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield {key: each for key, each in value.items() if key != name}
            yield from ({**value, name: other} for other in (None, 5, "zzz", [], {}, True))
            yield from ({**value, name: other} for other in spoiled(inner))
        yield {**value, "surplus": 1}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in spoiled(inner))


def test_of_real_events_and_of_ones_spoiled_in_one_place_a_predicate_and_jsonschema_say_the_same() -> None:
    one_of_each = {event["type"]: event for event in cassette_events()}
    verdicts = []

    for type_, event in sorted(one_of_each.items()):
        for schema in event_schemas().get(type_, [])[::3]:
            fulfils, validator = made(schema), Draft202012Validator(schema)
            for variant in [event, *list(spoiled(copy.deepcopy(event)))[::7]]:
                verdicts.append(fulfils(variant))
                assert verdicts[-1] == validator.is_valid(variant), (schema["title"], variant)

    assert {True, False} == set(verdicts)


@pytest.mark.parametrize(
    "schema",
    [
        {"uniqueItems": True},
        {"items": True, "prefixItems": [True]},
        {"contains": True, "minContains": 2},
        {"additionalProperties": False, "patternProperties": {"a": True}},
        {"properties": {"a": {"unevaluatedProperties": False}}},
        {"$ref": "https://example.com/other"},
        {"$ref": "#/$defs/missing", "$defs": {}},
    ],
)
def test_a_schema_with_a_keyword_not_known_here_has_no_predicate(schema: dict[str, Any]) -> None:
    assert predicate(schema) is None


def test_a_schema_without_a_predicate_is_judged_all_the_same() -> None:
    schema = Schema({"uniqueItems": True})

    assert schema.accepts([1, 2])
    assert not schema.accepts([1, 1])
    assert [problem.keyword for problem in schema.problems([1, 1])] == ["uniqueItems"]


def test_the_lines_of_a_cassette_and_of_a_driver_have_predicates() -> None:
    whole = {name: bundled_schema(name).schema["$defs"] for name in ("cassette", "driver")}

    for name, definition in (("cassette", "interaction"), ("driver", "from_driver")):
        assert predicate({"$ref": f"#/$defs/{definition}", "$defs": whole[name]}) is not None
        assert subschema(name, definition) is subschema(name, definition)


@pytest.mark.parametrize(
    ("schema", "value", "right"),
    [
        ({"const": 1}, True, False),
        ({"const": 1}, 1.0, True),
        ({"const": [0, {"a": False}]}, [False, {"a": 0}], False),
        ({"enum": ["a", None]}, None, True),
        ({"type": "integer"}, 3.0, True),
        ({"type": "integer"}, True, False),
        ({"minimum": 2}, "1", True),
        ({"required": ["a"]}, [], True),
        ({"not": {}}, 1, False),
        (True, 1, True),
        (False, 1, False),
    ],
)
def test_values_are_those_of_json_and_not_those_of_python(schema: Any, value: Any, right: bool) -> None:
    assert made(schema)(value) is right
