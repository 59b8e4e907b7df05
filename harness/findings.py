"""Findings and verdicts: what a case came to, and on what evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.dialects import Evidence


class Verdict(StrEnum):
    """The outcome of a case, worst first; `not-applicable` stands apart."""

    HARNESS_ERROR = "harness-error"
    """The harness went wrong; says nothing about the implementation."""
    FAIL = "fail"
    """Something the service insists on is wrong, and it shows."""
    NOT_PROVEN = "not-proven"
    """The run did not get as far as the thing in question."""
    DEVIATION = "deviation"
    """A departure from the documents that does no harm here."""
    PASS = "pass"  # noqa: S105 - a verdict, no password
    NOT_APPLICABLE = "not-applicable"
    """The framework has no way to do what the scenario asks, its driver says."""


class Severity(StrEnum):
    """What one finding does to the verdict of its case."""

    FAIL = "fail"
    NOT_PROVEN = "not-proven"
    DEVIATION = "deviation"
    NOTE = "note"
    """Information; among it everything `unproven`, which never fails a client."""


@dataclass(frozen=True, slots=True)
class Basis:
    """One piece of evidence behind an expectation."""

    evidence: Evidence
    source: str


@dataclass(frozen=True, slots=True)
class Change:
    """One structural difference. `kind` is `added`, `removed` or `changed`; `path` is dotted."""

    kind: str
    path: str
    expected: Any = None
    actual: Any = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One departure. `at` is the number of the wire-log entry that shows it, where one does."""

    code: str
    severity: Severity
    path: str
    message: str
    expected: Any
    actual: Any
    basis: tuple[Basis, ...]
    mend: str
    diff: tuple[Change, ...] = ()
    at: int | None = None


_SEVERITY_VERDICT = {
    Severity.FAIL: Verdict.FAIL,
    Severity.NOT_PROVEN: Verdict.NOT_PROVEN,
    Severity.DEVIATION: Verdict.DEVIATION,
    Severity.NOTE: Verdict.PASS,
}

WORST_FIRST = tuple(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts; PASS where there are none."""
    return min(verdicts, key=WORST_FIRST.index, default=Verdict.PASS)


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The verdict that findings alone lead to."""
    return worst(_SEVERITY_VERDICT[finding.severity] for finding in findings)
