"""Every refusal of the catalogue, produced by the service model from the client event that causes it.

The frames expected here are written out as they were published (see the source
of each error in the tables), not made from the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.dialects import bundled_dialect, dialect_names
from harness.messages import Json
from harness.scenario import Audio, Speech
from tests.talk import Talk, result_item, talk, user_item

PREVIEWS = ("azure-2024-10-01-preview", "azure-2025-04-01-preview", "openai-beta")
NESTED = ("azure-v1", "openai-ga")
REFUSING = (*PREVIEWS, *NESTED)
EVERY = dialect_names()

SPEECH = Speech("Hello!", Audio("hello.wav", bytes(48 * 250)))

Setup = Callable[[Talk], None]


def nothing(session: Talk) -> None:
    """The session as it opens."""


def spoken(session: Talk) -> None:
    session.say()
    session.respond()


def answering(session: Talk) -> None:
    session.say()
    session.send({"type": "response.create"})
    session.read_until("response.created")


def written(session: Talk) -> None:
    session.say(id="mine")


@dataclass(frozen=True)
class Cause:
    """One client event, and the error the service answers it with."""

    error: str
    """The catalogue's name of it."""
    dialects: tuple[str, ...]
    event: Json
    code: str | None
    message: str
    param: str | None = None
    event_id: str | None = "mine"
    """What `error.event_id` is where the client event has the id `mine`; `absent`: no such key."""
    setup: Setup = nothing
    transcription: bool = False
    prefix: bool = field(default=False)
    """Only the beginning of the sentence is published."""

    def __str__(self) -> str:
        return f"{self.error}:{self.param or self.event.get('type', 'no-type')}"


def update(**session: Any) -> Json:
    return {"type": "session.update", "session": session}


def nested(**session: Any) -> Json:
    return update(type="realtime", **session)


def unknown(path: str, event: Json, dialects: tuple[str, ...]) -> Cause:
    message = f"Unknown parameter: '{path}'."
    return Cause("unknown_parameter", dialects, event, "unknown_parameter", message, path)


def missing(path: str, event: Json, dialects: tuple[str, ...]) -> Cause:
    message = f"Missing required parameter: '{path}'."
    return Cause(
        "missing_required_parameter", dialects, event, "missing_required_parameter", message, path, "absent"
    )


def unsupported(field_: str, dialects: tuple[str, ...], event: Json) -> Cause:
    message = "Invalid modalities: ['audio']. Supported combinations are: ['text'] and ['audio', 'text']."
    return Cause("invalid_modalities", dialects, event, "invalid_value", message, field_)


VAD = {"threshold": 0.5}
TOOL = {"type": "function", "name": "f", "parameters": {}}

