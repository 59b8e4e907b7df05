"""Runs one case: serves the cassette, drives the implementation, judges what happened."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shlex
import time
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness.bundled import cassettes_folder, scenarios_folder
from harness.cassette import Cassette, Provenance
from harness.checks import CaseRecord, judge
from harness.dialects import Dialect, Evidence
from harness.drivers import DriverHost, Implementation
from harness.faults import Fault, FaultLine, parse_fault
from harness.findings import Basis, Verdict
from harness.messages import Json
from harness.report import CaseFault, CaseId, CaseResult
from harness.runner.connections import Cassettes
from harness.runner.drive import PATIENCE, Drive, start_message
from harness.runner.secrecy import says_key, without_key
from harness.runner.verdict import close_verdict, verdict_and_reason, worst_and_earliest
from harness.scenario import Scenario, plan_intents
from harness.server import Certificate, RealtimeServer
from harness.service.pace import AT_ONCE, Pace


@dataclass(frozen=True)
class CasePlan:
    """One case to run: what, in which dialect, with which cassettes, against what.

    `faults` come on top of those that the scenario itself asks for, which
    `faults_of_scenario` switches off.
    """

    implementation: Implementation
    dialect: Dialect
    scenario: Scenario
    cassettes: tuple[Cassette, ...]
    """One for each of the scenario's connections."""
    faults: tuple[Fault, ...] = ()
    faults_of_scenario: bool = True
    pace: Pace = AT_ONCE
    tls: bool = False
    """The server is dialled over TLS."""

    @property
    def cassette(self) -> Cassette:
        """The cassette of the first connection."""
        return self.cassettes[0]

    @property
    def id(self) -> CaseId:
        names = tuple(str(fault) for fault in self.faults)
        return CaseId(self.implementation.name, self.dialect.name, self.scenario.name, names)

    @cached_property
    def every_fault(self) -> tuple[Fault, ...]:
        """Those of the scenario, then those asked for; the same one only once."""
        of_scenario = tuple(map(parse_fault, self.scenario.faults)) if self.faults_of_scenario else ()
        return of_scenario + tuple(fault for fault in self.faults if fault not in of_scenario)

    @property
    def _scenario_word(self) -> str:
        """A bundled scenario goes by its name, any other by its file."""
        bundled = Path(self.scenario.path).resolve().is_relative_to(scenarios_folder().resolve())
        return self.scenario.name if bundled else self.scenario.path

    @property
    def reproduce(self) -> str:
        """The command that runs this case again."""
        words = ["realtime-harness", "check", "--implementation", self.implementation.name]
        words += ["--dialect", self.dialect.name, "--scenario", self._scenario_word]
        if self.scenario.faults and not self.faults_of_scenario:
            words += ["--fault", NO_FAULT]
        for fault in self.faults:
            words += ["--fault", str(fault)]
        words += _pace_options(self.pace)
        words += ["--tls"] if self.tls else []
        own = Path(self.cassette.path)
        if own.is_file() and not own.resolve().is_relative_to(cassettes_folder().resolve()):
            words += ["--cassettes", str(own.parent.parent)]
        return shlex.join(words)


NO_FAULT = "none"
"""As `--fault`: not even what the scenario asks for."""


def _pace_options(pace: Pace) -> list[str]:
    words = [] if pace.speed is None else ["--speed", f"{pace.speed:g}"]
    words += ["--latency", f"{pace.latency:g}s"] if pace.latency else []
    for pattern, seconds in pace.delays:
        words += ["--delay", f"{pattern}={seconds:g}s"]
    return words


async def run_case(
    plan: CasePlan,
    interpreter: Path,
    environment: Path | None,
    patience: float = PATIENCE,
    certificate: Certificate | None = None,
) -> CaseResult:
    """Runs one case to its verdict. Whatever the implementation does, this returns.

    A plan with TLS needs a certificate.
    """
    assert plan.tls == (certificate is not None)
    began = time.monotonic()
    intents = plan_intents(plan.scenario)
    key = "key-" + secrets.token_hex(16)
    seed = zlib.crc32(str(plan.id).encode())
    faults = FaultLine(plan.every_fault)
    cassettes = Cassettes(plan.dialect, plan.cassettes, seed=seed, faults=faults)
    context = certificate.context if certificate else None
    ca_file = certificate.ca_file if certificate else None
    async with RealtimeServer(
        plan.dialect, key, cassettes.new_playback, pace=plan.pace, faults=faults, tls=context
    ) as server:
        host = DriverHost(plan.implementation, key, ca_file)
        factory = plan.implementation.factory
        start = start_message(
            plan.dialect,
            plan.scenario,
            intents,
            origin=server.origin,
            key=key,
            factory=factory,
            ca_file=ca_file,
        )
        try:
            await host.start(interpreter, environment)
            driven = await Drive(host, server, intents, start, patience).run()
        finally:
            await host.stop()
        # The server's side of the close follows the end of the process.
        await asyncio.sleep(0.02)
    for failed in server.connections:
        if failed.failure is not None:
            raise failed.failure
    judged = cassettes.judged(server.connections)
    if says_key(judged.exchange, key):
        host.observed.leaked_key = True
    struck = tuple(map(str, faults.struck))
    record = CaseRecord(
        scenario=plan.scenario,
        dialect=plan.dialect,
        plan=intents,
        handshakes=tuple(c.handshake for c in server.connections),
        exchange=judged.exchange,
        observed=host.observed,
        played=tuple(answer for playback in judged.playbacks for answer in playback.played),
        basis=_basis(plan),
        struck=struck,
        never_struck=tuple(str(fault) for fault in plan.every_fault if str(fault) not in struck),
        lenient=faults.lenient,
        undone=driven.undone,
        begun=driven.begun,
        came_back=driven.came_back,
        endings=judged.endings,
        counterfactual=next((p.counterfactual for p in judged.playbacks if p.counterfactual), None),
    )
    result = _result(plan, record, time.monotonic() - began)
    asked = tuple(CaseFault(str(f), f not in plan.faults, str(f) in struck) for f in plan.every_fault)
    return without_key(replace(result, faults=asked, reason=result.reason + _untried(result, asked)), key)


def _untried(result: CaseResult, faults: tuple[CaseFault, ...]) -> str:
    """What a pass says nothing of: faults whose time never came."""
    never = [fault.text for fault in faults if not fault.struck]
    return f"; never came up: {', '.join(never)}" if never and result.verdict is Verdict.PASS else ""


def _result(plan: CasePlan, record: CaseRecord, seconds: float) -> CaseResult:
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
        close_verdict=close_verdict(record),
        provenance=provenance_of(plan.cassettes),
        findings=tuple(findings),
        checks=tuple((o.code, o.outcome, o.note) for o in outcomes),
        exchange=record.exchange,
        observed=record.observed,
        seconds=seconds,
        reproduce=plan.reproduce,
        handshakes=record.handshakes,
        endings=record.endings,
        tls=plan.tls,
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


def provenance_of(cassettes: tuple[Cassette, ...]) -> Json:
    """Where the cassettes of a case come from; the digest is that of all of them."""
    first = cassettes[0]
    name = f"{first.header.dialect}/{first.header.scenario}"
    digest = first.sha256
    if len(cassettes) > 1:
        digest = hashlib.sha256("".join(one.sha256 for one in cassettes).encode()).hexdigest()
    provenance: Json = {"kind": str(first.header.provenance), "cassette": name, "sha256": digest}
    if len(cassettes) > 1:
        provenance["cassettes"] = len(cassettes)
    return {**dict(first.header.origin), **provenance}
