from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exceptions import MessageFault
from harness.messages import (
    MAX_DEPTH,
    MAX_FRAME,
    MISSING,
    decode_audio,
    get_path,
    json_type,
    parse_event,
    put_path,
    render_event,
    text_too_deep,
    too_deep,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
EVENTS = st.dictionaries(st.text(max_size=8), JSON, max_size=4).flatmap(
    lambda body: st.text(min_size=1, max_size=12).map(lambda type_: {**body, "type": type_})
)


@given(EVENTS)
def test_an_event_survives_being_written_and_read(event: dict[str, object]) -> None:
    text = render_event(event)

    assert parse_event(text) == event
    assert parse_event(text.encode("utf-8").decode("utf-8")) == event


def test_an_event_is_written_compactly_and_in_its_own_letters() -> None:
    assert render_event({"type": "a", "text": "Grüße, 你好"}) == '{"type":"a","text":"Grüße, 你好"}'


@given(st.text(max_size=40) | JSON.map(json.dumps))
def test_whatever_a_peer_sends_is_an_event_or_a_message_fault(frame: str) -> None:
    try:
        event = parse_event(frame)
    except MessageFault as fault:
        assert str(fault)  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(event["type"], str)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b'{"type": "a"}', "a binary frame; the protocol is JSON text"),
        ("", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "a JSON array, expected an object"),
        ("null", "a JSON null, expected an object"),
        ("true", "a JSON boolean, expected an object"),
        ("1", "a JSON integer, expected an object"),
        ("1.5", "a JSON number, expected an object"),
        ('"a"', "a JSON string, expected an object"),
        ("{}", "an object without a string 'type'"),
        ('{"type": 5}', "an object without a string 'type'"),
        ('{"type": null}', "an object without a string 'type'"),
    ],
)
def test_a_frame_that_is_no_event_is_refused_with_its_reason(frame: str | bytes, reason: str) -> None:
    with pytest.raises(MessageFault) as caught:
        parse_event(frame)

    assert str(caught.value) == reason


def test_a_frame_over_the_limit_is_refused_before_it_is_parsed() -> None:
    frame = "{" * (MAX_FRAME + 1)

    with pytest.raises(
        MessageFault, match=f"frame of {MAX_FRAME + 1} bytes, more than the {MAX_FRAME} allowed"
    ):
        parse_event(frame)


def nested(levels: int) -> str:
    """An event whose JSON nests so many levels, its own braces counted."""
    return '{"type":"a","x":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def test_nesting_is_counted_to_the_level() -> None:
    assert parse_event(nested(MAX_DEPTH))["type"] == "a"

    with pytest.raises(MessageFault, match="JSON nested deeper than 64 levels"):
        parse_event(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("levels", [1_000, 100_000])
def test_nesting_without_end_is_refused_without_overflowing_the_stack(levels: int) -> None:
    with pytest.raises(MessageFault, match="JSON nested deeper than 64 levels"):
        parse_event(nested(levels))


def test_a_number_of_absurd_length_is_refused() -> None:
    with pytest.raises(MessageFault, match="not JSON"):
        parse_event('{"type":"a","n":' + "1" * 5_000 + "}")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_python_alone_takes_for_a_number_is_no_json(number: str) -> None:
    with pytest.raises(MessageFault, match="not JSON"):
        parse_event('{"type":"a","n":' + number + "}")


def test_half_a_surrogate_pair_can_be_sent_on() -> None:
    event = parse_event(r'{"type":"a","delta":"\ud83d"}')

    assert parse_event(render_event(event).encode("utf-8").decode("utf-8")) == event


def test_too_deep_looks_into_arrays_and_objects_alike() -> None:
    assert not too_deep({"a": [{"b": 1}]}, limit=3)
    assert too_deep({"a": [{"b": {}}]}, limit=3)
    assert not too_deep("a string has no levels", limit=1)


@given(JSON, st.integers(1, 6))
def test_counting_brackets_first_changes_no_verdict_on_depth(value: object, limit: int) -> None:
    text = json.dumps(value, ensure_ascii=False)

    assert text_too_deep(text, value, limit) == too_deep(value, limit)
    assert text_too_deep(text.encode("utf-8", "surrogatepass"), value, limit) == too_deep(value, limit)


def test_brackets_within_strings_are_no_levels() -> None:
    value = {"delta": "[{" * MAX_DEPTH}

    assert not text_too_deep(json.dumps(value), value)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "boolean"),
        (0, "integer"),
        (0.5, "number"),
        ("", "string"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_a_value_is_named_by_its_json_type(value: object, name: str) -> None:
    assert json_type(value) == name


NAMES = st.from_regex(r"[a-z_]{1,6}", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=4), JSON)
def test_what_is_put_at_a_path_is_found_there(names: list[str], value: object) -> None:
    target: dict[str, object] = {"kept": 1}

    put_path(target, ".".join(names), value)

    assert get_path(target, ".".join(names)) == value
    assert names[0] == "kept" or target["kept"] == 1


def test_a_path_that_leads_nowhere_is_missing_and_a_null_is_not() -> None:
    event = {"session": {"voice": None, "tools": []}}

    assert get_path(event, "session.voice") is None
    assert get_path(event, "session.speed") is MISSING
    assert get_path(event, "session.voice.name") is MISSING
    assert get_path(event, "session.tools.0") is MISSING
    assert not MISSING
    assert repr(MISSING) == "<missing>"


def test_putting_a_path_replaces_what_is_no_object_on_the_way() -> None:
    target: dict[str, object] = {"audio": None}

    put_path(target, "audio.input.format", "pcm")

    assert target == {"audio": {"input": {"format": "pcm"}}}


@given(st.binary(max_size=60))
def test_audio_is_decoded_from_base64(pcm: bytes) -> None:
    assert decode_audio(base64.b64encode(pcm).decode("ascii")) == pcm


@pytest.mark.parametrize("text", [None, 5, "abc", "ab c=", "äöü=", "_-_-"])
def test_audio_that_is_no_base64_is_none(text: object) -> None:
    assert decode_audio(text) is None
