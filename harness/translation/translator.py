"""Translates one session's events between a dialect's wire form and canonical form, both ways.

Canonical form is the GA naming widened by what only other dialects have. A
translator keeps state, because one event on one side can be two on the other:
`halves` has that part. What has no place on the other side is named as a
`Loss`; the service's fixed decorations (`item.object`, the second copy of a
content part) are put on and taken off without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from harness.dialects import Dialect
from harness.messages import Json, Side, copied
from harness.translation.halves import Halves
from harness.translation.items import items_of, rename_parts
from harness.translation.objects import Loss, Rows, objects_to_canonical, objects_to_wire

_SESSION_EVENTS = frozenset({"session.update", "session.created", "session.updated"})
_RESPONSE_EVENTS = frozenset({"response.create", "response.created", "response.done"})


@dataclass(frozen=True, slots=True)
class Translation:
    """What one event became: none, one or two events, and what was lost on the way.

    `made_up` are paths of the result: what its dialect must have and the source
    did not say.
    """

    events: tuple[Json, ...]
    losses: tuple[Loss, ...] = ()
    made_up: tuple[str, ...] = ()


class Translator:
    """Translates one session of one dialect. Feed it every event, in order."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.table = dialect.translation
        names = _names(dialect)
        self._names, self._wire_names = names.canonical, names.wire
        self._transcription_names, self._wire_parts = names.transcription, names.wire_parts
        self._halves = Halves(self.table.item_done)

    def to_canonical(self, side: Side, event: Json) -> Translation:
        losses: list[Loss] = []
        result = self._own(side, event)
        wire_type = event["type"]
        result["type"] = self._names[side].get(wire_type, wire_type)
        for holder, rows in self.objects(side, wire_type).items():
            if isinstance(event.get(holder), dict):
                result[holder] = objects_to_canonical(rows, event[holder], losses, holder)
        self._strip_decorations(side, result)
        rename_parts(result, self.table.parts, losses)
        events = self._halves.completed(result, losses) if side is Side.SERVER else (result,)
        return Translation(events, tuple(losses))

    def to_wire(self, side: Side, event: Json) -> Translation:
        losses: list[Loss] = []
        if side is Side.SERVER and self._halves.leaves_out(event, losses):
            return Translation((), tuple(losses))
        type_ = event["type"]
        name = self._wire_name(side, event)
        vocabulary = self.dialect.client if side is Side.CLIENT else self.dialect.server
        if name not in vocabulary.events or (type_ in self._names[side] and name == type_):
            return Translation((), (Loss("type", f"{self.dialect.name} has no event for {type_!r}"),))
        result = self._own(side, event)
        result["type"] = name
        rename_parts(result, self._wire_parts, losses)
        for holder, rows in self.objects(side, name).items():
            if isinstance(result.get(holder), dict):
                result[holder] = objects_to_wire(rows, result[holder], losses, holder)
        self._put_decorations(side, result, losses)
        return Translation((result,), tuple(losses))

    def _own(self, side: Side, event: Json) -> Json:
        """An event to be changed: a copy of all of it where its items are, else of its own fields alone."""
        items = self._wire_parts or (side is Side.SERVER and self.dialect.service.item_object)
        return copied(event) if items and ("item" in event or "response" in event) else dict(event)

    def end(self) -> list[tuple[Json, Loss]]:
        """At the end of the session: canonical events whose rest was to come and did not."""
        return self._halves.end()

    def objects(self, side: Side, wire_type: str) -> dict[str, Rows]:
        """The map of each object that an event of the wire holds, by the object's name."""
        canonical = self._names[side].get(wire_type, wire_type)
        if canonical in _SESSION_EVENTS:
            return {"session": self.table.session if canonical == wire_type else self.table.transcription}
        return {"response": self.table.response} if canonical in _RESPONSE_EVENTS else {}

    def _wire_name(self, side: Side, event: Json) -> str:
        type_: str = event["type"]
        session = event.get("session")
        if type_ in _SESSION_EVENTS and isinstance(session, dict) and session.get("type") == "transcription":
            return self._transcription_names[side].get(type_, type_)
        return self._wire_names[side].get(type_, type_)

    # The service's decorations.

    def _strip_decorations(self, side: Side, event: Json) -> None:
        if side is Side.CLIENT:
            return
        for item in items_of(event):
            if self.dialect.service.item_object and item.get("object") == self.dialect.service.item_object:
                del item["object"]
        twin = self.dialect.service.content_part_copy
        if twin and twin in event and event[twin] == event.get("part"):
            del event[twin]

    def _put_decorations(self, side: Side, event: Json, losses: list[Loss]) -> None:
        if side is Side.CLIENT:
            return
        service = self.dialect.service
        for item in items_of(event):
            if service.item_object:
                item["object"] = service.item_object
        if service.content_part_copy and "part" in event:
            event[service.content_part_copy] = copied(event["part"])
        if not service.obfuscation and "obfuscation" in event:
            del event["obfuscation"]
            losses.append(Loss("obfuscation", "padding, which the wire has none of"))


@dataclass(frozen=True)
class _Names:
    """The names of a dialect's events and parts, by side: out of the wire and onto it."""

    canonical: Mapping[Side, Mapping[str, str]]
    wire: Mapping[Side, Mapping[str, str]]
    transcription: Mapping[Side, Mapping[str, str]]
    wire_parts: Mapping[str, str]


@lru_cache(64)
def _names(dialect: Dialect) -> _Names:
    table = dialect.translation
    canonical = {Side.CLIENT: table.client_events, Side.SERVER: table.events}
    return _Names(
        canonical,
        {side: _turned(names, sessions=False) for side, names in canonical.items()},
        {side: _turned(names, sessions=True) for side, names in canonical.items()},
        {canonical: wire for wire, canonical in table.parts.items()},
    )


def _turned(names: Mapping[str, str], *, sessions: bool) -> dict[str, str]:
    """Canonical names to wire names, of the session events or of the others."""
    return {
        canonical: wire for wire, canonical in names.items() if (canonical in _SESSION_EVENTS) is sessions
    }
