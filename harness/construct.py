"""Constructs cassettes: a scenario's script played to the service model, without a socket.

The result is what the documented and recorded facts say the service sends. It
is nobody's recording and says so in its provenance. Same input, same bytes.
"""

from __future__ import annotations

import math
import zlib

from harness import __version__
from harness.cassette import Cassette, Close, Header, Interaction, Provenance
from harness.dialects import Dialect
from harness.dialects.model import DEPLOYMENT
from harness.exceptions import RecordingFault
from harness.messages import Side, render_event
from harness.scenario import Scenario
from harness.script import ScriptedClient
from harness.service import Outgoing, Service

UNIX_TIME = 1_767_225_600
"""2026-01-01 00:00 UTC: the virtual clock of every constructed cassette."""

EVIDENCE = "documented and recorded facts of the dialect table; see harness/dialects/data"


def construct_cassette(scenario: Scenario, dialect: Dialect) -> Cassette:
    """The cassette of a scenario's first connection, which for most is the only one."""
    return construct_cassettes(scenario, dialect)[0]


def construct_cassettes(scenario: Scenario, dialect: Dialect) -> tuple[Cassette, ...]:
    """A scenario's cassettes, one a connection; raises RecordingFault where it does not fit the dialect."""
    client = ScriptedClient(scenario, dialect)
    answers, heard = iter(scenario.answers), iter(scenario.heard)
    cassettes: list[Cassette] = []
    given, passed = 0, 0.0
    for name in scenario.cassette_names:
        if cassettes:
            client.reconnected()
        seed = name.removesuffix(".jsonl") + f"/{dialect.name}"
        service = Service(
            dialect,
            seed=zlib.crc32(seed.encode()),
            unix_time=UNIX_TIME + int(passed),
            answers=answers,
            heard=heard,
            transcription=scenario.of_transcription,
        )
        talk = _Talk(service, client)
        service.open()
        try:
            talk.run()
        except RecordingFault as fault:
            line = scenario.line(client.step)
            where = scenario.path if line is None else f"{scenario.path}:{line}"
            problem = f"{where}: in {dialect.name}: {fault.problem}"
            raise RecordingFault(problem, fault.script) from None
        cassettes.append(Cassette(_header(scenario, dialect), tuple(talk.interactions), talk.close))
        given += len(service.exchange.responses)
        passed += service.t
    if given != len(scenario.answers):
        asked = f"{given} answers are asked for and `answers` has {len(scenario.answers)}"
        problem = f"{scenario.path}: in {dialect.name}: {asked}"
        raise RecordingFault(problem, client.script())
    return tuple(cassettes)


def _header(scenario: Scenario, dialect: Dialect) -> Header:
    return Header(
        dialect=dialect.name,
        api_version=dialect.api_version,
        path=dialect.handshake.path,
        query=dialect.handshake.right_query(DEPLOYMENT, transcription=scenario.of_transcription),
        scenario=scenario.name,
        provenance=Provenance.CONSTRUCTED,
        origin=(("evidence", EVIDENCE),),
        tool=f"realtime-harness {__version__}",
    )


class _Talk:
    """One connection between the scripted client and the service model."""

    def __init__(self, service: Service, client: ScriptedClient) -> None:
        self.service = service
        self.client = client
        self.interactions: list[Interaction] = []
        self.close = Close("client", 1000)
        self._until: float | None = None
        """When the client's wait is over."""

    def run(self) -> None:
        """Plays until the script wants another connection, or is over."""
        self._send()
        while (outgoing := self._next()) is not None:
            assert outgoing.event is not None, "only faults send frames that are no events"
            self.interactions.append(Interaction(outgoing.t, Side.SERVER, outgoing.event))
            self.client.receive(outgoing.event)
            self._send()
        ending = self.service.ending
        if ending is not None and self.client.awaits_close:
            self.client.closed(ending.code, ending.reason)
            self.close = Close("server", ending.code, ending.reason)
        if not (self.client.finished or self.client.awaits_connection):
            until = f" until it ends the session with {ending.code}" if ending else ""
            raise RecordingFault(f"the service model says no more{until}", self.client.script())

    def _next(self) -> Outgoing | None:
        """What the service sends next; where both are silent, the clock jumps to what ends the silence."""
        service, client = self.service, self.client
        while service.ending is None:
            if self._until is None and client.waits is not None:
                self._until = service.t + client.waits
            if service.next_at is not None and service.next_at <= (self._until or math.inf):
                service.advance(service.next_at)  # here everything takes its time
            outgoing = service.pop(self._until)
            if outgoing is not None:
                return outgoing
            timer = service.next_timer
            if self._until is not None and service.ending is None:
                self._wait(timer, self._until)
            elif client.quiet():
                self._send()
            elif timer is not None and (client.waiting_for or client.awaits_close):
                service.advance(timer)
            else:
                break
        return None

    def _wait(self, timer: float | None, until: float) -> None:
        """Goes on to a timer of the service, or else to the end of the client's wait."""
        if timer is not None and timer <= until:
            self.service.advance(timer)
        else:
            self.service.advance(until)
            self._until = None
            self.client.waited()
            self._send()

    def _send(self) -> None:
        for event in self.client.sends():
            self.interactions.append(Interaction(self.service.t, Side.CLIENT, event))
            self.service.receive(render_event(event))
