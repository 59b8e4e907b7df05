from __future__ import annotations

import re
from dataclasses import replace

import pytest

from harness.bundled import cassettes_folder, scenario_files
from harness.cassette import Close, Provenance, load_cassette
from harness.construct import construct_cassette, construct_cassettes
from harness.dialects import Refusal, bundled_dialect, default_dialect_names, judge_client_event
from harness.exceptions import RecordingFault
from harness.messages import Side
from harness.recording import read_recording
from harness.scenario import Text, Wait, load_scenario
from tests.cases import SCENARIOS, scenario
from tests.talk import GA, PREVIEW, assert_orders, assert_valid

every = pytest.mark.parametrize(
    ("dialect", "name"),
    [(d, s) for d in default_dialect_names() for s in SCENARIOS if scenario(s).applies_to(d)],
)


@every
def test_a_bundled_cassette_is_what_construct_makes_byte_for_byte(dialect: str, name: str) -> None:
    wanted = scenario(name)
    made = construct_cassettes(wanted, bundled_dialect(dialect))
    for file, cassette in zip(wanted.cassette_names, made, strict=True):
        text = "".join(f"{line}\n" for line in cassette.lines())
        assert text.encode() == (cassettes_folder() / dialect / file).read_bytes()


def test_there_is_a_cassette_for_every_connection_of_every_scenario_and_dialect_and_no_other() -> None:
    there = {(path.parent.name, path.name) for path in cassettes_folder().glob("*/*.jsonl")}
    loaded = [load_scenario(path) for path in scenario_files()]
    wanted = {
        (d, name)
        for d in default_dialect_names()
        for s in loaded
        if s.applies_to(d)
        for name in s.cassette_names
    }
    assert there == wanted


@every
def test_every_event_is_valid_in_its_dialect_and_nothing_is_refused(dialect: str, name: str) -> None:
    found = bundled_dialect(dialect)
    made = construct_cassettes(scenario(name), found)
    assert all(cassette.interactions for cassette in made)
    for interaction in (one for cassette in made for one in cassette.interactions):
        assert interaction.event is not None
        if interaction.side is Side.SERVER:
            assert_valid(found, interaction.event)
            assert interaction.event["type"] != "error" or name in ("rejected-config", "session-expiry")
        else:
            judged = judge_client_event(found, interaction.event)
            assert not [j for j in judged if isinstance(j, Refusal)]


@every
def test_every_answer_keeps_the_orders_of_the_captures(dialect: str, name: str) -> None:
    found = bundled_dialect(dialect)
    made = construct_cassettes(scenario(name), found)
    read = [read_recording(cassette, found) for cassette in made]
    answers = [answer for recording in read for answer in recording.answers]
    aside = [answer for recording in read for answer in recording.outside]
    assert len(answers) + len(aside) == len(scenario(name).answers)
    for answer in answers:
        assert_orders([event for _, event in answer.events])
    for answer in aside:
        assert not [e for _, e in answer.events if e["type"] == "conversation.item.added"]


@every
def test_its_provenance_says_that_nobody_recorded_it(dialect: str, name: str) -> None:
    header = load_cassette(cassettes_folder() / dialect / f"{name}.jsonl").header
    assert header.provenance is Provenance.CONSTRUCTED
    assert (header.dialect, header.scenario) == (dialect, name)
    assert dict(header.origin)["evidence"]


def test_times_go_forward_only() -> None:
    made = construct_cassette(scenario("tool-call-round"), bundled_dialect(GA))
    times = [interaction.t for interaction in made.interactions]
    assert times == sorted(times)
    assert times[-1] > 0.5


def test_a_right_handshake_has_the_queries_the_dialect_requires() -> None:
    assert bundled_dialect(GA).handshake.right_query("gpt-realtime") == (("model", "gpt-realtime"),)
    assert dict(bundled_dialect(PREVIEW).handshake.right_query("mine")) == {
        "api-version": "2024-10-01-preview",
        "deployment": "mine",
    }


def test_a_scenario_whose_answers_do_not_fit_its_steps_cannot_be_constructed() -> None:
    unfit = replace(scenario("tool-call-round"), answers=(Text("No call here."),))
    with pytest.raises(RecordingFault) as fault:
        construct_cassette(unfit, bundled_dialect(GA))
    assert "response.output_item.added" in str(fault.value)


def test_a_scenario_that_waits_for_what_never_comes_cannot_be_constructed() -> None:
    whole = scenario("text-turn")
    waiting = replace(whole, steps=(*whole.steps[:3], whole.steps[2]))
    with pytest.raises(RecordingFault, match="says no more") as fault:
        construct_cassette(waiting, bundled_dialect(GA))
    assert re.match(rf"\S+text-turn\.yaml:\d+: in {GA}: ", str(fault.value))


def test_a_wait_passes_on_the_virtual_clock_and_costs_no_time() -> None:
    whole = scenario("text-turn")
    waiting = replace(whole, steps=(*whole.steps[:3], Wait(100.0), *whole.steps[3:]))
    made = construct_cassette(waiting, bundled_dialect(GA))
    sent = [one.t for one in made.interactions if one.side is Side.CLIENT]
    assert sent[0] < 1
    assert 100 < sent[1] < 101


def test_what_ends_the_silence_of_both_is_a_timer_of_the_service() -> None:
    found = bundled_dialect(GA)
    made = construct_cassette(scenario("session-expiry"), found)
    assert made.close == Close("server", 1001, "session_expired")
    assert max(one.t for one in made.interactions) < found.service.session_seconds


def test_a_new_connection_is_a_new_session_with_ids_and_a_time_of_its_own() -> None:
    first, second = construct_cassettes(scenario("reconnect"), bundled_dialect(GA))
    ids = [
        {
            one.event["session"]["id"]
            for one in made.interactions
            if one.event and one.event["type"] == "session.created"
        }
        for made in (first, second)
    ]
    assert not ids[0] & ids[1]
    assert second.interactions[0].t < 1
    assert first.close == second.close == Close("client", 1000)


def test_a_cassette_of_a_session_that_only_hears_is_opened_as_one() -> None:
    made = construct_cassette(scenario("transcription-session"), bundled_dialect(GA))
    assert dict(made.header.query)["intent"] == "transcription"
    assert not [one for one in made.interactions if one.event and one.event["type"].startswith("response.")]
