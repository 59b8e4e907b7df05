"""The ear for responses: who asked for them, what they are made of, how they end and what they cost."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.messages import Json
from tests.service.witness.names import ABSENT, bytes_per_ms, setting

_WORDS = {
    "response.output_text": "text",
    "response.output_audio_transcript": "transcript",
    "response.function_call_arguments": "arguments",
}
"""Streams whose `.done` says over what the deltas said, and under which name."""


@dataclass
class Part:
    kind: str
    deltas: dict[str, list[str]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    closed: bool = False


@dataclass
class Item:
    response: Response
    type: str
    parts: dict[int, Part] = field(default_factory=dict)
    done: Json | None = None


@dataclass
class Response:
    body: Json
    outside: bool
    items: dict[str, Item] = field(default_factory=dict)
    output: list[Json] = field(default_factory=list)
    done: Json | None = None
    cut_by: set[str] = field(default_factory=set)
    """Why it must be cut short now; any of them."""

    @property
    def id(self) -> str:
        return str(self.body["id"])


class Responses:
    """`whole` is all that an item may say in whole; None where that is not known.

    `rate_limits`: whether the service tells of them.
    """

    def __init__(self, *, rate_limits: bool) -> None:
        self.rate_limits = rate_limits
        self.whole: set[str] | None = None
        self.all: dict[str, Response] = {}
        self.items: dict[str, Item] = {}
        self._asked: list[Json] = []
        """What the client asked for and was not yet told of."""
        self._busy = False
        """An answer was asked for or under way at some time since all was heard."""
        self._may = self._must = 0
        """How many answers the service may, and must, begin by itself."""
        self._cut_next = False
        """The client cancelled an answer of which it was not told yet."""
        self._interrupted = False
        """Speech that may cut an answer short began since one in the conversation was done."""
        self._limits_due = 0

    @property
    def running(self) -> list[Response]:
        return [response for response in self.all.values() if response.done is None]

    @property
    def inside(self) -> list[Response]:
        return [response for response in self.running if not response.outside]

    # What answers are due.

    def note(self) -> None:
        """The client is about to say something."""
        self._busy = self._busy or bool(self.inside or any(not _outside(asked) for asked in self._asked))

    def ask(self, name: str, event: Json) -> None:
        if name == "response.create":
            self._asked.append(event.get("response") or {})
        elif name == "response.cancel" and event.get("response_id") in self.all:
            self.all[event["response_id"]].cut_by.add("client_cancelled")
        elif name == "response.cancel":
            for response in self.inside:
                response.cut_by.add("client_cancelled")
            self._cut_next = not self.inside

    def speech_began(self, *, cuts: bool | None) -> None:
        """Speech cuts the conversation's answer short; None: perhaps."""
        self._interrupted = self._interrupted or cuts is not False
        for response in self.inside if cuts else ():
            response.cut_by.add("turn_detected")

    def turn_over(self, *, answered: bool | None) -> None:
        """The user's turn is over, and the service answers it by itself; None: perhaps."""
        if answered is not False:
            self._must += bool(answered and not self._busy and not self._may)
            self._may += 1

    def _request(self, body: Json, outside: bool) -> Json:
        """What the client asked for when it asked for this response; nothing, where the service began it."""
        fits = [
            asked
            for asked in self._asked
            if _outside(asked) == outside and asked.get("metadata") == body["metadata"]
        ]
        if fits and not (self._must and body["metadata"] is None):
            self._asked.remove(fits[0])
            return fits[0]
        assert self._may, f"a response nobody asked for: {body}"
        assert not outside, "the service begins a response out of band by itself"
        assert body["metadata"] is None, "a response has metadata that nobody gave it"
        self._may, self._must = self._may - 1, max(0, self._must - 1)
        return {}

    # What the service says.

    def hear(self, name: str, event: Json) -> Item | None:
        """Takes an event of a response; gives the item it is about."""
        if name == "response.created":
            self._created(event["response"])
            return None
        if name == "response.done":
            self._finished(event["response"])
            return None
        response = self.all.get(event["response_id"])
        assert response is not None, f"{name} before its response.created"
        assert response.done is None, f"{name} after its response.done"
        if name == "response.output_item.added":
            return self._item_added(response, event)
        item = response.items.get(event["item"]["id"] if "item" in event else event["item_id"])
        assert item is not None, f"{name} before its item"
        assert item.done is None, f"{name} after its item is done"
        if name == "response.output_item.done":
            self._item_done(response, item, event["item"])
        elif name == "response.content_part.added":
            index = event["content_index"]
            assert index == len(item.parts), "a part is added twice, or leaves a gap"
            item.parts[index] = Part(event["part"]["type"])
        else:
            self._stream(item, name, event)
        return item

    def limits(self) -> None:
        assert self._limits_due, "rate limits are told of twice, or of no answer"
        self._limits_due -= 1

    def _created(self, body: Json) -> None:
        assert body["id"] not in self.all, "response.created twice"
        assert body["status"] == "in_progress", f"a response begins as {body['status']}"
        assert body["output"] == [], "a response begins with items"
        assert body["usage"] is None, "a response costs something before it says anything"
        outside = body["conversation_id"] is None
        asked = self._request(body, outside)
        assert outside or not self.inside, "a response begins while another is active in the conversation"
        response = self.all[body["id"]] = Response(body, outside)
        for name in ("max_output_tokens", "output_modalities"):
            wanted, shown = setting(asked, name), setting(body, name)
            text_only = wanted == ["text"] if name == "output_modalities" else None
            same = shown == wanted if text_only is None else (shown == ["text"]) == text_only
            assert wanted is ABSENT or same, f"{name} {wanted} was asked for, the response has {shown}"
        if self._cut_next and not outside:
            response.cut_by.add("client_cancelled")
            self._cut_next = False

    def _item_added(self, response: Response, event: Json) -> Item:
        body = event["item"]
        assert not response.cut_by, "an answer that was cut short begins another item"
        assert body["id"] not in self.items, "an item of a response is added twice"
        assert event["output_index"] == len(response.items), "an item leaves a gap"
        item = response.items[body["id"]] = self.items[body["id"]] = Item(response, body["type"])
        return item

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
            assert not item.response.cut_by, "an answer that was cut short goes on"
            part.deltas.setdefault(stream, []).append(event["delta"])
            return
        part.done.add(stream)
        if stream in _WORDS:
            said = "".join(part.deltas.get(stream, ()))
            assert event[_WORDS[stream]] == said, (
                f"{name} says {event[_WORDS[stream]]!r}, its deltas {said!r}"
            )
        part.closed = stream == "response.function_call_arguments"

    def _part_done(self, part: Part, body: Json) -> None:
        assert part.deltas.keys() <= part.done, "a part is done with a stream open"
        assert body["type"] == part.kind, "a part changes its type"
        _says(body, part, "a part is done with other words")
        part.closed = True

    def _item_done(self, response: Response, item: Item, body: Json) -> None:
        assert all(part.closed for part in item.parts.values()), "an item is done with a part open"
        assert body["type"] == item.type
        assert body["status"] in ("completed", "incomplete"), f"an item ends as {body['status']}"
        for said in _said(item):
            cut = self.whole is not None and said not in self.whole
            assert not cut or body["status"] == "incomplete", f"{said!r} is not all, and the item completed"
        if item.type == "function_call":
            assert body["arguments"] == "".join(_said(item)), "a call is done with other arguments"
        else:
            assert len(body["content"]) == len(item.parts), "an item is done with other parts"
            for index, part in item.parts.items():
                _says(body["content"][index], part, "an item is done with other words")
        item.done = body
        response.output.append(body)

    def _finished(self, body: Json) -> None:
        response = self.all.get(body["id"])
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
        for name in ("metadata", "conversation_id"):
            assert body[name] == response.body[name], f"a response is done with another {name}"
        self._why(response, body)
        _adds_up(body)
        self._limits_due += bool(self.rate_limits and response.output)
        self._interrupted = self._interrupted and response.outside
        response.done = body

    def _why(self, response: Response, body: Json) -> None:
        """A response is cancelled by the client, or by the user's speech, and says which."""
        cut = body["status"] == "cancelled"
        assert cut or not response.cut_by, f"{response.cut_by}, and the response is {body['status']}"
        reason = body["status_details"]["reason"] if cut else None
        assert not cut or reason in ("client_cancelled", "turn_detected"), reason
        if reason == "turn_detected":
            assert not response.outside, "speech cancels a response out of band"
            assert self._interrupted, "nobody spoke"
        elif reason == "client_cancelled":
            assert reason in response.cut_by, "the client cancelled nothing"

    def all_was_heard(self) -> None:
        assert not self._asked, f"never begun: {self._asked}"
        assert not self._must, "the user's turn is over, and nobody answers it"
        assert not self._limits_due, "rate limits are never told of"
        assert not any(response.cut_by for response in self.running), "what was cut short is never done"
        self._busy, self._may = False, 0

    def finish(self) -> None:
        assert not self.running, "a response is never done"


