"""A message that crosses a connection, as one line for people.

What a peer sent is shown on one line, cut, without anything a terminal would obey.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from harness.audio import bytes_per_ms, format_of
from harness.cli.plain import plain
from harness.messages import Json, Side, decode_audio
from harness.redaction import cut
from harness.service import Entry

MOST = 160
"""Characters of one value."""

STREAMS = {
    "input_audio_buffer.append": "audio",
    "response.output_audio.delta": "delta",
    "response.output_text.delta": "delta",
    "response.output_audio_transcript.delta": "delta",
    "response.function_call_arguments.delta": "delta",
    "conversation.item.input_audio_transcription.delta": "delta",
}
"""Events that come in rows, and the field that carries the stream."""

ROUTINE = frozenset(
    {
        "conversation.item.added",
        "conversation.item.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_item.added",
        "response.output_item.done",
    }
)
"""Events that tell nothing which others do not tell too."""

_SOUNDS = ("input_audio_buffer.append", "response.output_audio.delta")


def shown(value: Any, most: int = MOST) -> str:
    """A value on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return plain(cut(text, most).replace("\n", " "))


def quoted(text: Any) -> str:
    return f"“{shown(text)}”" if isinstance(text, str) else shown(text)


def name_of(entry: Entry) -> str:
    """The event's type, as it stood on the wire."""
    return shown(entry.event["type"], 80) if entry.event is not None else "(no event)"


def is_routine(entry: Entry) -> bool:
    """Whether the eye may pass over it."""
    return bool(entry.canonical) and entry.canonical[0]["type"] in ROUTINE and entry.fault is None


def stream_of(entry: Entry) -> str | None:
    """The canonical name of the stream the message is part of; None where it stands alone."""
    if entry.event is None or not entry.canonical or entry.refusals or entry.refused_by_state or entry.fault:
        return None
    type_ = entry.canonical[0]["type"]
    return type_ if type_ in STREAMS else None


def content(entry: Entry, session: Json) -> str:
    """What the message says, in short."""
    if entry.event is None:
        return quoted(entry.raw or "")
    event = entry.canonical[0] if entry.canonical else entry.event
    stream = stream_of(entry)
    if stream is not None:
        return streamed(stream, [event.get(STREAMS[stream])], session)
    teller = _TELLERS.get(event["type"])
    try:
        return teller(event, entry) if teller else ""
    except (
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
    ):  # a client may send anything, and so may a fault
        return shown(entry.event)


def streamed(type_: str, pieces: list[Any], session: Json) -> str:
    """What a row of pieces adds up to: text, or how long it sounds."""
    if type_ not in _SOUNDS:
        return quoted("".join(piece for piece in pieces if isinstance(piece, str)))
    size = sum(len(decode_audio(piece) or b"") for piece in pieces)
    rate = bytes_per_ms(format_of(session, "input" if type_ == _SOUNDS[0] else "output"))
    return f"{size / rate:.0f} ms of audio"


def _session(event: Json, _: Entry) -> str:
    """What the service tells of its session: what people look for first."""
    session = event["session"]
    audio = session.get("audio") or {}
    heard, said = audio.get("input") or {}, audio.get("output") or {}
    detection = (heard.get("turn_detection") or {}).get("type")
    parts = [
        session.get("model"),
        "+".join(session.get("output_modalities") or ()),
        said.get("voice"),
        detection and f"turns by {detection}",
        heard.get("transcription") and "transcription",
        _tools(session),
    ]
    return shown(", ".join(str(part) for part in parts if part))


def _tools(holder: Json) -> str:
    names = [str(tool.get("name", "?")) for tool in holder.get("tools") or ()]
    return f"tools {', '.join(names)}" if names else ""


def _wanted(_: Json, entry: Entry) -> str:
    """What the client asks for, by its own names."""
    assert entry.event is not None
    holder = entry.event.get("session", entry.event.get("response"))
    return shown(", ".join(_leaves(holder, ""))) if isinstance(holder, dict) else ""


def _leaves(value: Json, at: str) -> Iterator[str]:
    for key, inner in value.items():
        if key == "tools" and isinstance(inner, list) and inner:
            yield _tools(value)
        elif isinstance(inner, dict) and inner:
            yield from _leaves(inner, f"{at}{key}.")
        else:
            yield f"{at}{key}={shown(inner, 50)}"


def item_text(item: Json) -> str:
    """An item in short: who says what."""
    if item.get("type") == "function_call":
        return shown(f"calls {item.get('name')}({item.get('arguments', '')})")
    if item.get("type") == "function_call_output":
        return f"result {shown(item.get('output'))}"
    said = []
    for part in item.get("content") or ():
        words = part.get("text") or part.get("transcript")
        said.append(quoted(words) if words else str(part.get("type")))
    return shown(" ".join([str(item.get("role") or item.get("type")), *said]))


def _item(event: Json, _: Entry) -> str:
    return item_text(event["item"])


def _done(event: Json, _: Entry) -> str:
    response = event["response"]
    details = response.get("status_details") or {}
    error = details.get("error") or {}
    parts = [response["status"], details.get("reason"), error.get("code") or error.get("type")]
    words = [quoted(error["message"])] if error.get("message") else []
    return shown(" ".join([", ".join(str(part) for part in parts if part), *words]))


def _error(event: Json, _: Entry) -> str:
    error = event["error"]
    return f"{shown(error.get('code') or error.get('type'))} {quoted(error.get('message'))}"


def _field(name: str) -> Callable[[Json, Entry], str]:
    return lambda event, _: quoted(event[name])


def _part(event: Json, _: Entry) -> str:
    part = event["part"]
    words = part.get("text") or part.get("transcript")
    return f"{shown(part['type'])} {quoted(words)}" if words else shown(part["type"])


def _cut(event: Json, _: Entry) -> str:
    return f"{shown(event['item_id'])} at {shown(event['audio_end_ms'])} ms"


def _speech(event: Json, _: Entry) -> str:
    return f"at {shown(event.get('audio_start_ms', event.get('audio_end_ms')))} ms"


_TELLERS: dict[str, Callable[[Json, Entry], str]] = {
    "session.created": _session,
    "session.updated": _session,
    "session.update": _wanted,
    "response.create": _wanted,
    "conversation.item.create": _item,
    "conversation.item.added": _item,
    "conversation.item.done": _item,
    "conversation.item.retrieved": _item,
    "conversation.item.truncate": _cut,
    "conversation.item.truncated": _cut,
    "conversation.item.retrieve": lambda event, _: shown(event["item_id"]),
    "conversation.item.delete": lambda event, _: shown(event["item_id"]),
    "conversation.item.deleted": lambda event, _: shown(event["item_id"]),
    "conversation.item.input_audio_transcription.completed": _field("transcript"),
    "input_audio_buffer.speech_started": _speech,
    "input_audio_buffer.speech_stopped": _speech,
    "response.output_item.added": _item,
    "response.output_item.done": _item,
    "response.content_part.added": _part,
    "response.content_part.done": _part,
    "response.output_text.done": _field("text"),
    "response.output_audio_transcript.done": _field("transcript"),
    "response.function_call_arguments.done": _field("arguments"),
    "response.done": _done,
    "error": _error,
}


def arrow(side: Side) -> str:
    return ">>" if side is Side.CLIENT else "<<"
