from __future__ import annotations

from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from harness.bundled import scenarios_folder
from harness.cli.main import main
from harness.cli.select import checked_scenario, select_pace
from harness.dialects import bundled_dialect
from harness.exceptions import ScenarioFault, UsageFault
from harness.faults import checked_fault
from harness.scenario import plan_intents
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
        (None, None, "response.*=soon", r"--delay response.\*: 'soon'"),
        (None, "200", None, "--latency: '200'"),
        (None, None, "foo=1s", "--delay: no dialect has a server event 'foo'"),
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


@pytest.mark.parametrize(
    ("written", "instead", "place", "near"),
    [
        ("drop:at=response", "drop:at=respnse", "/faults/0", "'response."),
        ("[session.created]", "[session.craeted]", "/steps/0/expect/0", "'session.created' is near"),
    ],
)
def test_a_misspelt_event_is_named_with_its_line_and_the_one_that_is_near(
    tmp_path: Path, written: str, instead: str, place: str, near: str
) -> None:
    text = (scenarios_folder() / "dropped-connection.yaml").read_text("utf-8")
    path = tmp_path / "dropped-connection.yaml"
    assert written in text
    path.write_text(text.replace(written, instead, 1), encoding="utf-8")
    line = next(n for n, one in enumerate(path.read_text("utf-8").splitlines(), 1) if instead in one)
    with pytest.raises(ScenarioFault) as caught:
        checked_scenario(path)
    assert (caught.value.line, caught.value.pointer) == (line, place)
    assert near in (caught.value.hint or "")


def test_a_misspelt_client_event_is_named_with_its_line_and_the_one_that_is_near(tmp_path: Path) -> None:
    text = (scenarios_folder() / "dropped-connection.yaml").read_text("utf-8")
    path = tmp_path / "dropped-connection.yaml"
    path.write_text(text.replace("{type: response.create}", "{type: response.creat}"), encoding="utf-8")
    with pytest.raises(ScenarioFault, match=r"response\.creat'") as caught:
        plan_intents(checked_scenario(path))
    assert caught.value.line is not None
    assert caught.value.hint == "'response.create' is near"


def test_a_fault_at_an_event_that_no_dialect_has_is_refused_on_the_command_line(tmp_path: Path) -> None:
    said = StringIO()
    with redirect_stderr(said):
        code = main(
            [
                "check",
                "-s",
                "text-turn",
                "--fault",
                "close:at=response.done|respnse.done",
                "-o",
                str(tmp_path),
            ]
        )
    assert code == 2
    assert "no dialect has a server event 'respnse.done'" in said.getvalue()
    assert "'response.done' is near" in said.getvalue()


def test_a_fault_may_strike_what_only_the_wire_or_only_ones_own_dialect_calls_so() -> None:
    assert checked_fault("close:at=conversation.item.created").text("at") == "conversation.item.created"
    own = bundled_dialect("azure-v1")
    spec = next(iter(own.server.events.values()))
    own = replace(own, server=replace(own.server, events={**own.server.events, "my.event": spec}))
    assert checked_fault("close:at=my.event", (own,)).text("at") == "my.event"
    with pytest.raises(UsageFault):
        checked_fault("close:at=my.event")
