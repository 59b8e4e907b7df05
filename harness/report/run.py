"""A run: its cases, what they come to together, and the results file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.dialects import Dialect
from harness.findings import Verdict
from harness.messages import Json, render_event
from harness.redaction import Redactor
from harness.report.baseline import BAD, Baseline
from harness.report.case import CaseResult, case_line

FORMAT = 1


@dataclass(frozen=True)
class RunEnd:
    """What a run comes to. `exit` is 2 with a harness error, 1 with anything unexpected or stale, else 0."""

    verdicts: dict[str, int]
    unexpected: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def exit(self) -> int:
        if self.verdicts.get(str(Verdict.HARNESS_ERROR)):
            return 2
        return 1 if self.unexpected or self.stale else 0


@dataclass
class Run:
    """One run of the harness; results are added as cases end."""

    tool: str
    started: str
    dialects: tuple[Dialect, ...]
    faults: tuple[str, ...]
    baseline: Baseline
    complete: bool = True
    """All scenarios in all dialects were run."""
    results: list[CaseResult] = field(default_factory=list)

    def end(self) -> RunEnd:
        counts = Counter(str(result.verdict) for result in self.results)
        unexpected = [
            str(result.id)
            for result in self.results
            if result.verdict in BAD and not self.baseline.expects(result)
        ]
        return RunEnd(
            dict(counts), tuple(unexpected), tuple(self.baseline.stale(self.results, complete=self.complete))
        )


def header_line(run: Run) -> Json:
    return {
        "report": FORMAT,
        "tool": run.tool,
        "started": run.started,
        "faults": list(run.faults),
        "dialects": [
            {"name": d.name, "title": d.title, "api_version": d.api_version, "status": d.status}
            for d in run.dialects
        ],
    }


def footer_line(run: Run) -> Json:
    end = run.end()
    return {
        "end": {
            "cases": len(run.results),
            "verdicts": end.verdicts,
            "unexpected": list(end.unexpected),
            "stale": list(end.stale),
            "exit": end.exit,
        }
    }


def results_lines(run: Run, redactor: Redactor) -> list[Json]:
    """The whole results file as values: header, cases, footer."""
    cases = [case_line(r, known=run.baseline.expects(r), redactor=redactor) for r in run.results]
    return [header_line(run), *cases, footer_line(run)]


def render_lines(lines: list[Json]) -> Iterator[str]:
    for line in lines:
        yield render_event(line) + "\n"
