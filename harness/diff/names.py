"""Brings the logs of two dialects to one: events in canonical form, and which names that hid."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.dialects import Dialect
from harness.logs.model import Extent, Log, LogEntry
from harness.messages import MISSING, Json, Side, get_path
from harness.translation import Translator, items_of

_HOLDERS = ("session", "response")


@dataclass(frozen=True, slots=True)
class Rename:
    """The same thing under two names. `kind` is `event`, `field` or `part`."""

    kind: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that the translation of one line could not carry over, so it was not compared."""

    line: int
    path: str
    reason: str


@dataclass(frozen=True)
class Canonical:
    """The entries of a log in canonical form; `names` maps each canonical name seen to the wire's."""

    entries: tuple[LogEntry, ...]
    names: dict[tuple[str, str], str]
    losses: tuple[Loss, ...]


def to_canonical(log: Log, dialect: Dialect, other: Dialect) -> Canonical:
    """Translates a log, session by session; an entry keeps its line, also where it becomes two."""
    reader = _Reader(dialect, other)
    for entry in log.entries:
        reader.take(entry)
    return Canonical(tuple(reader.entries), reader.names, tuple(reader.losses))


def renames(a: Canonical, b: Canonical) -> tuple[Rename, ...]:
    """What both sides have, under another name on the wire."""
    both = sorted(a.names.keys() & b.names.keys())
    return tuple(
        Rename(kind, a.names[kind, name], b.names[kind, name])
        for kind, name in both
        if a.names[kind, name] != b.names[kind, name]
    )


class _Reader:
    def __init__(self, dialect: Dialect, other: Dialect) -> None:
        self._dialect = dialect
        self._translators: dict[int, Translator] = {}
        self._fields = {holder: _fields(dialect, other, holder) for holder in _HOLDERS}
        self.entries: list[LogEntry] = []
        self.names: dict[tuple[str, str], str] = {}
        self.losses: list[Loss] = []

    def take(self, entry: LogEntry) -> None:
        event = entry.event
        if event is None or entry.side is None or not isinstance(event.get("type"), str):
            self.entries.append(entry)
            return
        translator = self._translators.setdefault(entry.session, Translator(self._dialect))
        translation = translator.to_canonical(entry.side, event)
        self.losses += [Loss(entry.line, loss.path, loss.reason) for loss in translation.losses]
        if not translation.events:
            self.entries.append(entry)
            return
        self.entries += [_half(entry, each, translation.events) for each in translation.events]
        self._note_names(event, translation.events, entry.side)

    def _note_names(self, wire: Json, canonical: tuple[Json, ...], side: Side) -> None:
        own = canonical[-1] if side is Side.SERVER and len(canonical) > 1 else canonical[0]
        for each in canonical:
            # Of two events made of one, both are the one name on the wire, unless it is one of them.
            if len(canonical) == 1 or wire["type"] != own["type"]:
                self.names.setdefault(("event", each["type"]), wire["type"])
        for holder, fields in self._fields.items():
            value = own.get(holder)
            if isinstance(value, dict):
                for path, name in fields:
                    if get_path(value, path) is not MISSING:
                        self.names.setdefault(("field", f"{holder}.{path}"), f"{holder}.{name}")
        parts = self._dialect.translation.parts
        for item in items_of(wire):
            content = item.get("content")
            if item.get("role") != "assistant" or not isinstance(content, list):
                continue
            for part in content:
                kind = part.get("type") if isinstance(part, dict) else None
                if isinstance(kind, str):
                    self.names.setdefault(("part", parts.get(kind, kind)), kind)


def _half(entry: LogEntry, event: Json, events: tuple[Json, ...]) -> LogEntry:
    """An entry for one of the events that one event became.

    Where one event of the wire stands for two, the second is of our making: it
    says nothing of the item before, which the service does not repeat.
    """
    if len(events) == 1 or event["type"] != "conversation.item.done":
        return replace(entry, event=event)
    event = {name: value for name, value in event.items() if name != "previous_item_id"}
    return replace(entry, event=event, extent=max(entry.extent, Extent.CUT, key=list(Extent).index))


def _fields(dialect: Dialect, other: Dialect, holder: str) -> tuple[tuple[str, str], ...]:
    """The canonical paths that one of two dialects calls differently, with the name in the first."""
    mine, theirs = (
        each.translation.session if holder == "session" else each.translation.response
        for each in (dialect, other)
    )
    names: dict[str, str | None] = {row.canonical: row.canonical for row in theirs if row.canonical}
    names |= {row.canonical: row.wire for row in mine if row.canonical}
    return tuple((path, name) for path, name in names.items() if name is not None)
