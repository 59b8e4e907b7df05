from __future__ import annotations

from dataclasses import replace

import pytest

from harness.dialects import bundled_dialect
from harness.faults import FaultLine
from harness.findings import Verdict
from harness.messages import Side
from harness.playback import Playback
from harness.runner.case import NO_FAULT
from harness.runner.connections import Cassettes, join
from harness.server import Connection, Opening
from harness.service import Ending, Entry, Exchange, Handshake, Origin, ResponseStart
from harness.service.pace import Pace
from tests.cases import case, cassettes, found, run
from tests.talk import GA, PREVIEW
from tests.test_recording import deltas

OPENED = Handshake("/openai/v1/realtime", (), (), (), 101)


class Case:
    """The connections of one case, opened by hand."""

    def __init__(self, name: str) -> None:
        self.dialect = bundled_dialect(GA)
        self.cassettes = Cassettes(self.dialect, cassettes(GA, name), seed=1, faults=FaultLine())
        self.connections: list[Connection] = []

    def opens(self) -> Playback:
        number = len(self.connections) + 1
        playback = self.cassettes.new_playback(Opening(number, self.dialect, OPENED))
        self.connections.append(Connection(OPENED, service=playback))
        return playback

    def played_on(self, playback: Playback) -> None:
        playback.played.append(playback.recording.answers[0])
        playback.exchange.entries.append(Entry(0, 1.0, Side.CLIENT, {"type": "response.create"}))


def test_a_connection_on_which_nothing_was_played_takes_no_cassette_from_the_next() -> None:
    opened = Case("reconnect")
    stray, first = opened.opens(), opened.opens()
    assert "".join(deltas(stray.recording.answers[0], "response.output_text.delta")) == "Hello, Ada!"
    opened.played_on(first)
    second = opened.opens()
    assert "".join(deltas(second.recording.answers[0], "response.output_text.delta")) == "Your name is Ada."
    opened.played_on(second)
    judged = opened.cassettes.judged(opened.connections)
    assert judged.playbacks == (first, second)
    assert [entry.connection for entry in judged.exchange.entries] == [1, 2]


def test_past_the_last_cassette_there_is_a_session_and_nothing_to_say() -> None:
    opened = Case("text-turn")
    opened.played_on(opened.opens())
    more = opened.opens()
    assert more.recording.answers == ()
    assert len(opened.cassettes.judged(opened.connections).playbacks) == 1


def test_what_a_connection_that_never_came_had_to_say_is_left_over() -> None:
    opened = Case("reconnect")
    first = opened.opens()
    opened.played_on(first)
    first.exchange.unplayed.clear()
    assert len(opened.cassettes.judged(opened.connections).exchange.unplayed) == 1


def test_joined_records_count_on_and_know_their_connections() -> None:
    one, other = Exchange(), Exchange(close_code=1000, close_by="client")
    for exchange in (one, other):
        exchange.entries.extend(Entry(n, float(n), Side.SERVER, {"type": "x"}) for n in range(3))
        exchange.responses.append(ResponseStart(2, {}, (), Origin.RECORDED))
    joined = join([one, other])
    assert [entry.number for entry in joined.entries] == list(range(6))
    assert [entry.t for entry in joined.entries] == [0, 1, 2, 2, 3, 4]
    assert [start.entry for start in joined.responses] == [2, 5]
    assert (joined.close_code, joined.close_by) == (1000, "client")
    assert join([]).entries == []


async def test_without_the_scenarios_own_fault_the_case_says_so_and_how_to_run_it_again() -> None:
    plan = replace(case("reference", PREVIEW, "dropped-connection"), faults_of_scenario=False)
    result = await run(plan)
    assert result.verdict is Verdict.PASS
    assert result.faults == ()
    assert result.observed.errors == []
    assert f"--fault {NO_FAULT}" in result.reproduce


async def test_which_fault_struck_stands_in_the_result() -> None:
    result = await run(case("reference", GA, "dropped-connection", "stall:nth=900"))
    assert [(f.text.partition(":")[0], f.of_scenario, f.struck) for f in result.faults] == [
        ("drop", True, True),
        ("stall", False, False),
    ]
    assert result.verdict is Verdict.PASS
    assert result.reason.endswith("; never came up: stall:nth=900")
    assert result.endings == (Ending(None),)


@pytest.mark.parametrize("name", ["text-turn", "reconnect"])
async def test_a_slower_service_changes_no_verdict(name: str) -> None:
    pace = Pace(speed=20, latency=0.05, delays=(("response.created", 0.2),))
    result = await run(replace(case("reference", GA, name), pace=pace))
    assert result.verdict is Verdict.PASS, result.reason
    assert not [one for one in found(result) if not one.endswith("=note")]
    assert "--speed 20 --latency 0.05s --delay response.created=0.2s" in result.reproduce
