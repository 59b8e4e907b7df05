"""One case's result, and its line in the results file."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict, dataclass
from typing import Any

from harness.findings import Finding, Severity, Verdict
from harness.messages import Json
from harness.observations import Observed
from harness.redaction import Redactor
from harness.service import Ending, Entry, Exchange, Handshake

_LONG = 160
"""Base64 strings longer than this are replaced by their size."""


@dataclass(frozen=True)
class CaseId:
    """Which case: implementation/dialect/scenario, and +fault for each fault."""

    implementation: str
    dialect: str
    scenario: str
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join((self.implementation, self.dialect, self.scenario)) + "".join(
            f"+{fault}" for fault in self.faults
        )


@dataclass(frozen=True)
class CaseFault:
    """A fault that was in force, and whether it changed anything."""

    text: str
    of_scenario: bool
    struck: bool


@dataclass(frozen=True)
class CaseResult:
    """What one case came to. `checks` are (code, outcome, note)."""

    id: CaseId
    title: str
    version: str | None
    verdict: Verdict
    reason: str
    close_verdict: Verdict
    provenance: Json
    findings: tuple[Finding, ...]
    checks: tuple[tuple[str, str, str], ...]
    exchange: Exchange
    observed: Observed
    seconds: float
    reproduce: str
    faults: tuple[CaseFault, ...] = ()
    handshakes: tuple[Handshake, ...] = ()
    """Every attempt to connect, in order."""
    endings: tuple[Ending | None, ...] = ()
    """Of each connection that is judged: how the service ended it, where it did."""
    tls: bool = False
    """The client dialled over TLS."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the findings that make the verdict worse than a pass, each once."""
        return tuple(sorted({f.code for f in self.findings if f.severity is not Severity.NOTE}))


def case_line(result: CaseResult, *, known: bool, redactor: Redactor) -> Json:
    """The case as it stands in the results file: redacted, audio replaced by its size."""
    why = {start.entry: start.why_modelled for start in result.exchange.responses}
    line: Json = {
        "case": {
            "id": str(result.id),
            "scenario": result.id.scenario,
            "title": result.title,
            "dialect": result.id.dialect,
            "implementation": result.id.implementation,
            "version": result.version,
            "transport": "websocket",
            "tls": result.tls,
            "faults": list(result.id.faults),
        },
        "verdict": str(result.verdict),
        "reason": result.reason,
        "known": known,
        "close": {
            "verdict": str(result.close_verdict),
            "code": result.exchange.close_code,
            "by": result.exchange.close_by,
        },
        "provenance": result.provenance,
        "faults": [
            {"fault": fault.text, "of_scenario": fault.of_scenario, "struck": fault.struck}
            for fault in result.faults
        ],
        "findings": [_finding(finding) for finding in result.findings],
        "checks": [
            {"code": code, "outcome": outcome, **({"note": note} if note else {})}
            for code, outcome, note in result.checks
        ],
        "handshakes": [_handshake(handshake) for handshake in result.handshakes],
        "endings": [
            {"connection": number, "code": ending.code, "reason": ending.reason}
            for number, ending in enumerate(result.endings, 1)
            if ending is not None
        ],
        "wire": [_message(entry, why.get(entry.number)) for entry in result.exchange.entries],
        "surfaced": result.observed.to_json(),
        "log": [asdict(entry) for entry in result.observed.log],
        "seconds": round(result.seconds, 3),
        "reproduce": result.reproduce,
    }
    return redactor.value(without_audio(line))  # type: ignore[no-any-return]


def _finding(finding: Finding) -> Json:
    line = asdict(finding)
    line["severity"] = str(finding.severity)
    line["basis"] = [{"evidence": str(basis.evidence), "source": basis.source} for basis in finding.basis]
    line["diff"] = [asdict(change) for change in finding.diff]
    return line


def _handshake(handshake: Handshake) -> Json:
    """One attempt to connect: its status, and who refused or delayed it."""
    line: Json = {"path": handshake.path, "status": handshake.status}
    if handshake.refusal is not None:
        line["refusal"] = handshake.refusal
    if handshake.fault is not None:
        line["fault"] = handshake.fault
    if handshake.body_evidence is not None:
        line["body_evidence"] = str(handshake.body_evidence)
    return line


def _message(entry: Entry, why: str | None) -> Json:
    message: Json = {
        "n": entry.number,
        "t": round(entry.t, 3),
        "side": str(entry.side),
        "type": entry.event["type"] if entry.event is not None else "(no event)",
    }
    if entry.origin is not None:
        message["origin"] = str(entry.origin)
    if entry.fault is not None:
        message["fault"] = entry.fault
    if why is not None:
        message["why"] = why
    if entry.connection > 1:
        message["connection"] = entry.connection
    if entry.event is not None:
        message["event"] = entry.event
    if entry.raw is not None:
        message["raw"] = entry.raw[:300]
    refused = [refusal.path for refusal in entry.refusals] if entry.fault is None else []
    if entry.refused_by_state:
        refused.append(entry.refused_by_state)
    if refused:
        message["refused"] = ", ".join(refused)
    return message


def without_audio(value: Any) -> Any:
    """A JSON value with long base64 strings replaced by their decoded size."""
    if isinstance(value, str) and len(value) > _LONG and " " not in value[:_LONG]:
        try:
            return f"(audio: {len(base64.b64decode(value, validate=True))} bytes)"
        except (binascii.Error, ValueError):
            return value
    if isinstance(value, list):
        return [without_audio(item) for item in value]
    if isinstance(value, dict):
        return {key: without_audio(inner) for key, inner in value.items()}
    return value
