"""Takes a driver through a plan, one intent after another.

A turn is over when its answers were given and the wire is quiet; one that
never gets there is given up after a time without any sign of life, never after
a fixed total, so that a slow machine does not fail a client.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from harness.dialects import Dialect
from harness.dialects.model import DEPLOYMENT
from harness.drivers import DriverHost
from harness.messages import Json
from harness.scenario import Plan, Scenario
from harness.server import RealtimeServer

QUIET = 0.15
"""Seconds without a message after which a turn that has its answers is over."""

PATIENCE = 6.0
"""Seconds without any sign of life after which a turn is given up."""

GIVEN_UP = 1.0
"""Seconds of silence after which a driver that says it is done is believed, answers or not."""

CLOSING = 10.0
"""Seconds an implementation has to hang up."""


@dataclass(frozen=True)
class Drive:
    """One driver on its way through one plan, against one server."""

    host: DriverHost
    server: RealtimeServer
    plan: Plan
    start: Json
    patience: float = PATIENCE

    async def run(self) -> tuple[str, ...]:
        """Returns what the driver was asked for and never finished."""
        observed = self.host.observed
        allowed = self.host.implementation.start_seconds
        if not await self.host.wait_until(lambda: observed.stage != "starting", allowed):
            self._hung(f"said no hello within {allowed:g} s")
            return ("hello",)
        await self.host.write(self.start)
        if not await self.host.wait_until(lambda: observed.stage == "ready", self.patience * 2):
            self._hung(f"was not ready within {self.patience * 2:g} s")
            return ("start",)
        undone = await self._turns()
        await self.host.write({"type": "close", "intent": len(self.plan.intents) + 1})
        closed = await self.host.wait_until(lambda: observed.stage == "finished", CLOSING)
        observed.closed_in_time = closed or self.host.ended
        return undone

    async def _turns(self) -> tuple[str, ...]:
        capabilities = self.host.observed.capabilities
        assert capabilities is not None
        for number, intent in enumerate(self.plan.intents, 1):
            if intent.kind not in capabilities.intents:
                return (intent.kind,)
            wanted = self._answers() + intent.answers
            await self.host.write(intent.message(number))
            if not await self._turn_over(number, wanted):
                if number not in self.host.done:
                    self._hung(f"did not finish {intent.kind!r} within {self.patience:g} s of silence")
                return (intent.kind,)
        return ()

    async def _turn_over(self, number: int, wanted: int) -> bool:
        """Waits until a turn is over: its answers given and the wire quiet, or the driver done with it."""
        while not self.host.ended:
            now = time.monotonic()
            wire = now - max((c.last_activity for c in self.server.connections), default=0.0)
            silence = min(wire, now - self.host.last_notice)
            done = number in self.host.done
            if self._answers() >= wanted and self._idle() and wire >= QUIET and (done or silence >= GIVEN_UP):
                return True
            if done and silence >= GIVEN_UP:
                return True
            if silence >= self.patience:
                return False
            await asyncio.sleep(0.01)
        return False

    def _answers(self) -> int:
        return sum(len(c.exchange.responses) for c in self.server.connections if c.exchange)

    def _idle(self) -> bool:
        return all(c.idle for c in self.server.connections)

    def _hung(self, what: str) -> None:
        if not self.host.ended:
            self.host.observed.hung = what


def start_message(
    dialect: Dialect, scenario: Scenario, plan: Plan, *, origin: str, key: str, factory: str | None
) -> Json:
    """The `start` line of the driver protocol: everything a driver is told."""
    query = dict(dialect.handshake.right_query(DEPLOYMENT))
    path = dialect.handshake.path
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return {
        "type": "start",
        "protocol": 1,
        "endpoint": {
            "url": f"{origin.replace('http://', 'ws://')}{path}?{text}",
            "origin": origin,
            "path": path,
            "query": query,
            "key": key,
            "ca_file": None,
        },
        "dialect": {"name": dialect.name, "api_version": dialect.api_version},
        "session": plan.session,
        "tools": [
            {"name": t.name, "description": t.description, "parameters": t.parameters, "result": t.result}
            for t in scenario.tools
        ],
        "factory": factory,
    }
