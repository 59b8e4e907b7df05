"""Plays the client's part of a scenario, sans-I/O.

Whoever holds the other end (the service model, a socket) asks `sends()` for
what to send now and hands in each server event with `receive`; when the next
expectation is met, more may be sent. Client events go out in the dialect's
wire form; server events are matched in canonical form.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from harness.dialects import Dialect
from harness.exceptions import RecordingFault
from harness.messages import Json, Side
from harness.scenario import Expect, Matcher, Scenario, Send
from harness.scenario.model import RATE
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
        self.losses: list[str] = []
        self._arm()

    @property
    def finished(self) -> bool:
        return self._index >= len(self.scenario.steps)

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """The events that may come next, for messages."""
        return self._matcher.next if self._matcher else ()

    def sends(self) -> Iterator[Json]:
        """The client events to send now, in wire form."""
        while not self.finished:
            step = self.scenario.steps[self._index]
            if isinstance(step, Expect):
                return
            yield from self._wire_events(step)
            self._script.append(f"  >> {step.event['type']}")
            self._index += 1
            self._arm()

    def receive(self, event: Json) -> None:
        """Takes one server event in wire form; raises RecordingFault where the script does not expect it."""
        for canonical in self.translator.to_canonical(Side.SERVER, event).events:
            self._take(canonical)

    def quiet(self) -> None:
        """Nothing more comes: an expectation that may end here ends."""
        if self._matcher is not None and self._matcher.may_end:
            self._advance()

    def script(self) -> str:
        """The script so far, and what was expected next."""
        current = self._matcher.script() if self._matcher else "  ==== the end ===="
        return "\n".join([*self._script, current])

    def _take(self, event: Json) -> None:
        if event["type"] == "error":
            raise RecordingFault(
                f"the server refused: {event.get('error', {}).get('message')}", self.script()
            )
        if self._matcher is None:
            if any(event["type"].startswith(name.rstrip("*")) for name in self.scenario.floating):
                return
            raise RecordingFault(f"{event['type']} came where nothing was expected", self.script())
        if not self._matcher.take(event):
            if self._matcher.may_end and self._index + 1 < len(self.scenario.steps):
                self._advance()
                if isinstance(self.scenario.steps[self._index], Expect):
                    self._take(event)
                    return
            raise RecordingFault(
                f"the server sent {event['type']}, which the scenario does not expect", self.script()
            )
        if self._matcher.finished:
            self._advance()

    def _advance(self) -> None:
        assert self._matcher is not None
        self.bindings = self._matcher.bindings
        self._script.extend(f"  << {name}" for name in self._matcher.seen)
        self._index += 1
        self._arm()

    def _arm(self) -> None:
        step = None if self.finished else self.scenario.steps[self._index]
        self._matcher = (
            Matcher(step.sequence, self.scenario.floating, self.bindings)
            if isinstance(step, Expect)
            else None
        )

    def _wire_events(self, step: Send) -> Iterator[Json]:
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
