"""Splits a session into lanes: what belongs together, whatever else was on the wire in between.

Across lanes, order is a matter of timing: an answer streams while the client
sends audio, and the items of one response may interleave. Deltas and audio
are joined, because where a stream is cut is chance.

A lane is told by what an event refers to before its name: so that a renamed
event stays in its lane.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from harness.cassette import Close
from harness.diff.masks import Digest, audio_size, mask, message_of
from harness.diff.model import Aside, Aspect, Message
from harness.logs.model import Extent, LogEntry
from harness.messages import Json, Side


class LaneKind(StrEnum):
    """In the order of a report."""

    UNREADABLE = "unreadable"
    SESSION = "session"
    REQUESTS = "requests"
    INPUT_AUDIO = "input-audio"
    ITEM = "item"
    CALL = "call"
    RESPONSE = "response"
    TRANSCRIPTION = "transcription"
    OUTPUT_AUDIO = "output-audio"
    RATE_LIMITS = "rate-limits"
    ERRORS = "errors"
    OTHER = "other"
    CLOSE = "close"


LaneId = tuple[LaneKind, str | None]


@dataclass(eq=False)
class Lane:
    """One lane of one side. `id` is the id that all its messages refer to, where they do."""

    kind: LaneKind
    id: str | None
    number: int
    """1 for the first lane of its kind."""
    messages: list[Message] = field(default_factory=list)
    responses: Counter[str] = field(default_factory=Counter)
    """The responses that its events name: all the same, unless something is wrong."""
    label: str = ""
    """What kind of item it is."""
    home: int | None = None
    """The number of its response, where that has a lane."""

    @property
    def response(self) -> str | None:
        return self.responses.most_common(1)[0][0] if self.responses else None

    @cached_property
    def key(self) -> str:
        return "\n".join(message.key for message in self.messages)


class LaneSplitter:
    """Takes the entries of one session, in order; `counted` is what to keep beside the messages."""

    def __init__(self, counted: frozenset[Aspect]) -> None:
        self._counted = counted
        self._audio = Aspect.AUDIO in counted
        self._lanes: dict[LaneId, Lane] = {}
        self._numbers: Counter[LaneKind] = Counter()
        self._streams: dict[tuple[Side | None, str], _Stream] = {}
        self._appended = 0
        self._digest = Digest()
        self._append_lines: list[int] = []
        self._commits = 0
        """Commits of the client that the service has not acknowledged yet."""

    def take(self, entry: LogEntry) -> None:
        event, side = entry.event, entry.side
        if event is None:
            body = {"type": "(unreadable)", "problem": entry.problem or "no event"}
            message = message_of(body, side, (entry.line,), (), Extent.WHOLE)
            self._lane((LaneKind.UNREADABLE, None)).messages.append(message)
            return
        type_ = event.get("type")
        if isinstance(type_, str) and type_.endswith(".delta") and side is not Side.CLIENT:
            self._delta(entry, event, type_)
            return
        place = lane_of(side, event)
        if place[0] is LaneKind.INPUT_AUDIO and _is_append(side, event):
            self._append(entry, event)
            return
        lane = self._lane(place)
        _learn(lane, event)
        added = self._turn(side, event) if place[0] is LaneKind.INPUT_AUDIO else None
        message = mask(event, side, entry.line, entry.extent, counted=self._counted, added=added)
        if added is not None:
            if self._audio:
                digest = Aside(Aspect.AUDIO, "appended", self._digest.shown)
                message = message._replace(asides=(*message.asides, digest))
            self._digest, self._append_lines = Digest(), []
        lane.messages.append(message)

    def end(self, close: Close | None) -> list[Lane]:
        """The lanes, in the order of their first entries."""
        # By their types, and not by what came first, for that is chance too.
        for stream in sorted(self._streams.values(), key=lambda stream: stream.type):
            self._lane(stream.place).messages.append(stream.message())
        if self._appended:
            body: Json = {"type": "input_audio_buffer.append", "audio_bytes": self._appended}
            asides = (Aside(Aspect.AUDIO, "audio", self._digest.shown),) if self._audio else ()
            lines = tuple(self._append_lines)
            message = message_of(body, Side.CLIENT, lines, asides, Extent.WHOLE, joined=True)
            self._lane((LaneKind.INPUT_AUDIO, None)).messages.append(message)
        if close is not None:
            body = {"type": "(close)", "by": close.by, "code": close.code, "reason": close.reason}
            message = message_of(body, None, (), (), Extent.WHOLE)
            self._lane((LaneKind.CLOSE, None)).messages.append(message)
        for lane in self._lanes.values():
            home = self._lanes.get((LaneKind.RESPONSE, lane.response)) if lane.response else None
            if home is not None and lane.kind is LaneKind.ITEM:
                lane.home = home.number
        return list(self._lanes.values())

    def _lane(self, place: LaneId) -> Lane:
        lane = self._lanes.get(place)
        if lane is None:
            self._numbers[place[0]] += 1
            lane = self._lanes[place] = Lane(*place, self._numbers[place[0]])
        return lane

    # Streams: deltas of the service, audio of the client.

    def _delta(self, entry: LogEntry, event: Json, type_: str) -> None:
        rest = dict(event)
        chunk = rest.pop("delta", None)
        own = [(name, rest.pop(name)) for name in _OF_CHUNKS if name in rest]
        # All that is not the chunk's own must be the same, or it is another stream and shows as such.
        name = (entry.side, repr(rest))
        stream = self._streams.get(name)
        if stream is None:
            place = lane_of(entry.side, event)
            _learn(self._lane(place), event)
            sound = type_.endswith("audio.delta")
            stream = self._streams[name] = _Stream(place, entry.side, rest, self._counted, sound=sound)
        stream.add(entry, chunk, own)

    def _append(self, entry: LogEntry, event: Json) -> None:
        chunk = event.get("audio")
        size = audio_size(chunk) if isinstance(chunk, str) else entry.audio_bytes or 0
        self._appended += size
        self._append_lines.append(entry.line)
        if self._audio and isinstance(chunk, str):
            self._digest.add(chunk)
        rest = {key: value for key, value in event.items() if key not in ("audio", "event_id")}
        if not isinstance(chunk, str) and "audio" in event:
            rest["audio"] = chunk
        if rest == {"type": "input_audio_buffer.append"}:
            self._lane((LaneKind.INPUT_AUDIO, None))
            return
        place = (LaneKind.INPUT_AUDIO, None)
        name = (entry.side, repr(rest))
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _Stream(place, entry.side, rest, self._counted, sound=None)
        stream.add(entry, None, [("event_id", event["event_id"])] if "event_id" in event else [])

    def _turn(self, side: Side | None, event: Json) -> Json | None:
        """How much audio came before an event that ends a turn; None for other events."""
        if side is Side.SERVER:
            if "previous_item_id" not in event and event.get("type") != "input_audio_buffer.committed":
                return None
            if self._commits:  # the turn ended with the client's commit
                self._commits -= 1
                return None
        elif event.get("type") != "input_audio_buffer.clear":
            self._commits += 1
        appended, self._appended = self._appended, 0
        return {"appended_bytes": appended}


class _Stream:
    """Deltas of one stream, joined. `sound`: base64; None: nothing to join but the lines."""

    def __init__(
        self,
        place: LaneId,
        side: Side | None,
        rest: Json,
        counted: frozenset[Aspect],
        *,
        sound: bool | None,
    ) -> None:
        self.place = place
        self.type = str(rest.get("type"))
        self._side = side
        self._rest = rest
        self._sound = sound
        self._counted = counted
        self._digest = Digest() if sound and Aspect.AUDIO in counted else None
        self._lines: list[int] = []
        self._texts: list[str] = []
        self._odd: list[object] = []
        self._bytes = 0
        self._extent = Extent.WHOLE
        self._own: dict[str, list[object]] = {}

    def add(self, entry: LogEntry, chunk: object, own: list[tuple[str, object]]) -> None:
        self._lines.append(entry.line)
        if entry.extent is not Extent.WHOLE and self._extent is not Extent.ELIDED:
            self._extent = entry.extent
        if chunk is None:
            self._bytes += entry.audio_bytes or 0
        elif not isinstance(chunk, str):
            self._odd.append(chunk)
        elif self._sound:
            self._bytes += audio_size(chunk)
            if self._digest is not None:
                self._digest.add(chunk)
        else:
            self._texts.append(chunk)
        for name, value in own:
            self._own.setdefault(name, []).append(value)

    def message(self) -> Message:
        first = mask(self._rest, self._side, self._lines[0], counted=self._counted)
        body = first.body
        if self._sound:
            body["audio_bytes"] = self._bytes
        elif self._sound is not None:
            body["delta"] = "".join(self._texts)
        if self._odd:
            body["odd_deltas"] = self._odd
        asides = [*first.asides]
        for name, values in self._own.items():
            aspect = _OF_CHUNKS[name]
            if aspect is None:
                body[name] = [each for value in values if isinstance(value, list) for each in value] or None
            elif aspect in self._counted:
                asides.append(Aside(aspect, name, values))
        if self._digest is not None:
            asides.append(Aside(Aspect.AUDIO, "delta", self._digest.shown))
        return message_of(body, self._side, tuple(self._lines), tuple(asides), self._extent, joined=True)


_OF_CHUNKS = {"event_id": Aspect.ID, "obfuscation": Aspect.PADDING, "logprobs": None}
"""What is a single delta's own; None for content."""


