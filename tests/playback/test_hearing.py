"""Turns of speech, replayed on the clock of whoever speaks."""

from __future__ import annotations

import random
import struct
import tracemalloc

import pytest

from harness.playback.hearing import Hearing
from harness.recording import Loudness, Turn
from harness.recording.hearing import Hearing as RecordedHearing
from harness.recording.model import Line
from harness.service.speech import EnergyDetector, Mark

MS = 48


def tone(ms: int) -> bytes:
    return struct.pack("<2h", 9000, -9000) * (ms * MS // 4)


def silence(ms: int) -> bytes:
    return bytes(ms * MS)


RECORDED = silence(1000) + tone(2000) + silence(1500) + tone(1000) + silence(1000)
"""Two turns; the service hears them 300 ms early and 200 ms late."""

MARKS = ((True, 700), (False, 3200), (True, 4200), (False, 5700))


def turns(sound: bytes = RECORDED, marks: tuple[tuple[bool, int], ...] = MARKS) -> tuple[Turn, ...]:
    hearing = RecordedHearing()
    for at in range(0, len(sound), 4800):
        hearing.append(sound[at : at + 4800], {})
    for started, ms in marks:
        name, field = ("started", "audio_start_ms") if started else ("stopped", "audio_end_ms")
        event = {"type": f"input_audio_buffer.speech_{name}", field: ms, "item_id": "item_1"}
        hearing.server(Line(0.0, event, event))
    return hearing.turns()


def hear(hearing: Hearing, sound: bytes, size: int = 4800) -> list[tuple[bool, int]]:
    marks: list[Mark] = []
    for at in range(0, len(sound), size):
        marks += hearing.feed(sound[at : at + size])
        assert all(mark.ms <= (at + size) / MS for mark in marks), "beyond what was served"
    return [(mark.started, mark.ms) for mark in marks]


@pytest.mark.parametrize("size", [33, 960, 4800, 4801, 1_000_000])
def test_the_recorded_audio_gives_the_recorded_marks_however_it_is_cut(size: int) -> None:
    assert hear(Hearing(turns()), RECORDED, size) == list(MARKS)


def test_the_client_may_be_silent_first_as_long_as_it_likes() -> None:
    assert hear(Hearing(turns()), silence(2340) + RECORDED) == [(on, ms + 2340) for on, ms in MARKS]
    early = hear(Hearing(turns()), RECORDED[len(silence(900)) :])
    assert [on for on, _ in early] == [on for on, _ in MARKS]
    assert early[0] == (True, 0), "a turn begins with the audio at the earliest"
    assert early[1] == (False, 2300)


def test_a_client_that_cuts_a_tenth_is_heard_out() -> None:
    sound = silence(1000) + tone(1800) + silence(1500) + tone(900) + silence(1000)
    marks = hear(Hearing(turns()), sound)
    assert [on for on, _ in marks] == [True, False, True, False]
    assert marks[1][1] <= 3200


def test_a_client_that_speaks_slower_makes_no_further_turns() -> None:
    sound = silence(1000) + tone(2200) + silence(1500) + tone(1100) + silence(1000)
    marks = hear(Hearing(turns()), sound)
    assert [on for on, _ in marks] == [True, False, True, False]
    assert marks[1][1] >= 3200


def test_who_says_half_of_it_is_still_listened_to() -> None:
    assert hear(Hearing(turns()), silence(1000) + tone(1000) + silence(300)) == [(True, 700)]


def test_a_click_is_no_speech() -> None:
    click = silence(200) + tone(10) + silence(610)
    assert hear(Hearing(turns()), click + RECORDED)[0] == (True, 700 + 820)


def test_g711_is_heard_as_pcm_is() -> None:
    loud, quiet = bytes([0x00]) * 160, bytes([0xFF]) * 160
    assert Loudness("audio/pcmu").feed(quiet + loud) == [False, True]
    assert Loudness("audio/pcma").feed(bytes([0xD5]) * 160 + bytes([0x2A]) * 160) == [False, True]
    hearing = Hearing(turns())
    hearing.listen("audio/pcmu", 0.0, None)
    assert hearing.feed(quiet * 50 + loud * 100 + quiet * 75)[:2] == [Mark(True, 700), Mark(False, 3200)]


def test_after_the_last_turn_the_models_own_detector_is_heard() -> None:
    other = EnergyDetector({"type": "server_vad"}, "audio/pcm", 0.0)
    hearing = Hearing(turns())
    hearing.listen("audio/pcm", 0.0, other)
    assert hear(hearing, RECORDED) == list(MARKS)
    assert hearing.replaying
    further = hearing.feed(tone(960) + silence(960))
    assert [mark.started for mark in further] == [True, False]
    assert not hearing.replaying


def test_a_turn_that_the_client_commits_is_over() -> None:
    hearing = Hearing(turns())
    assert hear(hearing, silence(1000) + tone(1000)) == [(True, 700)]
    hearing.clear()
    assert hearing.left == 1
    marks = hearing.feed(silence(1500) + tone(1000) + silence(1000))
    assert [mark.started for mark in marks] == [True, False]


# Recordings whose publisher cut the audio.

CUT = b"".join(bytes([random.Random(n).randrange(4)]) * 33 for n in range(55))


def cut_turn() -> tuple[Turn, ...]:
    hearing = RecordedHearing()
    for at in range(0, len(CUT), 33):
        hearing.append(CUT[at : at + 33], {})
    for name, field, ms in (("started", "audio_start_ms", 1556), ("stopped", "audio_end_ms", 4224)):
        event = {"type": f"input_audio_buffer.speech_{name}", field: ms, "item_id": "item_1"}
        hearing.server(Line(0.0, event, event))
    return hearing.turns()


@pytest.mark.parametrize("size", [33, 100, 1815, 4800])
def test_of_a_cut_recording_the_same_bytes_are_the_turn(size: int) -> None:
    (turn,) = cut_turn()
    assert turn.sound == CUT
    assert turn.appends == 55
    marks = hear(Hearing((turn,)), CUT + silence(100) if size == 4800 else CUT, size)
    assert [on for on, _ in marks] == [True, False]


def test_of_a_cut_recording_as_many_appends_are_the_turn() -> None:
    other = bytes(33)
    hearing = Hearing(cut_turn())
    assert [hearing.feed(other) for _ in range(54)] == [[]] * 54
    assert [mark.started for mark in hearing.feed(other)] == [True, False]


def test_of_a_cut_recording_real_speech_is_heard_by_the_models_detector() -> None:
    hearing = Hearing(cut_turn())
    hearing.listen("audio/pcm", 0.0, EnergyDetector({"type": "server_vad"}, "audio/pcm", 0.0))
    marks = hear(hearing, silence(960) + tone(1920) + silence(960), 960)
    assert [on for on, _ in marks] == [True, False]
    assert hearing.replaying
    assert marks[1][1] > 2880


def test_of_a_client_that_speaks_for_long_no_more_is_kept_than_a_turn_can_have() -> None:
    hearing = Hearing((Turn(0.0, 10_000.0, None, 0.0, False, bytes(range(250)), 1000),))
    tracemalloc.start()
    try:
        for _ in range(900):
            hearing.feed(tone(20))
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
