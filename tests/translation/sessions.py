"""Whole sessions in every dialect, told by the model of the service."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from harness.dialects import Dialect
from harness.messages import Side, render_event
from harness.scenario import Answer
from harness.service import Service
from harness.translation import Translator

Event = dict[str, Any]
Session = list[tuple[Side, Event]]

NOW = 1_767_225_600
SPEECH = base64.b64encode(bytes(48 * 200)).decode()
TOOL = {"type": "function", "name": "look", "description": None, "parameters": {"type": "object"}}
UPDATE: Event = {
    "type": "realtime",
    "instructions": "Be brief.",
    "tools": [TOOL],
    "tool_choice": "required",
    "max_output_tokens": 200,
    "output_modalities": ["text"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "turn_detection": {"type": "server_vad", "threshold": 0.4},
            "transcription": {"model": "whisper-1"},
        },
        "output": {"voice": "echo"},
    },
}
ASKED: tuple[Event, ...] = (
    {"type": "session.update", "session": UPDATE},
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}},
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
    },
    {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello"}],
        },
    },
    {"type": "response.create"},
    {"type": "response.create", "response": {"output_modalities": ["audio"], "metadata": {"a": "b"}}},
    {"type": "input_audio_buffer.append", "audio": SPEECH},
    {"type": "input_audio_buffer.commit"},
    {"type": "conversation.item.delete", "item_id": "item_of_nobody"},
)


def told(dialect: Dialect, answers: Iterable[Answer] = ()) -> Session:
    """A session in which most things happen once."""
    service = Service(dialect, seed=7, unix_time=NOW, answers=answers)
    client = Translator(dialect)
    service.open()
    session: Session = []

    def read() -> None:
        while (outgoing := service.pop()) is not None:
            session.append((Side.SERVER, outgoing.event))

    read()
    for canonical in ASKED:
        for event in client.to_wire(Side.CLIENT, canonical).events:
            session.append((Side.CLIENT, event))
            service.receive(render_event(event))
            read()
    return session
