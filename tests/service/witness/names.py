"""Names of the two generations: the witness thinks in the newer one's."""

from __future__ import annotations

from typing import Any

from harness.messages import Json

_NEW_NAMES = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "conversation.item.created": "conversation.item.added",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
    "transcription_session.update": "session.update",
}

_FLAT = {
    "audio.input.format": "input_audio_format",
    "audio.input.transcription": "input_audio_transcription",
    "audio.input.turn_detection": "turn_detection",
    "audio.output.format": "output_audio_format",
    "audio.output.voice": "voice",
    "output_modalities": "modalities",
}

ABSENT: Any = object()


def name_of(event: Json) -> str:
    return _NEW_NAMES.get(event["type"], str(event["type"]))


def setting(settings: Json, path: str) -> Any:
    """A setting of a session or a response, wherever its generation has it; ABSENT where it stands nowhere."""
    flat = _FLAT.get(path, path)
    if flat in settings:
        return settings[flat]
    value: Any = settings
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
    return value


def bytes_per_ms(format_: Any) -> int:
    """24 kHz of 16 bits, or the telephone's 8 kHz of 8."""
    name = str(format_.get("type") if isinstance(format_, dict) else format_)
    return 8 if name.startswith(("g711", "audio/pcmu", "audio/pcma")) else 48
