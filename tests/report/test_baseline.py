from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.bundled import baseline_file
from harness.exceptions import BaselineFault
from harness.findings import Severity, Verdict
from harness.report import Baseline, KnownFailure, load_baseline
from harness.report.baseline import NO_BASELINE, baseline_value
from harness.validation import bundled_schema
from tests.report.made import finding, result

LOST = KnownFailure("shim/azure-v1/text-turn", "fail", ("session.lost",))


def baseline(*known: KnownFailure) -> Baseline:
    return Baseline({one.case: tuple(entry for entry in known if entry.case == one.case) for one in known})


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "baseline.yaml"
    path.write_text(text)
    return path


def test_exactly_this_bad_result_is_known_and_no_other() -> None:
    known = baseline(LOST)
    assert known.expects(result(finding("session.lost")))
    assert known.expects(result(finding("session.lost"), finding("x.y", Severity.NOTE)))
    assert not known.expects(result(finding("session.lost"), finding("surfaced.text")))
    assert not known.expects(result(finding("session.lost"), verdict=Verdict.NOT_PROVEN))
    assert not known.expects(result(finding("session.lost"), scenario="audio-turn"))
    assert not known.expects(result())
    assert not NO_BASELINE.expects(result(finding("session.lost")))


def test_the_order_of_the_findings_in_the_file_does_not_matter() -> None:
    findings = ("surfaced.text", "session.lost")
    known = baseline(KnownFailure(LOST.case, "fail", findings))
    assert known.expects(result(finding("session.lost"), finding("surfaced.text")))


def test_where_chance_decides_any_of_the_known_outcomes_is_expected() -> None:
    known = baseline(LOST, KnownFailure(LOST.case, "fail", ("surfaced.text",)))
    for code in ("session.lost", "surfaced.text"):
        assert known.expects(result(finding(code)))
        assert known.stale([result(finding(code))], complete=True) == []
    (stale,) = known.stale([result(finding("x.y"))], complete=True)
    assert "['session.lost'] or fail ['surfaced.text'], found fail ['x.y']" in stale


def test_an_entry_that_came_out_otherwise_is_stale() -> None:
    known = baseline(LOST)
    assert known.stale([result(finding("session.lost"))], complete=True) == []
    (better,) = known.stale([result()], complete=False)
    assert LOST.case in better
    assert "pass" in better
    (other,) = known.stale([result(finding("surfaced.text"))], complete=False)
    assert "surfaced.text" in other


def test_an_entry_that_did_not_run_is_stale_only_where_all_of_its_implementation_ran() -> None:
    known = baseline(LOST)
    others = [result(scenario="audio-turn")]
    assert known.stale(others, complete=False) == []
    (stale,) = known.stale(others, complete=True)
    assert "no such case" in stale
    assert known.stale([result(implementation="other")], complete=True) == []
    assert known.stale([result(implementation="shim2")], complete=True) == []


def test_the_baseline_of_some_results_makes_exactly_these_known(tmp_path: Path) -> None:
    results = [
        result(finding("session.lost")),
        result(scenario="audio-turn"),
        result(finding("x.y", Severity.DEVIATION), scenario="other"),
        result(finding("a.b", Severity.NOT_PROVEN), scenario="unproven"),
    ]
    value = baseline_value(results)
    assert bundled_schema("baseline").problems(value) == []
    loaded = load_baseline(written(tmp_path, yaml.safe_dump(value)))
    assert set(loaded.known) == {"shim/azure-v1/text-turn", "shim/azure-v1/unproven"}
    assert loaded.stale(results, complete=True) == []
    assert all(loaded.expects(r) for r in results if r.verdict in (Verdict.FAIL, Verdict.NOT_PROVEN))


def test_the_bundled_baseline_can_be_read() -> None:
    assert load_baseline(baseline_file()).known is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("baseline: 2\nknown: []\n", "1"),
        ("known: []\n", "baseline"),
        ("baseline: 1\nknown: [{case: a/b/c, verdict: pass, findings: []}]\n", "pass"),
        ("baseline: 1\nknown: [{case: a/b/c, verdict: fail}]\n", "findings"),
        ("baseline: 1\nknown: []\nextra: 1\n", "extra"),
        ("[]\n", "object"),
        ("", "object"),
        ("baseline: [\n", ":"),
    ],
)
def test_a_broken_baseline_is_refused_by_name_and_reason(tmp_path: Path, text: str, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BaselineFault) as fault:
        load_baseline(path)
    assert str(path) in str(fault.value)
    assert says in str(fault.value)


def test_a_case_may_stand_there_with_several_outcomes(tmp_path: Path) -> None:
    entries = "".join(f"  - {{case: a/b/c, verdict: fail, findings: [{code}]}}\n" for code in ("x.y", "x.z"))
    (known,) = load_baseline(written(tmp_path, "baseline: 1\nknown:\n" + entries)).known.values()
    assert [entry.findings for entry in known] == [("x.y",), ("x.z",)]


def test_an_outcome_that_stands_there_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    entry = "  - {case: a/b/c, verdict: fail, findings: [x.y]}\n"
    with pytest.raises(BaselineFault) as fault:
        load_baseline(written(tmp_path, "baseline: 1\nknown:\n" + entry + entry))
    assert fault.value.line == 4
    assert "twice" in str(fault.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaselineFault):
        load_baseline(tmp_path / "none.yaml")
