"""Findings for programs: the form that `lint --json` and `serve --findings` have in common."""

from __future__ import annotations

from harness.findings import Finding
from harness.messages import Json


def finding_json(finding: Finding) -> Json:
    """What a finding says; where it stands is the caller's to add."""
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "path": finding.path,
        "message": finding.message,
        "expected": finding.expected,
        "actual": finding.actual,
        "evidence": [{"level": str(basis.evidence), "source": basis.source} for basis in finding.basis],
        "mend": finding.mend,
    }
