"""Faults at work: where they strike, and what is left of an event when they did.

Rules of this module: it is sans-I/O; what no fault touches comes out as it went
in; each fault counts for itself, over all connections of a case, so that a
client that comes back does not meet the same fault again unless `times` says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from harness.faults.catalogue import FLOATING
from harness.faults.effects import CHANGES, Beside, Effect, Hold, Instead, effect_of
from harness.faults.notation import Fault
from harness.faults.steps import End, Frame, HandshakeFault, Stall, Step
from harness.messages import Json

_Names = tuple[str, str]
"""The type of an event, canonical and as on the wire."""


@dataclass
class _Case:
    """What all connections of a case have in common; faults go by their place in the list."""

    met: Counter[int] = field(default_factory=Counter)
    struck: Counter[int] = field(default_factory=Counter)
    answers: int = 0
    """Those that count: see FaultLine.pass_on."""


@dataclass
class _Held:
    frame: Frame
    hold: Hold
    waited: int = 0


class FaultLine:
    """The faults of one case, as one connection meets them; `connected` is for each further one."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.lenient = any(fault.lenient for fault in self.faults)
        on_events = [(place, fault) for place, fault in enumerate(self.faults) if fault.kind.parameter("at")]
        # Changes first: what else strikes the same event meets what they left of it.
        self._on_events = tuple(sorted(on_events, key=lambda one: one[1].name not in CHANGES))
        self._case = _Case()
        self._running: dict[str, int | None] = {}
        """The responses under way on this connection, by id: which answer of the case each is, if any."""
        self._held: list[_Held] = []
        self._last: _Names = ("", "")
        """The last event that is none of the floating ones."""
        self._over = False

    def connected(self) -> FaultLine:
        """The same faults with the same counts, for another connection."""
        other = FaultLine(self.faults)
        other._case = self._case
        return other

    @property
    def struck(self) -> tuple[Fault, ...]:
        """Those that changed something so far; leniency leaves no trace here."""
        return tuple(fault for place, fault in enumerate(self.faults) if self._case.struck[place])

    @property
    def on_events(self) -> bool:
        """Whether any of them strikes events."""
        return bool(self._on_events)

    @property
    def longest_handshake(self) -> float:
        """Seconds by which an attempt to connect may be held up."""
        return sum(fault.seconds("seconds") for fault in self.faults if fault.name == "slow-handshake")

    def handshake(self, attempt: int) -> HandshakeFault | None:
        """What becomes of an attempt to connect; the first is 1."""
        found: HandshakeFault | None = None
        for place, fault in enumerate(self.faults):
            if fault.name not in ("refuse-handshake", "slow-handshake") or not _in_turn(fault, attempt):
                continue
            self._case.struck[place] += 1
            found = found or HandshakeFault("")
            found = replace(found, fault=f"{found.fault}; {fault}".removeprefix("; "))
            if fault.name == "slow-handshake":
                found = replace(found, delay=found.delay + fault.seconds("seconds"))
            elif found.status is None:
                found = _refused(found, fault)
        return found

    def pass_on(self, event: Json, canonical: Json, frame: str, *, counts: bool = True) -> tuple[Step, ...]:
        """What to do instead of sending an event, given in wire form, in canonical form and as text.

        Where it begins a response, `counts` says whether that is one of those `answer`
        counts: one that a client asked for beyond its script must not shift the others.
        Nothing comes any more after an End or a Stall.
        """
        untouched = Frame(frame, event, (canonical,))
        if not self._on_events:
            return (untouched,)
        if self._over:
            return ()
        names = (canonical["type"], event["type"])
        response = _response_of(canonical)
        if names[0] == "response.created":
            self._case.answers += counts
            self._running[response] = self._case.answers if counts else None
        steps = self._steps(names, untouched, self._answers(response))
        if names[0] == "response.done":
            self._running.pop(response, None)
        return self._until_over(steps)

    def _answers(self, response: str) -> tuple[int | None, ...]:
        """The answers that an event is part of: its response, or where it names none all under way."""
        return (self._running.get(response),) if response else tuple(self._running.values())

    def _steps(self, names: _Names, frame: Frame, answers: tuple[int | None, ...]) -> list[Step]:
        before: list[Step] = []
        after: list[Step] = []
        hold: Hold | None = None
        for place, fault in self._on_events:
            answer = fault.value("answer")
            if answer is not None and answer not in answers:
                continue
            effect = self._effect(place, fault, names, frame)
            if effect is None:
                continue
            self._case.struck[place] += 1
            if isinstance(effect, Instead):
                frame = effect.frame
            elif isinstance(effect, Beside):
                (before if fault.value("when") == "before" else after).append(effect.step)
            else:
                hold, frame = effect, replace(frame, fault=str(fault))
        if hold is not None:
            self._held.append(_Held(frame, hold))
            return [*before, *after]
        if not _matches(FLOATING, names):
            self._last = names
        return [*before, frame, *after, *self._released(names)]

    def _effect(self, place: int, fault: Fault, names: _Names, frame: Frame) -> Effect | None:
        """What the fault does to this event, if it strikes it; counts the events it could strike."""
        if not _matches(fault.text("at"), names):
            return None
        effect = effect_of(fault, frame)
        if effect is None or (isinstance(effect, Hold) and self._comes_late(effect)):
            return None
        self._case.met[place] += 1
        return effect if _in_turn(fault, self._case.met[place]) else None

    def _comes_late(self, hold: Hold) -> bool:
        """Whether it comes directly after what it would wait for: then it is late already."""
        return hold.until is not None and _matches(hold.until, self._last)

    def _released(self, names: _Names) -> list[Step]:
        """What was held back for this event, or for as many as came since."""
        due: list[_Held] = []
        for held in self._held:
            held.waited += 1
            until = held.hold.until
            if _matches(until, names) if until is not None else held.waited >= held.hold.events:
                due.append(held)
        self._held = [held for held in self._held if held not in due]
        return [held.frame for held in due]

    def _until_over(self, steps: list[Step]) -> tuple[Step, ...]:
        for index, step in enumerate(steps):
            if isinstance(step, (End, Stall)):
                self._over = True
                return tuple(steps[: index + 1])
        return tuple(steps)


def _in_turn(fault: Fault, number: int) -> bool:
    """Whether it strikes the event, or the attempt, of that number."""
    first, times = fault.number("nth"), fault.value("times")
    return number >= first and (not isinstance(times, int) or number < first + times)


def _refused(found: HandshakeFault, fault: Fault) -> HandshakeFault:
    again, body = fault.value("retry-after"), fault.value("body")
    return replace(
        found,
        status=fault.number("status"),
        headers=() if again is None else (("Retry-After", str(again)),),
        body=None if body is None else str(body),
    )


def _response_of(event: Json) -> str:
    """The id of the response an event names; empty where it names none."""
    response = event.get("response")
    id_ = response.get("id") if isinstance(response, dict) else event.get("response_id")
    return id_ if isinstance(id_, str) else ""


def _matches(pattern: str, names: _Names) -> bool:
    return any(fnmatchcase(name, one) for one in pattern.split("|") for name in names)
