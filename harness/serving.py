"""Serves a model or cassettes to any client, and tells what happens while it does.

What crosses a connection is noted when it really does: an event that waits for
its delay is told of after it. A cassette of each connection can be kept.
"""

from __future__ import annotations

import asyncio
import gc
import http
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.cassette import Cassette, Close, Header, Interaction, Provenance
from harness.dialects import Dialect
from harness.dialects.model import DEPLOYMENT
from harness.documents import write_whole
from harness.exceptions import FileFault, UsageFault
from harness.faults import Fault, FaultLine
from harness.messages import Json, Side
from harness.model_script import ModelScript, ScriptedModel
from harness.playback import Playback
from harness.redaction import Redactor
from harness.server import Connection, Opening, RealtimeServer
from harness.service import Entry, Exchange, Handshake, Outgoing, Service
from harness.service.pace import Pace

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

    @property
    def query(self) -> dict[str, str]:
        """The query of a right handshake; a cassette of transcription is dialled for transcription."""
        rules = self.dialect.handshake
        intent = {rule.name for rule in rules.query if rule.means == "transcription"}
        hears = any(intent & dict(cassette.header.query).keys() for cassette in self.cassettes[:1])
        return dict(rules.right_query(DEPLOYMENT, transcription=hears))


@dataclass(frozen=True)
class Opened:
    """A connection is open."""

    number: int
    t: float
    handshake: Handshake


@dataclass(frozen=True)
class TurnedAway:
    """A handshake was refused."""

    handshake: Handshake


@dataclass(frozen=True)
class Crossed:
    """A message crossed connection `number`, `t` real seconds after it opened; `session` was in force."""

    number: int
    t: float
    entry: Entry
    session: Json
    why: str | None = None
    """Where the answer that begins with it comes from."""
    note: str | None = None
    """What the service takes without a word, and people want to know."""


@dataclass(frozen=True)
class Closed:
    """A connection is over; `log` is where its cassette stands, `problem` why it could not be written."""

    number: int
    t: float
    exchange: Exchange
    log: Path | None = None
    problem: str | None = None
    failure: Exception | None = None
    fault: str | None = None
    """The fault that ended it."""


@dataclass(frozen=True)
class Struck:
    """A fault that leaves no mark on a message struck for the first time."""

    fault: str


@dataclass(frozen=True)
class Failed:
    """Our own code broke before there was anything to cross the connection."""

    failure: Exception


Happening = Opened | TurnedAway | Crossed | Closed | Struck | Failed

_ENDING = ("close", "drop")
_SILENT = ("pause", "stall")


class Tap:
    """What crossed one connection and was not told yet; with `keep` also what was, for a cassette."""

    def __init__(self, number: int, *, keep: bool) -> None:
        self.number = number
        self.keep = keep
        self.kept: list[Crossed] = []
        self.opened = False
        """Whether it was told that the connection is open."""
        self._untold: list[Crossed] = []
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

    def told(self) -> Iterator[Crossed]:
        """What is to be told now."""
        untold, self._untold = self._untold, []
        if self.keep:
            self.kept.extend(untold)
        yield from untold


def _note(entry: Entry, service: Service) -> str | None:
    """A result of a tool that nobody called: what the service does with it, nobody has published."""
    event = entry.canonical[0] if entry.side is Side.CLIENT and entry.canonical else {}
    item = event.get("item")
    if event.get("type") != "conversation.item.create" or entry.refusals or entry.refused_by_state:
        return None
    if not isinstance(item, dict) or item.get("type") != "function_call_output":
        return None
    calls = [one.get("call_id") for one in service.conversation.items if one["type"] == "function_call"]
    if item.get("call_id") in calls:
        return None
    return f"no call has this call_id, accepted all the same; calls: {', '.join(map(str, calls)) or 'none'}"


class Tapped(Service):
    """Notes each message as it crosses. The server asks for the next one when it has sent the one before."""

    tap: Tap
    _looked = 0
    _leaving: Entry | None = None

    def receive(self, frame: str | bytes) -> None:
        before = len(self.exchange.entries)
        super().receive(frame)
        for entry in self.exchange.entries[before:]:
            if entry.side is Side.CLIENT:
                self.tap.take(entry, self)

    def pop(self, until: float | None = None) -> Outgoing | None:
        if self._leaving is not None:
            self.tap.take(self._leaving, self)
            self._leaving = None
        outgoing = super().pop(until)
        if outgoing is not None:
            self._leaving = self._next_sent()
        return outgoing

    def _next_sent(self) -> Entry:
        """The log has the frames in the order in which they are sent."""
        while self.exchange.entries[self._looked].side is not Side.SERVER:
            self._looked += 1
        self._looked += 1
        return self.exchange.entries[self._looked - 1]


