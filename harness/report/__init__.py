"""The results of a run: one case as a value, and the run as JSON Lines with a schema."""

from harness.report.baseline import BAD, NO_BASELINE, Baseline, KnownFailure, baseline_value, load_baseline
from harness.report.case import CaseFault, CaseId, CaseResult, case_line
from harness.report.run import Run, RunEnd, footer_line, header_line, render_lines, results_lines

__all__ = [
    "BAD",
    "NO_BASELINE",
    "Baseline",
    "CaseFault",
    "CaseId",
    "CaseResult",
    "KnownFailure",
    "Run",
    "RunEnd",
    "baseline_value",
    "case_line",
    "footer_line",
    "header_line",
    "load_baseline",
    "render_lines",
    "results_lines",
]
