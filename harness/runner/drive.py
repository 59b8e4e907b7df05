"""Takes a driver through a plan, one intent after another.

A turn is over when its answers were given and the wire is quiet, or when the
service has hung up where the scenario has it do so; who is to be interrupted is,
while the answer is held. A turn that never gets there is given up after a time
without any sign of life, never after a fixed total, so that a slow machine does
not fail a client.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness.dialects import Dialect
from harness.dialects.model import DEPLOYMENT
from harness.drivers import DriverHost
from harness.messages import MISSING, Json, get_path
from harness.observations import Capabilities
from harness.scenario import Intent, Plan, Scenario
from harness.server import Connection, RealtimeServer

QUIET = 0.15
"""Seconds without a message after which a turn that has its answers is over."""

PATIENCE = 6.0
"""Seconds without any sign of life after which a turn is given up."""

GIVEN_UP = 1.0
"""Seconds of silence after which a driver that says it is done is believed, answers or not."""

COMING_BACK = 0.5
"""Seconds a client has to connect again by itself before the next turn; without one the case is over."""

CLOSING = 10.0
"""Seconds without a notice in which an implementation has to hang up."""

CLOSING_AT_MOST = 60.0
"""Seconds it has in all: one that talks on may do so for ever."""

_IDLE_TIMEOUT = "audio.input.turn_detection.idle_timeout_ms"


@dataclass(frozen=True)
class Driven:
    """How far a driver came: what it was asked for and never finished, and how many intents it was given."""

    undone: tuple[str, ...] = ()
    begun: int = 0
    came_back: bool = False
    """It opened a new connection before it was asked to."""


@dataclass
class Drive:
    """One driver on its way through one plan, against one server."""

    host: DriverHost
    server: RealtimeServer
    plan: Plan
    start: Json
    patience: float = PATIENCE
    begun: int = 0
    came_back: bool = False
    asked: dict[int, str] = field(default_factory=dict)
    """The kinds of intents the driver was given, by number."""

    async def run(self) -> Driven:
        """Takes the driver to the end of the plan, or as far as it goes."""
        observed = self.host.observed
        allowed = self.host.implementation.start_seconds
        await self.host.wait_until(
            lambda: observed.stage != "starting" or bool(observed.hello_fault), allowed
        )
        if observed.stage == "starting":
            if observed.hello_fault is None:
                self._hung(f"said no hello within {allowed:g} s")
            return Driven(("hello",))
        kind = str(self.plan.session.get("type", "realtime"))
        if observed.capabilities and observed.capabilities.reason_it_cannot("type", kind):
            return Driven((f"open a {kind} session",))
        await self.host.write(self.start)
        if not await self._ready():
            self._hung(f"was not ready within {self.patience * 2:g} s")
            return Driven(("start",))
        undone = await self._turns()
        last = len(self.plan.intents) + 1
        await self.host.write({"type": "close", "intent": last})
        self.asked[last] = "close"
        observed.closed_in_time = await self._closed()
        observed.not_done = [
            f"{kind} (intent {number})" for number, kind in self.asked.items() if number not in self.host.done
        ]
        observed.stray_done = sorted(self.host.done - self.asked.keys())
        return Driven(undone, self.begun, self.came_back)

    async def _closed(self) -> bool:
        """Whether the driver hung up; one that still hands on what it reads gets the time for it."""
        told = time.monotonic()
        while self.host.observed.stage != "finished" and not self.host.ended:
            now = time.monotonic()
            if now - max(told, self.host.last_notice) >= CLOSING or now - told >= CLOSING_AT_MOST:
                return False
            await self.host.wait_until(lambda: self.host.observed.stage == "finished", 0.2)
        return True

    async def _ready(self) -> bool:
        """Whether the driver got ready; a handshake that we delay is not held against it."""
        while self.host.observed.stage != "ready" and not self.host.ended:
            if self._silence() >= self.patience * 2:
                return False
            await self.host.wait_until(lambda: self.host.observed.stage == "ready", 0.2)
        return self.host.observed.stage == "ready"

    async def _turns(self) -> tuple[str, ...]:
        capabilities = self.host.observed.capabilities
        assert capabilities is not None
        for number, intent in enumerate(self.plan.intents, 1):
            if intent.kind == "reconnect" and self._alive():
                self.came_back = True
                continue
            if intent.kind not in capabilities.intents:
                return (intent.kind,)
            if intent.silence and self._never_times_out(capabilities):
                return ("ask for an idle timeout",)
            if intent.kind != "reconnect" and await self._left_alone():
                return (intent.kind,)
            following = self.plan.intents[number] if number < len(self.plan.intents) else None
            turn = _Turn(
                number,
                intent,
                answers=self._answers() + intent.answers,
                ended=self._ended(),
                interrupted=following is not None and following.kind == "interrupt",
            )
            self.begun = number
            self.asked[number] = intent.kind
            await self.host.write(intent.message(number))
            if not await self._over(turn):
                if number not in self.host.done and self._alive():
                    self._hung(f"did not finish {intent.kind!r} within {self.patience:g} s of silence")
                return (intent.kind,)
        return ()

    def _never_times_out(self, capabilities: Capabilities) -> bool:
        """Whether the user's silence is to be answered and the framework cannot ask for that."""
        wanted = get_path(self.plan.session, _IDLE_TIMEOUT)
        return wanted is not MISSING and capabilities.reason_it_cannot(_IDLE_TIMEOUT, wanted) is not None

    async def _over(self, turn: _Turn) -> bool:
        """Waits until a turn is over: its answers given and the wire quiet, or the driver done with it."""
        longer = turn.intent.silence
        while not self.host.ended:
            silence, done = self._silence(), turn.number in self.host.done
            # The wire is quiet once all was sent; who reads slowly is not done, and gets our whole patience.
            if self._came_to_its_end(turn) and (done or silence >= self.patience or self._interrupts(turn)):
                return True
            if done and silence >= GIVEN_UP + longer:
                return True
            if silence >= self.patience + longer:
                return False
            await asyncio.sleep(0.01)
        return False

    def _came_to_its_end(self, turn: _Turn) -> bool:
        """Whether what is to come of a turn has come, and the wire is quiet."""
        if self._quiet() < QUIET:
            return False
        if turn.intent.ends:
            return bool(self._ended() - turn.ended)
        return self._answers() >= turn.answers and (self._idle() or self._interrupts(turn))

    def _interrupts(self, turn: _Turn) -> bool:
        """Whether the user speaks over its answer now: it is held for that."""
        return turn.interrupted and any(
            c.service.holding for c in self.server.connections if c.service and not c.over
        )

    async def _left_alone(self) -> bool:
        """Whether no connection is left to go on with; a client gets a moment to come back by itself."""
        if not self.server.connections or self._alive():
            return False
        waited = time.monotonic()
        while not self._alive() and not self.host.ended:
            if time.monotonic() - waited >= COMING_BACK:
                return True
            await asyncio.sleep(0.01)
        return not self._alive()

    def _answers(self) -> int:
        return sum(len(c.exchange.responses) for c in self.server.connections if c.exchange)

    def _idle(self) -> bool:
        return all(c.idle for c in self.server.connections)

    def _alive(self) -> bool:
        """Whether there is a connection to go on with: one held in reserve is no coming back."""
        lost = max((c.over_at or 0.0 for c in self._played_on() if c.ended_by_service), default=0.0)
        return any(
            c.service is not None and not c.over and c.opened_at > lost for c in self.server.connections
        )

    def _ended(self) -> set[int]:
        """Which connections the service itself has ended, of those that are in use."""
        return {id(c) for c in self._played_on() if c.ended_by_service}

    def _played_on(self) -> list[Connection]:
        """The connections on which an answer was given; where none was, all of them."""
        opened = [c for c in self.server.connections if c.exchange is not None]
        return [c for c in opened if c.exchange and c.exchange.responses] or opened

    def _quiet(self) -> float:
        """Seconds since something last crossed the wire; below nought while we let it wait."""
        return time.monotonic() - max((c.last_activity for c in self.server.connections), default=0.0)

    def _silence(self) -> float:
        """Seconds without any sign of life, on the wire or from the driver."""
        return min(self._quiet(), time.monotonic() - self.host.last_notice)

    def _hung(self, what: str) -> None:
        if not self.host.ended:
            self.host.observed.hung = what


@dataclass(frozen=True)
class _Turn:
    """One intent on its way; it ends with so many answers, or when another than these connections ends."""

    number: int
    intent: Intent
    answers: int
    ended: set[int]
    interrupted: bool
    """The user speaks over its answer: it is left as it is while that is held."""


def start_message(
    dialect: Dialect,
    scenario: Scenario,
    plan: Plan,
    *,
    origin: str,
    key: str,
    factory: str | None,
    ca_file: Path | None = None,
) -> Json:
    """The `start` line of the driver protocol: everything a driver is told."""
    query = dict(dialect.handshake.right_query(DEPLOYMENT, transcription=scenario.of_transcription))
    path = dialect.handshake.path
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return {
        "type": "start",
        "protocol": 1,
        "endpoint": {
            "url": f"{origin.replace('http', 'ws', 1)}{path}?{text}",
            "origin": origin,
            "path": path,
            "query": query,
            "key": key,
            "ca_file": None if ca_file is None else str(ca_file),
        },
        "dialect": {"name": dialect.name, "api_version": dialect.api_version},
        "session": plan.session,
        "tools": [
            {"name": t.name, "description": t.description, "parameters": t.parameters, "result": t.result}
            for t in scenario.tools
        ],
        "factory": factory,
    }
