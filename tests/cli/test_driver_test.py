"""The steps of the driver protocol, as a driver's author is told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.cli.driver_test import SHOWN, log_lines, steps
from harness.observations import LogLine, Observed
from tests.report.made import result


def told(**observed: Any) -> dict[bool | None, list[str]]:
    """The steps by what became of them."""
    told: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for good, text in steps(replace(result(), observed=Observed(**observed))):
        told[good].append(text)
    return told


def test_after_a_crash_before_hello_nothing_else_was_reached() -> None:
    found = told(exit_code=1)
    assert [text.partition(",")[0] for text in found[False]] == [
        "says hello",
        "ends by itself with exit code 0 (was: 1)",
    ]
    assert "finishes what it is asked" in found[None]
    assert len(found[None]) == 5


def test_a_wrong_hello_is_told_by_what_is_wrong_with_it() -> None:
    found = told(hello_fault="protocol is 2, expected 1", garbage=["hello: protocol is 2, expected 1, in {}"])
    assert found[False][0].endswith(": protocol is 2, expected 1")
    assert found[True] == []


def test_who_leaves_after_ready_has_not_finished_what_it_was_asked() -> None:
    found = told(stage="ready", exit_code=0, not_done=["say (intent 1)", "close (intent 2)"])
    assert "finishes what it is asked: it never said done to say (intent 1), close (intent 2)" in found[False]


def test_done_under_a_wrong_number_is_told_with_that_number() -> None:
    found = told(stage="finished", exit_code=0, not_done=["say (intent 1)"], stray_done=[41])
    assert any(text.endswith("; it said done to 41, which nobody asked") for text in found[False])


def test_a_long_log_is_shown_from_both_ends() -> None:
    lines = [LogLine("STDERR", "stderr", f"line {number}") for number in range(50)]
    case = result()
    case.observed.log.extend(lines)
    shown = log_lines(case)
    assert (shown[0], shown[SHOWN], shown[-1]) == ("STDERR line 0", "… 30 lines …", "STDERR line 49")
