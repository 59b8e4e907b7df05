"""What the service does when its patience ends, and the sessions that only hear."""

from __future__ import annotations

import base64

import pytest

from harness.messages import Json
from harness.scenario import Audio, Cut, Speech, Text
from harness.service import Ending
from tests.service.test_speech import TURN, detect, quiet, tone
from tests.talk import BOTH, GA, Talk, one, talk, types

both = pytest.mark.parametrize("dialect", BOTH)

SECOND = Speech("Hi there.", Audio("a.wav", bytes(48 * 1000)))


# The end of a session.


@pytest.mark.parametrize(
    ("dialect", "seconds", "ending"),
    [
        ("azure-v1", 3600, Ending(1001, "session_expired")),
        ("openai-ga", 3600, Ending(1001, "Your session hit the maximum duration of 60 minutes.")),
        ("azure-2024-10-01-preview", 1800, Ending(1001, "session_expired")),
        ("azure-2025-04-01-preview", 1800, Ending(1001, "session_expired")),
    ],
)
def test_a_session_ends_at_its_greatest_length(dialect: str, seconds: int, ending: Ending) -> None:
    session = talk(dialect)
    service = session.service
    service.advance(seconds - 1)
    assert session.read() == []
    assert service.ending is None
    service.advance(seconds)
    assert session.read() == []
    assert service.ending == ending


def test_where_the_documents_have_it_so_an_error_comes_before_the_end() -> None:
    session = talk("openai-beta")
    session.service.advance(1800)
    (error,) = session.read()
    assert error["error"]["code"] == "session_expired"
    assert error["error"]["message"] == "Your session hit the maximum duration of 30 minutes."
    assert session.service.ending == Ending(1001, "")


@both
def test_reading_on_does_not_bring_the_end_nearer(dialect: str) -> None:
    session = talk(dialect, [SECOND])
    session.respond()
    assert session.service.ending is None
    assert session.service.next_timer == session.dialect.service.session_seconds


def test_a_client_may_close_its_session() -> None:
    session = talk(GA)
    assert session.ask({"type": "session.close"}) == []
    assert session.service.ending == Ending(1000, "")


# Silence.


def idle_session() -> Talk:
    session = talk(GA, [SECOND, Text("Still there?"), Text("Well?")])
    detect(session, idle_timeout_ms=6000)
    return session


def test_nobody_is_waited_for_before_the_first_answer() -> None:
    session = idle_session()
    session.service.advance(60)
    assert session.read() == []


def test_after_the_answer_was_played_a_silent_user_is_spoken_to() -> None:
    session = idle_session()
    session.respond()
    done = session.service.t
    session.speak(quiet(8000))
    session.service.advance(done + 6.9)
    assert session.read() == []
    session.service.advance(done + 7.1)
    events = session.read()
    assert types(events)[:5] == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    timeout, committed, made = events[:3]
    assert (timeout["audio_start_ms"], timeout["audio_end_ms"]) == (2000, 8000)
    assert timeout["item_id"] == committed["item_id"] == made["item"]["id"]
    assert events[-1]["response"]["status"] == "completed"
    assert session.service.next_timer is not None
    assert session.service.next_timer < 60, "and waited for again"


def test_answers_taken_ahead_of_their_time_make_the_user_no_more_patient() -> None:
    session = idle_session()
    session.service.advance(1.0)
    session.respond()
    session.respond()
    assert session.service.t > 1.5
    assert session.service.next_timer == pytest.approx(1.0 + 6.0 + 0.2)


def test_a_timeout_shorter_than_the_documented_least_is_no_hurry() -> None:
    session = talk(GA, [SECOND, Text("Hello?")])
    detect(session, idle_timeout_ms=-1)
    session.respond()
    done = session.service.t
    session.service.advance(done + 5.9)
    assert session.read() == []
    session.service.advance(done + 6.1)
    assert "response.done" in types(session.read())


def test_who_speaks_is_not_timed_out() -> None:
    session = idle_session()
    session.respond()
    assert types(session.speak(tone(320))) == ["input_audio_buffer.speech_started"]
    session.service.advance(60)
    assert session.read() == []


def test_nobody_is_timed_out_while_an_answer_goes_on() -> None:
    session = talk(GA, [SECOND, Cut(SECOND, 0.2)])
    detect(session, idle_timeout_ms=5000)
    session.respond()
    session.respond()
    session.service.advance(60)
    assert session.read() == []


@both
def test_turn_detection_turned_off_waits_for_nobody(dialect: str) -> None:
    session = talk(dialect, [SECOND])
    session.respond()
    session.update(nested={"audio": {"input": {"turn_detection": None}}}, flat={"turn_detection": None})
    session.service.advance(60)
    assert session.read() == []


# Sessions that only hear.

HEARING = ("azure-v1", "openai-ga", "azure-2025-04-01-preview", "openai-beta")


def asked_to_transcribe(session: Talk) -> list[Json]:
    model = {"model": "gpt-4o-transcribe"}
    if session.ga:
        wanted: Json = {"type": "transcription", "audio": {"input": {"transcription": model}}}
        return session.ask({"type": "session.update", "session": wanted})
    wanted = {"input_audio_transcription": model}
    return session.ask({"type": "transcription_session.update", "session": wanted})


@pytest.mark.parametrize("dialect", HEARING)
def test_a_transcription_session_hears_turns_and_answers_nothing(dialect: str) -> None:
    session = talk(dialect, transcription=True, heard=["Hello there."])
    prefix = "session" if session.ga else "transcription_session"
    assert types(session.heard) == [f"{prefix}.created"]
    assert types(asked_to_transcribe(session)) == [f"{prefix}.updated"]
    events = [event for event in session.speak(TURN) if not event["type"].endswith("transcription.delta")]
    item = ["conversation.item.added", "conversation.item.done"]
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        *(item if session.ga else ["conversation.item.created"]),
        "conversation.item.input_audio_transcription.completed",
    ]
    assert events[-1]["transcript"] == "Hello there."


@pytest.mark.parametrize("dialect", HEARING)
def test_a_transcription_session_takes_commits_and_keeps_silent_when_asked_to_answer(dialect: str) -> None:
    session = talk(dialect, transcription=True, heard=["Hello there."])
    asked_to_transcribe(session)
    audio = base64.b64encode(quiet(300)).decode()
    session.send({"type": "input_audio_buffer.append", "audio": audio})
    events = session.ask({"type": "input_audio_buffer.commit"})
    assert (
        one(events, "conversation.item.input_audio_transcription.completed")["transcript"] == "Hello there."
    )
    assert session.respond() == []
