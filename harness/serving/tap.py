"""Notes what crosses a connection, when it really does: an event that waits for its delay comes after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from harness.dialects import Dialect
from harness.faults import End, Pause, Stall, Step
from harness.messages import Json, Side
from harness.model_script import ScriptedModel
from harness.playback import Playback
from harness.playback.rehearsal import RehearsedPlayback
from harness.service import Entry, Service
from harness.service.agenda import Queued
from harness.serving.happenings import Crossed, Struck
from harness.serving.judge import Judge


class Tap:
    """What crossed one connection and was not told yet; with `keep` also what was, for a cassette."""

    def __init__(self, number: int, dialect: Dialect, *, keep: bool) -> None:
        self.number = number
        self.judge = Judge(dialect)
        self.keep = keep
        self.kept: list[Crossed] = []
        self.opened = False
        """Whether it was told that the connection is open."""
        self.ended_by: str | None = None
        """The fault that ended it."""
        self._untold: list[Crossed | Struck] = []
        self._began = time.monotonic()

    @property
    def t(self) -> float:
        return time.monotonic() - self._began

    def take(self, entry: Entry, service: Service) -> None:
        why = None
        if entry.side is Side.SERVER and entry.canonical and entry.canonical[0]["type"] == "response.created":
            starts = [start for start in service.exchange.responses if start.entry == entry.number]
            why = starts[0].why_modelled if starts else None
        self._untold.append(Crossed(self.number, self.t, entry, service.session, why, _note(entry, service)))

    def struck(self, step: Step) -> None:
        """A fault did something that is no message."""
        if isinstance(step, Pause | Stall):
            self._untold.append(Struck(self.number, self.t, step.fault))
        elif isinstance(step, End):
            self.ended_by = step.fault

    def told(self) -> Iterator[Crossed | Struck]:
        """What is to be told now."""
        untold, self._untold = self._untold, []
        if self.keep:
            self.kept.extend(one for one in untold if isinstance(one, Crossed))
        for one in untold:
            yield self._judged(one) if isinstance(one, Crossed) and one.entry.side is Side.CLIENT else one

    def _judged(self, crossed: Crossed) -> Crossed:
        judged = self.judge.sent(crossed.entry, crossed.t, crossed.session, crossed.note)
        return replace(crossed, judged=tuple(judged))


def _note(entry: Entry, service: Service) -> str | None:
    """What goes on without a word although a call and its tool do not belong together."""
    event = entry.canonical[0] if entry.canonical else {}
    item = event.get("item")
    if not isinstance(item, dict):
        return None
    if event["type"] == "response.output_item.added" and item.get("type") == "function_call":
        return _undeclared(item, event, service)
    if event["type"] == "conversation.item.create" and item.get("type") == "function_call_output":
        return None if entry.refused else _uncalled(item, service)
    return None


def _undeclared(call: Json, event: Json, service: Service) -> str | None:
    """A model calls only what it was offered; a script, or a cassette, calls what it says."""
    run = service.running.get(str(event.get("response_id")))
    tools = (run.start.session if run else service.session).get("tools") or ()
    names = [str(tool.get("name")) for tool in tools if isinstance(tool, dict)]
    if call.get("name") in names:
        return None
    return f"{call.get('name')} is not among the session's tools: {', '.join(names) or 'none declared'}"


def _uncalled(item: Json, service: Service) -> str | None:
    """A result of a tool that nobody called: what the service does with it, nobody has published."""
    calls = [one.get("call_id") for one in service.conversation.items if one["type"] == "function_call"]
    if item.get("call_id") in calls:
        return None
    return f"no call has this call_id, accepted all the same; calls: {', '.join(map(str, calls)) or 'none'}"


class Tapped(Service):
    """Notes each message as it crosses."""

    tap: Tap

    def receive(self, frame: str | bytes) -> None:
        before = len(self.exchange.entries)
        super().receive(frame)
        for entry in self.exchange.entries[before:]:
            if entry.side is Side.CLIENT:
                self.tap.take(entry, self)

    def sent(self, number: int, count: int) -> None:
        super().sent(number, count)
        for entry in self.exchange.entries[number : number + count]:
            self.tap.take(entry, self)

    def _step(self, step: Step, queued: Queued) -> None:
        super()._step(step, queued)
        self.tap.struck(step)


class Watched(RehearsedPlayback):
    """A cassette played to many at once: what crossed is looked at when the connection is over."""

    tap: Tap


class TappedModel(Tapped, ScriptedModel):
    """A model whose messages are noted."""


class TappedPlayback(Tapped, Playback):
    """A cassette whose messages are noted."""
