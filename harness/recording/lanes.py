"""What a reader keeps while it reads: what the client did since the last answer, and answers still open."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.messages import MISSING, Json, get_path
from harness.recording.model import AUDIO_SHARE, Barrier, Line, RecordedAnswer, without_event_ids

_NEEDED = ("conversation.item.create", "input_audio_buffer.commit", "response.create")

APPEND: Json = {"type": "input_audio_buffer.append"}
"""Stands for any amount of audio."""


@dataclass
class Since:
    """What the recorded client did since the last answer it asked for."""

    events: list[Json] = field(default_factory=list)
    appended: bool = False
    audio_ms: float = 0.0
    turns: int = 0
    spoken_ms: float = 0.0

    def barrier(self, *, by_service: bool) -> Barrier:
        created = [event["item"] for event in self.events if event["type"] == "conversation.item.create"]
        outputs = [item["call_id"] for item in created if item["type"] == "function_call_output"]
        return Barrier(
            user_items=len(created) - len(outputs),
            outputs=tuple(outputs),
            audio_ms=int(self.audio_ms * AUDIO_SHARE),
            turns=self.turns,
            spoken_ms=int(self.spoken_ms * AUDIO_SHARE),
            by_service=by_service,
        )

    def needed(self) -> tuple[Json, ...]:
        """What of it an answer depends on, canonical and without ids."""
        sound = (APPEND,) if self.appended and (self.audio_ms or self.turns) else ()
        return (*sound, *(without_event_ids(event) for event in self.events if event["type"] in _NEEDED))

    def followed_by(self, later: Since) -> Since:
        """Both together, where what parted them was refused."""
        return Since(
            self.events + later.events,
            self.appended or later.appended,
            self.audio_ms + later.audio_ms,
            self.turns + later.turns,
            self.spoken_ms + later.spoken_ms,
        )


@dataclass
class OpenAnswer:
    """A recorded response that is being read; lines with the times of the recording."""

    id: str
    barrier: Barrier
    needed: tuple[Json, ...]
    outside: bool
    lines: list[Line]
    floats: list[Line] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    """Its items."""
    over: bool = False

    def close(self) -> RecordedAnswer:
        began = self.lines[0].t
        return RecordedAnswer(
            self.barrier,
            tuple(Line(line.t - began, line.event, line.wire) for line in self.lines),
            self.needed,
            tuple(Line(max(line.t - began, 0.0), line.event, line.wire) for line in self.floats),
            self.outside,
        )


def part_of(answer: OpenAnswer, event: Json) -> bool:
    """Whether an event is part of the answer: the response's own, and those of its items."""
    if answer.over:
        return False
    type_: str = event["type"]
    if type_ == "response.done":
        found = bool(event["response"]["id"] == answer.id)
        answer.over = found
        return found
    if type_.startswith("response."):
        belongs = bool(event.get("response_id", answer.id) == answer.id)
        if belongs and type_ == "response.output_item.added":
            answer.made.add(item_id(event))
        return belongs
    if type_ in ("conversation.item.added", "conversation.item.done"):
        return item_id(event) in answer.made
    return False


def item_id(event: Json) -> str:
    id_ = event["item"]["id"]
    if not isinstance(id_, str):
        raise TypeError("an item's id that is no text")
    return id_


_DELTAS = frozenset(
    {
        "response.output_text.delta",
        "response.output_audio_transcript.delta",
        "response.function_call_arguments.delta",
        "response.output_audio.delta",
    }
)


def whole(line: Line) -> Line:
    """The line, where it has what playing it takes; raises KeyError or TypeError where it has not."""
    event = line.event
    type_ = event["type"]
    if type_ in _DELTAS and not (isinstance(event["delta"], str) and isinstance(event["item_id"], str)):
        raise TypeError("a delta, or its item_id, that is no text")
    if type_ == "response.done":
        _whole_end(event["response"])
    if "item" in event:
        item = event["item"]
        item_id(event)
        content = item.get("content") or []
        if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
            raise TypeError("content is no list of parts")
        if item["type"] == "function_call" and not isinstance(item["call_id"], str):
            raise TypeError("call_id is no text")
    if type_ == "response.content_part.added" and not isinstance(event["part"], dict):
        raise TypeError("part is no object")
    if "item_id" in event and not isinstance(event["item_id"], str):
        raise TypeError("item_id is no text")
    hash(event.get("content_index"))
    return line


def _whole_end(response: Json) -> None:
    for name in ("usage", "status_details"):
        if response.get(name) is not None:
            _object(response, name)
    if not isinstance(response.get("output") or [], list):
        raise TypeError("output is no list")
    used = (response.get("usage") or {}).get("total_tokens")
    if used is not None and not isinstance(used, (int, float)):
        raise TypeError("usage.total_tokens is no number")


_HALVES = ("audio", "audio.input", "audio.output")

_LEAVES = (
    "audio.input.format",
    "audio.input.transcription",
    "audio.input.turn_detection",
    "audio.output.format",
)


def whole_session(session: Json) -> Json:
    """The session, where what it holds has the shape that a session has; else raises TypeError."""
    for path in (*_HALVES, *_LEAVES):
        value = get_path(session, path)
        if value is not MISSING and not (value is None and path in _LEAVES):
            _object({path: value}, path)
    return session


def _object(holder: Json, name: str) -> None:
    if not isinstance(holder[name], dict):
        raise TypeError(f"{name} is no object")
