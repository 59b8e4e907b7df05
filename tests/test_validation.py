from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.documents import read_document
from harness.exceptions import ScenarioFault
from harness.validation import Schema, _expectation, bundled_schema, check_document, subschema

PERSON = Schema(
    {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "age": {"type": ["integer", "null"]},
            "colour": {"enum": ["red", "green"]},
            "kind": {"const": "person"},
            "a/b~c": {"type": "string"},
            "friends": {"type": "array", "items": {"$ref": "#"}, "maxItems": 12},
        },
    }
)


@pytest.mark.parametrize(
    ("value", "pointer", "keyword", "expected", "message"),
    [
        ({}, "", "required", "the keys name", "'name' is a required property"),
        ({"name": 5}, "/name", "type", "string", "5 is not of type 'string'"),
        (
            {"name": "a", "age": "x"},
            "/age",
            "type",
            "integer or null",
            "'x' is not of type 'integer', 'null'",
        ),
        (
            {"name": "a", "colour": "blue"},
            "/colour",
            "enum",
            'one of "red", "green"',
            "'blue' is not one of ['red', 'green']",
        ),
        ({"name": "a", "kind": 1}, "/kind", "const", '"person"', "'person' was expected"),
        (
            {"name": "a", "nmae": 1},
            "",
            "additionalProperties",
            "only keys the schema names",
            "Additional properties are not allowed ('nmae' was unexpected)",
        ),
        ({"name": "a", "a/b~c": 1}, "/a~1b~0c", "type", "string", "1 is not of type 'string'"),
        (
            {"name": "a", "friends": [{}]},
            "/friends/0",
            "required",
            "the keys name",
            "'name' is a required property",
        ),
    ],
)
def test_a_problem_says_where_what_and_what_was_expected(
    value: object, pointer: str, keyword: str, expected: str, message: str
) -> None:
    (problem,) = PERSON.problems(value)

    assert (problem.pointer, problem.keyword, problem.expected, problem.message) == (
        pointer,
        keyword,
        expected,
        message,
    )
    assert not PERSON.accepts(value)


def test_a_valid_value_has_no_problems() -> None:
    value = {"name": "a", "age": None, "friends": [{"name": "b"}]}

    assert PERSON.problems(value) == []
    assert PERSON.accepts(value)


def test_true_is_no_integer() -> None:
    assert not Schema({"type": "integer"}).accepts(True)
    assert not Schema({"const": 1}).accepts(True)


def test_a_failed_choice_is_explained_by_the_branch_that_came_furthest() -> None:
    schema = Schema(
        {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"event": {"type": "string"}}}]}
    )

    (problem,) = schema.problems({"event": 5})

    assert (problem.pointer, problem.message) == ("/event", "5 is not of type 'string'")


def test_a_choice_that_failed_at_once_names_the_choices() -> None:
    (problem,) = Schema({"anyOf": [{"type": "string"}, {"type": "null"}]}).problems(5)

    assert problem.message == "5 is none of what may stand here"
    assert problem.expected == "string or null"


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"minItems": 1}, [], "at least 1 element"),
        ({"minItems": 2}, [], "at least 2 elements"),
        ({"minLength": 1}, "", "at least 1 character"),
        ({"maxProperties": 1}, {"a": 1, "b": 1}, "at most 1 key"),
        ({"exclusiveMinimum": 0}, 0, "more than 0"),
        ({"minimum": 0.5}, 0, "at least 0.5"),
        ({"maximum": 600}, 601, "at most 600"),
        ({"pattern": "^/"}, "a", "a path that begins with a slash"),
        ({"pattern": "^x$"}, "a", "text that matches ^x$"),
        (
            {"anyOf": [{"const": "max"}, {"type": "number", "exclusiveMinimum": 0}]},
            [],
            '"max" or number more than 0',
        ),
        (
            {"anyOf": [{"type": "object", "required": ["tone"]}, {"type": "null"}]},
            5,
            "object with tone or null",
        ),
    ],
)
def test_what_is_expected_is_said_in_words(schema: dict[str, Any], value: object, expected: str) -> None:
    (problem,) = Schema(schema).problems(value)
    assert problem.expected == expected


@pytest.mark.parametrize("name", ["scenario", "model", "dialect"])
def test_the_patterns_of_what_people_write_have_words(name: str) -> None:
    for pattern in re.findall(r'"pattern": ("[^"]+")', json.dumps(bundled_schema(name).schema)):
        assert "text that matches" not in _expectation("pattern", json.loads(pattern))


def test_nothing_is_null_as_in_json() -> None:
    assert Schema({"type": "object"}).problems(None)[0].message == "null is not of type 'object'"


def test_a_long_value_is_cut_out_of_the_message() -> None:
    (problem,) = Schema({"type": "integer"}).problems("x" * 10_000)

    assert len(problem.message) < 300
    assert problem.message.endswith("is not of type 'integer'")


def test_problems_come_in_the_order_of_the_document() -> None:
    value = {"name": "a", "friends": [{"name": 1 if index in (2, 10) else "b"} for index in range(11)]}

    assert [problem.pointer for problem in PERSON.problems(value)] == ["/friends/2/name", "/friends/10/name"]


def test_a_definition_of_a_bundled_schema_can_be_used_alone() -> None:
    footer = subschema("cassette", "footer")

    assert footer.accepts({"end": {"interactions": 0, "close": {"by": "client", "code": None}}})
    assert footer.problems({"end": {}})[0].pointer == "/end"


def test_a_bundled_schema_is_compiled_once() -> None:
    assert bundled_schema("scenario") is bundled_schema("scenario")


def test_a_wrong_file_is_refused_with_its_first_problem_and_the_number_of_others(tmp_path: Path) -> None:
    path = tmp_path / "person.yaml"
    path.write_text("name: 5\nage: x\n", encoding="utf-8")

    with pytest.raises(ScenarioFault) as caught:
        check_document(read_document(path), PERSON, ScenarioFault)

    fault = caught.value
    assert (fault.line, fault.pointer, fault.expected) == (2, "/age", "integer or null")
    assert fault.problem == "'x' is not of type 'integer', 'null' (and 1 more)"


def test_a_problem_of_the_whole_file_points_to_its_root(tmp_path: Path) -> None:
    path = tmp_path / "person.yaml"
    path.write_text("age: 5\n", encoding="utf-8")

    with pytest.raises(ScenarioFault) as caught:
        check_document(read_document(path), PERSON, ScenarioFault)

    assert (caught.value.line, caught.value.pointer) == (1, "/")


SCALARS = st.sampled_from([None, True, 1, 1.0, "a", "red", "person"])
KEYS = st.sampled_from(["name", "age", "colour", "kind", "a/b~c", "friends", "nmae"])
PEOPLE = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=6,
)


@given(PEOPLE | st.builds(lambda rest: {**rest, "name": "a"}, st.dictionaries(KEYS, PEOPLE, max_size=3)))
def test_what_is_accepted_has_no_problems_and_what_is_not_has_some(value: object) -> None:
    assert PERSON.accepts(value) == (PERSON.problems(value) == [])


def test_a_key_too_many_is_answered_with_the_one_that_is_near_and_all_there_are() -> None:
    schema = Schema(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"when": True, "times": True},
            "maxProperties": 1,
        }
    )
    (wrong,) = schema.problems({"whne": 1})
    assert wrong.hint == "'when' is near; there are when, times"
    (many,) = schema.problems({"when": 1, "times": 1})
    assert many.hint == "keep one of when, times"
