"""Known failures in a file: a run is green when exactly these are found, and a stale entry fails.

Several entries of one case are its known outcomes where chance decides, such as
which of two events that cross on the wire comes first: one of them must be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.documents import read_document
from harness.exceptions import BaselineFault
from harness.findings import Verdict
from harness.report.case import CaseResult
from harness.validation import bundled_schema, check_document

BAD = frozenset({Verdict.FAIL, Verdict.NOT_PROVEN, Verdict.HARNESS_ERROR})


@dataclass(frozen=True)
class KnownFailure:
    """One case that is known to be bad: with this verdict, for exactly these findings."""

    case: str
    verdict: str
    findings: tuple[str, ...]

    def matches(self, result: CaseResult) -> bool:
        return str(result.verdict) == self.verdict and result.codes == tuple(sorted(self.findings))


@dataclass(frozen=True)
class Baseline:
    """The known failures, by case id; more than one where any of them may be found."""

    known: dict[str, tuple[KnownFailure, ...]]

    def expects(self, result: CaseResult) -> bool:
        """Whether exactly this bad result is known."""
        return any(entry.matches(result) for entry in self.known.get(str(result.id), ()))

    def stale(self, results: list[CaseResult], *, complete: bool) -> list[str]:
        """Entries that did not come true.

        A case that ran and came out otherwise is stale; one that did not run
        is stale only where the run was `complete` for its implementation.
        """
        found = []
        ran = {str(result.id): result for result in results}
        implementations = {result.id.implementation for result in results}
        for case, entries in self.known.items():
            result = ran.get(case)
            known = " or ".join(f"{entry.verdict} {sorted(entry.findings)}" for entry in entries)
            if result is not None and not self.expects(result):
                found.append(f"{case}: known as {known}, found {result.verdict} {list(result.codes)}")
            elif result is None and complete and any(case.startswith(f"{name}/") for name in implementations):
                found.append(f"{case}: known as {known}, but there is no such case")
        return found


NO_BASELINE = Baseline({})


def load_baseline(path: Path) -> Baseline:
    """Reads a baseline file; raises BaselineFault with its line."""
    document = read_document(path, BaselineFault)
    check_document(document, bundled_schema("baseline"), BaselineFault)
    known: dict[str, tuple[KnownFailure, ...]] = {}
    for index, entry in enumerate(document.value["known"]):
        failure = KnownFailure(entry["case"], entry["verdict"], tuple(entry["findings"]))
        others = known.get(failure.case, ())
        if failure in others:
            pointer = f"/known/{index}/case"
            line = document.line(pointer)
            raise BaselineFault(
                str(path), f"{failure.case!r} stands there twice, the same", line=line, pointer=pointer
            )
        known[failure.case] = (*others, failure)
    return Baseline(known)


def baseline_value(results: list[CaseResult]) -> dict[str, object]:
    """The baseline that would make these results green, as a plain value."""
    bad = [result for result in results if result.verdict in BAD]
    return {
        "baseline": 1,
        "known": [
            {"case": str(r.id), "verdict": str(r.verdict), "findings": list(r.codes)}
            for r in sorted(bad, key=lambda r: str(r.id))
        ],
    }
