from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.diff import changes
from harness.findings import Change

FLAT = {
    "modalities": ["audio", "text"],
    "voice": "echo",
    "instructions": "x",
    "turn_detection": {"type": "server_vad", "threshold": 0.5},
}
NESTED = {
    "type": "realtime",
    "instructions": "x",
    "audio": {"output": {"voice": "echo"}, "input": {"turn_detection": {"type": "server_vad"}}},
}


def test_a_flat_and_a_nested_session_differ_field_by_field_and_not_as_a_whole() -> None:
    found = changes(NESTED, FLAT, "session")

    assert [(change.kind, change.path) for change in found] == [
        ("removed", "session.audio"),
        ("added", "session.modalities"),
        ("added", "session.turn_detection"),
        ("removed", "session.type"),
        ("added", "session.voice"),
    ]


def test_objects_that_share_no_key_differ_field_by_field_too() -> None:
    found = changes({"a": {"x": 1, "y": 2}}, {"a": {"p": 1, "q": 2}})

    assert [(change.kind, change.path) for change in found] == [
        ("added", "a.p"),
        ("added", "a.q"),
        ("removed", "a.x"),
        ("removed", "a.y"),
    ]


@pytest.mark.parametrize(
    ("expected", "actual", "change"),
    [
        ({"a": 1}, {"a": 2}, Change("changed", "a", 1, 2)),
        ({"a": "1"}, {"a": 1}, Change("changed", "a", "1", 1)),
        ({"a": None}, {"a": {}}, Change("changed", "a", None, {})),
        ({"a": None}, {}, Change("removed", "a", None, None)),
        ({}, {"a": None}, Change("added", "a", None, None)),
        ({"a": {}}, {"a": []}, Change("changed", "a", {}, [])),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 2}]}}, Change("changed", "a.b[0].c", 1, 2)),
        ([1], [1, 2], Change("added", "[1]", None, 2)),
        ([1, 2], [1], Change("removed", "[1]", 2, None)),
        (1, 2, Change("changed", "(whole)", 1, 2)),
        ({"a": True}, {"a": 1}, Change("changed", "a", True, 1)),
        ({"a": False}, {"a": 0}, Change("changed", "a", False, 0)),
        ({}, {"__typename": "x"}, Change("added", "__typename", None, "x")),
    ],
)
def test_one_difference_is_one_change_with_its_path(expected: Any, actual: Any, change: Change) -> None:
    assert changes(expected, actual) == (change,)


def test_a_path_stands_below_where_the_values_were_found() -> None:
    (change,) = changes({"voice": "a"}, {"voice": "b"}, "session.audio.output")

    assert change.path == "session.audio.output.voice"


def test_an_integer_and_the_same_number_with_a_point_are_equal() -> None:
    assert changes({"a": 1}, {"a": 1.0}) == ()


def test_the_order_of_an_array_counts() -> None:
    assert changes(["a", "b"], ["b", "a"])


def strictly_equal(one: Any, other: Any) -> bool:
    """Equal as JSON: a boolean is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(strictly_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(strictly_equal, one, other))
    return bool(one == other)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.[", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_values_differ_where_they_are_not_equal_and_only_there(expected: Any, actual: Any) -> None:
    assert (changes(expected, actual) == ()) == strictly_equal(expected, actual)


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert changes(value, value) == ()


@given(VALUES, VALUES)
def test_differences_turn_round_with_their_sides(expected: Any, actual: Any) -> None:
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    there = {(change.kind, change.path) for change in changes(expected, actual)}
    back = {(turned[change.kind], change.path) for change in changes(actual, expected)}

    assert there == back
