"""How the service speaks: what is queued goes out in its time, through the faults and into the log.

On a virtual clock: nothing here sleeps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from harness.dialects import Dialect
from harness.faults import End, EndResponse, FaultLine, Frame, Pause, Stall, Step
from harness.messages import Json, Side, render_event
from harness.service.agenda import Agenda, Due, Queued
from harness.service.durations import LATENCY
from harness.service.exchange import Ending, Entry, Exchange, Origin
from harness.service.ids import IdMint
from harness.service.outgoing import Burst, OfPassage, Outgoing
from harness.service.supply import Delta, Parts, Passage, Prepared
from harness.service.wire_log import WireLog
from harness.translation import Translator

MAX_SHOWN = 65_536
"""Characters kept of a frame that is no event; a report shows its beginning."""


class Sender(ABC):
    """The sending half of a session: the clock, what is to come, and the log of what crossed."""

    _overdue: Ending | None = None

    def __init__(self, dialect: Dialect, mint: IdMint, faults: FaultLine | None) -> None:
        self.dialect = dialect
        self.mint = mint
        self._unix_start = mint.unix_time
        self.exchange = Exchange()
        self.translator = Translator(dialect)
        self.faults = faults or FaultLine(())
        self.t = 0.0
        self._advanced: float | None = None
        self.agenda = Agenda()
        self._ready: deque[Outgoing] = deque()
        self._pause = 0.0
        self._stalled = False
        self.ending: Ending | None = None
        """How the connection ends, once everything before it was popped."""

    # What the session does with what is sent.

    @abstractmethod
    def completed(self, event: Json) -> Json:
        """An event as it goes out now: with its own id, and what depends on the moment."""

    @abstractmethod
    def settle(self, queued: Queued, event: Json) -> None:
        """What sending an event does to the state."""

    @abstractmethod
    def settle_delta(self, queued: Queued, delta: Delta) -> None:
        """What sending a delta of a passage does to it."""

    @abstractmethod
    def end_response(self, response_id: str | None, status: str, details: Json) -> None:
        """A fault ends a response that is running; the active one where it struck none."""

    def counts(self, queued: Queued) -> bool:
        """Whether the response that begins with it is one of those that faults count."""
        return True

    @abstractmethod
    def response_created(self, response_id: str, entry: int) -> None:
        """`response.created` went out, as that entry of the log."""

    # Queueing.

    def emit(
        self,
        event: Json,
        *,
        origin: Origin = Origin.MODELLED,
        delay: float = LATENCY,
        thinking: bool = False,
        response_id: str | None = None,
        prepared: Prepared | None = None,
    ) -> None:
        """Queues one canonical event `delay` seconds from now."""
        self.agenda.push(Queued(self.t + delay, event, origin, thinking, response_id, prepared))

    def emit_passage(self, passage: Passage, *, origin: Origin, delay: float, response_id: str) -> None:
        """Queues deltas that follow each other, of an answer that begins `delay` seconds from now."""
        begun = self.t + delay
        t = begun + passage.times[0]
        self.agenda.push(Queued(t, None, origin, response_id=response_id, passage=passage, begun=begun))

    def end(self, code: int | None, reason: str = "", *, overdue: bool = False) -> None:
        """Queues the end of the connection; one that is `overdue` waits for nobody who does not read."""
        ending = Ending(code, reason)
        self._end(ending, LATENCY)
        if overdue and self._overdue is None:
            self._overdue = ending

    def _end(self, ending: Ending, delay: float) -> None:
        self.agenda.push(Queued(self.t + delay, None, Origin.MODELLED, ending=ending))

    def end_overdue(self) -> Ending | None:
        """Ends at once where an end is overdue, whatever is to be said before it: nobody reads that."""
        if self._overdue is not None and self.ending is None:
            self.ending = self._overdue
        return self.ending

    @property
    def now(self) -> float:
        """What timers count from: the time last advanced to, as what is queued may be taken ahead of it.

        Where nobody advances the clock, what was taken is the time.
        """
        return self.t if self._advanced is None else self._advanced

    def advance(self, t: float) -> None:
        """Moves the virtual clock on to `t`, it never goes back; timers on the way fire at their times."""
        self._advanced = max(self.now, t)
        next_timer = self.agenda.next_timer
        if next_timer is not None and next_timer <= t:
            while (due := self.agenda.due_timer(t)) is not None:
                self._tick(due[0])
                due[1]()
        self._tick(t)

    def _tick(self, t: float) -> None:
        """It is `t` now, for what is minted too."""
        if t > self.t:
            self.t = t
            self.mint.unix_time = self._unix_start + int(t)

    # Sending.

    def pop(self, until: float | None = None) -> Outgoing | None:
        """The next frame to send, or None; the virtual clock moves to its time.

        Without `until` whatever is queued counts as due.
        """
        while not self._ready:
            if self._stalled or self.ending is not None:
                return None
            due = self.agenda.take_deltas(until, 0)
            queued = self.agenda.take(until) if due is None else self._alone(due)
            if queued is None:
                return None
            self._tick(queued.t)
            if queued.event is None:
                self.ending = queued.ending
                return None
            ends = self._send(queued, queued.event)
            # An item's two events are one moment: nothing comes, is cancelled or fails in between.
            while not self._stalled and (partner := self.agenda.take_partner(queued)) is not None:
                ends += self._send(partner, partner.event or {})
            for end in ends:
                self.end_response(queued.response_id, end.status, end.details)
        return self._ready.popleft()

    def burst(self, until: float | None, room: int, *, pauses: bool) -> Burst | None:
        """All that is due and that no fault touches, up to `room` bytes or so; the rest comes out of `pop`.

        With `pauses` it ends where the service takes its time.
        """
        frames: list[Parts] = []
        number, thinking = len(self.exchange.entries), False
        while room > 0 and not (thinking or self._ready or self._stalled or self.ending or self._touched):
            due = self.agenda.take_deltas(until, room)
            queued = self.agenda.take(until) if due is None else None
            if due is not None:
                frames += self._say_deltas(due)
                room -= due.size
            elif queued is None:
                break
            elif queued.event is None:
                self._tick(queued.t)
                self.ending = queued.ending
            else:
                self._tick(queued.t)
                thinking = queued.thinking and pauses
                said = self._say_whole(queued, queued.event)
                frames += [(frame,) for frame in said]
                room -= sum(map(len, said))
        return Burst(frames, number, thinking) if frames else None

    @property
    def _touched(self) -> bool:
        """Whether events go out through faults."""
        return self.faults.on_events

    def _say_whole(self, queued: Queued, event: Json) -> list[bytes]:
        """An event, and what belongs directly after it."""
        frames = [frame for frame in (self._say(queued, event),) if frame is not None]
        while (partner := self.agenda.take_partner(queued)) is not None:
            frame = self._say(partner, partner.event or {})
            if frame is not None:
                frames.append(frame)
        return frames

    def _say_deltas(self, due: Due) -> list[Parts]:
        passage, first, begun, now = due.passage, due.first, due.queued.begun, self.t
        ids = self._event_ids(begun, passage.times[first : due.end])
        origin = due.queued.origin

        def write(index: int) -> Entry:
            event, wire = passage.event(first + index, ids[index])
            t = max(now, begun + passage.times[first + index])
            return Entry(number + index, t, Side.SERVER, wire, (event,), origin)

        number = self.log_later(len(ids), write)
        for delta in passage.deltas(first, due.end):
            self.settle_delta(due.queued, delta)
        return passage.frames(first, ids)

    def _event_ids(self, begun: float, times: Sequence[float]) -> list[str]:
        """Ids for events of these times, counted from when an answer began; the clock moves to the last."""
        if int(begun + times[0]) == int(begun + times[-1]):
            self._tick(begun + times[0])
            ids = self.mint.mint_events(len(times))
            self._tick(begun + times[-1])
            return ids
        ids = []
        for _, same in groupby(times, key=lambda t: int(begun + t)):  # ids carry the seconds
            moments = tuple(same)
            self._tick(begun + moments[0])
            ids += self.mint.mint_events(len(moments))
        self._tick(begun + times[-1])
        return ids

    def _alone(self, due: Due) -> Queued:
        """The first of such deltas as an event like any other."""
        self._tick(due.queued.t)
        event, _ = due.passage.event(due.first, self.mint.mint("event"))
        return due.queued._replace(event=event, passage=None, prepared=OfPassage(due.passage, due.first))

    @property
    def next_at(self) -> float | None:
        """When the next queued event is due; None where none is, or will ever be sent."""
        if self._ready:
            return self.t
        return None if self._stalled or self.ending is not None else self.agenda.next_at

    @property
    def next_timer(self) -> float | None:
        """When the service's patience ends next: idle timeout, session expiry."""
        return self.agenda.next_timer

    @property
    def unsaid(self) -> int:
        """How many events are queued."""
        return len(self.agenda) + len(self._ready)

    @property
    def quiet(self) -> bool:
        """Nothing is queued, or nothing will ever be sent again."""
        return self._stalled or (not self._ready and self.agenda.empty)

    def _send(self, queued: Queued, event: Json) -> list[EndResponse]:
        """Sends an event through the faults; returns what ends its response then."""
        if not self._touched:
            frame = self._say(queued, event)
            if frame is not None:
                entry = self.exchange.entries[-1]
                self._ready_to_go(
                    entry.canonical, queued.origin, frame.decode(), entry.number, queued.thinking
                )
            return []
        canonical = self.completed(event)
        if queued.prepared is not None:
            wire, text = queued.prepared.wire(canonical), queued.prepared.frame(canonical).decode()
        else:
            translated = self.translator.to_wire(Side.SERVER, canonical).events
            if not translated:
                self.settle(queued, canonical)
                return []
            (wire,) = translated
            text = render_event(wire)
        steps = self.faults.pass_on(wire, canonical, text, counts=self.counts(queued))
        for step in steps:
            self._step(step, queued)
        self.settle(queued, canonical)
        return [step for step in steps if isinstance(step, EndResponse)]

    def _say(self, queued: Queued, event: Json) -> bytes | None:
        """The frame of an event as it goes out untouched; None where the wire has no such event."""
        canonical, prepared = self.completed(event), queued.prepared
        if prepared is None:
            translated = self.translator.to_wire(Side.SERVER, canonical).events
            if not translated:
                self.settle(queued, canonical)
                return None
            (wire,) = translated
            frame = render_event(wire).encode()
            number = self.log(Side.SERVER, wire, canonical=(canonical,), origin=queued.origin)
        else:
            t, origin = self.t, queued.origin
            frame = prepared.frame(canonical)

            def write(_: int) -> Entry:
                return Entry(number, t, Side.SERVER, prepared.wire(canonical), (canonical,), origin)

            number = self.log_later(1, write)  # it is written when somebody reads it
        if canonical["type"] == "response.created":
            self.response_created(canonical["response"]["id"], number)
        self.settle(queued, canonical)
        return frame

    def _ready_to_go(
        self, canonical: tuple[Json, ...], origin: Origin, frame: str, number: int, thinking: bool
    ) -> None:
        self._ready.append(
            Outgoing(self.t, canonical, origin, frame, number, self.exchange.entries, thinking, self._pause)
        )
        self._pause = 0.0

    def _step(self, step: Step, queued: Queued) -> None:
        if isinstance(step, Frame):
            own = step.fault is None
            origin = queued.origin if own else Origin.FAULT
            raw = step.text[:MAX_SHOWN] if step.event is None else None
            shown = step.canonical
            number = self.log(
                Side.SERVER, step.event, canonical=shown, origin=origin, raw=raw, fault=step.fault
            )
            if shown and shown[0]["type"] == "response.created":
                self.response_created(shown[0]["response"]["id"], number)
            self._ready_to_go(shown, origin, step.text, number, queued.thinking and own)
        elif isinstance(step, Pause):
            self._pause += step.seconds
        elif isinstance(step, End):
            self.agenda.drop(lambda _: True)
            self._end(Ending(step.code, step.reason, self._pause), delay=0.0)
        elif isinstance(step, Stall):
            self._stalled = True

    # The log.

    def log(self, side: Side, event: Json | None, **fields: Any) -> int:
        """Takes down one message; returns its number."""
        number = len(self.exchange.entries)
        self.exchange.entries.append(Entry(number, self.t, side, event, **fields))
        return number

    def log_later(self, count: int, write: Callable[[int], Entry]) -> int:
        """Takes down so many messages, written when somebody reads them; returns the first number."""
        entries = self.exchange.entries
        assert isinstance(entries, WireLog)
        return entries.note(count, write)

    def mark_refused(self, number: int, error: str) -> None:
        entry = self.exchange.entries[number]
        self.exchange.entries[number] = replace(entry, refused_by_state=error)
