"""What differs between the two generations of the API, written down by hand.

A witness shares nothing with the harness: these tables are not the project's
own translation, so that a fault in that one shows here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from driver_runtime import Json

SHARED_EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "session.created": "created",
        "session.updated": "updated",
        "error": "error",
        "input_audio_buffer.speech_started": "speech_started",
        "input_audio_buffer.committed": "committed",
        "conversation.item.input_audio_transcription.completed": "user_transcript",
        "conversation.item.input_audio_transcription.failed": "transcription_failed",
        "conversation.item.retrieved": "edited",
        "conversation.item.deleted": "deleted",
        "conversation.item.truncated": "edited",
        "response.output_item.done": "output_item",
        "response.done": "response_done",
    }
)
"""Names that mean the same in both generations."""

FLAT_FIELDS: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("output_modalities",): "modalities",
        ("max_output_tokens",): "max_response_output_tokens",
        ("audio", "input", "format"): "input_audio_format",
        ("audio", "input", "transcription"): "input_audio_transcription",
        ("audio", "input", "noise_reduction"): "input_audio_noise_reduction",
        ("audio", "input", "turn_detection"): "turn_detection",
        ("audio", "output", "format"): "output_audio_format",
        ("audio", "output", "voice"): "voice",
        ("audio", "output", "speed"): "speed",
    }
)
"""Where the preview's flat session keeps what GA nests."""

FLAT_RESPONSE_FIELDS: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("output_modalities",): "modalities",
        ("audio", "output", "format"): "output_audio_format",
        ("audio", "output", "voice"): "voice",
    }
)
"""The same for what one response is asked for with."""

FLAT_FORMATS: Mapping[str, str] = MappingProxyType(
    {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
)
ONLY_NESTED = frozenset({"type", "truncation", "reasoning", "parallel_tool_calls"})
ONLY_FLAT = frozenset({"temperature"})

MISSING = object()


def find(tree: Any, path: tuple[str, ...]) -> Any:
    """What stands at `path`, or `MISSING`: null is a value, it switches a feature off."""
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return MISSING
        tree = tree[name]
    return tree


def nested_session(session: Json) -> Json:
    kept = {name: value for name, value in session.items() if name not in ONLY_FLAT}
    return {"type": "realtime", **kept}


def flat_session(session: Json) -> Json:
    return _flat(session, FLAT_FIELDS)


def flat_response(response: Json) -> Json:
    flat = _flat(response, FLAT_RESPONSE_FIELDS)
    if "input" in flat:
        flat["input"] = [_flat_item(item) for item in flat["input"]]
    return flat


def _flat(nested: Json, fields: Mapping[tuple[str, ...], str]) -> Json:
    moved = {path[0] for path in fields}
    flat = {name: value for name, value in nested.items() if name not in ONLY_NESTED | moved}
    for path, name in fields.items():
        value = find(nested, path)
        if value is not MISSING:
            flat[name] = _flat_value(name, value)
    return flat


def _flat_item(item: Json) -> Json:
    if item.get("role") != "assistant" or not isinstance(item.get("content"), list):
        return item
    names = {"output_text": "text", "output_audio": "audio"}
    content = [{**part, "type": names.get(part["type"], part["type"])} for part in item["content"]]
    return {**item, "content": content}


def _flat_value(name: str, value: Any) -> Any:
    if name == "modalities":
        return ["audio", "text"] if "audio" in value else value
    if name.endswith("_audio_format"):
        return FLAT_FORMATS[value["type"]]
    if name == "turn_detection" and value is not None:
        return {key: part for key, part in value.items() if key != "idle_timeout_ms"}
    return value


@dataclass(frozen=True)
class Generation:
    """What differs between the generations, as far as this client uses it."""

    events: Mapping[str, str]
    assistant_part: str
    session: Callable[[Json], Json]
    response: Callable[[Json], Json]
    transcription_update: str
    """The event that configures a session which only hears."""


GA = Generation(
    events=MappingProxyType(
        {
            **SHARED_EVENTS,
            "conversation.item.added": "item",
            "conversation.item.done": "item",
            "response.output_text.delta": "text",
            "response.output_audio.delta": "audio",
            "response.output_audio_transcript.delta": "transcript",
        }
    ),
    assistant_part="output_text",
    session=nested_session,
    response=dict,
    transcription_update="session.update",
)
PREVIEW = Generation(
    events=MappingProxyType(
        {
            **SHARED_EVENTS,
            "transcription_session.created": "created",
            "transcription_session.updated": "updated",
            "conversation.item.created": "item",
            "response.text.delta": "text",
            "response.audio.delta": "audio",
            "response.audio_transcript.delta": "transcript",
        }
    ),
    assistant_part="text",
    session=flat_session,
    response=flat_response,
    transcription_update="transcription_session.update",
)


def effective(session: Json, path: tuple[str, ...]) -> Any:
    """A field of a session as the service tells it, in whichever shape it does."""
    nested = find(session, path)
    return session.get(FLAT_FIELDS[path]) if nested is MISSING else nested