CAUSES = [
    # Names of another generation, and names of nobody's.
    unknown("session.type", update(type="realtime"), PREVIEWS),
    unknown("session.output_modalities", update(output_modalities=["text"]), PREVIEWS),
    unknown("session.audio", update(audio={"output": {"voice": "echo"}}), PREVIEWS),
    unknown("response.output_modalities", {"type": "response.create", "response": {"output_modalities": ["text"]}}, PREVIEWS),
    unknown("session.input_audio_transcription.enabled", update(input_audio_transcription={"model": "whisper-1", "enabled": True}), PREVIEWS),
    unknown("session.tools[2].meta", update(tools=[TOOL, TOOL, {**TOOL, "meta": 1}]), PREVIEWS),
    unknown("session.tools[2].meta", nested(tools=[TOOL, TOOL, {**TOOL, "meta": 1}]), NESTED),
    unknown("session.modalities", nested(modalities=["text"]), NESTED),
    unknown("session.turn_detection", nested(turn_detection={"type": "server_vad"}), NESTED),
    unknown("session.input_audio_format", nested(input_audio_format="pcm16"), NESTED),
    unknown("session.input_audio_transcription", nested(input_audio_transcription={"model": "whisper-1"}), NESTED),
    # What must be there.
    missing("session.type", update(instructions="x"), NESTED),
    missing("session.turn_detection.type", update(turn_detection=VAD), PREVIEWS),
    missing("session.audio.input.turn_detection.type", nested(audio={"input": {"turn_detection": VAD}}), NESTED),
    missing("session.tool_choice.name", update(tool_choice={"type": "function"}), PREVIEWS),
    missing("session.tool_choice.name", nested(tool_choice={"type": "function", "function": {"name": "f"}}), NESTED),
    # Modalities.
    unsupported("session.modalities", PREVIEWS, update(modalities=["audio"])),
    unsupported("response.modalities", PREVIEWS, {"type": "response.create", "response": {"modalities": ["audio"]}}),
    Cause("invalid_output_modalities", NESTED, nested(output_modalities=["audio", "text"]), "invalid_value", "Invalid modalities: ['audio', 'text'].", "session.output_modalities", prefix=True),
    Cause("invalid_output_modalities", NESTED, {"type": "response.create", "response": {"output_modalities": ["audio", "text"]}}, "invalid_value", "Invalid modalities: ['audio', 'text'].", "response.output_modalities", prefix=True),
    # Values.
    Cause("invalid_value", PREVIEWS, {"type": "ping"}, "invalid_value", "Invalid value: 'ping'. Supported values are: 'session.update', 'transcription_session.update'", "type", prefix=True),
    Cause("invalid_value", NESTED, {"type": "ping"}, "invalid_value", "Invalid value: 'ping'. Supported values are: 'session.update'", "type", prefix=True),
    Cause("integer_below_min_value", NESTED, nested(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}), "integer_below_min_value", "", "session.audio.input.format.rate", prefix=True),
    Cause("invalid_type", EVERY, {"type": "response.cancel", "response_id": 5}, "invalid_type", "Invalid type for 'response_id'", "response_id", prefix=True),
    Cause("invalid_audio", EVERY, {"type": "input_audio_buffer.append", "audio": "%%%%"}, "invalid_value", "Invalid 'audio'", "audio", prefix=True),
    Cause("invalid_event", EVERY, {}, "invalid_event", "The 'type' field is missing."),
    # The kind of session.
    Cause("wrong_session_kind", NESTED, update(type="transcription"), "invalid_parameter", "Passing a transcription session update event to a realtime session is not allowed."),
    Cause("wrong_session_kind", (*PREVIEWS, "azure-2025-08-28"), {"type": "transcription_session.update", "session": {}}, "invalid_parameter", "Passing a transcription session update event to a realtime session is not allowed."),
    Cause("wrong_session_kind_realtime", NESTED, nested(), "invalid_parameter", "Passing a realtime session update event to a transcription session is not allowed.", transcription=True),
    Cause("wrong_session_kind_realtime", (*PREVIEWS, "azure-2025-08-28"), update(instructions="x"), "invalid_parameter", "Passing a realtime session update event to a transcription session is not allowed.", transcription=True),
    Cause("turn_detection_unsupported", NESTED, update(type="transcription", audio={"input": {"transcription": {"model": "gpt-realtime-whisper"}, "turn_detection": {"type": "server_vad"}}}), None, "Turn detection is not supported for this transcription model.", transcription=True),
    # The state of the session.
    Cause("active_response", ("azure-2024-10-01-preview", "azure-2025-04-01-preview", *NESTED), {"type": "response.create"}, "conversation_already_has_active_response", "Conversation already has an active response in progress: resp_", setup=answering, prefix=True),
    Cause("active_response", ("openai-beta",), {"type": "response.create"}, "conversation_already_has_active_response", "Conversation already has an active response", setup=answering),
    Cause("cancel_not_active", EVERY, {"type": "response.cancel"}, "response_cancel_not_active", "Cancellation failed: no active response found"),
    Cause("commit_empty", EVERY, {"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has 0.00ms of audio."),
    Cause("delete_unknown_item", EVERY, {"type": "conversation.item.delete", "item_id": "yo"}, "item_delete_invalid_item_id", "Error deleting item: the item with id 'yo' does not exist."),
    Cause("retrieve_unknown_item", NESTED, {"type": "conversation.item.retrieve", "item_id": "non_existent_item"}, "item_retrieve_invalid_item_id", "Error retrieving item: the item with id 'non_existent_item' does not exist."),
    Cause("retrieve_unknown_item", PREVIEWS, {"type": "conversation.item.retrieve", "item_id": "non_existent_item"}, "item_retrieve_invalid_item_id", "Error retrieving item: the item with id 'non_existent_item' does not exist."),
    Cause("truncate_unknown_item", EVERY, {"type": "conversation.item.truncate", "item_id": "X", "content_index": 0, "audio_end_ms": 1}, "item_truncate_invalid_item_id", "Error truncating item: the item with id 'X' does not exist."),
    Cause("truncate_no_audio", EVERY, {"type": "conversation.item.truncate", "item_id": "mine", "content_index": 0, "audio_end_ms": 1}, "unsupported_content_type", "Only model output audio messages can be truncated", setup=written),
    Cause("truncate_past_end", EVERY, {"type": "conversation.item.truncate", "item_id": "(spoken)", "content_index": 0, "audio_end_ms": 57340}, None, "Audio content of 250ms is already shorter than 57340ms", event_id=None, setup=spoken),
    Cause("voice_after_audio", PREVIEWS, update(voice="echo"), "cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present.", setup=spoken),
    Cause("voice_after_audio", NESTED, nested(audio={"output": {"voice": "echo"}}), "cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present.", setup=spoken),
    Cause("previous_item_unknown", EVERY, user_item(previous_item_id="nobody"), None, "", prefix=True),
]  # fmt: skip

