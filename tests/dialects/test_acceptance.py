from __future__ import annotations

from typing import Any

import pytest

from harness.dialects import Dialect, Evidence, Judgement, Refusal, Unproven, judge_client_event

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


LENIENT = "azure-voice-live"
"""Nobody has published a refusal of it."""


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": session}


def v1_update(**session: Any) -> dict[str, Any]:
    return update(type="realtime", **session)


def answer(**response: Any) -> dict[str, Any]:
    return {"type": "response.create", "response": response}


def say(*parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": role, "content": list(parts)},
    }


def only(found: list[Judgement]) -> Judgement:
    assert len(found) == 1, found
    return found[0]


def refused(dialect: Dialect, event: dict[str, Any]) -> Refusal:
    found = only(judge_client_event(dialect, event))
    assert isinstance(found, Refusal), found
    return found


def unproven(dialect: Dialect, event: dict[str, Any]) -> Unproven:
    found = only(judge_client_event(dialect, event))
    assert isinstance(found, Unproven), found
    return found


@pytest.mark.parametrize(
    ("session", "path", "evidence", "instead"),
    [
        ({"type": "realtime"}, "session.type", Evidence.REPORTED, None),
        ({"output_modalities": ["text"]}, "session.output_modalities", Evidence.REPORTED, "modalities"),
        (
            {"max_output_tokens": 5},
            "session.max_output_tokens",
            Evidence.ANALOGOUS,
            "max_response_output_tokens",
        ),
        ({"truncation": "auto"}, "session.truncation", Evidence.ANALOGOUS, None),
        ({"parallel_tool_calls": True}, "session.parallel_tool_calls", Evidence.ANALOGOUS, None),
        ({"reasoning": {}}, "session.reasoning", Evidence.ANALOGOUS, None),
    ],
)
def test_a_session_field_of_ga_is_refused_on_preview(
    preview: Dialect, session: dict[str, Any], path: str, evidence: Evidence, instead: str | None
) -> None:
    found = refused(preview, update(**session))

    assert (found.error, found.path, found.fact.evidence, found.instead, found.listed) == (
        "unknown_parameter",
        path,
        evidence,
        instead,
        True,
    )


def test_a_nested_session_is_refused_on_preview_with_the_fields_to_write_instead(preview: Dialect) -> None:
    found = refused(preview, update(audio={"output": {"voice": "echo"}}))

    assert (found.error, found.path, found.fact.evidence) == (
        "unknown_parameter",
        "session.audio",
        Evidence.REPORTED,
    )
    assert found.instead is not None
    assert "turn_detection" in found.instead


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("speed", 1.2),
        ("tracing", "auto"),
        ("tracing", None),
        ("model", "gpt-realtime"),
        ("prompt", {"id": "p"}),
        ("include", []),
        ("input_audio_noise_reduction", {"type": "near_field"}),
        ("client_secret", None),
        ("id", "sess_1"),
        ("object", "realtime.session"),
    ],
)
def test_what_nobody_knows_of_a_preview_session_is_unproven(preview: Dialect, field: str, value: Any) -> None:
    assert unproven(preview, update(**{field: value})).path == f"session.{field}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metadata", {"a": "b"}),
        ("conversation", "none"),
        ("input", []),
        ("max_response_output_tokens", 5),
        ("commit", True),
        ("cancel_previous", True),
    ],
)
def test_what_nobody_knows_of_a_preview_response_is_unproven(
    preview: Dialect, field: str, value: Any
) -> None:
    assert unproven(preview, answer(**{field: value})).path == f"response.{field}"


@pytest.mark.parametrize(
    ("field", "instead", "evidence"),
    [
        ("output_modalities", "modalities", Evidence.REPORTED),
        ("audio", "voice, output_audio_format", Evidence.ANALOGOUS),
    ],
)
def test_a_response_field_of_ga_is_refused_on_preview(
    preview: Dialect, field: str, instead: str, evidence: Evidence
) -> None:
    found = refused(preview, answer(**{field: ["text"]}))

    assert (found.path, found.instead, found.fact.evidence) == (f"response.{field}", instead, evidence)


