"""Turns of speech: where they are heard, and what the service does about them."""

from __future__ import annotations

import base64
import itertools
import math
import time
from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audio import encoded
from harness.dialects import dialect_names
from harness.messages import Json
from harness.scenario import Audio, Cut, Failure, Speech, Text
from harness.service.speech import EnergyDetector, Mark
from tests.talk import BOTH, GA, Talk, one, only, talk, types

both = pytest.mark.parametrize("dialect", BOTH)
formats = pytest.mark.parametrize("format_", ["audio/pcm", "audio/pcmu", "audio/pcma"])

VAD: Json = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}

LONG = Speech("One two three four five six seven.", Audio("long.wav", bytes(48 * 3000)))


def tone(ms: int, loud: int = 8000) -> bytes:
    wave = (round(loud * math.sin(2 * math.pi * 440 * n / 24_000)) for n in range(24 * ms))
    return array("h", wave).tobytes()


def quiet(ms: int) -> bytes:
    return bytes(48 * ms)


TURN = quiet(640) + tone(960) + quiet(320)
"""Twenty frames of silence, thirty of speech, ten of silence."""


def detect(session: Talk, **detection: Any) -> None:
    wanted = {"type": "server_vad", **detection}
    session.update(nested={"audio": {"input": {"turn_detection": wanted}}}, flat={"turn_detection": wanted})


# The detector.


@formats
def test_speech_begins_with_its_padding_and_ends_with_its_silence(format_: str) -> None:
    marks = EnergyDetector(VAD, format_, 0.0).feed(encoded(TURN, format_))
    # 640 ms of silence, less 300 of padding; 1600 ms when speech ended, and seven frames of silence.
    assert marks == [Mark(True, 340), Mark(False, 1824)]


@formats
@given(cuts=st.lists(st.integers(0, len(TURN)), max_size=12))
@settings(max_examples=20, deadline=None)
def test_what_is_heard_does_not_depend_on_how_the_client_cuts_its_audio(
    format_: str, cuts: list[int]
) -> None:
    audio = encoded(TURN, format_)
    places = [0, *sorted(cut % (len(audio) + 1) for cut in cuts), len(audio)]
    pieces = [audio[a:b] for a, b in itertools.pairwise(places)]
    detector = EnergyDetector(VAD, format_, 0.0)
    heard = [mark for piece in pieces for mark in detector.feed(piece)]
    assert heard == EnergyDetector(VAD, format_, 0.0).feed(audio)


@formats
def test_silence_is_never_speech_whatever_the_threshold(format_: str) -> None:
    detector = EnergyDetector({**VAD, "threshold": 0.0}, format_, 0.0)
    assert detector.feed(encoded(quiet(1000), format_)) == []


def test_a_higher_threshold_wants_louder_speech() -> None:
    soft = tone(500, 1200)
    assert EnergyDetector({**VAD, "threshold": 0.5}, "audio/pcm", 0.0).feed(soft) == [Mark(True, 0)]
    assert EnergyDetector({**VAD, "threshold": 1.0}, "audio/pcm", 0.0).feed(soft) == []


@pytest.mark.parametrize(("eagerness", "seconds"), [("low", 8), ("medium", 4), ("auto", 4), ("high", 2)])
def test_semantic_turns_end_after_the_longest_silence_their_eagerness_allows(
    eagerness: str, seconds: int
) -> None:
    detector = EnergyDetector({"type": "semantic_vad", "eagerness": eagerness}, "audio/pcm", 0.0)
    assert detector.feed(tone(320)) == [Mark(True, 0)]
    assert detector.feed(quiet(seconds * 1000 - 32)) == []
    (mark,) = detector.feed(quiet(64))
    assert not mark.started
    assert 0 <= mark.ms - 320 - seconds * 1000 < 32


def test_a_turn_does_not_begin_in_the_turn_before_it() -> None:
    detector = EnergyDetector(VAD, "audio/pcm", 0.0)
    assert detector.feed(TURN)[1] == Mark(False, 1824)
    assert detector.feed(tone(320))[0] == Mark(True, 1824)