RAISED = [(cause, name) for cause in CAUSES for name in cause.dialects]


def errors_of(cause: Cause, dialect: str) -> list[Json]:
    session = talk(dialect, [SPEECH], transcription=cause.transcription)
    cause.setup(session)
    event = cause.event
    if event.get("item_id") == "(spoken)":
        event = {**event, "item_id": session.service.conversation.last_id}
    events = session.ask({**event, "event_id": "mine"})
    return [one["error"] for one in events if one["type"] == "error"]


@pytest.mark.parametrize(("cause", "dialect"), RAISED, ids=[f"{name}-{cause}" for cause, name in RAISED])
def test_a_refusal_is_produced_from_the_event_that_causes_it(cause: Cause, dialect: str) -> None:
    (error,) = errors_of(cause, dialect)

    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request_error",
        cause.code,
        cause.param,
    )
    assert error["message"].startswith(cause.message) if cause.prefix else error["message"] == cause.message
    if cause.event_id == "absent":
        assert "event_id" not in error
    else:
        assert error["event_id"] == cause.event_id


NOT_RAISED = {
    "azure-2025-08-28": {
        "unknown_parameter": "raised for names nobody has; what generations dispute is left open",
        "missing_required_parameter": "as on the other dated versions",
        "invalid_modalities": "the version is reported with both generations' modalities",
        "invalid_value": "as on the other dated versions",
        "retrieve_unknown_item": "as on the other dated versions",
        "active_response": "as on the other dated versions",
        "voice_after_audio": "as on the other dated versions",
    },
    "azure-voice-live": {
        "unknown_parameter": "nobody published a refusal of it",
        "missing_required_parameter": "nobody published a refusal of it",
        "invalid_modalities": "its own sessions open with audio alone",
        "invalid_value": "nobody published what it does with an unknown event",
        "wrong_session_kind": "it has no transcription sessions",
        "wrong_session_kind_realtime": "it has no transcription sessions",
        "retrieve_unknown_item": "as on OpenAI's beta",
        "active_response": "as on Azure OpenAI",
        "voice_after_audio": "its voice is an object",
    },
}


@pytest.mark.parametrize("dialect", EVERY)
def test_every_refusal_a_client_event_causes_has_its_cause_here(dialect: str) -> None:
    catalogue = {name for name, spec in bundled_dialect(dialect).errors.items() if spec.raised_by == "client"}
    caused = {cause.error for cause in CAUSES if dialect in cause.dialects}
    not_json = {"invalid_json"}

    assert catalogue - caused - not_json == set(NOT_RAISED.get(dialect, ())), "add the event, or the reason"


@pytest.mark.parametrize("dialect", EVERY)
def test_a_frame_that_is_no_json_is_refused(dialect: str) -> None:
    (event,) = talk(dialect).ask("{")

    assert (event["type"], event["error"]["code"]) == ("error", "invalid_json")


@pytest.mark.parametrize("dialect", EVERY)
def test_the_result_of_a_call_is_accepted_before_its_response_is_done(dialect: str) -> None:
    session = talk(dialect)

    assert [event["type"] for event in session.ask(result_item("call_1")) if event["type"] == "error"] == []


@pytest.mark.parametrize("dialect", NESTED)
@pytest.mark.parametrize("format_", ["pcm16", {"type": "audio/pcm"}])
def test_what_reports_contradict_each_other_on_is_never_refused(dialect: str, format_: Any) -> None:
    session = talk(dialect)
    events = session.ask(nested(audio={"input": {"format": format_}}))

    assert [event["type"] for event in events] == ["session.updated"]
