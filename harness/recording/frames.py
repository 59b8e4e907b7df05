"""Recorded events made ready to be sent to any client: text with slots for ids, filled per client.

An event is rendered once; what differs between sessions are its own id, the id
of the item before it, and the ids of what it belongs to. Events that say more
of a session (its settings) are rebased: what the client that is there changed
is changed in the recorded event, and all else stays as recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any

from harness.messages import Json, render_event

_OWN = frozenset({"event_id", "previous_item_id"})
"""Fields of the event itself that are new in every session, by their names in every dialect."""

Ids = Mapping[str, str]
"""Recorded ids to those of a session."""


def replaced(value: Any, ids: Ids) -> Any:
    """A copy with every string that is a known id replaced."""
    if isinstance(value, str):
        return ids.get(value, value)
    if isinstance(value, dict):
        return {key: replaced(inner, ids) for key, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, ids) for inner in value]
    return value


def _holds(value: Any, known: Collection[str]) -> bool:
    if isinstance(value, str):
        return value in known
    if isinstance(value, dict):
        return any(_holds(inner, known) for inner in value.values())
    return isinstance(value, list) and any(_holds(inner, known) for inner in value)


class Places:
    """Where in one event the known ids stand, so that binding it copies no more than it must."""

    __slots__ = ("_deep", "_event", "_flat")

    def __init__(self, event: Json, known: Collection[str]) -> None:
        self._event = event
        self._flat = tuple((key, id_) for key, id_ in event.items() if isinstance(id_, str) and id_ in known)
        self._deep = tuple(
            key for key, value in event.items() if isinstance(value, (dict, list)) and _holds(value, known)
        )

    def bound(self, ids: Ids) -> Json:
        """The event with a session's ids; what holds none of them is shared."""
        event = dict(self._event)
        for key, id_ in self._flat:
            event[key] = ids.get(id_, id_)
        for key in self._deep:
            event[key] = replaced(event[key], ids)
        return event


class Template:
    """One recorded event for any number of clients: its canonical form and, compiled, its frame."""

    def __init__(self, event: Json, wire: Json | None, known: Collection[str]) -> None:
        self.wire = wire
        self.places = Places(event, known)
        self._wire_places = None if wire is None else Places(wire, known)
        self._segments: tuple[str, ...] = ()
        self._slots: tuple[tuple[bool, str], ...] = ()
        if wire is not None:
            self._compile(wire, known)

    def _compile(self, wire: Json, known: Collection[str]) -> None:
        mark = "\0"
        plain = render_event(wire)
        while json.dumps(mark)[1:-1] in plain:
            mark += "\0"
        slots: list[tuple[bool, str]] = []

        def marked(value: Any) -> Any:
            if isinstance(value, str) and value in known:
                slots.append((False, value))
                return f"{mark}{len(slots) - 1}{mark}"
            if isinstance(value, dict):
                return {key: marked(inner) for key, inner in value.items()}
            return [marked(inner) for inner in value] if isinstance(value, list) else value

        outline: Json = {}
        for key, value in wire.items():
            if key in _OWN:
                slots.append((True, key))
                outline[key] = f"{mark}{len(slots) - 1}{mark}"
            else:
                outline[key] = marked(value)
        found = re.escape(json.dumps(mark)[1:-1])
        parts = re.split(f'"{found}([0-9]+){found}"', render_event(outline))
        self._segments = tuple(parts[::2])
        self._slots = tuple(slots[int(number)] for number in parts[1::2])

    def filled(self, event: Json, ids: Ids) -> tuple[Json, str]:
        """The wire event and its frame for one client; `event` is the canonical event as it is sent."""
        assert self._wire_places is not None
        wire = self._wire_places.bound(ids)
        for key in _OWN & wire.keys():
            wire[key] = event.get(key)
        segments = self._segments
        pieces = [segments[0]]
        for (own, name), segment in zip(self._slots, segments[1:], strict=True):
            pieces += (_text(event.get(name) if own else ids.get(name, name)), segment)
        return wire, "".join(pieces)


def _text(value: Any) -> str:
    """JSON of an id, in ASCII: a client may have made up anything."""
    return encode_basestring_ascii(value) if isinstance(value, str) else json.dumps(value)


def rebased(recorded: Any, before: Any, after: Any) -> Any:
    """A recorded value with the changes from `before` to `after`; what neither knows stays as recorded."""
    if before == after:
        return recorded
    if isinstance(recorded, dict) and isinstance(before, dict) and isinstance(after, dict):
        result = {}
        for key, value in recorded.items():
            if key in before and key not in after:
                continue
            result[key] = rebased(value, before[key], after[key]) if key in before else value
        result.update({key: value for key, value in after.items() if key not in before})
        return result
    return after
