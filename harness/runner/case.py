"""Runs one case: serves the cassette, drives the implementation, judges what happened."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cassette import Cassette, Provenance
from harness.checks import CaseRecord, judge
from harness.construct import DEPLOYMENT, handshake_query
from harness.dialects import Dialect, Evidence, event_schema
from harness.drivers import DriverHost, Implementation
from harness.findings import Basis, Finding, Severity, Verdict, verdict_of, worst
from harness.messages import Json, Side
from harness.playback import Fault, Playback
from harness.report import CaseId, CaseResult
from harness.scenario import Plan, Scenario, plan_intents
from harness.server import Connection, ReplayServer
from harness.service import Exchange
from harness.validation import Schema

QUIET = 0.15
"""Seconds without a message after which a turn that has its answers is over."""

PATIENCE = 6.0
"""Seconds without any sign of life after which a turn is given up."""

GIVEN_UP = 1.0
"""Seconds of silence after which a driver that says it is done is believed, answers or not."""

CLOSING = 6.0
"""Seconds an implementation has to hang up."""

_CLEAN_CLOSES = (1000, 1001, 1005)


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
        names = tuple(fault.name for fault in self.faults)
        return CaseId(self.implementation.name, self.dialect.name, self.scenario.name, names)

    @property
    def reproduce(self) -> str:
        """The command that runs this case again."""
        name = self.implementation.name
        words = ["realtime-harness check", "--implementation", f"'{name}'" if " " in name else name]
        words += ["--dialect", self.dialect.name, "--scenario", self.scenario.name]
        for fault in self.faults:
            words += ["--fault", fault.name]
        return " ".join(words)


async def run_case(
    plan: CasePlan, interpreter: Path, environment: Path | None, patience: float = PATIENCE
) -> CaseResult:
    """Runs one case to its verdict. Whatever the implementation does, this returns."""
    began = time.monotonic()
    intents = plan_intents(plan.scenario)
    key = "key-" + secrets.token_hex(16)
    seed = zlib.crc32(str(plan.id).encode())

    def new_playback() -> Playback:
        return Playback(
            plan.dialect,
            plan.cassette,
            seed=seed,
            unix_time=int(time.time()),
            faults=plan.faults,
        )

    async with ReplayServer(plan.dialect, key, new_playback) as server:
        host = DriverHost(plan.implementation, key)
        try:
            await host.start(interpreter, environment)
            undone = await _drive(plan, intents, host, server, key, patience)
        finally:
            await host.stop()
        # The server's side of the close follows the end of the process.
        await asyncio.sleep(0.02)
    return _result(plan, intents, host, server, undone, time.monotonic() - began)


async def _drive(
    plan: CasePlan, intents: Plan, host: DriverHost, server: ReplayServer, key: str, patience: float
) -> tuple[str, ...]:
    """Takes the driver through the plan; returns what it never finished."""
    observed = host.observed
    if not await host.wait_until(lambda: observed.stage != "starting", plan.implementation.start_seconds):
        if not host.ended:
            observed.hung = f"said no hello within {plan.implementation.start_seconds:g} s"
        return ("hello",)
    await host.write(start_message(plan, intents, server.origin, key))
    if not await host.wait_until(lambda: observed.stage == "ready", patience * 2):
        if not host.ended:
            observed.hung = f"was not ready within {patience * 2:g} s"
        return ("start",)
    undone: list[str] = []
    assert observed.capabilities is not None
    for number, intent in enumerate(intents.intents, 1):
        if intent.kind not in observed.capabilities.intents:
            undone.append(intent.kind)
            break
        before = _answers(server)
        await host.write(intent.message(number))
        if not await _turn_over(host, server, number, before + intent.answers, patience):
            undone.append(intent.kind)
            if number not in host.done and not host.ended:
                observed.hung = f"did not finish {intent.kind!r} within {patience:g} s of silence"
            break
        if host.ended:
            break
    await host.write({"type": "close", "intent": len(intents.intents) + 1})
    closed = await host.wait_until(lambda: observed.stage == "finished", CLOSING)
    if not closed and not host.ended and observed.hung is None:
        observed.hung = f"did not close within {CLOSING:g} s"
    return tuple(undone)


async def _turn_over(host: DriverHost, server: ReplayServer, number: int, answers: int, patience: float) -> bool:
    """Waits until a turn is over: its answers given and the wire quiet, or the driver has given up."""
    while True:
        if host.ended:
            return False
        now = time.monotonic()
        wire = now - max((c.last_activity for c in server.connections), default=0.0)
        silence = min(wire, now - host.last_notice)
        answered = _answers(server) >= answers and all(c.playback.idle for c in server.connections if c.playback)
        done = number in host.done
        if answered and wire >= QUIET and (done or silence >= GIVEN_UP):
            return True
        if done and silence >= GIVEN_UP:
            return True
        if silence >= patience:
            return False
        await asyncio.sleep(0.01)


def _answers(server: ReplayServer) -> int:
    return sum(len(c.exchange.responses) for c in server.connections if c.exchange)


def start_message(plan: CasePlan, intents: Plan, origin: str, key: str) -> Json:
    """The `start` line: everything a driver is told."""
    dialect = plan.dialect
    query = dict(handshake_query(dialect, DEPLOYMENT))
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
        "session": intents.session,
        "tools": [
            {"name": t.name, "description": t.description, "parameters": t.parameters, "result": t.result}
            for t in plan.scenario.tools
        ],
        "factory": plan.implementation.factory,
    }


def _result(
    plan: CasePlan,
    intents: Plan,
    host: DriverHost,
    server: ReplayServer,
    undone: tuple[str, ...],
    seconds: float,
) -> CaseResult:
    connection = max(
        (c for c in server.connections if c.exchange), key=lambda c: len(c.exchange.entries), default=None  # type: ignore[union-attr]
    )
    exchange = connection.exchange if connection and connection.exchange else Exchange()
    playback = connection.playback if connection else None
    record = CaseRecord(
        scenario=plan.scenario,
        dialect=plan.dialect,
        plan=intents,
        handshakes=tuple(c.handshake for c in server.connections),
        exchange=exchange,
        observed=host.observed,
        played=tuple(playback.played) if playback else (),
        basis=_basis(plan),
        faults=tuple(fault.name for fault in plan.faults),
        undone=undone,
    )
    findings, outcomes = judge(record)
    own = _own_faults(plan.dialect, exchange)
    verdict, reason = _verdict(record, findings, own)
    return CaseResult(
        id=plan.id,
        title=plan.scenario.title,
        version=host.observed.capabilities.version if host.observed.capabilities else None,
        verdict=verdict,
        reason=reason,
        close_verdict=_close_verdict(connection),
        provenance=_provenance(plan.cassette),
        findings=tuple(sorted(findings, key=lambda f: list(Severity).index(f.severity))),
        checks=tuple((o.code, o.outcome, o.note) for o in outcomes),
        exchange=exchange,
        observed=host.observed,
        seconds=seconds,
        reproduce=plan.reproduce,
    )


def _verdict(record: CaseRecord, findings: list[Finding], own: list[str]) -> tuple[Verdict, str]:
    if own:
        return Verdict.HARNESS_ERROR, f"our server sent what its dialect does not have: {own[0]}"
    capabilities = record.observed.capabilities
    unable = [kind for kind in record.undone if capabilities and kind not in (*capabilities.intents, "hello", "start")]
    if unable:
        return Verdict.NOT_APPLICABLE, f"the framework has no way to {unable[0]}"
    verdict = verdict_of(findings)
    if not record.spoke:
        verdict = worst((verdict, Verdict.NOT_PROVEN))
    counted = [finding for finding in findings if finding.severity is not Severity.NOTE]
    if counted:
        first = min(counted, key=lambda f: list(Severity).index(f.severity))
        more = f" (and {len(counted) - 1} more)" if len(counted) > 1 else ""
        return verdict, f"{first.code}: {first.message}{more}"
    if verdict is Verdict.NOT_PROVEN:
        return verdict, "nothing was exchanged"
    return verdict, f"{len(record.played)} recorded answer(s) played, everything surfaced"


def _own_faults(dialect: Dialect, exchange: Exchange) -> list[str]:
    """Server events that do not fit their dialect's own schema: our fault, never the client's."""
    found: list[str] = []
    for entry in exchange.server_entries():
        if entry.event is None:
            continue
        schema = event_schema(dialect, Side.SERVER, entry.event["type"])
        problems: list[Any] = Schema(schema).problems(entry.event) if schema else ["no such event"]
        if problems:
            found.append(f"{entry.event['type']}: {problems[0]}")
    return found


def _close_verdict(connection: Connection | None) -> Verdict:
    if connection is None or connection.exchange is None:
        return Verdict.NOT_PROVEN
    exchange = connection.exchange
    if exchange.close_by == "client" and exchange.close_code in _CLEAN_CLOSES:
        return Verdict.PASS
    return Verdict.DEVIATION


def _basis(plan: CasePlan) -> Basis:
    """The evidence a cassette gives: a constructed one is as good as the documents it rests on."""
    header = plan.cassette.header
    recorded = header.provenance in (Provenance.RECORDED, Provenance.IMPORTED)
    evidence = Evidence.RECORDED if recorded else Evidence.DOCUMENTED
    return Basis(evidence, f"{header.provenance} cassette {plan.dialect.name}/{header.scenario}")


def _provenance(cassette: Cassette) -> Json:
    digest = hashlib.sha256()
    for line in cassette.lines():
        digest.update(line.encode() + b"\n")
    name = f"{cassette.header.dialect}/{cassette.header.scenario}"
    return {"kind": str(cassette.header.provenance), "cassette": name, "sha256": digest.hexdigest()}
