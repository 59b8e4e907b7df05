"""Plays the client's part of a scenario, sans-I/O.

Whoever holds the other end (the service model, a socket) asks `sends()` for
what to send now and hands in each server event with `receive`; when the next
expectation is met, more may be sent. Client events go out in the dialect's
wire form; server events are matched in canonical form. `waits`, `awaits_close`
and `awaits_connection` tell the holder what else the script wants; what was
done about it is told with `waited`, `closed` and `reconnected`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from harness.dialects import Dialect
from harness.exceptions import RecordingFault
from harness.messages import Json, Side
from harness.scenario import Expect, ExpectClose, Matcher, Reconnect, Scenario, Send, Step, Wait
from harness.scenario.model import RATE
from harness.scenario.sequence import matches_name
from harness.translation import Translator

CHUNK = RATE * 2 // 10
"""Bytes in 100 ms of audio: how much one append carries."""


class ScriptedClient:
    """One client that does exactly what a scenario says."""

    def __init__(self, scenario: Scenario, dialect: Dialect) -> None:
        self.scenario = scenario
        self.dialect = dialect
        self.translator = Translator(dialect)
        self.bindings: dict[str, object] = {}
        self._index = 0
        self._matcher: Matcher | None = None
        self._script: list[str] = []
        self._early: list[Json] = []
        """What came while the client waited; it is matched when the wait is over."""
        self.losses: list[str] = []
        self._arm()

    @property
    def finished(self) -> bool:
        return self._index >= len(self.scenario.steps)

    @property
    def step(self) -> int:
        """The step the script is at, counted from 0."""
        return self._index

    @property
    def _step(self) -> Step | None:
        return None if self.finished else self.scenario.steps[self._index]

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """The events that may come next, for messages."""
        return self._matcher.next if self._matcher else ()

    @property
    def waits(self) -> float | None:
        """Seconds to let pass now."""
        return self._step.seconds if isinstance(self._step, Wait) else None

    @property
    def awaits_close(self) -> bool:
        """The service is to end the connection now."""
        return isinstance(self._step, ExpectClose)

    @property
    def awaits_connection(self) -> bool:
        """Another connection is to be opened; this one is over."""
        return isinstance(self._step, Reconnect)

    def sends(self) -> Iterator[Json]:
        """The client events to send now, in wire form."""
        while isinstance(step := self._step, Send):
            yield from self._wire_events(step)
            self._pass(f"  >> {step.event['type']}")

    def waited(self) -> None:
        """The time of a `wait` has passed."""
        self._pass("  (waited)")
        early, self._early = self._early, []
        for event in early:
            self._take(event)

    def closed(self, code: int | None, reason: str = "") -> None:
        """The service ended the connection; raises RecordingFault where the script does not expect it."""
        self.quiet()
        step = self._step
        if not isinstance(step, ExpectClose):
            raise RecordingFault(f"the server closed the session: {code} {reason}".rstrip(), self.script())
        if step.code not in (None, code):
            raise RecordingFault(f"the server closed with {code}, expected is {step.code}", self.script())
        self._pass(f"  << (closed: {code})")

    def reconnected(self) -> None:
        """The next connection is open."""
        self.translator = Translator(self.dialect)
        self._pass("  == a new connection ==")

    def receive(self, event: Json) -> None:
        """Takes one server event in wire form; raises RecordingFault where the script does not expect it."""
        for canonical in self.translator.to_canonical(Side.SERVER, event).events:
            self._take(canonical)

    def quiet(self) -> bool:
        """Nothing more comes: an expectation that may end here ends, and the script goes on."""
        if self._matcher is None or not self._matcher.may_end:
            return False
        self._advance()
        return True

    def script(self) -> str:
        """The script so far, and what was expected next."""
        current = self._matcher.script() if self._matcher else "  ==== the end ===="
        return "\n".join([*self._script, current])

    def _take(self, event: Json) -> None:
        if self._matcher is None:
            if any(matches_name(name, event["type"]) for name in self.scenario.floating):
                return
            if self.waits is not None:
                self._early.append(event)
                return
            raise self._unexpected(event, f"{event['type']} came where nothing was expected")
        if not self._matcher.take(event):
            if self._matcher.may_end and self._index + 1 < len(self.scenario.steps):
                self._advance()
                if isinstance(self._step, Expect):
                    self._take(event)
                    return
            raise self._unexpected(
                event, f"the server sent {event['type']}, which the scenario does not expect"
            )
        if self._matcher.finished:
            self._advance()

    def _unexpected(self, event: Json, problem: str) -> RecordingFault:
        if event["type"] == "error":
            problem = f"the server refused: {event.get('error', {}).get('message')}"
        return RecordingFault(problem, self.script())

    def _advance(self) -> None:
        assert self._matcher is not None
        self.bindings = self._matcher.bindings
        self._script.extend(f"  << {name}" for name in self._matcher.seen)
        self._index += 1
        self._arm()

    def _pass(self, line: str) -> None:
        self._script.append(line)
        self._index += 1
        self._arm()

    def _arm(self) -> None:
        step = self._step
        self._matcher = (
            Matcher(step.sequence, self.scenario.floating, self.bindings)
            if isinstance(step, Expect)
            else None
        )

    def _wire_events(self, step: Send) -> Iterator[Json]:
        if step.wire is not None and self.dialect.name in (self.scenario.dialects or ()):
            yield step.resolved_wire(self.bindings) or {}
            return
        event = step.resolved(self.bindings)
        chunks: list[Json] = [event]
        if step.audio is not None:
            pcm = step.audio.pcm
            chunks = [
                {**event, "audio": base64.b64encode(pcm[start : start + CHUNK]).decode("ascii")}
                for start in range(0, len(pcm), CHUNK)
            ]
        for chunk in chunks:
            translation = self.translator.to_wire(Side.CLIENT, chunk)
            self.losses.extend(f"{loss.path}: {loss.reason}" for loss in translation.losses)
            yield from translation.events