_REFERENCES = frozenset({Aspect.REFERENCE})

_BY_PREFIX = {
    "session": LaneKind.SESSION,
    "transcription_session": LaneKind.SESSION,
    "input_audio_buffer": LaneKind.INPUT_AUDIO,
    "output_audio_buffer": LaneKind.OUTPUT_AUDIO,
    "rate_limits": LaneKind.RATE_LIMITS,
    "error": LaneKind.ERRORS,
}


def lane_of(side: Side | None, event: Json) -> LaneId:
    """The lane of an event."""
    type_ = event.get("type")
    name = type_ if isinstance(type_, str) else ""
    kind = _BY_PREFIX.get(name.split(".", 1)[0])
    item = event.get("item")
    if side is Side.CLIENT:
        if kind in (LaneKind.SESSION, LaneKind.INPUT_AUDIO):
            return kind, None
        if isinstance(item, dict) and item.get("type") == "function_call_output":
            return LaneKind.CALL, _id(item.get("call_id"))
        return (LaneKind.SESSION if isinstance(event.get("session"), dict) else LaneKind.REQUESTS), None
    if kind is not None:
        return kind, None
    item_id = _id(event.get("item_id")) or (_id(item.get("id")) if isinstance(item, dict) else None)
    if name.startswith("conversation.item.input_audio_transcription."):
        return LaneKind.TRANSCRIPTION, item_id
    if item_id is not None:
        return LaneKind.ITEM, item_id
    response = event.get("response")
    response_id = _id(event.get("response_id")) or (
        _id(response.get("id")) if isinstance(response, dict) else None
    )
    if response_id is not None or name.startswith("response."):
        return LaneKind.RESPONSE, response_id
    if isinstance(event.get("session"), dict) or isinstance(event.get("conversation"), dict):
        return LaneKind.SESSION, None
    return LaneKind.OTHER, None


def _is_append(side: Side | None, event: Json) -> bool:
    """Whether an event of the input audio carries some, by whatever name."""
    return side is not Side.SERVER and (
        isinstance(event.get("audio"), str) or event.get("type") == "input_audio_buffer.append"
    )


def _id(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _learn(lane: Lane, event: Json) -> None:
    """What the events of a lane say about it."""
    response = event.get("response_id")
    if isinstance(response, str):
        lane.responses[response] += 1
    item = event.get("item")
    if not lane.label and lane.kind is LaneKind.ITEM and isinstance(item, dict):
        words = (item.get("role"), item.get("type"))
        lane.label = " ".join(word for word in words if isinstance(word, str))


def split(
    entries: Iterable[LogEntry], close: Close | None, counted: frozenset[Aspect] = _REFERENCES
) -> list[Lane]:
    """The lanes of one session."""
    splitter = LaneSplitter(counted)
    for entry in entries:
        splitter.take(entry)
    return splitter.end(close)
