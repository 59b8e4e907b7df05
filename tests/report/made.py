"""Results made by hand, for tests of what becomes of them."""

from __future__ import annotations

from typing import Any

from harness.dialects import Evidence
from harness.findings import Basis, Finding, Severity, Verdict, verdict_of
from harness.observations import Observed
from harness.report import CaseId, CaseResult
from harness.service import Exchange


def finding(code: str = "session.lost", severity: Severity = Severity.FAIL, **fields: Any) -> Finding:
    given: dict[str, Any] = {
        "code": code,
        "severity": severity,
        "path": "session.voice",
        "message": "It was lost.",
        "expected": "echo",
        "actual": "alloy",
        "basis": (Basis(Evidence.DOCUMENTED, "a document"),),
        "mend": "send it",
    }
    return Finding(**{**given, **fields})


def result(
    *findings: Finding,
    implementation: str = "shim",
    dialect: str = "azure-v1",
    scenario: str = "text-turn",
    verdict: Verdict | None = None,
) -> CaseResult:
    return CaseResult(
        id=CaseId(implementation, dialect, scenario),
        title="A case",
        version="1.0",
        verdict=verdict or verdict_of(findings),
        reason="because",
        close_verdict=Verdict.PASS,
        provenance={"kind": "constructed"},
        findings=findings,
        checks=(("session.lost", "finding", ""), ("surfaced.text", "not-applicable", "none")),
        exchange=Exchange(),
        observed=Observed(),
        seconds=0.5,
        reproduce="realtime-harness check",
    )
