"""Four events, and for each a JSON Schema as one would write it by hand to check just that event.

They are the honest peer of our own schemas: no references, nothing split by kind where one object
does, no values but those the service never leaves, and no word on what a client must not send.
They check less than ours do, which counts in their favour.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def _object(required: str = "", **properties: Any) -> Json:
    return {"type": "object", "required": required.split(), "properties": properties}


def _maybe(schema: Json) -> Json:
    return {**schema, "type": [schema["type"], "null"]}


TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
NUMBER: Json = {"type": "number"}
TRUTH: Json = {"type": "boolean"}
OBJECT: Json = {"type": "object"}
LIMIT: Json = {"type": ["integer", "string", "null"]}

_FORMAT = _object("type", type=TEXT, rate=WHOLE)
_VAD = _object(
    "type",
    type=TEXT,
    threshold=NUMBER,
    prefix_padding_ms=WHOLE,
    silence_duration_ms=WHOLE,
    idle_timeout_ms=_maybe(WHOLE),
    create_response=TRUTH,
    interrupt_response=TRUTH,
)
_TRANSCRIPTION = _object("", model=TEXT, language=_maybe(TEXT), prompt=_maybe(TEXT))
_TOOL = _object("", type=TEXT, name=TEXT, description=_maybe(TEXT), parameters=_maybe(OBJECT))
_AUDIO = _object(
    "",
    input=_object(
        "",
        format=_maybe(_FORMAT),
        transcription=_maybe(_TRANSCRIPTION),
        noise_reduction=_maybe(_object("", type=TEXT)),
        turn_detection=_maybe(_VAD),
    ),
    output=_object("", format=_maybe(_FORMAT), voice={"type": ["string", "object"]}, speed=NUMBER),
)
_SESSION: Json = {
    "object": TEXT,
    "id": TEXT,
    "model": TEXT,
    "output_modalities": {"enum": [["text"], ["audio"]]},
    "instructions": TEXT,
    "tools": {"type": "array", "items": _TOOL},
    "tool_choice": {"type": ["string", "object"]},
    "max_output_tokens": {"type": ["integer", "string"]},
    "tracing": {"type": ["string", "object", "null"]},
    "truncation": {"type": ["string", "object", "null"]},
    "prompt": {"type": ["object", "null"]},
    "expires_at": WHOLE,
    "audio": _AUDIO,
    "include": {"type": ["array", "null"], "items": TEXT},
}
_PART = _object("type", type=TEXT, text=_maybe(TEXT), transcript=_maybe(TEXT), audio=_maybe(TEXT))
_ITEM = _object(
    "id type",
    id=TEXT,
    type={"enum": ["message", "function_call", "function_call_output"]},
    status={"enum": ["completed", "in_progress", "incomplete"]},
    role={"enum": ["system", "user", "assistant"]},
    content={"type": "array", "items": _PART},
    name=TEXT,
    call_id=TEXT,
    arguments=TEXT,
    output=TEXT,
)
_COUNTS = _object(
    "",
    text_tokens=WHOLE,
    audio_tokens=WHOLE,
    image_tokens=WHOLE,
    cached_tokens=WHOLE,
    cached_tokens_details=_maybe(_object("", text_tokens=WHOLE, audio_tokens=WHOLE, image_tokens=WHOLE)),
)
_USAGE = _object(
    "",
    total_tokens=WHOLE,
    input_tokens=WHOLE,
    output_tokens=WHOLE,
    input_token_details=_maybe(_COUNTS),
    output_token_details=_maybe(_COUNTS),
)
_RESPONSE = _object(
    "object id status output output_modalities",
    object=TEXT,
    id=TEXT,
    status={"enum": ["in_progress", "completed", "cancelled", "failed", "incomplete"]},
    status_details=_maybe(OBJECT),
    output={"type": "array", "items": _ITEM},
    conversation_id=_maybe(TEXT),
    output_modalities={"enum": [["text"], ["audio"]]},
    max_output_tokens=LIMIT,
    audio=_object("", output=_object("", format=_FORMAT, voice=TEXT)),
    usage=_maybe(_USAGE),
    metadata=_maybe(OBJECT),
)

SCHEMAS: dict[str, Json] = {
    "session.updated": _object(
        "type event_id session",
        type={"const": "session.updated"},
        event_id=TEXT,
        session=_object("type object id audio", type={"enum": ["realtime", "transcription"]}, **_SESSION),
    ),
    "response.done": _object(
        "type event_id response", type={"const": "response.done"}, event_id=TEXT, response=_RESPONSE
    ),
    "response.output_audio.delta": _object(
        "type event_id response_id item_id output_index content_index delta",
        type={"const": "response.output_audio.delta"},
        event_id=TEXT,
        response_id=TEXT,
        item_id=TEXT,
        output_index=WHOLE,
        content_index=WHOLE,
        delta=TEXT,
    ),
    "session.update": _object(
        "type session",
        type={"const": "session.update"},
        event_id=TEXT,
        session=_object("type", type={"const": "realtime"}, **_SESSION),
    ),
}

_PCM = {"type": "audio/pcm", "rate": 24000}
_INPUT = {
    "format": _PCM,
    "transcription": {"model": "whisper-1", "language": None, "prompt": None},
    "noise_reduction": None,
    "turn_detection": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
}
_SET: Json = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "instructions": "Answer in one sentence.",
    "tools": [
        {
            "type": "function",
            "name": "find_flight",
            "description": "Finds a flight.",
            "parameters": {"type": "object", "properties": {"to": {"type": "string"}}},
        }
    ],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "audio": {"input": _INPUT, "output": {"format": _PCM, "voice": "alloy", "speed": 1.0}},
}
_TOKENS = {"text_tokens": 119, "audio_tokens": 0, "image_tokens": 0}

EVENTS: dict[str, Json] = {
    "session.updated": {
        "type": "session.updated",
        "event_id": "event_1",
        "session": {
            **_SET,
            "object": "realtime.session",
            "id": "sess_1",
            "model": "gpt-realtime",
            "tracing": None,
            "truncation": "auto",
            "prompt": None,
            "expires_at": 1784855837,
            "include": None,
        },
    },
    "response.done": {
        "type": "response.done",
        "event_id": "event_1",
        "response": {
            "object": "realtime.response",
            "id": "resp_1",
            "status": "completed",
            "status_details": None,
            "output": [
                {
                    "id": "item_1",
                    "type": "message",
                    "status": "completed",
                    "role": "assistant",
                    "content": [{"type": "output_audio", "transcript": "Hello, how can I help you today?"}],
                }
            ],
            "conversation_id": "conv_1",
            "output_modalities": ["audio"],
            "max_output_tokens": "inf",
            "audio": {"output": {"format": _PCM, "voice": "alloy"}},
            "usage": {
                "total_tokens": 196,
                "input_tokens": 119,
                "output_tokens": 77,
                "input_token_details": {**_TOKENS, "cached_tokens": 64, "cached_tokens_details": _TOKENS},
                "output_token_details": {"text_tokens": 17, "audio_tokens": 60},
            },
            "metadata": None,
        },
    },
    "response.output_audio.delta": {
        "type": "response.output_audio.delta",
        "event_id": "event_1",
        "response_id": "resp_1",
        "item_id": "item_1",
        "output_index": 0,
        "content_index": 0,
        "delta": "A" * 10_000,
    },
    "session.update": {"type": "session.update", "session": _SET},
}
