"""One response while it runs: what of it was really sent, and how it ends when it is cut short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.audio import bytes_per_ms, format_of
from harness.messages import Json, copied, decode_audio
from harness.service.answers import ResponseFrame
from harness.service.exchange import Origin, ResponseStart
from harness.service.supply import Delta
from harness.service.usage import MS_PER_AUDIO_TOKEN, Cost

_STREAMS = frozenset(
    {
        "response.output_text.delta",
        "response.output_audio_transcript.delta",
        "response.function_call_arguments.delta",
    }
)

_CLOSING = {
    "response.output_text.done",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.function_call_arguments.done",
}


@dataclass
class _Part:
    at: Json
    """`item_id`, `output_index` and `content_index`."""
    kind: str
    pieces: list[str] = field(default_factory=list)
    done: bool = False
    ended: set[str] = field(default_factory=set)
    """The streams that had their own `.done`."""

    @property
    def words(self) -> str:
        return "".join(self.pieces)


@dataclass
class _Item:
    place: Json
    item: Json
    parts: dict[Any, _Part] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    settled: bool = False
    """Its `conversation.item.done` was sent."""
    done: bool = False


@dataclass
class Running:
    """A response from its start until `response.done` was sent."""

    frame: ResponseFrame
    origin: Origin
    start: ResponseStart
    outside: bool
    hold: bool
    given: list[Json] | None = None
    """The items it was asked with in place of the conversation."""
    created: bool = False
    ending: bool = False
    """Its end is queued: nothing can be cancelled any more."""
    items: dict[str, _Item] = field(default_factory=dict)
    output: list[Json] = field(default_factory=list)
    cost: Cost = field(default_factory=Cost)
    """Of what was sent."""
    audio_ms: int = 0

    @property
    def id(self) -> str:
        return self.frame.response_id

    def sent(self, event: Json) -> None:
        """Takes note of an event of this response that went out."""
        type_ = event["type"]
        if type_ == "response.created":
            self.created = True
        elif type_ == "response.output_item.added":
            place: Json = {key: event[key] for key in ("response_id", "output_index") if key in event}
            self.items[event["item"]["id"]] = _Item(place, event["item"])
        elif type_ == "response.output_item.done":
            self.output.append(event["item"])
            self._item(event["item"]["id"]).done = True
        elif type_ == "conversation.item.done":
            self._item(event["item"]["id"]).settled = True
        elif "item_id" in event:
            self._sent_of_item(event, type_)

    def sent_delta(self, delta: Delta) -> int:
        """Takes note of deltas that went out; returns the milliseconds of their sound."""
        if delta.words:
            self.cost.text += len(delta.words)
            item = self._item(delta.item_id)
            part = item.parts.get(delta.content_index)
            (item.arguments if part is None else part.pieces).extend(delta.words)
        ms = sum(sound // self._bytes_per_ms for sound in delta.sounds)
        self.audio_ms += ms
        self.cost.audio = self.audio_ms // MS_PER_AUDIO_TOKEN
        return ms

    @cached_property
    def _bytes_per_ms(self) -> int:
        return bytes_per_ms(format_of(self.frame.session, "output"))

    def _item(self, item_id: str) -> _Item:
        item = self.items.get(item_id)
        if item is None:
            place = {"response_id": self.id}
            item = self.items[item_id] = _Item(place, {"id": item_id, "type": "message"})
        return item

    def _sent_of_item(self, event: Json, type_: str) -> None:
        item = self._item(event["item_id"])
        index = event.get("content_index")
        if type_ == "response.content_part.added":
            at: Json = {k: event[k] for k in ("item_id", "output_index", "content_index") if k in event}
            item.parts[index] = _Part(at, event["part"].get("type", "text"))
        elif type_ == "response.content_part.done" and index in item.parts:
            item.parts[index].done = True
        elif type_ == "response.output_audio.delta":
            audio = decode_audio(event.get("delta")) or b""
            self.sent_delta(Delta(event["item_id"], index, sounds=(len(audio),)))
        elif type_ in _STREAMS:
            self.sent_delta(Delta(event["item_id"], index, (event["delta"],)))
        elif type_ in _CLOSING:
            (item.parts[index].ended if index in item.parts else item.ended).add(type_)

    def closing(self) -> Iterator[Json]:
        """What closes all that is open, before `response.done`; the texts are those really sent."""
        for item in self.items.values():
            if item.done:
                continue
            for part in item.parts.values():
                if not part.done:
                    yield from self._closed_part(part)
            finished = self._finished(item)
            if finished["type"] == "function_call":
                name = "response.function_call_arguments.done"
                if name not in item.ended:
                    call = {"item_id": finished["id"], "call_id": finished.get("call_id")}
                    said = {"name": finished.get("name"), "arguments": "".join(item.arguments)}
                    yield {"type": name, **item.place, **call, **said}
            if not self.outside and not item.settled:
                yield {"type": "conversation.item.done", "previous_item_id": None, "item": finished}
            yield {"type": "response.output_item.done", **item.place, "item": copied(finished)}

    def _closed_part(self, part: _Part) -> Iterator[Json]:
        at = {"response_id": self.id, **part.at}
        if part.kind == "audio":
            ends: list[tuple[str, Json]] = [
                ("response.output_audio.done", {}),
                ("response.output_audio_transcript.done", {"transcript": part.words}),
            ]
            closed: Json = {"type": "audio", "transcript": part.words}
        else:
            ends = [("response.output_text.done", {"text": part.words})]
            closed = {"type": "text", "text": part.words}
        for name, said in ends:
            if name not in part.ended:
                yield {"type": name, **at, **said}
        yield {"type": "response.content_part.done", **at, "part": closed}

    def _finished(self, item: _Item) -> Json:
        finished = {**copied(item.item), "status": "incomplete"}
        if finished.get("type") == "function_call":
            finished["arguments"] = "".join(item.arguments)
        else:
            finished["content"] = [
                {"type": "output_audio", "transcript": part.words}
                if part.kind == "audio"
                else {"type": "output_text", "text": part.words}
                for part in item.parts.values()
            ]
        return finished
