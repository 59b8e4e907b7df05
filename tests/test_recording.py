from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cassette import Cassette
from harness.dialects import bundled_dialect
from harness.exceptions import CassetteFault
from harness.recording import Barrier, read_recording, without_ids
from harness.scenario import Call, Speech
from tests.cases import cassette, scenario
from tests.playback.replay import captured, question
from tests.talk import BOTH, GA, assert_orders


@pytest.mark.parametrize("dialect", BOTH)
def test_a_tool_round_is_two_answers_with_their_barriers(dialect: str) -> None:
    recording = read_recording(cassette(dialect, "tool-call-round"), bundled_dialect(dialect))
    first, second = recording.answers
    (call,) = first.call_ids
    assert first.barrier == Barrier(user_items=1, outputs=(), audio_ms=0)
    assert second.barrier == Barrier(user_items=0, outputs=(call,), audio_ms=0)
    assert str(first.barrier) == "response.create, 1 item(s) of the user"
    assert str(second.barrier) == "response.create, the result of 1 call(s)"
    scripted_call, speech = scenario("tool-call-round").answers
    assert isinstance(scripted_call, Call)
    assert isinstance(speech, Speech)
    assert first.joined("response.function_call_arguments.delta") == scripted_call.arguments
    assert second.joined("response.output_audio_transcript.delta") == speech.transcript
    assert second.audio == speech.audio.pcm


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
    assert recording.session_created is not None
    assert recording.session_created["type"] == "realtime"
    (updated,) = recording.sessions_updated
    assert updated["audio"]["output"]["voice"] == "echo"
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
