from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.findings import Finding, Severity, Verdict, verdict_of, worst


def finding(severity: Severity) -> Finding:
    return Finding("a.b", severity, "session.voice", "m", None, None, (), "mend")


def test_the_verdicts_are_named_worst_first() -> None:
    assert [str(verdict) for verdict in Verdict] == [
        "harness-error",
        "fail",
        "not-proven",
        "deviation",
        "pass",
        "not-applicable",
    ]


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_the_worst_of_some_verdicts_is_the_first_of_them_in_that_order(verdicts: list[Verdict]) -> None:
    order = list(Verdict)

    found = worst(verdicts)

    assert found in verdicts
    assert all(order.index(found) <= order.index(verdict) for verdict in verdicts)


def test_without_verdicts_nothing_is_wrong() -> None:
    assert worst([]) is Verdict.PASS


@pytest.mark.parametrize(
    ("severities", "verdict"),
    [
        ([], Verdict.PASS),
        ([Severity.NOTE], Verdict.PASS),
        ([Severity.NOTE, Severity.DEVIATION], Verdict.DEVIATION),
        ([Severity.DEVIATION, Severity.NOT_PROVEN], Verdict.NOT_PROVEN),
        ([Severity.NOT_PROVEN, Severity.FAIL, Severity.NOTE], Verdict.FAIL),
    ],
)
def test_findings_lead_to_the_verdict_of_the_worst_of_them(
    severities: list[Severity], verdict: Verdict
) -> None:
    assert verdict_of(finding(severity) for severity in severities) is verdict


def test_no_finding_alone_is_a_harness_error_or_not_applicable() -> None:
    reached = {verdict_of([finding(severity)]) for severity in Severity}

    assert reached == {Verdict.FAIL, Verdict.NOT_PROVEN, Verdict.DEVIATION, Verdict.PASS}