def _outside(asked: Json) -> bool:
    return asked.get("conversation") == "none"


def _said(item: Item) -> Iterator[str]:
    for part in item.parts.values():
        for stream in part.deltas.keys() & _WORDS.keys():
            yield "".join(part.deltas[stream])


def _says(body: Json, part: Part, otherwise: str) -> None:
    for stream, name in _WORDS.items():
        if stream in part.deltas:
            assert body[name] == "".join(part.deltas[stream]), otherwise


def _adds_up(body: Json) -> None:
    """What a response cost is the sum of what it read and said, and no more than it might."""
    cost = body["usage"]
    said, read = cost["output_token_details"], cost["input_token_details"]
    assert cost["output_tokens"] == said["text_tokens"] + said["audio_tokens"], cost
    assert cost["input_tokens"] == read["text_tokens"] + read["audio_tokens"] + read["image_tokens"], cost
    assert cost["total_tokens"] == cost["input_tokens"] + cost["output_tokens"], cost
    assert bool(body["output"]) or not cost["output_tokens"], "nothing was said, and it costs"
    most = setting(body, "max_output_tokens")
    assert not isinstance(most, int) or cost["output_tokens"] <= most, f"{cost} is more than {most}"


def spoken_ms(response: Json, delta: Any) -> int:
    """How long a piece of an answer sounds."""
    return len(base64.b64decode(delta, validate=True)) // bytes_per_ms(
        setting(response, "audio.output.format")
    )
