"""What the client of the machine has to say, in either generation's words."""

from __future__ import annotations

import base64
from typing import Any

from harness.audio import encoded
from harness.messages import Json
from harness.scenario import Answer, Audio, Call, Cut, Failure, Incomplete, Several, Speech, Text
from tests.service.sound import speech_and_silence

SPEECH = speech_and_silence(0.6, 1.2)
PIECE = 4800
"""Bytes of PCM in a tenth of a second."""

SPOKEN = Speech("Two words.", Audio("tone.wav", SPEECH[:20_000]))
ANSWERS: dict[str, Answer] = {
    "text": Text("Of course, gladly."),
    "speech": SPOKEN,
    "call": Call("get_weather", '{"city": "Paris"}'),
    "several": Several((Text("One moment."), Call("get_weather", "{}"))),
    "incomplete": Incomplete(Text("I was about to"), "max_output_tokens"),
    "failure": Failure("server_error", None, "The model is gone."),
    "cut": Cut(SPOKEN, 0.3),
    "nothing": Text(""),
}
WHOLE = ("Of course, gladly.", SPOKEN.transcript, '{"city": "Paris"}', "One moment.", "{}")
"""All that is said in whole."""

HEARD = ("Hello there, you.", Failure("invalid_request_error", "x", "No."), "And again.", "", *["More."] * 50)

_VADS: tuple[Json | None, ...] = (
    None,
    {"type": "none"},
    {"type": "server_vad", "create_response": False},
    {"type": "server_vad", "create_response": True},
    {"type": "server_vad", "interrupt_response": False},
    {"type": "server_vad", "silence_duration_ms": 300},
    {"type": "semantic_vad"},
    {"type": "semantic_vad", "eagerness": "high"},
    {"type": "azure_semantic_vad"},
)
_HEARERS: tuple[Json | None, ...] = (
    {"model": "whisper-1"},
    {"model": "gpt-4o-transcribe"},
    {"model": "gpt-realtime-whisper"},
    None,
)
IDLE: Json = {"type": "server_vad", "create_response": True, "idle_timeout_ms": 5000}

NESTED: tuple[Json, ...] = (
    {"instructions": "Be kind."},
    {"output_modalities": ["text"]},
    {"output_modalities": ["audio"]},
    {"max_output_tokens": 40},
    {"audio": {"output": {"voice": "coral"}}},
    *({"audio": {"input": {"turn_detection": vad}}} for vad in (*_VADS, IDLE)),
    *({"audio": {"input": {"transcription": hearer}}} for hearer in _HEARERS),
    *({"audio": {"input": {"format": {"type": name}}}} for name in ("audio/pcmu", "audio/pcma")),
    *({"audio": {"output": {"format": {"type": name}}}} for name in ("audio/pcmu", "audio/pcma")),
    {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}},
    {"voice": "coral"},
    {"made_up": 1},
)
FLAT: tuple[Json, ...] = (
    {"instructions": "Be kind."},
    {"modalities": ["text"]},
    {"modalities": ["text", "audio"]},
    {"max_response_output_tokens": 40},
    {"voice": "coral"},
    *({"turn_detection": vad} for vad in _VADS),
    *({"input_audio_transcription": hearer} for hearer in _HEARERS),
    *({"input_audio_format": name} for name in ("g711_ulaw", "g711_alaw", "pcm16")),
    *({"output_audio_format": name} for name in ("g711_ulaw", "g711_alaw")),
    {"audio": {"output": {"voice": "coral"}}},
    {"made_up": 1},
)
_ONLY_HEARS = ("input_audio_transcription", "turn_detection", "input_audio_format")


def sessions(*, nested: bool, only_hears: bool) -> list[Json]:
    """What a session may be updated to: partly nonsense."""
    if not nested:
        return [one for one in FLAT if not only_hears or one.keys() <= {*_ONLY_HEARS}]
    return [one for one in NESTED if not only_hears or "input" in one.get("audio", ())]


def items(*, nested: bool) -> list[Json]:
    """Every kind of item that a client makes."""
    said = "output_text" if nested else "text"

    def message(role: str, *content: Json) -> Json:
        return {"type": "message", "role": role, "content": list(content)}

    sound = base64.b64encode(SPEECH[:960]).decode()
    return [
        message("user", {"type": "input_text", "text": "Hello?"}),
        message("user", {"type": "input_text", "text": "Listen:"}, {"type": "input_audio", "audio": sound}),
        message("system", {"type": "input_text", "text": "Be brief."}),
        message("assistant", {"type": said, "text": "As I said."}),
        {"type": "function_call", "call_id": "call_of_old", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_of_old", "output": "{}"},
    ]


def overrides(*, nested: bool) -> list[Json]:
    """What a response may be asked for with."""
    words = "output_modalities" if nested else "modalities"
    return [
        {},
        {},
        {"instructions": "Be brief."},
        {words: ["text"]},
        {words: ["audio"] if nested else ["audio", "text"]},
        {"max_output_tokens": 3},
        {"max_output_tokens": 200},
    ]


def appended(pcm: bytes, format_: Any) -> Json:
    """An append of sound, in the format that the session is asked to take."""
    name = str(format_.get("type") if isinstance(format_, dict) else format_)
    law = {"g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}.get(name, name)
    audio = encoded(pcm, law) if law in ("audio/pcmu", "audio/pcma") else pcm
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()}
