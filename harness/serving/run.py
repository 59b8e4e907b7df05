"""Serves until it is told to end, and goes through the connections to tell what is new."""

from __future__ import annotations

import asyncio
import errno
import gc
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.documents import write_whole
from harness.exceptions import FileFault
from harness.faults import FaultLine
from harness.redaction import Redactor
from harness.server import Certificate, Connection, RealtimeServer
from harness.service import Exchange
from harness.serving.happenings import (
    Answered,
    Closed,
    Failed,
    Happening,
    NeverStruck,
    Opened,
    Stranger,
    TurnedAway,
)
from harness.serving.judge import judge_handshake
from harness.serving.log import cassette_of, log_path
from harness.serving.services import Services, Serving
from harness.serving.tap import Tap, Tapped, Watched

LOOK_SECONDS = 0.05
"""How often what happened is told."""

_NO_FILES = "no more connections can be had: this process may open no more files (ulimit -n)"

_LATE_AT_ONCE = 10
"""Connections that are judged when they are over, in one look: others wait meanwhile."""

COLLECT_SECONDS = 10.0
"""How often, at most, memory of sessions that are over is given back.

A session is a ring of a few objects that may hold a gigabyte, and the collector
counts objects: by itself it would be in no hurry.
"""


async def serve(
    serving: Serving,
    tell: Callable[[Happening], None],
    ready: Callable[[RealtimeServer], None],
    rested: Callable[[], None] = lambda: None,
    tls: Certificate | None = None,
) -> None:
    """Serves until it is cancelled. `rested` is called each time all that happened was told."""
    faults = FaultLine(serving.faults)
    server = RealtimeServer(
        serving.dialect,
        serving.key,
        Services(serving, faults).new,
        pace=serving.pace,
        faults=faults,
        host=serving.host,
        port=serving.port,
        limits=serving.limits,
        tls=tls.context if tls else None,
    )
    teller = _Teller(serving, server, faults, tell)
    asyncio.get_running_loop().set_exception_handler(teller.broke)
    try:
        async with server:
            ready(server)
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                teller.look()
                rested()
                teller.collect()
    finally:
        teller.end()
        rested()


class _Teller:
    """Goes through the server's connections and tells what is new."""

    def __init__(
        self,
        serving: Serving,
        server: RealtimeServer,
        faults: FaultLine,
        tell: Callable[[Happening], None],
    ) -> None:
        self._serving = serving
        self._server = server
        self._faults = faults
        self._tell = tell
        self._redactor = Redactor((serving.key,))
        self._gone = False
        """Whether a connection was let go since memory was collected."""
        self._collected = 0.0
        self._full = 0.0
        """When files ran out last."""

    def look(self, *, ended: bool = False) -> None:
        """Tells what is new, and lets go of what is over, as all is once the server has `ended`."""
        self._tell_of_strangers()
        late = 0
        for connection in tuple(self._server.connections):
            over = connection.over or ended
            if isinstance(connection.service, Watched) and over and not ended:
                late += 1
                over = late <= _LATE_AT_ONCE
            if isinstance(connection.service, Tapped | Watched):
                self._look_at(connection, connection.service, over=over)
            elif not connection.handshake.opened:
                over = True
                judged = judge_handshake(self._serving.dialect, connection.handshake)
                self._tell(TurnedAway(connection.handshake, tuple(judged)))
            elif connection.failure is not None:
                self._tell(Failed(connection.failure))
            if over:
                self._server.forget(connection)
                self._gone = True

    def broke(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the loop meets with. It says a thousand times that no more files are to be had."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif time.monotonic() - self._full > 1.0:  # asyncio tries again after a second
            self._full = time.monotonic()
            self._tell(Stranger(_NO_FILES))

    def _tell_of_strangers(self) -> None:
        """What came to the port and was no WebSocket."""
        while self._server.asked:
            self._tell(Answered(self._server.asked.popleft()))
        while self._server.strangers:
            self._tell(Stranger(self._server.strangers.popleft()))

    def end(self) -> None:
        """Tells the rest. Leniency leaves no trace with the faults, and is not asked after."""
        self.look(ended=True)
        never = [one for one in self._faults.faults if one not in self._faults.struck and not one.lenient]
        if never:
            self._tell(NeverStruck(tuple(map(str, never))))

    def collect(self) -> None:
        """Gives back the memory of what was let go; the others wait meanwhile, so it is not done often."""
        if self._gone and time.monotonic() - self._collected >= COLLECT_SECONDS:
            gc.collect()
            self._gone, self._collected = False, time.monotonic()

    def _look_at(self, connection: Connection, service: Tapped | Watched, *, over: bool) -> None:
        """Tells what is new of a connection."""
        tap = service.tap
        if not tap.opened:
            tap.opened = True
            judged = judge_handshake(self._serving.dialect, connection.handshake)
            self._tell(Opened(tap.number, 0.0, connection.handshake, tuple(judged)))
        if over and isinstance(service, Watched):
            for entry in service.exchange.entries:
                tap.take(entry, service)
        for happening in tap.told():
            self._tell(happening)
        if over:
            log, problem = self._kept(tap, service.exchange)
            fault = tap.ended_by
            judged = tap.judge.over(service.exchange, by_fault=fault is not None)
            closed = Closed(tap.number, tap.t, service.exchange, log, problem, connection.failure, fault)
            self._tell(replace(closed, judged=tuple(judged)))

    def _kept(self, tap: Tap, exchange: Exchange) -> tuple[Path | None, str | None]:
        first = self._serving.log
        if first is None:
            return None, None
        path = log_path(first, tap.number)
        serving, clean = self._serving, self._redactor.value
        cassette = cassette_of(serving.dialect, serving.faults, tap.kept, exchange, clean)
        try:
            write_whole(path, cassette.lines())
        except FileFault as fault:
            return None, str(fault)
        return path, None
