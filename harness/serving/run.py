"""Serves until it is told to end, and goes through the connections to tell what is new."""

from __future__ import annotations

import asyncio
import gc
import http
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.cassette import Cassette
from harness.dialects import Dialect
from harness.dialects.model import DEPLOYMENT
from harness.documents import write_whole
from harness.exceptions import FileFault
from harness.faults import Fault, FaultLine
from harness.model_script import ModelScript
from harness.redaction import Redactor
from harness.server import Certificate, Connection, Opening, RealtimeServer
from harness.service import Exchange, Service
from harness.service.pace import Pace
from harness.serving.happenings import Closed, Failed, Happening, NeverStruck, Opened, TurnedAway
from harness.serving.judge import judge_handshake
from harness.serving.log import cassette_of, log_path
from harness.serving.tap import Tap, Tapped, TappedModel, TappedPlayback

LOOK_SECONDS = 0.05
"""How often what happened is told."""

COLLECT_SECONDS = 10.0
"""How often, at most, memory of sessions that are over is given back.

A session is a ring of a few objects that may hold a gigabyte, and the collector
counts objects: by itself it would be in no hurry.
"""


@dataclass(frozen=True)
class Serving:
    """What is served, and how. Either a script or cassettes, one a connection and then the first again."""

    dialect: Dialect
    key: str
    script: ModelScript | None = None
    cassettes: tuple[Cassette, ...] = ()
    pace: Pace = field(default_factory=Pace)
    faults: tuple[Fault, ...] = ()
    port: int = 0
    log: Path | None = None
    """The cassette of the first connection; `NAME.2.jsonl` and so on are those after it."""
    ca_file: Path | None = None
    """The certificate that clients must trust, where the server has one."""

    @property
    def query(self) -> dict[str, str]:
        """The query of a right handshake; a cassette of transcription is dialled for transcription."""
        return dict(self.dialect.handshake.right_query(DEPLOYMENT, transcription=bool(self.hears)))

    @property
    def hears(self) -> tuple[tuple[str, str], ...]:
        """What the query adds for transcription, where that is what the first cassette is of."""
        rules = self.dialect.handshake
        intent = {rule.name for rule in rules.query if rule.means == "transcription"}
        if not any(intent & dict(cassette.header.query).keys() for cassette in self.cassettes[:1]):
            return ()
        query = rules.right_query(DEPLOYMENT, transcription=True)
        return tuple((name, value) for name, value in query if name in intent)


async def serve(
    serving: Serving,
    tell: Callable[[Happening], None],
    ready: Callable[[RealtimeServer], None],
    rested: Callable[[], None] = lambda: None,
    tls: Certificate | None = None,
) -> None:
    """Serves until it is cancelled. `rested` is called each time all that happened was told."""
    faults = FaultLine(serving.faults)
    new_service = _factory(serving, faults)
    server = RealtimeServer(
        serving.dialect,
        serving.key,
        new_service,
        pace=serving.pace,
        faults=faults,
        port=serving.port,
        tls=tls.context if tls else None,
    )
    teller = _Teller(serving, server, faults, tell)
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


def _factory(serving: Serving, faults: FaultLine) -> Callable[[Opening], Service]:
    def new_service(opening: Opening) -> Service:
        now = int(time.time())
        service: Tapped
        if serving.script is not None:
            service = TappedModel(
                serving.dialect,
                serving.script,
                seed=opening.number,
                unix_time=now,
                model=opening.model,
                transcription=opening.transcription,
                settings=opening.settings,
                faults=faults.connected(),
            )
        else:
            service = TappedPlayback(
                serving.dialect,
                serving.cassettes[(opening.number - 1) % len(serving.cassettes)],
                seed=opening.number,
                unix_time=now,
                model=opening.model,
                transcription=opening.transcription,
                settings=opening.settings,
                faults=faults.connected(),
            )
        service.tap = Tap(opening.number, serving.dialect, keep=serving.log is not None)
        return service

    return new_service


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

    def look(self, *, ended: bool = False) -> None:
        """Tells what is new, and lets go of what is over, as all is once the server has `ended`."""
        for connection in tuple(self._server.connections):
            over = connection.over or ended
            if isinstance(connection.service, Tapped):
                self._look_at(connection, connection.service, over=over)
            elif connection.handshake.status != http.HTTPStatus.SWITCHING_PROTOCOLS:
                over = True
                judged = judge_handshake(self._serving.dialect, connection.handshake)
                self._tell(TurnedAway(connection.handshake, tuple(judged)))
            elif connection.failure is not None:
                self._tell(Failed(connection.failure))
            if over:
                self._server.forget(connection)
                self._gone = True

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

    def _look_at(self, connection: Connection, service: Tapped, *, over: bool) -> None:
        """Tells what is new of a connection."""
        tap = service.tap
        if not tap.opened:
            tap.opened = True
            judged = judge_handshake(self._serving.dialect, connection.handshake)
            self._tell(Opened(tap.number, 0.0, connection.handshake, tuple(judged)))
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
