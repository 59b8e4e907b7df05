"""Turns of speech, replayed on the clock of whoever speaks."""

from __future__ import annotations

import itertools
import random
import struct
import tracemalloc
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audio import encoded
from harness.playback.hearing import Hearing
from harness.recording import Loudness, Onset, Turn
from harness.recording.hearing import Hearing as RecordedHearing
from harness.recording.model import Line
from harness.service.speech import EnergyDetector, Mark

MS = 48


def tone(ms: int) -> bytes:
    return struct.pack("<2h", 9000, -9000) * (ms * MS // 4)


def silence(ms: int) -> bytes:
    return bytes(ms * MS)


def noise(size: int, pcm: bytes) -> bytes:
    """The sound over noise of up to that amplitude, half of it in the mean."""
    noise = array("h", random.Random(5).randbytes(len(pcm)))
    pairs = zip(array("h", pcm), noise, strict=True)
    return array("h", (value + (more * size >> 15) for value, more in pairs)).tobytes()


def with_other(turns: tuple[Turn, ...], format_: str = "audio/pcm") -> Hearing:
    """As in a session: the model's own detector beside it."""
    hearing = Hearing(turns)
    detection = {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 200}
    hearing.listen(format_, 0.0, EnergyDetector(detection, format_, 0.0), 300)
    return hearing


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


SOUNDS = {
    "as recorded": RECORDED,
    "shortened": silence(210) + tone(1730) + silence(1500) + tone(870) + silence(1000),
    "slower": silence(210) + tone(2330) + silence(1500) + tone(1300) + silence(1000),
    "hasty": silence(1000) + tone(2000) + silence(250) + tone(1000) + silence(1000),
    "over noise": noise(500, RECORDED),
    "with more to say": RECORDED + tone(700) + silence(500),
    "without a pause at the end": RECORDED[: len(silence(5710))] + tone(990) + silence(500),
}


@pytest.mark.parametrize("format_", ["audio/pcm", "audio/pcmu"])
@pytest.mark.parametrize("name", SOUNDS)
@given(cuts=st.lists(st.integers(0, len(RECORDED)), max_size=12), step=st.sampled_from([33, 4801, 10**7]))
@settings(max_examples=6, deadline=None)
def test_marks_do_not_depend_on_how_the_client_cuts_its_audio(
    name: str, format_: str, cuts: list[int], step: int
) -> None:
    audio = encoded(SOUNDS[name], format_)
    places = sorted({0, len(audio), *(cut % len(audio) for cut in cuts), *range(0, len(audio), step)})
    recorded = turns(marks=tuple((on, ms if on else ms - 12) for on, ms in MARKS))  # amid frames
    hearing = with_other(recorded, format_)
    marks = [mark for a, b in itertools.pairwise(places) for mark in hearing.feed(audio[a:b])]
    assert marks == with_other(recorded, format_).feed(audio)
    assert len(marks) >= 4


def test_the_users_next_turn_may_come_right_after_the_end_of_the_last() -> None:
    # 200 ms of silence end the first turn; 60 ms later the user barges in.
    sound = silence(1000) + tone(2000) + silence(260) + tone(1000) + silence(1000)
    assert hear(Hearing(turns()), sound, 960) == [(True, 700), (False, 3200), (True, 3200), (False, 4460)]


@pytest.mark.parametrize("size", [420, 900])
def test_the_users_next_turn_is_heard_over_noise(size: int) -> None:
    marks = hear(with_other(turns()), noise(size, RECORDED), 960)
    assert [on for on, _ in marks] == [True, False, True, False]
    assert abs(marks[2][1] - 4200) < 40


def test_a_start_that_had_no_room_for_its_padding_gets_it_where_there_is() -> None:
    recorded = turns(RECORDED[len(silence(900)) :], tuple((on, max(ms - 900, 0)) for on, ms in MARKS))
    assert recorded[0].start_ms == 0
    assert hear(with_other(recorded), RECORDED[len(silence(900)) :])[0] == (True, 0)
    assert hear(with_other(recorded), silence(2100) + RECORDED)[0] == (True, 2800)


def test_the_client_may_be_silent_first_as_long_as_it_likes() -> None:
    assert hear(Hearing(turns()), silence(2340) + RECORDED) == [(on, ms + 2340) for on, ms in MARKS]
    early = hear(Hearing(turns()), RECORDED[len(silence(900)) :])
    assert [on for on, _ in early] == [on for on, _ in MARKS]
    assert early[0] == (True, 0), "a turn begins with the audio at the earliest"
    assert early[1] == (False, 2300)


def test_sound_after_quiet_begins_where_two_frames_are_loud_and_no_sooner() -> None:
    onset = Onset(after_quiet=True)
    loud = [
        True,
        False,
        False,
        False,
        False,
        True,
        False,
        False,
        False,
        False,
        False,
        True,
        False,
        True,
        True,
    ]
    found = [onset.take(heard, number * 20.0) for number, heard in enumerate(loud)]
    assert found == [None] * 14 + [13 * 20.0]


def test_a_longer_silence_between_two_turns_moves_the_second() -> None:
    sound = RECORDED[: len(silence(3000))] + silence(2500) + RECORDED[len(silence(3000)) :]
    moved = [(on, ms + 2500 * (number > 1)) for number, (on, ms) in enumerate(MARKS)]
    assert hear(Hearing(turns()), sound) == moved


def test_turns_that_are_silent_in_the_recording_keep_their_times() -> None:
    marks = ((True, 1000), (False, 2000), (True, 4000), (False, 5000), (True, 7000), (False, 8000))
    nothing = silence(9000)
    assert hear(Hearing(turns(nothing, marks)), nothing) == list(marks)


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


def test_a_cut_turn_after_a_whole_one_is_known_by_its_bytes() -> None:
    stream = silence(1000) + tone(2000) + silence(1500) + bytes(range(33))
    whole = Turn(700.0, 3200.0, 1000.0, 200.0, False)
    cut = Turn(5000.0, 6000.0, None, 0.0, False, stream, 1000)
    hearing = Hearing((whole, cut))
    marks = [mark for at in range(0, len(stream), 9000) for mark in hearing.feed(stream[at : at + 9000])]
    assert [mark.started for mark in marks] == [True, False, True, False]
    assert hearing.left == 0
