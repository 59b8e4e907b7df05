"""One who watches a session from outside and knows the service's invariants; nothing of the model is used.

The rules are those that every published capture keeps, and those of the API
reference, said over in the plainest way: one event after another, as the client
hears them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
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
}
_WORDS = {
    "response.output_text": "text",
    "response.output_audio_transcript": "transcript",
    "response.function_call_arguments": "arguments",
}
"""Streams whose `.done` says over what the deltas said, and under which name."""

MS = 48
"""Bytes of a millisecond of the audio that is given."""


@dataclass
class Part:
    kind: str
    deltas: dict[str, list[str]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    closed: bool = False


@dataclass
class Item:
    response: str
    type: str
    parts: dict[int, Part] = field(default_factory=dict)
    done: Json | None = None


@dataclass
class Response:
    id: str
    outside: bool
    items: dict[str, Item] = field(default_factory=dict)
    output: list[Json] = field(default_factory=list)
    done: Json | None = None


class Witness:
    """Hears every event of the service in its order; raises AssertionError at the first that breaks a rule."""

    def __init__(self, *, item_done: str) -> None:
        self.item_done = item_done
        """`separate`, `made` (there is none), or `committed` (for audio of the user alone)."""
        self.whole: set[str] | None = None
        """All that an item may say in whole; None where that is not known."""
        self.open_speech: str | None = None
        """The item that the speech now going on becomes, as far as we were told."""
        self.heard: list[Json] = []
        self.order: list[str] = []
        """The conversation's items, as far as we were told."""
        self.asked_place: dict[str, str] = {}
        """Where the client wanted the items it made."""
        self.leaving: set[str] = set()
        """Items whose deletion the client asked for."""
        self.undone: set[str] = set()
        """Added and not yet done."""
        self.responses: dict[str, Response] = {}
        self.items: dict[str, Item] = {}
        self.speech: dict[str, list[str]] = {}
        self.audio_ms: dict[str, int] = {}
        self._ids: set[str] = set()
        self._next: tuple[str, Json] | None = None
        """What must come directly now."""

    @property
    def running(self) -> list[Response]:
        return [response for response in self.responses.values() if response.done is None]

    def hear(self, event: Json) -> str:
        """Takes one event; gives its name, the newer generation's."""
        name = _NEW_NAMES.get(event["type"], str(event["type"]))
        assert (name == "session.created") == (not self.heard), "session.created is first, and only first"
        assert event["event_id"] not in self._ids, "an event id comes twice"
        self._ids.add(event["event_id"])
        self.heard.append(event)
        self._directly(name, event)
        if name == "session.updated":
            self.open_speech = None  # it may listen anew
        elif name in ("conversation.item.added", "conversation.item.done", "conversation.item.deleted"):
            self._conversation(name, event)
        elif name.startswith("input_audio_buffer."):
            self._buffer(name, event)
        elif name.startswith("response."):
            self._response(name, event)
        return name

    def finish(self) -> None:
        """Everything was heard: nothing may be left open."""
        assert not self.running, "a response is never done"
        assert self._next is None, f"{self._next} never came"
        if self.item_done == "separate":
            assert not self.undone, "an item is added and never done"

    def _directly(self, name: str, event: Json) -> None:
        wanted, self._next = self._next, None
        if wanted is None:
            return
        assert name == wanted[0], f"{name} comes where {wanted[0]} must"
        assert event["item"] == wanted[1], f"{name} has another item than the event before it"

    # The conversation.

    def _conversation(self, name: str, event: Json) -> None:
        if name == "conversation.item.deleted":
            assert event["item_id"] in self.order
            self.order.remove(event["item_id"])
            return
        item_id = event["item"]["id"]
        if name == "conversation.item.added":
            self._added(item_id, event)
            return
        assert self.item_done != "made", "this generation has no conversation.item.done"
        assert item_id in self.undone, "conversation.item.done without its .added, or twice"
        self.undone.discard(item_id)
        if item_id in self.items:
            self._next = ("response.output_item.done", event["item"])

    def _added(self, item_id: str, event: Json) -> None:
        assert item_id not in self.order, "an item is added twice"
        self.undone.add(item_id)
        previous = event.get("previous_item_id")
        wanted = self.asked_place.pop(item_id, "")
        wanted = wanted if wanted == "root" or wanted in self.order else ""
        if wanted == "root":
            assert previous is None, f"the first item has {previous} before it"
            self.order.insert(0, item_id)
        elif wanted:
            assert previous == wanted, f"{previous} is before an item that was to follow {wanted}"
            place = self.order.index(wanted) if wanted in self.order else len(self.order) - 1
            self.order.insert(place + 1, item_id)
        else:
            last = self.order[-1] if self.order else None
            assert previous == last, f"an item is said to follow {previous}; the last one told of is {last}"
            self.order.append(item_id)
        stages = self.speech.get(item_id)
        assert stages is None or stages[-1] == "committed", f"an item is added after {stages}"

    # Input audio.

    def _buffer(self, name: str, event: Json) -> None:
        stage = name.removeprefix("input_audio_buffer.")
        spoken, self.open_speech = self.open_speech, None
        if stage == "cleared":
            return
        item_id = event["item_id"]
        assert spoken in (None, item_id), f"{stage} of another item than the speech going on"
        stages = self.speech.setdefault(item_id, [])
        before: dict[str, list[list[str]]] = {
            "speech_started": [[]],
            "timeout_triggered": [[]],
            "speech_stopped": [["speech_started"]],
            # By hand, in the middle of speech, or after it; or as nobody said anything.
            "committed": [
                [],
                ["speech_started"],
                ["speech_started", "speech_stopped"],
                ["timeout_triggered"],
            ],
        }
        assert stages in before[stage], f"{stage} after {stages}"
        assert item_id not in self.order, f"{stage} of an item that is there already"
        if stage == "committed":
            previous, last = event["previous_item_id"], self.order[-1] if self.order else None
            answering = any(not response.outside for response in self.running)
            if answering:  # nobody published whether the answer's own items count
                assert previous in (None, *self.order), "committed after an item nobody was told of"
            else:
                assert previous == last, "committed after another than the last item"
        if stage == "speech_started":
            self.open_speech = item_id
        if stage == "speech_stopped":
            started = next(
                e for e in reversed(self.heard) if e["type"] == "input_audio_buffer.speech_started"
            )
            assert started["item_id"] == item_id, "one stretch of speech ends, another had begun"
            assert event["audio_end_ms"] >= started["audio_start_ms"], "speech ends before it begins"
        stages.append(stage)

    # Responses.

    def _response(self, name: str, event: Json) -> None:
        if name == "response.created":
            self._created(event["response"])
            return
        if name == "response.done":
            self._finished(event["response"])
            return
        response = self.responses.get(event["response_id"])
        assert response is not None, f"{name} before its response.created"
        assert response.done is None, f"{name} after its response.done"
        if name == "response.output_item.added":
            self._item_added(response, event)
            return
        item = response.items.get(event["item"]["id"] if "item" in event else event["item_id"])
        assert item is not None, f"{name} before its item"
        assert item.done is None, f"{name} after its item is done"
        if name == "response.output_item.done":
            self._item_done(response, item, event)
        elif name == "response.content_part.added":
            index = event["content_index"]
            assert index not in item.parts, "a part is added twice"
            assert index == len(item.parts), "a part leaves a gap"
            item.parts[index] = Part(event["part"]["type"])
        else:
            self._stream(item, name, event)

    def _created(self, body: Json) -> None:
        assert body["id"] not in self.responses, "response.created twice"
        assert body["status"] == "in_progress", f"a response begins as {body['status']}"
        assert body["output"] == [], "a response begins with items"
        outside = body["conversation_id"] is None
        inside = [response for response in self.running if not response.outside]
        assert outside or not inside, "a response begins while another is active in the conversation"
        self.responses[body["id"]] = Response(body["id"], outside)

    def _item_added(self, response: Response, event: Json) -> None:
        body = event["item"]
        assert body["id"] not in self.items, "an item of a response is added twice"
        assert body["id"] not in self.order, "an item of a response was there before"
        assert event["output_index"] == len(response.items), "an item leaves a gap"
        item = Item(response.id, body["type"])
        response.items[body["id"]] = self.items[body["id"]] = item
        if not response.outside:
            self._next = ("conversation.item.added", body)

    def _stream(self, item: Item, name: str, event: Json) -> None:
        stream, _, kind = name.rpartition(".")
        index = event.get("content_index", 0)
        if stream == "response.function_call_arguments":
            assert item.type == "function_call"
            part = item.parts.setdefault(index, Part("arguments"))
        else:
            assert index in item.parts, f"{name} before its part"
            part = item.parts[index]
        assert not part.closed, f"{name} after its part is done"
        if name == "response.content_part.done":
            self._part_done(part, event["part"])
            return
        assert stream not in part.done, f"{name} after {stream}.done"
        if kind == "delta":
            part.deltas.setdefault(stream, []).append(event["delta"])
            if stream == "response.output_audio" and not self.responses[item.response].outside:
                pcm = base64.b64decode(event["delta"], validate=True)
                self.audio_ms[event["item_id"]] = self.audio_ms.get(event["item_id"], 0) + len(pcm) // MS
            return
        part.done.add(stream)
        if stream in _WORDS:
            said = "".join(part.deltas.get(stream, ()))
            assert event[_WORDS[stream]] == said, (
                f"{name} says {event[_WORDS[stream]]!r}, its deltas {said!r}"
            )
        if stream == "response.function_call_arguments":
            part.closed = True

    def _part_done(self, part: Part, body: Json) -> None:
        assert part.deltas.keys() <= part.done, "a part is done with a stream open"
        assert body["type"] == part.kind, "a part changes its type"
        for stream, name in _WORDS.items():
            if stream in part.deltas:
                assert body[name] == "".join(part.deltas[stream]), "a part is done with other words"
        part.closed = True

    def _item_done(self, response: Response, item: Item, event: Json) -> None:
        body = event["item"]
        assert all(part.closed for part in item.parts.values()), "an item is done with a part open"
        assert body["type"] == item.type
        assert body["status"] in ("completed", "incomplete"), f"an item ends as {body['status']}"
        for said in _said(item):
            cut = self.whole is not None and said not in self.whole
            assert not cut or body["status"] == "incomplete", f"{said!r} is not all, and the item completed"
        if item.type == "function_call":
            parts = item.parts.values()
            said = "".join(x for p in parts for x in p.deltas.get("response.function_call_arguments", ()))
            assert body["arguments"] == said, "a call is done with other arguments"
        else:
            assert len(body["content"]) == len(item.parts), "an item is done with other parts"
            for index, part in item.parts.items():
                self._content(body["content"][index], part)
        if self.item_done == "separate" and not response.outside:
            before = self.heard[-2]
            assert before["type"] == "conversation.item.done", "no conversation.item.done directly before"
            assert before["item"] == body, "the item differs between its two dones"
        item.done = body
        response.output.append(body)

    def _content(self, content: Json, part: Part) -> None:
        for stream, name in _WORDS.items():
            if stream in part.deltas:
                assert content[name] == "".join(part.deltas[stream]), "an item is done with other words"

    def _finished(self, body: Json) -> None:
        response = self.responses.get(body["id"])
        assert response is not None, "response.done before response.created"
        assert response.done is None, "response.done twice"
        assert body["status"] in ("completed", "cancelled", "incomplete", "failed"), body["status"]
        assert all(item.done is not None for item in response.items.values()), "done with an item open"
        assert body["output"] == response.output, "response.done lists other items than were done"
        if body["status"] == "completed":
            assert all(item["status"] == "completed" for item in response.output), "completed, its items not"
            assert body["status_details"] is None
        else:
            assert body["status_details"]["type"] == body["status"]
        response.done = body


def _said(item: Item) -> Iterator[str]:
    for part in item.parts.values():
        for stream in part.deltas.keys() & _WORDS.keys():
            yield "".join(part.deltas[stream])


def name_of(event: Json) -> Any:
    return _NEW_NAMES.get(event["type"], event["type"])