MODALITIES = [["text"], ["audio"], ["audio", "text"], ["text", "audio"], [], ["video"], ["text", "video"]]
ACCEPTED_ON_PREVIEW = [["text"], ["audio", "text"], ["text", "audio"]]
ACCEPTED_ON_V1 = [["text"], ["audio"]]


@pytest.mark.parametrize("members", MODALITIES, ids=str)
@pytest.mark.parametrize("wrap", [update, answer], ids=["session", "response"])
def test_the_modalities_a_preview_takes_are_text_and_both(
    preview: Dialect, wrap: Any, members: list[str]
) -> None:
    event = wrap(modalities=members)

    if members in ACCEPTED_ON_PREVIEW:
        assert judge_client_event(preview, event) == []
    else:
        found = refused(preview, event)
        assert (found.error, found.fact.evidence, found.listed) == (
            "invalid_modalities",
            Evidence.REPORTED if "session" in event else Evidence.ANALOGOUS,
            False,
        )
        assert found.path in ("session.modalities", "response.modalities")
        assert found.expected == "['text'] or ['audio', 'text']"


@pytest.mark.parametrize("members", MODALITIES, ids=str)
@pytest.mark.parametrize("wrap", [v1_update, answer], ids=["session", "response"])
def test_the_modalities_ga_takes_are_one_or_the_other(v1: Dialect, wrap: Any, members: list[str]) -> None:
    event = wrap(output_modalities=members)

    if members in ACCEPTED_ON_V1:
        assert judge_client_event(v1, event) == []
    else:
        found = refused(v1, event)
        assert (found.error, found.fact.evidence) == ("invalid_output_modalities", Evidence.ANALOGOUS)
        assert found.expected == "['text'] or ['audio']"


@pytest.mark.parametrize(
    ("field", "value", "instead"),
    [
        ("modalities", ["text"], "output_modalities"),
        ("voice", "echo", "audio.output.voice"),
        ("turn_detection", {"type": "server_vad"}, "audio.input.turn_detection"),
        ("input_audio_format", "pcm16", "audio.input.format"),
        ("output_audio_format", "pcm16", "audio.output.format"),
        ("input_audio_transcription", {"model": "whisper-1"}, "audio.input.transcription"),
        ("input_audio_noise_reduction", {"type": "near_field"}, "audio.input.noise_reduction"),
        ("max_response_output_tokens", 5, "max_output_tokens"),
        ("temperature", 0.8, None),
        ("speed", 1.0, "audio.output.speed"),
    ],
)
def test_a_flat_session_field_is_refused_on_ga_with_its_place(
    v1: Dialect, field: str, value: Any, instead: str | None
) -> None:
    found = refused(v1, v1_update(**{field: value}))

    assert (found.error, found.path, found.instead, found.listed) == (
        "unknown_parameter",
        f"session.{field}",
        instead,
        True,
    )
    assert found.fact.evidence is Evidence.ANALOGOUS


@pytest.mark.parametrize("field", ["modalities", "voice", "output_audio_format", "temperature"])
def test_a_flat_response_field_is_refused_on_ga(v1: Dialect, field: str) -> None:
    assert refused(v1, answer(**{field: "x"})).path == f"response.{field}"


def test_a_session_without_its_type_is_refused_on_ga(v1: Dialect) -> None:
    found = refused(v1, update(instructions="x"))

    assert (found.error, found.path, found.value, found.fact.evidence) == (
        "missing_required_parameter",
        "session.type",
        None,
        Evidence.REPORTED,
    )


def test_a_session_without_a_type_is_right_on_preview(preview: Dialect) -> None:
    assert judge_client_event(preview, update(instructions="x")) == []


