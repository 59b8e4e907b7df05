from __future__ import annotations

import json

import pytest

from harness.dialects import bundled_dialect
from harness.findings import Severity, Verdict
from harness.messages import Json
from harness.redaction import Redactor
from harness.report import Baseline, CaseResult, KnownFailure, Run, render_lines, results_lines
from harness.report.baseline import NO_BASELINE
from harness.validation import subschema
from tests.report.made import finding, result
from tests.talk import BOTH

LOST = KnownFailure("shim/azure-v1/text-turn", "fail", ("session.lost",))
KNOWN = Baseline({LOST.case: (LOST,)})

FAILED = result(finding("session.lost"))
PASSED = result()
NOTED = result(finding("session.unproven", Severity.NOTE))
DEVIATES = result(finding("order.extra-answer", Severity.DEVIATION))
UNPROVEN = result(finding("script.finished", Severity.NOT_PROVEN))
SKIPPED = result(verdict=Verdict.NOT_APPLICABLE)
OURS = result(verdict=Verdict.HARNESS_ERROR)


def run_of(*results: CaseResult, baseline: Baseline = NO_BASELINE, complete: bool = True) -> Run:
    dialects = tuple(map(bundled_dialect, BOTH))
    return Run("realtime-harness 0", "2026-01-01T00:00:00Z", dialects, (), baseline, complete, list(results))


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (run_of(), 0),
        (run_of(PASSED, NOTED, DEVIATES, SKIPPED), 0),
        (run_of(FAILED), 1),
        (run_of(UNPROVEN), 1),
        (run_of(OURS), 2),
        (run_of(OURS, FAILED, PASSED), 2),
        (run_of(FAILED, baseline=KNOWN), 0),
        (run_of(PASSED, baseline=KNOWN), 1),
        (run_of(UNPROVEN, baseline=KNOWN), 1),
        (run_of(result(scenario="other"), baseline=KNOWN), 1),
        (run_of(result(scenario="other"), baseline=KNOWN, complete=False), 0),
        (run_of(FAILED, result(finding("x.y"), scenario="other"), baseline=KNOWN), 1),
    ],
)
def test_the_exit_code_says_what_a_run_comes_to(run: Run, code: int) -> None:
    assert run.end().exit == code


def test_a_harness_error_that_is_known_is_still_an_error() -> None:
    known = Baseline({LOST.case: (KnownFailure(LOST.case, "harness-error", ()),)})
    assert run_of(OURS, baseline=known).end().exit == 2


def test_the_end_counts_verdicts_and_names_what_nobody_expected() -> None:
    end = run_of(
        FAILED, result(scenario="other"), result(finding("x.y"), scenario="third"), baseline=KNOWN
    ).end()
    assert end.verdicts == {"fail": 2, "pass": 1}
    assert end.unexpected == ("shim/azure-v1/third",)
    assert end.stale == ()


@pytest.mark.parametrize("results", [(), (PASSED, FAILED, OURS, NOTED, DEVIATES, SKIPPED, UNPROVEN)])
def test_every_line_fits_its_schema(results: tuple[CaseResult, ...]) -> None:
    header, *cases, footer = results_lines(run_of(*results, baseline=KNOWN), Redactor())
    assert subschema("result", "header").problems(header) == []
    assert subschema("result", "footer").problems(footer) == []
    for line in cases:
        assert subschema("result", "case").problems(line) == []
    assert len(cases) == len(results) == footer["end"]["cases"]
    assert [dialect["name"] for dialect in header["dialects"]] == list(BOTH)


def test_a_case_line_says_whether_it_was_known() -> None:
    _, known, _ = results_lines(run_of(FAILED, baseline=KNOWN), Redactor())
    _, unknown, _ = results_lines(run_of(FAILED), Redactor())
    assert (known["known"], unknown["known"]) == (True, False)


def test_a_line_is_one_line_of_json() -> None:
    lines: list[Json] = [{"text": "one\ntwo\u2028 Grüße"}, {"n": 1}]
    rendered = list(render_lines(lines))
    assert [json.loads(line) for line in rendered] == lines
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in rendered)


def test_half_a_character_does_not_keep_results_from_being_written() -> None:
    (line,) = render_lines([{"text": "\ud83d"}])
    assert json.loads(line.encode()) == {"text": "\ud83d"}
