from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from harness.cassette import Cassette
from harness.dialects import bundled_dialect
from harness.exceptions import CassetteFault
from harness.messages import render_event
from harness.recording import (
    Barrier,
    RecordedAnswer,
    Template,
    read_recording,
    rebased,
    scenario_of,
    without_ids,
)
from harness.scenario import Call, Send, Speech, plan_intents
from tests.cases import cassette, scenario
from tests.playback.replay import captured, question
from tests.talk import BOTH, GA, assert_orders


def deltas(answer: RecordedAnswer, type_: str) -> list[str]:
    return [event["delta"] for _, event in answer.events if event["type"] == type_]


@pytest.mark.parametrize("dialect", BOTH)
def test_a_tool_round_is_two_answers_with_their_barriers(dialect: str) -> None:
    recording = read_recording(cassette(dialect, "tool-call-round"), bundled_dialect(dialect))
    first, second = recording.answers
    (call,) = {
        event["item"]["call_id"] for _, event in first.events if event["type"] == "response.output_item.done"
    }
    assert first.barrier == Barrier(user_items=1, outputs=(), audio_ms=0)
    assert second.barrier == Barrier(user_items=0, outputs=(call,), audio_ms=0)
    assert str(first.barrier) == "response.create, 1 item(s) of the user"
    assert str(second.barrier) == "response.create, the result of 1 call(s)"
    scripted_call, speech = scenario("tool-call-round").answers
    assert isinstance(scripted_call, Call)
    assert isinstance(speech, Speech)
    assert "".join(deltas(first, "response.function_call_arguments.delta")) == scripted_call.arguments
    assert "".join(deltas(second, "response.output_audio_transcript.delta")) == speech.transcript
    sounds = deltas(second, "response.output_audio.delta")
    assert b"".join(map(base64.b64decode, sounds)) == speech.audio.pcm


@pytest.mark.parametrize("dialect", BOTH)
def test_an_answer_to_speech_waits_for_most_of_the_recorded_audio(dialect: str) -> None:
    recording = read_recording(cassette(dialect, "audio-turn"), bundled_dialect(dialect))
    (answer,) = recording.answers
    size = len(question("audio-turn"))
    assert answer.barrier == Barrier(0, (), int(size / 48 * 0.8))
    assert "ms of committed audio" in str(answer.barrier)


