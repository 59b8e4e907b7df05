"""Takes out of an event what is new in every session, so that the rest can be compared.

Ids, times and padding are known by their places and not by their names alone:
a tool may have a parameter `id`, and a client's metadata is its own.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.diff.model import PREVIOUS, Aside, Aspect, Message
from harness.logs.model import Extent
from harness.messages import Json, Side, decode_audio

_PLACES: dict[str, tuple[Aspect | None, str]] = {
    "event_id": (Aspect.ID, ""),
    "obfuscation": (Aspect.PADDING, ""),
    "expires_at": (Aspect.TIME, ""),
    "audio_start_ms": (Aspect.TIME, ""),
    "audio_end_ms": (Aspect.TIME, ""),
    "response_id": (Aspect.REFERENCE, "response"),
    "item_id": (Aspect.REFERENCE, "item"),
    "previous_item_id": (Aspect.REFERENCE, PREVIOUS),
    "call_id": (Aspect.REFERENCE, "call"),
    "conversation_id": (Aspect.REFERENCE, "conversation"),
    **dict.fromkeys(("item", "session", "response", "conversation", "error", "part", "content"), (None, "")),
}
"""The fields of an event that are taken out, with what an id is the id of, and those that are looked into."""

_ALWAYS = frozenset({Aspect.REFERENCE})

_text_of = json.JSONEncoder(sort_keys=True).encode


def mask(
    event: Json,
    side: Side | None,
    line: int,
    extent: Extent = Extent.WHOLE,
    *,
    counted: frozenset[Aspect] = _ALWAYS,
    added: Json | None = None,
) -> Message:
    """An event as it is compared; `added` are fields that the lane knows and the event does not say.

    Of the asides, only those that are counted are kept: a session has very many.
    """
    asides = _Asides(counted)
    body = asides.without(event, side)
    if added:
        body.update(added)
    return message_of(body, side, (line,), tuple(asides.found), extent)


def message_of(
    body: Json,
    side: Side | None,
    lines: tuple[int, ...],
    asides: tuple[Aside, ...],
    extent: Extent,
    *,
    joined: bool = False,
) -> Message:
    type_ = body.get("type")
    key = _text_of(body)
    return Message(
        type_ if isinstance(type_, str) else "(no type)", side, lines, body, asides, key, extent, joined
    )


class _Asides:
    __slots__ = ("_counted", "found")

    def __init__(self, counted: frozenset[Aspect]) -> None:
        self.found: list[Aside] = []
        self._counted = counted

    def without(self, event: Json, side: Side | None) -> Json:
        """One event without its asides; the event itself stays as it is."""
        body: Json = {}
        for name, value in event.items():
            place = _PLACES.get(name)
            if place is None or (place[0] is None and not isinstance(value, dict)):
                body[name] = value
            elif place[0] is None:
                body[name] = inner = dict(value)
                self._look_into(name, inner, f"{name}.", side)
            elif place[0] in self._counted:
                self.found.append(Aside(place[0], name, value, place[1]))
        return body

    def _look_into(self, holder: str, value: Json, at: str, side: Side | None) -> None:
        if holder == "item":
            self._item(value, at, side)
        elif holder == "session":
            self._session(value, at)
        elif holder == "response":
            self._response(value, at, side)
        elif holder == "conversation":
            self._move(value, "id", Aspect.REFERENCE, at, "conversation")
        elif holder == "error":
            self._move(value, "event_id", Aspect.REFERENCE, at, "event")
        else:
            self._sound(value, at)

    def _item(self, item: Json, at: str, side: Side | None) -> None:
        # An id of the client's own choice is as good as none; the service's is what others refer to.
        own = side is Side.CLIENT
        self._move(item, "id", Aspect.ID if own else Aspect.REFERENCE, at, "" if own else "item")
        self._move(item, "call_id", Aspect.REFERENCE, at, "call")
        self._move(item, "approval_request_id", Aspect.REFERENCE, at, "item")
        content = item.get("content")
        if isinstance(content, list) and content:
            item["content"] = [
                self._part(part, at, number) if isinstance(part, dict) and "audio" in part else part
                for number, part in enumerate(content)
            ]

    def _part(self, part: Json, at: str, number: int) -> Json:
        copied = dict(part)
        self._sound(copied, f"{at}content[{number}].")
        return copied

    def _session(self, session: Json, at: str) -> None:
        self._move(session, "id", Aspect.REFERENCE, at, "session")
        self._move(session, "expires_at", Aspect.TIME, at)
        secret = session.get("client_secret")
        if isinstance(secret, dict):
            session["client_secret"] = secret = dict(secret)
            self._move(secret, "value", Aspect.ID, f"{at}client_secret.")
            self._move(secret, "expires_at", Aspect.TIME, f"{at}client_secret.")

    def _response(self, response: Json, at: str, side: Side | None) -> None:
        self._move(response, "id", Aspect.REFERENCE, at, "response")
        self._move(response, "conversation_id", Aspect.REFERENCE, at, "conversation")
        for name in ("output", "input"):
            items = response.get(name)
            if isinstance(items, list) and items:
                response[name] = items = [dict(item) if isinstance(item, dict) else item for item in items]
                for number, item in enumerate(items):
                    if isinstance(item, dict):
                        self._item(item, f"{at}{name}[{number}].", Side.SERVER)

    def _sound(self, part: Json, at: str) -> None:
        if isinstance(part.get("audio"), str):
            text = part.pop("audio")
            part["audio_bytes"] = audio_size(text)
            if Aspect.AUDIO in self._counted:
                self.found.append(Aside(Aspect.AUDIO, f"{at}audio", Digest(text).shown))

    def _move(self, body: Json, name: str, aspect: Aspect, at: str, of: str = "") -> None:
        if name in body:
            value = body.pop(name)
            if aspect in self._counted:
                self.found.append(Aside(aspect, at + name, value, of))


def audio_size(text: str) -> int:
    """The bytes that a base64 text stands for; by its length, for sessions have much of it."""
    return len(text) * 3 // 4 - text.count("=", -2) if len(text) > 1 else 0


class Digest:
    """The samples of one stream, whatever chunks they came in, as something short to compare."""

    def __init__(self, *chunks: Any) -> None:
        self._hash = hashlib.sha256()
        for chunk in chunks:
            self.add(chunk)

    def add(self, chunk: Any) -> None:
        sound = decode_audio(chunk)
        self._hash.update(str(chunk).encode("utf-8", "backslashreplace") if sound is None else sound)

    @property
    def shown(self) -> str:
        return f"sha256 {self._hash.hexdigest()}"
