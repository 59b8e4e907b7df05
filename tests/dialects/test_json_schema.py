from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from harness.dialects import (
    Dialect,
    Refusal,
    bundled_dialect,
    compiled_schema,
    dialect_names,
    event_schema,
    judge_client_event,
)
from harness.messages import Json, Side

NAMES = dialect_names()

TOOLS = [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}]
VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}
FLAT = {
    "modalities": ["text"],
    "instructions": "x",
    "voice": "echo",
    "input_audio_format": "pcm16",
    "turn_detection": VAD,
    "input_audio_transcription": {"model": "whisper-1"},
    "tools": TOOLS,
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_response_output_tokens": "inf",
}
NESTED = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "instructions": "x",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "turn_detection": VAD,
            "transcription": {"model": "whisper-1"},
            "noise_reduction": {"type": "near_field"},
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "echo", "speed": 1.0},
    },
    "tools": TOOLS,
    "tracing": None,
}
COMMON: list[dict[str, Any]] = [
    {"type": "input_audio_buffer.append", "audio": "AAAA", "event_id": "e1"},
    {"type": "input_audio_buffer.commit"},
    {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 1500},
    {"type": "response.cancel", "response_id": "r"},
    {
        "type": "conversation.item.create",
        "previous_item_id": None,
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "c", "output": "{}"},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    },
]


def valid(name: str) -> list[dict[str, Any]]:
    if "session_realtime" in bundled_dialect(name).client.shapes:
        return [
            *COMMON,
            {"type": "session.update", "session": NESTED},
            {"type": "session.update", "session": {"type": "transcription", "audio": {"input": {}}}},
            {"type": "response.create", "response": {"output_modalities": ["text"], "metadata": {"a": "b"}}},
        ]
    return [
        *COMMON,
        {"type": "session.update", "session": FLAT},
        {"type": "response.create", "response": {"modalities": ["text", "audio"], "tools": TOOLS}},
    ]


VALID = {name: valid(name) for name in NAMES}


def refused(dialect: Dialect, event: dict[str, Any]) -> list[Refusal]:
    return [found for found in judge_client_event(dialect, event) if isinstance(found, Refusal)]


def accepted_by_schema(dialect: Dialect, event: dict[str, Any]) -> bool:
    schema = compiled_schema(dialect, Side.CLIENT, event["type"])
    assert schema is not None
    return schema.accepts(event)


@pytest.mark.parametrize("name", NAMES)
def test_every_valid_event_is_accepted_by_the_walk_and_by_the_schemas(name: str) -> None:
    dialect = bundled_dialect(name)

    for event in VALID[name]:
        assert refused(dialect, event) == []
        assert accepted_by_schema(dialect, event), event["type"]


SCALARS = st.sampled_from(
    [
        None,
        True,
        0,
        7,
        0.5,
        "",
        "text",
        "audio",
        "realtime",
        "pcm16",
        "message",
        [],
        ["audio"],
        ["text"],
        [5],
        {},
    ]
)
KEYS = st.sampled_from(
    [
        "type",
        "event_id",
        "modalities",
        "output_modalities",
        "audio",
        "voice",
        "speed",
        "tracing",
        "colour",
        "rate",
        "text",
        "item_id",
        "role",
        "turn_detection",
        "format",
        "tools",
        "idle_timeout_ms",
        "status",
    ]
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside an event, by its keys and indices."""
    found = [at] if at else []
    if isinstance(value, dict):
        children: Any = value.items()
    else:
        children = enumerate(value) if isinstance(value, list) else ()
    for key, inner in children:
        found.extend(places(inner, (*at, key)))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A client event with up to three places taken away, replaced or added."""
    name = draw(st.sampled_from(NAMES))
    event = copy.deepcopy(draw(st.sampled_from(VALID[draw(st.sampled_from(NAMES))])))
    for _ in range(draw(st.integers(1, 3))):
        chosen = draw(st.sampled_from([place for place in places(event) if place != ("type",)] or [("new",)]))
        *parents, last = chosen
        holder: Any = event
        for parent in parents:
            holder = holder[parent]
        how = draw(st.sampled_from(["drop", "replace", "add", "double"]))
        if how == "drop" and last in holder:
            del holder[last]
        elif how == "add" and isinstance(holder, dict):
            key = draw(KEYS)
            if holder is not event or key != "type":
                holder[key] = copy.deepcopy(draw(SCALARS))
        elif how == "double" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[0]) if holder else copy.deepcopy(draw(SCALARS)))
        elif isinstance(holder, dict) or last in range(len(holder)):
            holder[last] = copy.deepcopy(draw(SCALARS))
    return name, event