@pytest.mark.parametrize("dialect", BOTH)
def test_the_session_and_the_users_items_are_read_in_canonical_form(dialect: str) -> None:
    recording = read_recording(cassette(dialect, "session-config"), bundled_dialect(dialect))
    assert recording.created is not None
    assert recording.created.session["type"] == "realtime"
    (updated,) = recording.updated
    assert updated.session["audio"]["output"]["voice"] == "echo"
    (item,) = recording.user_contents
    assert item == {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Ahoy!"}]}


@pytest.mark.parametrize("dialect", BOTH)
def test_the_answers_times_begin_with_the_answer(dialect: str) -> None:
    recording = read_recording(cassette(dialect, "text-turn"), bundled_dialect(dialect))
    times = [t for t, _ in recording.answers[0].events]
    assert times[0] == 0.0
    assert times == sorted(times)


def test_ids_status_and_object_are_what_the_service_gives_an_item() -> None:
    item = {"id": "a", "object": "realtime.item", "status": "completed", "type": "x", "call_id": "c"}
    assert without_ids(item) == {"type": "x", "call_id": "c"}
    assert item["id"] == "a"


@pytest.mark.parametrize(
    ("name", "answers"),
    [("azure-ws-tool-call-round.jsonl", 2), ("azure-ws-text-in-audio-out-turn.jsonl", 1)],
)
def test_captured_sessions_are_read_as_answers_that_keep_the_orders(name: str, answers: int) -> None:
    recording = read_recording(captured(name), bundled_dialect(GA))
    assert len(recording.answers) == answers
    for answer in recording.answers:
        assert_orders([event for _, event in answer.events])


def broken(dialect: str, type_: str) -> Cassette:
    """A cassette whose first event of a type has lost everything else."""
    whole = cassette(dialect, "text-turn")
    spoiled = list(whole.interactions)
    place = next(i for i, one in enumerate(spoiled) if one.event and one.event["type"] == type_)
    spoiled[place] = replace(spoiled[place], event={"type": type_})
    return replace(whole, interactions=tuple(spoiled))


@pytest.mark.parametrize("type_", ["session.created", "response.created", "response.done"])
def test_an_event_of_the_service_that_lacks_its_body_is_named_with_its_line(type_: str) -> None:
    with pytest.raises(CassetteFault) as caught:
        read_recording(broken(GA, type_), bundled_dialect(GA))

    assert type_ in caught.value.problem
    assert caught.value.line is not None
    assert caught.value.line > 1


def test_an_event_of_the_client_that_lacks_its_body_came_to_nothing() -> None:
    recording = read_recording(broken(GA, "conversation.item.create"), bundled_dialect(GA))

    assert recording.user_contents == ()
    assert len(recording.answers) == 1


# Lanes beside the answers.


def test_a_turn_of_speech_says_where_its_sound_begins() -> None:
    recording = read_recording(cassette(GA, "voice-turn"), bundled_dialect(GA))
    (turn,) = recording.turns
    assert turn.onset_ms is not None
    assert turn.start_ms <= turn.onset_ms < turn.end_ms
    assert 0 < turn.quiet_ms < turn.end_ms
    assert turn.sound is None
    (answer,) = recording.answers
    assert answer.barrier.turns == 1
    assert answer.barrier.by_service
    assert str(answer.barrier) == "1 turn(s) of speech"
    (heard,) = recording.transcriptions
    assert heard is not None
    assert [line.event["type"].rpartition(".")[2] for line in heard.lines] == ["delta", "completed"]


def test_a_cut_answer_is_what_was_said_before_the_cut() -> None:
    first, second = read_recording(cassette(GA, "interruption"), bundled_dialect(GA)).answers
    assert (first.cut, second.cut) == (True, False)
    assert first.spoken[-1].event["type"].endswith(".delta")
    assert first.lines[-1].event["type"] == "response.done"
    assert second.spoken == second.lines


def test_an_answer_that_the_recording_breaks_off_in_is_a_cut_one() -> None:
    whole = cassette(GA, "text-turn")
    place = next(n for n, i in enumerate(whole.interactions) if i.event and "delta" in i.event["type"])
    short = replace(whole, interactions=whole.interactions[: place + 3])
    (answer,) = read_recording(short, bundled_dialect(GA)).answers
    assert answer.cut
    assert answer.ended is None


def test_answers_out_of_band_stand_beside_the_others() -> None:
    recording = read_recording(cassette(GA, "out-of-band-response"), bundled_dialect(GA))
    assert len(recording.answers) == 2
    (aside,) = recording.outside
    assert aside.metadata == {"purpose": "summary"}
    assert aside.response["conversation_id"] is None


def test_the_users_silence_leads_to_an_answer_and_is_no_turn() -> None:
    recording = read_recording(cassette(GA, "idle-timeout"), bundled_dialect(GA))
    assert recording.timeouts == 1
    assert len(recording.turns) == 1, "the question; the silence is none"
    assert recording.answers[-1].barrier.of_silence
    assert str(recording.answers[-1].barrier) == "the user's silence"


def test_a_socket_that_joined_a_call_is_told_by_its_handshake() -> None:
    whole = cassette(GA, "text-turn")
    joined = replace(
        whole,
        header=replace(whole.header, query=(("call_id", "rtc_1"),)),
        interactions=whole.interactions[1:],
    )
    assert read_recording(joined, bundled_dialect(GA)).sideband
    assert not read_recording(whole, bundled_dialect(GA)).sideband


# Frames compiled once.


@pytest.mark.parametrize("dialect", BOTH)
def test_a_filled_frame_is_the_recorded_one_with_other_ids(dialect: str) -> None:
    (answer,) = read_recording(cassette(dialect, "text-turn"), bundled_dialect(dialect)).answers
    same = {id_: id_ for id_ in answer.ids}
    other = {id_: f"new_{number}" for number, id_ in enumerate(sorted(answer.ids))}
    for line, template in zip(answer.lines, answer.templates, strict=True):
        if line.wire is None:
            continue
        assert template.filled(line.event, same) == render_event(line.wire).encode()
        assert template.wire_event(line.event, same) == line.wire
        mine = {**line.event, "event_id": 'e"1', "previous_item_id": None}
        frame, wire = template.filled(mine, other), template.wire_event(mine, other)
        assert json.loads(frame) == wire
        assert wire["event_id"] == 'e"1'
        assert not [id_ for id_ in answer.ids if id_.encode() in frame]


def test_text_that_looks_like_a_slot_stays_text() -> None:
    event = {
        "type": "x",
        "event_id": "e",
        "item_id": "item_1",
        "delta": "\0000\0 \0\0001\0\0",
        "odd": ["item_1"],
    }
    template, ids = Template(event, event, {"item_1"}), {"item_1": "mine"}
    wire, frame = template.wire_event({"event_id": "f"}, ids), template.filled({"event_id": "f"}, ids)
    assert wire == {**event, "event_id": "f", "item_id": "mine", "odd": ["mine"]}
    assert json.loads(frame) == wire


def test_what_is_rebased_keeps_what_neither_side_knows() -> None:
    recorded = {"a": 1, "odd": True, "in": {"b": 2, "odd": 3}}
    assert rebased(recorded, {"a": 1, "in": {"b": 2}}, {"a": 5, "in": {"b": 2, "c": 4}}) == {
        "a": 5,
        "odd": True,
        "in": {"b": 2, "odd": 3, "c": 4},
    }


# Told as a scenario.


def test_a_cassette_told_as_a_scenario_names_the_ids_its_client_used() -> None:
    told = scenario_of(cassette(GA, "tool-call-round"), bundled_dialect(GA))
    (tool,) = told.tools
    assert tool.name == scenario("tool-call-round").tools[0].name
    assert json.loads(tool.result) == scenario("tool-call-round").tools[0].result
    output = next(
        step.event["item"]
        for step in told.steps
        if isinstance(step, Send) and step.event.get("item", {}).get("type") == "function_call_output"
    )
    assert output["call_id"].startswith("$id_")
    assert plan_intents(told) == plan_intents(replace(scenario("tool-call-round"), tools=told.tools))