def test_a_session_of_a_kind_nobody_has_is_refused_on_ga(v1: Dialect) -> None:
    found = refused(v1, update(type="dictation"))

    assert (found.error, found.path, found.value) == ("invalid_value", "session.type", "dictation")


def test_a_session_without_its_kind_is_judged_as_a_realtime_one(v1: Dialect) -> None:
    found = judge_client_event(v1, update(voice="echo", modalities=["text"]))

    assert [(one.error, one.path) for one in found if isinstance(one, Refusal)] == [
        ("missing_required_parameter", "session.type"),
        ("unknown_parameter", "session.voice"),
        ("unknown_parameter", "session.modalities"),
    ]


@pytest.mark.parametrize("name", ["sesion.update", "response.text.delta", "conversation.item.created", ""])
def test_an_event_nobody_knows_is_refused_with_the_known_ones(dialect: Dialect, name: str) -> None:
    if dialect.name == LENIENT:
        assert unproven(dialect, {"type": name}).path == "type"
        return
    found = refused(dialect, {"type": name})

    assert (found.error, found.path, found.value) == ("invalid_value", "type", name)
    assert "'session.update'" in found.expected


@pytest.mark.parametrize("name", ["transcription_session.update", "conversation.item.retrieve"])
def test_an_event_of_later_previews_is_unproven(preview: Dialect, name: str) -> None:
    event = {"type": name, "item_id": "x"} if "retrieve" in name else {"type": name, "session": {}}

    assert unproven(preview, event).path == "type"


def test_an_unknown_field_is_refused_with_its_path(dialect: Dialect) -> None:
    if dialect.name == LENIENT:
        pytest.skip("nobody published what it does with a field it does not know")
    nested = "session_realtime" in dialect.client.shapes
    found = refused(dialect, v1_update(colour="red") if nested else update(colour="red"))

    assert (found.error, found.path, found.value, found.expected, found.listed) == (
        "unknown_parameter",
        "session.colour",
        "red",
        "no such field",
        False,
    )


def test_an_unknown_field_of_the_event_itself_is_unproven(dialect: Dialect) -> None:
    found = unproven(dialect, {"type": "response.cancel", "reason": "x"})

    assert (found.path, found.reason) == ("reason", "no document names this field")


def test_an_unknown_field_of_a_tool_is_refused_with_the_number_of_the_tool(preview: Dialect) -> None:
    tools = [{"type": "function", "name": str(number)} for number in range(3)]
    tools[2]["meta"] = "x"

    found = refused(preview, update(tools=tools))

    assert (found.path, found.value) == ("session.tools[2].meta", "x")


def after(previous: str | None) -> dict[str, Any]:
    return {"type": "conversation.item.create", "previous_item_id": previous, "item": USER}


def test_any_id_of_a_previous_item_is_accepted(dialect: Dialect) -> None:
    assert judge_client_event(dialect, after("item_1")) == []


def test_a_null_in_its_place_is_unproven(dialect: Dialect) -> None:
    assert unproven(dialect, after(None)).path == "previous_item_id"


def test_root_came_into_the_documents_after_the_first_preview(preview: Dialect, v1: Dialect) -> None:
    assert unproven(preview, after("root")).path == "previous_item_id"
    assert judge_client_event(v1, after("root")) == []


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"type": "session.update"}, "session"),
        ({"type": "input_audio_buffer.append"}, "audio"),
        ({"type": "conversation.item.create"}, "item"),
        ({"type": "conversation.item.create", "item": {"role": "user", "content": []}}, "item.type"),
        ({"type": "conversation.item.create", "item": {"type": "message", "content": []}}, "item.role"),
        ({"type": "conversation.item.create", "item": {"type": "message", "role": "user"}}, "item.content"),
        (
            {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": "x"}},
            "item.call_id",
        ),
        ({"type": "conversation.item.delete"}, "item_id"),
        ({"type": "conversation.item.truncate", "item_id": "x", "content_index": 0}, "audio_end_ms"),
        (say({"type": "input_text", "text": "a"}, {"type": "input_text"}), "item.content[1].text"),
    ],
)
def test_a_field_that_is_missing_is_named(dialect: Dialect, event: dict[str, Any], path: str) -> None:
    found = refused(dialect, event)

    assert (found.error, found.path, found.value) == ("missing_required_parameter", path, None)


