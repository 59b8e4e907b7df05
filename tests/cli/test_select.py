from __future__ import annotations

from pathlib import Path

import pytest

from harness.bundled import scenarios_folder
from harness.cli.select import checked_scenario, select_pace
from harness.exceptions import ScenarioFault, UsageFault
from harness.service.pace import AT_ONCE, Pace


def test_unasked_everything_is_sent_at_once() -> None:
    assert select_pace(None, None, None) == AT_ONCE
    assert select_pace("max", None, ()) == AT_ONCE


def test_a_pace_is_read_as_it_is_written() -> None:
    asked = select_pace("2", "200ms", ["response.created=1.5s", "response.*.delta=20ms"])
    assert asked == Pace(2.0, 0.2, (("response.created", 1.5), ("response.*.delta", 0.02)))


@pytest.mark.parametrize(
    ("speed", "latency", "delay", "named"),
    [
        ("slow", None, None, "--speed: 'slow'"),
        (None, "soon", None, "--latency: 'soon'"),
        (None, None, "response.created", "--delay: 'response.created'"),
        (None, None, "x=soon", "--delay x: 'soon'"),
    ],
)
def test_what_is_no_pace_is_refused_by_its_option(
    speed: str | None, latency: str | None, delay: str | None, named: str
) -> None:
    with pytest.raises(UsageFault, match=named):
        select_pace(speed, latency, [delay] if delay else None)


def test_a_scenario_with_a_fault_that_there_is_not_is_refused_before_anything_runs(tmp_path: Path) -> None:
    text = (scenarios_folder() / "dropped-connection.yaml").read_text("utf-8")
    path = tmp_path / "dropped-connection.yaml"
    path.write_text(text.replace("drop:at", "dorp:at"), encoding="utf-8")
    with pytest.raises(ScenarioFault, match="dorp"):
        checked_scenario(path)