@settings(max_examples=400)
@given(mutated())
def test_the_walk_and_the_schemas_refuse_the_same_events(drawn: tuple[str, dict[str, Any]]) -> None:
    name, event = drawn
    dialect = bundled_dialect(name)

    assert accepted_by_schema(dialect, event) == (refused(dialect, event) == []), refused(dialect, event)


def assert_schema(schema: Json) -> None:
    """What it defines stands in many others too, and is looked at once."""
    for part in ({**schema, "$defs": {}}, *schema.get("$defs", {}).values()):
        _assert_part(json.dumps(part, sort_keys=True))


@cache
def _assert_part(text: str) -> None:
    Draft202012Validator.check_schema(json.loads(text))


def test_a_part_that_is_no_schema_is_seen_wherever_it_stands() -> None:
    for wrong in ({"type": "sting"}, {"$defs": {"x": {"properties": {"y": {"type": "sting"}}}}}):
        with pytest.raises(SchemaError):
            assert_schema(wrong)


@pytest.mark.parametrize("side", Side)
def test_every_event_of_a_dialect_has_a_valid_schema(dialect: Dialect, side: Side) -> None:
    vocabulary = dialect.client if side is Side.CLIENT else dialect.server

    assert len(vocabulary.events) > 9
    for type_ in vocabulary.events:
        schema = event_schema(dialect, side, type_)
        assert schema is not None
        assert_schema(schema)
        assert schema["properties"]["type"] == {"const": type_}
        assert schema["title"] == f"{dialect.name}: {side} {type_}"


@pytest.mark.parametrize("side", Side)
def test_an_event_the_dialect_has_not_has_no_schema(dialect: Dialect, side: Side) -> None:
    assert event_schema(dialect, side, "nothing") is None
    assert compiled_schema(dialect, side, "nothing") is None


def test_a_schema_is_compiled_once(dialect: Dialect) -> None:
    one = compiled_schema(dialect, Side.SERVER, "session.created")

    assert one is not None
    assert one is compiled_schema(dialect, Side.SERVER, "session.created")


def server_event(**changes: Any) -> dict[str, Any]:
    return {
        "type": "response.content_part.added",
        "event_id": "e",
        "response_id": "r",
        "item_id": "i",
        "output_index": 0,
        "content_index": 0,
        "part": {"type": "text", "text": ""},
        **changes,
    }


def test_an_unknown_field_of_a_server_event_is_no_fault(dialect: Dialect) -> None:
    schema = compiled_schema(dialect, Side.SERVER, "response.content_part.added")

    assert schema is not None
    assert schema.problems(server_event(content={"type": "text"}, new_field=[1])) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"part": {"type": "output_text", "text": ""}}, "/part/type"),
        ({"part": {"type": "output_audio"}}, "/part/type"),
        ({"output_index": "0"}, "/output_index"),
        ({"part": None}, "/part"),
    ],
)
def test_what_the_service_never_sends_is_found_in_a_server_event(
    dialect: Dialect, changes: dict[str, Any], pointer: str
) -> None:
    schema = compiled_schema(dialect, Side.SERVER, "response.content_part.added")

    assert schema is not None
    assert [problem.pointer for problem in schema.problems(server_event(**changes))] == [pointer]


@pytest.mark.parametrize("key", ["event_id", "item_id", "part", "output_index"])
def test_a_server_event_without_one_of_its_keys_is_found(dialect: Dialect, key: str) -> None:
    schema = compiled_schema(dialect, Side.SERVER, "response.content_part.added")
    event = server_event()
    del event[key]

    assert schema is not None
    (problem,) = schema.problems(event)
    assert problem.keyword == "required"
    assert key in problem.message
