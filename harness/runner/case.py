"""Runs one case: serves the cassette, drives the implementation, judges what happened."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shlex
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from harness.bundled import cassettes_folder
from harness.cassette import Cassette, Provenance
from harness.checks import CaseRecord, judge
from harness.dialects import Dialect, Evidence
from harness.drivers import DriverHost, Implementation
from harness.faults import Fault, FaultLine
from harness.findings import Basis
from harness.messages import Json
from harness.playback import Playback
from harness.report import CaseId, CaseResult
from harness.runner.drive import PATIENCE, Drive, start_message
from harness.runner.secrecy import says_key, without_key
from harness.runner.verdict import close_verdict, verdict_and_reason, worst_and_earliest
from harness.scenario import Scenario, plan_intents
from harness.server import Connection, Opening, RealtimeServer
from harness.service import Exchange


@dataclass(frozen=True)
class CasePlan:
    """One case to run: what, in which dialect, with which cassette, against what."""

    implementation: Implementation
    dialect: Dialect
    scenario: Scenario
    cassette: Cassette
    faults: tuple[Fault, ...] = ()

    @property
    def id(self) -> CaseId:
        names = tuple(str(fault) for fault in self.faults)
        return CaseId(self.implementation.name, self.dialect.name, self.scenario.name, names)

    @property
    def reproduce(self) -> str:
        """The command that runs this case again."""
        words = ["realtime-harness", "check", "--implementation", self.implementation.name]
        words += ["--dialect", self.dialect.name, "--scenario", self.scenario.name]
        for fault in self.faults:
            words += ["--fault", str(fault)]
        own = Path(self.cassette.path)
        if own.is_file() and not own.resolve().is_relative_to(cassettes_folder().resolve()):
            words += ["--cassettes", str(own.parent.parent)]
        return shlex.join(words)


async def run_case(
    plan: CasePlan, interpreter: Path, environment: Path | None, patience: float = PATIENCE
) -> CaseResult:
    """Runs one case to its verdict. Whatever the implementation does, this returns."""
    began = time.monotonic()
    intents = plan_intents(plan.scenario)
    key = "key-" + secrets.token_hex(16)
    seed = zlib.crc32(str(plan.id).encode())

    faults = FaultLine(plan.faults)

    def new_playback(_: Opening) -> Playback:
        now = int(time.time())
        return Playback(plan.dialect, plan.cassette, seed=seed, unix_time=now, faults=faults.connected())

    async with RealtimeServer(plan.dialect, key, new_playback, faults=faults) as server:
        host = DriverHost(plan.implementation, key)
        factory = plan.implementation.factory
        start = start_message(
            plan.dialect, plan.scenario, intents, origin=server.origin, key=key, factory=factory
        )
        try:
            await host.start(interpreter, environment)
            undone = await Drive(host, server, intents, start, patience).run()
        finally:
            await host.stop()
        # The server's side of the close follows the end of the process.
        await asyncio.sleep(0.02)
    for failed in server.connections:
        if failed.failure is not None:
            raise failed.failure
    connection = _main_connection(server.connections)
    if connection is not None and says_key(connection, key):
        host.observed.leaked_key = True
    playback = connection.playback if connection else None
    record = CaseRecord(
        scenario=plan.scenario,
        dialect=plan.dialect,
        plan=intents,
        handshakes=tuple(c.handshake for c in server.connections),
        exchange=playback.exchange if playback else Exchange(),
        observed=host.observed,
        played=tuple(playback.played) if playback else (),
        basis=_basis(plan),
        lenient=any(fault.lenient for fault in plan.faults),
        undone=undone,
        counterfactual=playback.counterfactual if playback else None,
    )
    result = _result(plan, record, connection, time.monotonic() - began)
    return without_key(result, key)


def _main_connection(connections: list[Connection]) -> Connection | None:
    """The connection on which most was said; a client may try several."""

    def said(connection: Connection) -> int:
        return len(connection.playback.exchange.entries) if connection.playback else -1

    best = max(connections, key=said, default=None)
    return best if best is not None and best.playback is not None else None


def _result(plan: CasePlan, record: CaseRecord, connection: Connection | None, seconds: float) -> CaseResult:
    findings, outcomes = judge(record)
    findings.sort(key=worst_and_earliest)
    verdict, reason = verdict_and_reason(record, findings, outcomes)
    capabilities = record.observed.capabilities
    return CaseResult(
        id=plan.id,
        title=plan.scenario.title,
        version=capabilities.version if capabilities else None,
        verdict=verdict,
        reason=reason,
        close_verdict=close_verdict(connection, record.observed),
        provenance=_provenance(plan.cassette),
        findings=tuple(findings),
        checks=tuple((o.code, o.outcome, o.note) for o in outcomes),
        exchange=record.exchange,
        observed=record.observed,
        seconds=seconds,
        reproduce=plan.reproduce,
    )


def _basis(plan: CasePlan) -> Basis:
    """The evidence a cassette gives: `recorded` is real traffic alone, all else is as good as documents."""
    header = plan.cassette.header
    host = dict(header.origin).get("host_class")
    published = header.provenance is Provenance.IMPORTED and host in (None, "azure")
    if "translated_from" in dict(header.origin):
        return Basis(Evidence.ANALOGOUS, f"cassette translated from {dict(header.origin)['translated_from']}")
    real = published or (header.provenance is Provenance.RECORDED and host == "azure")
    source = f"{header.provenance} cassette {plan.dialect.name}/{header.scenario or plan.scenario.name}"
    if host is not None:
        source += f", from {host}"
    return Basis(Evidence.RECORDED if real else Evidence.DOCUMENTED, source)


def _provenance(cassette: Cassette) -> Json:
    digest = hashlib.sha256()
    for line in cassette.lines():
        digest.update(line.encode() + b"\n")
    name = f"{cassette.header.dialect}/{cassette.header.scenario}"
    provenance = {"kind": str(cassette.header.provenance), "cassette": name, "sha256": digest.hexdigest()}
    return {**dict(cassette.header.origin), **provenance}