@formats
def test_ten_seconds_are_heard_in_a_moment(format_: str) -> None:
    audio = encoded(tone(1000) * 10, format_)
    began = time.process_time()
    EnergyDetector(VAD, format_, 0.0).feed(audio)
    assert time.process_time() - began < 0.3


# A turn.


@both
def test_a_turn_is_told_of_committed_and_answered(dialect: str) -> None:
    session = talk(dialect, [Text("Hi.")])
    detect(session)
    events = session.speak(TURN)
    item = "conversation.item.added" if session.ga else "conversation.item.created"
    expected = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"]
    expected += ["input_audio_buffer.committed", item]
    expected += ["conversation.item.done"] * session.ga + ["response.created"]
    assert types(events)[: len(expected)] == expected
    started, stopped, committed, made = events[:4]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (340, 1824)
    assert started["item_id"] == stopped["item_id"] == committed["item_id"] == made["item"]["id"]
    assert made["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert types(events)[-1] == "response.done"
    assert session.service.input.held_ms == 1920 - 1824, "what comes after the turn is the next one's"


@both
def test_times_are_on_the_clock_of_all_audio_whatever_was_cleared(dialect: str) -> None:
    session = talk(dialect)
    detect(session)
    session.speak(quiet(3200))
    session.ask({"type": "input_audio_buffer.clear"})
    assert one(session.speak(tone(320)), "input_audio_buffer.speech_started")["audio_start_ms"] == 3200


@both
@pytest.mark.parametrize("how", ["clear", "commit"])
@pytest.mark.parametrize("ms", [1, 11, 30, 31])
def test_sound_that_was_cleared_or_committed_is_heard_no_more(dialect: str, how: str, ms: int) -> None:
    session = talk(dialect)
    detect(session)
    session.speak(quiet(320) + tone(ms))
    session.ask({"type": f"input_audio_buffer.{how}"})
    assert session.speak(quiet(1000)) == []
    started = session.speak(tone(320))
    assert one(started, "input_audio_buffer.speech_started")["audio_start_ms"] >= 320 + ms


@both
def test_a_session_without_turn_detection_hears_nothing(dialect: str) -> None:
    session = talk(dialect)
    session.update(nested={"audio": {"input": {"turn_detection": None}}}, flat={"turn_detection": None})
    assert session.speak(TURN) == []


@both
def test_without_create_response_nobody_answers(dialect: str) -> None:
    session = talk(dialect, [Text("Never.")])
    detect(session, create_response=False)
    events = session.speak(TURN)
    assert "input_audio_buffer.committed" in types(events)
    assert "response.created" not in types(events)
    assert session.respond()[0]["type"] == "response.created"


@both
def test_a_commit_amid_speech_makes_the_item_that_was_announced(dialect: str) -> None:
    session = talk(dialect)
    detect(session)
    announced = only(session.speak(tone(640)))["item_id"]
    events = session.ask({"type": "input_audio_buffer.commit"})
    assert events[0]["item_id"] == announced
    assert "input_audio_buffer.speech_stopped" not in types(events + session.speak(quiet(1000)))


@both
def test_telephone_audio_is_heard_on_the_same_clock(dialect: str) -> None:
    session = talk(dialect)
    session.update(
        nested={"audio": {"input": {"format": {"type": "audio/pcmu"}}}},
        flat={"input_audio_format": "g711_ulaw"},
    )
    events = session.speak(encoded(TURN, "audio/pcmu"))
    assert (events[0]["audio_start_ms"], events[1]["audio_end_ms"]) == (340, 1824)


@both
def test_the_clock_goes_on_when_the_format_changes(dialect: str) -> None:
    session = talk(dialect)
    session.speak(quiet(1000))
    session.update(
        nested={"audio": {"input": {"format": {"type": "audio/pcma"}}}},
        flat={"input_audio_format": "g711_alaw"},
    )
    assert session.service.input.clock_ms == 1000
    started = one(session.speak(encoded(tone(320), "audio/pcma")), "input_audio_buffer.speech_started")
    assert started["audio_start_ms"] == 1000


def test_the_users_speech_can_be_retrieved_as_it_was_sent() -> None:
    session = talk(GA)
    detect(session, create_response=False)
    item = session.speak(TURN)[0]["item_id"]
    (retrieved,) = session.ask({"type": "conversation.item.retrieve", "item_id": item})
    audio = base64.b64decode(retrieved["item"]["content"][0]["audio"])
    assert audio == TURN[340 * 48 : 1824 * 48]


# Barge-in.


@both
def test_who_speaks_over_an_answer_ends_it_and_all_it_had_opened_is_closed(dialect: str) -> None:
    session = talk(dialect, [Cut(LONG, 0.3), Text("Yes?")])
    session.say()
    begun = session.respond()
    assert types(begun)[-1].endswith(".delta")
    assert session.service.holding
    said = "".join(event["delta"] for event in begun if "transcript" in event["type"])
    events = session.speak(tone(320))
    audio = "output_audio" if session.ga else "audio"
    expected = [
        "input_audio_buffer.speech_started",
        f"response.{audio}.done",
        f"response.{audio}_transcript.done",
        "response.content_part.done",
        *(["conversation.item.done"] if session.ga else []),
        "response.output_item.done",
        "response.done",
    ]
    assert types(events) == expected
    done = events[-1]["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    (item,) = done["output"]
    assert item["status"] == "incomplete"
    assert item["content"][0]["transcript"] == said == events[2]["transcript"]
    after = session.speak(quiet(320))
    assert types(after)[0] == "input_audio_buffer.speech_stopped"
    assert one(after, "response.done")["response"]["status"] == "completed"


@both
def test_who_speaks_before_the_answer_said_anything_leaves_an_empty_one(dialect: str) -> None:
    session = talk(dialect, [LONG])
    session.say()
    session.send({"type": "response.create"})
    assert next(session.reading())["type"] == "response.created"
    started, done = session.speak(tone(320))
    assert started["type"] == "input_audio_buffer.speech_started"
    assert done["response"]["output"] == []
    assert done["response"]["status_details"]["reason"] == "turn_detected"
    usage = done["response"]["usage"]
    assert (usage["total_tokens"], usage["input_tokens"], usage["output_tokens"]) == (0, 0, 0)


def test_an_answer_that_may_not_be_interrupted_goes_on() -> None:
    session = talk(GA, [LONG, Text("Never.")])
    detect(session, interrupt_response=False)
    session.say()
    session.send({"type": "response.create"})
    session.read_until("response.content_part.added")
    events = session.speak(TURN)
    assert one(events, "response.done")["response"]["status"] == "completed"
    assert types(events).count("response.created") == 0
    assert "error" not in types(events)


@both
def test_a_turn_spoken_in_one_breath_is_answered_after_the_answer_it_ended(dialect: str) -> None:
    session = talk(dialect, [Cut(LONG, 0.3), Text("Yes?")])
    session.respond()
    events = session.speak(TURN)
    names = types(events)
    assert names.count("response.done") == 2
    item = "conversation.item.added" if session.ga else "conversation.item.created"
    assert names.index("response.done") < names.index(item) < names.index("response.created")


def test_an_answer_out_of_band_is_not_interrupted() -> None:
    session = talk(GA, [LONG])
    session.send({"type": "response.create", "response": {"conversation": "none"}})
    session.read_until("response.content_part.added")
    assert one(session.speak(tone(320)), "response.done")["response"]["status"] == "completed"


# What was said.


@both
def test_a_turn_is_written_down_where_that_was_asked_for(dialect: str) -> None:
    session = talk(dialect, [Text("Hi.")], heard=["Hello there."])
    asked = {"model": "whisper-1"}
    session.update(
        nested={"audio": {"input": {"transcription": asked}}}, flat={"input_audio_transcription": asked}
    )
    events = session.speak(TURN)
    completed = one(events, "conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == "Hello there."
    assert completed["item_id"] == events[0]["item_id"]


@pytest.mark.parametrize(
    ("dialect", "model", "deltas"),
    [
        ("azure-v1", "gpt-realtime-whisper", [" Hello", " there", "."]),
        ("azure-v1", "whisper-1", ["Hello there."]),
        ("azure-voice-live", "whisper-1", ["Hello there."]),
        ("azure-2024-10-01-preview", "gpt-4o-transcribe", []),
    ],
)
def test_the_words_come_in_deltas_first_as_captured(dialect: str, model: str, deltas: list[str]) -> None:
    session = talk(dialect, [Text("Hi.")], heard=["Hello there."])
    asked = {"model": model}
    session.update(
        nested={"audio": {"input": {"transcription": asked}}}, flat={"input_audio_transcription": asked}
    )
    events = session.speak(TURN)
    said = [event for event in events if "input_audio_transcription" in event["type"]]
    assert [event["delta"] for event in said[:-1]] == deltas
    assert said[-1]["transcript"] == "Hello there."
    assert {event["item_id"] for event in said} == {events[0]["item_id"]}
    assert all(len(one["delta"] + one["obfuscation"]) == 16 for one in said[:-1] if "obfuscation" in one)
    if "usage" in said[-1]:
        assert said[-1]["usage"] == {"type": "duration", "seconds": 2}


def test_the_words_come_amid_the_answer_as_captured() -> None:
    answer = Speech("One two three.", Audio("x.wav", bytes(48 * 6000)))
    session = talk(GA, [answer], heard=["Hello there."])
    session.update(nested={"audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}}, flat={})
    heard = types(session.speak(TURN))
    name = "conversation.item.input_audio_transcription"
    assert heard.index("response.created") < heard.index(f"{name}.delta")
    sound = [place for place, type_ in enumerate(heard) if type_ == "response.output_audio.delta"]
    assert sound[0] < heard.index(f"{name}.completed") < sound[-1]


def test_a_model_that_counts_tokens_says_so() -> None:
    session = talk(GA, [Text("Hi.")], heard=["Hello there."])
    session.update(nested={"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}, flat={})
    completed = one(session.speak(TURN), "conversation.item.input_audio_transcription.completed")
    usage = completed["usage"]
    assert (usage["type"], usage["output_tokens"]) == ("tokens", 3)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


@both
def test_a_turn_that_cannot_be_written_down_says_why_and_is_answered(dialect: str) -> None:
    failure = Failure("server_error", "DeploymentNotFound", "No such deployment.")
    session = talk(dialect, [Text("Hi.")], heard=[failure])
    asked = {"model": "whisper-1"}
    session.update(
        nested={"audio": {"input": {"transcription": asked}}}, flat={"input_audio_transcription": asked}
    )
    events = session.speak(TURN)
    failed = one(events, "conversation.item.input_audio_transcription.failed")
    assert failed["error"] == {
        "type": "server_error",
        "code": "DeploymentNotFound",
        "message": "No such deployment.",
        "param": None,
    }
    assert "response.done" in types(events)


# Everywhere.


@pytest.mark.parametrize("dialect", dialect_names())
def test_in_every_dialect_a_turn_interrupts_is_committed_and_answered(dialect: str) -> None:
    # Talk checks each event against the dialect's own schema.
    session = talk(dialect, [Cut(LONG, 0.3), Text("Yes?")])
    session.respond()
    names = types(session.speak(TURN))
    order = ["speech_started", "response.done", "speech_stopped", "committed", "response.created"]
    places = [next(place for place, name in enumerate(names) if name.endswith(end)) for end in order]
    assert places[0] == 0
    assert places[2] < places[3] < places[4]
    assert names[-1] in ("response.done", "rate_limits.updated")


def test_voice_live_says_of_items_it_heard_alone_that_they_are_done() -> None:
    session = talk("azure-voice-live", [Text("Hi.")])
    names = types(session.speak(TURN))
    assert names.count("conversation.item.done") == 1
    assert names.index("conversation.item.done") == names.index("conversation.item.created") + 1
    assert "conversation.item.done" not in types(session.say())