@pytest.mark.parametrize(
    ("event", "path", "expected"),
    [
        ({"type": "session.update", "session": []}, "session", "object"),
        ({"type": "input_audio_buffer.append", "audio": 5}, "audio", "string"),
        (
            {"type": "conversation.item.truncate", "item_id": "x", "content_index": "0", "audio_end_ms": 1},
            "content_index",
            "integer",
        ),
        (
            {"type": "conversation.item.truncate", "item_id": "x", "content_index": True, "audio_end_ms": 1},
            "content_index",
            "integer",
        ),
        (
            {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 1.5},
            "audio_end_ms",
            "integer",
        ),
        ({"type": "conversation.item.create", "item": "x"}, "item", "object"),
        (say("hi"), "item.content[0]", "content_part"),  # type: ignore[arg-type]
    ],
)
def test_a_value_of_another_type_is_refused(
    dialect: Dialect, event: dict[str, Any], path: str, expected: str
) -> None:
    found = refused(dialect, event)

    assert (found.error, found.path, found.expected) == ("invalid_type", path, expected)


def test_a_whole_number_may_be_written_with_a_point(dialect: Dialect) -> None:
    event = {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 1500.0}

    assert judge_client_event(dialect, event) == []


@pytest.mark.parametrize(
    "event",
    [
        update(instructions=None),
        update(voice=None),
        update(tools=None),
        update(temperature=None),
        {"type": "response.create", "response": None},
        {"type": "response.cancel", "response_id": None},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": None}},
        {"type": "conversation.item.create", "item": {**USER, "id": None}},
        {"type": "conversation.item.create", "item": {"type": None}},
        update(turn_detection={"type": None}),
    ],
    ids=str,
)
def test_an_explicit_null_is_never_refused(preview: Dialect, event: dict[str, Any]) -> None:
    unproven(preview, event)


@pytest.mark.parametrize(
    "event", [update(turn_detection=None), update(input_audio_transcription=None)], ids=str
)
def test_the_nulls_that_switch_something_off_are_accepted_on_preview(
    preview: Dialect, event: dict[str, Any]
) -> None:
    assert judge_client_event(preview, event) == []


@pytest.mark.parametrize("name", ["turn_detection", "transcription", "noise_reduction", "format"])
def test_the_nulls_that_switch_something_off_are_accepted_on_ga(v1: Dialect, name: str) -> None:
    assert judge_client_event(v1, v1_update(audio={"input": {name: None}})) == []


@pytest.mark.parametrize("tag", ["telepathy", 5, ["x"]])
def test_a_kind_of_turn_detection_nobody_knows_is_unproven(dialect: Dialect, tag: Any) -> None:
    detection = {"type": tag}
    event = (
        update(turn_detection=detection)
        if "turn_detection" in dialect.client.shapes["session_request"].fields
        else v1_update(audio={"input": {"turn_detection": detection}})
    )

    assert unproven(dialect, event).path.endswith("turn_detection.type")


@pytest.mark.parametrize(
    ("form", "accepted"),
    [
        ({"type": "audio/pcm", "rate": 24000}, True),
        ({"type": "audio/pcm"}, False),
        ({"type": "audio/pcmu"}, True),
        ({"type": "audio/pcmu", "rate": 8000}, False),
        ({"type": "audio/pcm", "rate": 48000}, False),
        ({"type": "audio/opus"}, False),
        ("pcm16", False),
    ],
)
def test_an_audio_format_nobody_has_proved_is_unproven_and_never_refused_on_ga(
    v1: Dialect, form: Any, accepted: bool
) -> None:
    found = judge_client_event(v1, v1_update(audio={"input": {"format": form}, "output": {"format": form}}))

    assert [type(one) for one in found] == ([] if accepted else [Unproven, Unproven])