class TappedModel(Tapped, ScriptedModel):
    """A model whose messages are noted."""


class TappedPlayback(Tapped, Playback):
    """A cassette whose messages are noted."""


async def serve(
    serving: Serving,
    tell: Callable[[Happening], None],
    ready: Callable[[RealtimeServer], None],
    rested: Callable[[], None] = lambda: None,
) -> None:
    """Serves until it is cancelled. `rested` is called each time all that happened was told."""
    faults = FaultLine(serving.faults)
    new_service = _factory(serving, faults)
    server = RealtimeServer(
        serving.dialect, serving.key, new_service, pace=serving.pace, faults=faults, port=serving.port
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
        teller.look()
        rested()


def log_paths(first: Path) -> list[Path]:
    """The cassettes that stand where those of a run would be written."""
    name = re.compile(rf"{re.escape(first.stem)}\.[0-9]+{re.escape(first.suffix)}")
    later = first.parent.iterdir() if first.parent.is_dir() else ()
    numbered = sorted(path for path in later if name.fullmatch(path.name))
    return [path for path in (first, *numbered) if path.exists()]


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
                faults=faults.connected(),
            )
        service.tap = Tap(opening.number, keep=serving.log is not None)
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
        self._silent: set[str] = set()
        """Faults without a mark that were told of."""
        self._redactor = Redactor((serving.key,))
        self._gone = False
        """Whether a connection was let go since memory was collected."""
        self._collected = 0.0

    def look(self) -> None:
        """Tells what is new, and lets go of what is over: a server may run for days."""
        for connection in tuple(self._server.connections):
            over = connection.over
            if isinstance(connection.service, Tapped):
                self._look_at(connection, connection.service, over=over)
            elif connection.handshake.status != http.HTTPStatus.SWITCHING_PROTOCOLS:
                over = True
                self._tell(TurnedAway(connection.handshake))
            elif connection.failure is not None:
                self._tell(Failed(connection.failure))
            if over:
                self._server.forget(connection)
                self._gone = True
        for fault in self._faults.struck:
            if fault.name in _SILENT and str(fault) not in self._silent:
                self._silent.add(str(fault))
                self._tell(Struck(str(fault)))

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
            self._tell(Opened(tap.number, 0.0, connection.handshake))
        for crossed in tap.told():
            self._tell(crossed)
        if over:
            log, problem = self._kept(tap, service.exchange)
            fault = self._fault_that_ended(service)
            self._tell(Closed(tap.number, tap.t, service.exchange, log, problem, connection.failure, fault))

    def _fault_that_ended(self, service: Service) -> str | None:
        ending = service.ending
        if ending is None:
            return None
        for fault in self._faults.struck:
            code = fault.number("code") if fault.name == "close" else None
            if fault.name in _ENDING and code == ending.code:
                return str(fault)
        return None

    def _kept(self, tap: Tap, exchange: Exchange) -> tuple[Path | None, str | None]:
        first = self._serving.log
        if first is None:
            return None, None
        path = first if tap.number == 1 else first.with_name(f"{first.stem}.{tap.number}{first.suffix}")
        try:
            write_whole(path, self._cassette(tap, exchange).lines())
        except FileFault as fault:
            return None, str(fault)
        return path, None

    def _cassette(self, tap: Tap, exchange: Exchange) -> Cassette:
        """What crossed one connection, redacted: the client is real, the service is ours."""
        dialect, handshake, clean = self._serving.dialect, exchange.handshake, self._redactor.value
        assert handshake is not None
        header = Header(
            dialect=dialect.name,
            api_version=dialect.api_version,
            path=handshake.path,
            query=tuple((name, str(value)) for name, value in handshake.query),
            scenario=None,
            provenance=Provenance.CONSTRUCTED,
            origin=(
                ("date", datetime.now(UTC).date().isoformat()),
                ("evidence", "served by realtime-harness; the client's side is real"),
            ),
            tool=f"realtime-harness {__version__}",
        )
        interactions = tuple(
            Interaction(
                crossed.t,
                crossed.entry.side,
                clean(crossed.entry.event),
                None if crossed.entry.event is not None else clean(crossed.entry.raw or ""),
            )
            for crossed in tap.kept
        )
        return Cassette(header, interactions, Close(exchange.close_by or "nobody", exchange.close_code))


def check_log(path: Path, *, replace: bool) -> None:
    """Raises UsageFault where a log could not be written, before anybody talks."""
    if path.suffix != ".jsonl":
        raise UsageFault(f"{path} is no name for a cassette", hint="give one that ends in .jsonl")
    found = log_paths(path)
    if found and not replace:
        raise UsageFault(f"{found[0]} exists", hint="--force replaces it, --output writes another")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageFault(f"{path.parent} cannot be made: {error.strerror or error}") from None
