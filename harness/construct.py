"""Constructs cassettes: a scenario's script played to the service model, without a socket.

The result is what the documented and recorded facts say the service sends. It
is nobody's recording and says so in its provenance. Same input, same bytes.
"""

from __future__ import annotations

import zlib

from harness import __version__
from harness.cassette import Cassette, Close, Header, Interaction, Provenance
from harness.dialects import Dialect
from harness.dialects.model import DEPLOYMENT
from harness.exceptions import RecordingFault
from harness.messages import Side, render_event
from harness.scenario import Scenario
from harness.script import ScriptedClient
from harness.service import Service

UNIX_TIME = 1_767_225_600
"""2026-01-01 00:00 UTC: the virtual clock of every constructed cassette."""

EVIDENCE = "documented and recorded facts of the dialect table; see harness/dialects/data"


def construct_cassette(scenario: Scenario, dialect: Dialect) -> Cassette:
    """The cassette of a scenario in a dialect; raises RecordingFault where the two do not fit."""
    service = Service(
        dialect,
        seed=zlib.crc32(f"{scenario.name}/{dialect.name}".encode()),
        unix_time=UNIX_TIME,
        answers=scenario.answers,
        heard=scenario.heard,
    )
    client = ScriptedClient(scenario, dialect)
    interactions: list[Interaction] = []
    service.open()
    while True:
        for event in client.sends():
            interactions.append(Interaction(service.t, Side.CLIENT, event))
            service.receive(render_event(event))
        outgoing = service.pop()
        if outgoing is None:
            client.quiet()
            if client.finished or not any(True for _ in client.waiting_for):
                break
            raise RecordingFault("the service model says no more", client.script())
        interactions.append(Interaction(outgoing.t, Side.SERVER, outgoing.event))
        client.receive(outgoing.event)
    given = len(service.exchange.responses)
    if given != len(scenario.answers):
        problem = f"{scenario.path}: {given} answers are asked for and `answers` has {len(scenario.answers)}"
        raise RecordingFault(problem, client.script())
    header = Header(
        dialect=dialect.name,
        api_version=dialect.api_version,
        path=dialect.handshake.path,
        query=dialect.handshake.right_query(DEPLOYMENT),
        scenario=scenario.name,
        provenance=Provenance.CONSTRUCTED,
        origin=(("evidence", EVIDENCE),),
        tool=f"realtime-harness {__version__}",
    )
    return Cassette(header, tuple(interactions), Close("client", 1000))