def test_a_rate_below_the_least_is_refused_on_ga(v1: Dialect) -> None:
    found = refused(v1, v1_update(audio={"output": {"format": {"type": "audio/pcm", "rate": 16000}}}))

    assert (found.error, found.path) == ("integer_below_min_value", "session.audio.output.format.rate")
    assert (found.value, found.expected) == (16000, "24000")


@pytest.mark.parametrize(
    ("values", "documented"),
    [({"temperature": 0.8}, True), ({"temperature": 0.1}, False), ({"temperature": 2}, False)],
)
def test_a_number_outside_its_documented_range_is_unproven(
    preview: Dialect, values: dict[str, float], documented: bool
) -> None:
    assert [type(one) for one in judge_client_event(preview, update(**values))] == (
        [] if documented else [Unproven]
    )


@pytest.mark.parametrize("name", ["pcm16", "g711_ulaw", "g711_alaw"])
def test_the_audio_formats_of_preview_are_names(preview: Dialect, name: str) -> None:
    assert judge_client_event(preview, update(input_audio_format=name, output_audio_format=name)) == []


def test_an_audio_format_of_ga_is_refused_on_preview(preview: Dialect) -> None:
    found = refused(preview, update(input_audio_format={"type": "audio/pcm", "rate": 24000}))

    assert (found.error, found.path) == ("invalid_type", "session.input_audio_format")


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [("input_text", True), ("text", False), ("output_text", False), ("input_image", False)],
)
def test_the_parts_of_assistant_history_on_preview(preview: Dialect, kind: str, accepted: bool) -> None:
    found = judge_client_event(preview, say({"type": kind, "text": "x"}, role="assistant"))

    assert not [one for one in found if isinstance(one, Refusal)]
    assert [one.path for one in found] == ([] if accepted else ["item.content[0].type"])


@pytest.mark.parametrize(("kind", "accepted"), [("input_text", True), ("output_text", True), ("text", False)])
def test_the_parts_of_assistant_history_on_ga(v1: Dialect, kind: str, accepted: bool) -> None:
    found = judge_client_event(v1, say({"type": kind, "text": "x"}, role="assistant"))

    assert not [one for one in found if isinstance(one, Refusal)]
    assert [one.path for one in found] == ([] if accepted else ["item.content[0].type"])


def test_everything_wrong_with_an_event_is_found_at_once(preview: Dialect) -> None:
    event = update(
        type="realtime", audio={}, output_modalities=["audio"], modalities=["audio"], tracing="auto"
    )

    assert [(found.path, type(found).__name__) for found in judge_client_event(preview, event)] == [
        ("session.type", "Refusal"),
        ("session.audio", "Refusal"),
        ("session.output_modalities", "Refusal"),
        ("session.modalities", "Refusal"),
        ("session.tracing", "Unproven"),
    ]


def test_no_refusal_rests_on_an_assumption(dialect: Dialect) -> None:
    events = [
        update(type="x", audio=1, voice=1, modalities=[1], colour=1, tools=[{"meta": 1}]),
        answer(audio=1, voice=1, colour=1),
        {"type": "nothing"},
        {"type": "conversation.item.create", "item": {"type": "message"}},
    ]
    found = [
        one for event in events for one in judge_client_event(dialect, event) if isinstance(one, Refusal)
    ]

    assert len(found) > (3 if dialect.name == LENIENT else 6)
    assert [one.path for one in found if not one.fact.evidence.can_fail] == []


def test_judging_changes_nothing(preview: Dialect) -> None:
    event = update(type="realtime", modalities=["audio"], tools=[{"meta": {"deep": [1]}}])
    before = repr(event)

    judge_client_event(preview, event)

    assert repr(event) == before
