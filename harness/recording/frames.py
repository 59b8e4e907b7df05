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
from functools import cached_property
from json.encoder import encode_basestring_ascii
from typing import Any

from harness.messages import MISSING, Json, get_path, put_path_apart, render_event

EVENT_ID = "event_id"

_OWN = frozenset({EVENT_ID, "previous_item_id"})
"""Fields of the event itself that are new in every session, by their names in every dialect."""

Shape = tuple[tuple[str, ...], tuple[tuple[bool, str], ...]]
"""The text of a frame in segments, and between them slots: whether it is the event's own, and its name."""

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


_Node = tuple[Any, tuple[tuple[Any, Any], ...]]
"""An object or an array, and what in it is an id or holds one: by key, the id or another node."""


def _node(value: Any, known: Collection[str]) -> Any:
    """The id that a value is, the node of one that holds any, else None."""
    if isinstance(value, str):
        return value if value in known else None
    if not isinstance(value, (dict, list)):
        return None
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = tuple((key, node) for key, inner in inside if (node := _node(inner, known)) is not None)
    return (value, found) if found else None


def _bound(node: _Node, ids: Ids) -> Any:
    value, found = node
    bound = value.copy()
    for key, inner in found:
        bound[key] = ids.get(inner, inner) if isinstance(inner, str) else _bound(inner, ids)
    return bound


class Places:
    """Where in one event the known ids stand, so that binding it copies no more than it must."""

    __slots__ = ("_node",)

    def __init__(self, event: Json, known: Collection[str]) -> None:
        self._node: _Node = _node(event, known) or (event, ())

    def bound(self, ids: Ids) -> Json:
        """The event with a session's ids; what holds none of them is shared."""
        return _bound(self._node, ids)  # type: ignore[no-any-return]


class Template:
    """One recorded event for any number of clients: its canonical form and, compiled, its frame."""

    def __init__(
        self, event: Json, wire: Json | None, known: Collection[str], own: Collection[str] = _OWN
    ) -> None:
        """`known` are the ids to be replaced, `own` the dotted paths of what the event itself gives."""
        self.wire = wire
        self._own = own
        self.places = Places(event, known)
        self._wire_places = None if wire is None else Places(wire, known)
        self._segments: tuple[str, ...] = ()
        self._slots: tuple[tuple[bool, str], ...] = ()
        if wire is not None:
            self._compile(wire, known)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The recorded ids that stand in the frame."""
        return tuple(dict.fromkeys(name for own, name in self._slots if not own))

    @cached_property
    def size(self) -> int:
        """Bytes of the frame as it was recorded."""
        return len(render_event(self.wire or {}).encode())

    @cached_property
    def _pieces(self) -> tuple[bytes, tuple[tuple[bool, str, bytes], ...]]:
        head, *rest = (segment.encode() for segment in self._segments)
        return head, tuple((*slot, after) for slot, after in zip(self._slots, rest, strict=True))

    @cached_property
    def shape(self) -> Shape:
        """The frame but for what follows its last id; deltas of one stream have one shape."""
        return self._segments[:-1], self._slots

    @cached_property
    def tail(self) -> bytes:
        """What follows the last id in the frame: of a delta all that it says."""
        return self._segments[-1].encode()

    def _compile(self, wire: Json, known: Collection[str]) -> None:
        mark = "\0"
        plain = render_event(wire)
        while json.dumps(mark)[1:-1] in plain:
            mark += "\0"
        slots: list[tuple[bool, str]] = []

        def marked(value: Any, path: str) -> Any:
            own = path in self._own
            if own or (isinstance(value, str) and value in known):
                slots.append((own, path if own else value))
                return f"{mark}{len(slots) - 1}{mark}"
            if isinstance(value, dict):
                return {key: marked(inner, f"{path}.{key}" if path else key) for key, inner in value.items()}
            return [marked(inner, f"{path}[]") for inner in value] if isinstance(value, list) else value

        outline = marked(wire, "")
        found = re.escape(json.dumps(mark)[1:-1])
        parts = re.split(f'"{found}([0-9]+){found}"', render_event(outline))
        self._segments = tuple(parts[::2])
        self._slots = tuple(slots[int(number)] for number in parts[1::2])

    def filled(self, event: Json, ids: Ids) -> bytes:
        """The frame for one client, in UTF-8; `event` is the canonical event as it is sent."""
        head, rest = self._pieces
        pieces = [head]
        for own, name, after in rest:
            pieces += (id_text(_given(event, name) if own else ids.get(name, name)), after)
        return b"".join(pieces)

    def wire_event(self, event: Json, ids: Ids) -> Json:
        """The wire event for one client."""
        assert self._wire_places is not None
        wire = self._wire_places.bound(ids)
        for own, name in self._slots:
            if own:
                put_path_apart(wire, name, _given(event, name))
        return wire


def _given(event: Json, path: str) -> Any:
    """A value that the event itself gives."""
    value = event.get(path) if "." not in path else get_path(event, path)
    return None if value is MISSING else value


def id_text(value: Any) -> bytes:
    """JSON of an id, in ASCII: a client may have made up anything."""
    return (encode_basestring_ascii(value) if isinstance(value, str) else json.dumps(value)).encode()


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
