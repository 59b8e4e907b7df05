"""Runs one case: serves the cassette, drives the implementation, judges what happened."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import secrets
import shlex
import time
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.cassette import Cassette, Provenance
from harness.checks import CaseRecord, judge
from harness.dialects import Dialect, Evidence, compiled_schema
from harness.drivers import DriverHost, Implementation
from harness.findings import Basis, Finding, Severity, Verdict, verdict_of, worst
from harness.messages import Json, Side
from harness.observations import Observed
from harness.playback import Fault, Playback
from harness.redaction import Redactor
from harness.report import CaseId, CaseResult
from harness.runner.drive import PATIENCE, Drive, start_message
from harness.scenario import Scenario, plan_intents
from harness.server import Connection, ReplayServer
from harness.service import Exchange, Origin

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
        words = ["realtime-harness", "check", "--implementation", self.implementation.name]
        words += ["--dialect", self.dialect.name, "--scenario", self.scenario.name]
        for fault in self.faults:
            words += ["--fault", fault.name]
        return shlex.join(words)


async def run_case(
    plan: CasePlan, interpreter: Path, environment: Path | None, patience: float = PATIENCE
) -> CaseResult:
    """Runs one case to its verdict. Whatever the implementation does, this returns."""
    began = time.monotonic()
    intents = plan_intents(plan.scenario)
    key = "key-" + secrets.token_hex(16)
    seed = zlib.crc32(str(plan.id).encode())

    def new_playback() -> Playback:
        now = int(time.time())
        return Playback(plan.dialect, plan.cassette, seed=seed, unix_time=now, faults=plan.faults)

    async with ReplayServer(plan.dialect, key, new_playback) as server:
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
    connection = _main_connection(server.connections)
    if connection is not None and _says_key(connection, key):
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
        faults=tuple(fault.name for fault in plan.faults),
        undone=undone,
    )
    result = _result(plan, record, connection, time.monotonic() - began)
    return without_key(result, key)


def _says_key(connection: Connection, key: str) -> bool:
    """Whether the client put its key into an event."""
    assert connection.playback is not None
    sent = connection.playback.exchange.client_entries()
    return any(key in (entry.raw or "") or key in json.dumps(entry.event) for entry in sent)


def without_key(result: CaseResult, key: str) -> CaseResult:
    """The result without the case's key, wherever the client wrote it; logs are redacted as they come."""
    redactor = Redactor((key,))

    def clean(value: Any) -> Any:
        return redactor.value(value) if key in json.dumps(value, default=str) else value

    findings = tuple(
        replace(f, message=clean(f.message), expected=clean(f.expected), actual=clean(f.actual), diff=())
        if key in repr(f)
        else f
        for f in result.findings
    )
    entries = result.exchange.entries
    for index, entry in enumerate(entries):
        if entry.event is not None or entry.raw is not None:
            entries[index] = replace(entry, event=clean(entry.event), raw=clean(entry.raw))
    return replace(result, findings=findings, reason=clean(result.reason))


def _main_connection(connections: list[Connection]) -> Connection | None:
    """The connection on which most was said; a client may try several."""

    def said(connection: Connection) -> int:
        return len(connection.playback.exchange.entries) if connection.playback else -1

    best = max(connections, key=said, default=None)
    return best if best is not None and best.playback is not None else None


def _result(plan: CasePlan, record: CaseRecord, connection: Connection | None, seconds: float) -> CaseResult:
    findings, outcomes = judge(record)
    findings.sort(key=_worst_and_earliest)
    verdict, reason = _verdict(record, findings)
    capabilities = record.observed.capabilities
    return CaseResult(
        id=plan.id,
        title=plan.scenario.title,
        version=capabilities.version if capabilities else None,
        verdict=verdict,
        reason=reason,
        close_verdict=_close_verdict(connection, record.observed),
        provenance=_provenance(plan.cassette),
        findings=tuple(findings),
        checks=tuple((o.code, o.outcome, o.note) for o in outcomes),
        exchange=record.exchange,
        observed=record.observed,
        seconds=seconds,
        reproduce=plan.reproduce,
    )


def _worst_and_earliest(finding: Finding) -> tuple[int, float]:
    """Worst first; among equals what happened first, which is rather cause than consequence."""
    return list(Severity).index(finding.severity), math.inf if finding.at is None else finding.at


def _verdict(record: CaseRecord, findings: list[Finding]) -> tuple[Verdict, str]:
    """The verdict and its reason in one sentence; `findings` are sorted, worst first."""
    own = _own_fault(record.dialect, record.exchange)
    if own:
        return Verdict.HARNESS_ERROR, f"our server sent what its dialect does not have: {own}"
    capabilities = record.observed.capabilities
    if capabilities is not None:
        for kind in record.undone:
            if kind not in capabilities.intents and kind not in ("hello", "start"):
                return Verdict.NOT_APPLICABLE, f"the framework has no way to {kind}"
    verdict = verdict_of(findings)
    if not record.spoke:
        verdict = worst((verdict, Verdict.NOT_PROVEN))
    counted = [finding for finding in findings if finding.severity is not Severity.NOTE]
    if counted:
        more = f" (and {len(counted) - 1} more)" if len(counted) > 1 else ""
        return verdict, f"{counted[0].code}: {counted[0].message}{more}"
    if verdict is Verdict.NOT_PROVEN:
        return verdict, "nothing was exchanged"
    return verdict, f"{len(record.played)} answer(s) of the cassette played, everything surfaced"


_ECHOED = {"item": ("/item",), "session": ("/session", "/response"), "response": ("/response",)}
"""Where in server events the service repeats what stands in a part of a client event."""


def _own_fault(dialect: Dialect, exchange: Exchange) -> str | None:
    """A server event that does not fit its dialect's own schema: our fault, never the client's.

    What the client sent unproven is accepted and repeated as it is, so there the schema says nothing.
    """
    doubtful = tuple(
        at
        for entry in exchange.client_entries()
        for unproven in entry.unproven
        for at in _ECHOED.get(unproven.path.partition(".")[0], ())
    )
    for entry in exchange.server_entries():
        if entry.event is None or entry.origin is Origin.FAULT:
            continue
        schema = compiled_schema(dialect, Side.SERVER, entry.event["type"])
        problems = schema.problems(entry.event) if schema else []
        problems = [problem for problem in problems if not problem.pointer.startswith(doubtful)]
        if schema is None or problems:
            return f"{entry.event['type']}: {problems[0].message if problems else 'no such event'}"
    return None


def _close_verdict(connection: Connection | None, observed: Observed) -> Verdict:
    """Closing is judged apart from behaviour: pass, fail where it had to be stopped, deviation if unclean."""
    if not observed.closed_in_time:
        return Verdict.FAIL
    if connection is None or connection.playback is None:
        return Verdict.NOT_PROVEN
    exchange = connection.playback.exchange
    clean = exchange.close_by == "client" and exchange.close_code in _CLEAN_CLOSES
    return Verdict.PASS if clean else Verdict.DEVIATION


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
