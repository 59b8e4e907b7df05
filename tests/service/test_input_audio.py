from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.service.input_audio import KEPT_BYTES, InputAudio

PCM = {"audio": {"input": {"format": {"type": "audio/pcm"}}}}
TELEPHONE = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_the_clock_does_not_depend_on_the_pieces(pieces: list[bytes]) -> None:
    buffer, whole = InputAudio(TELEPHONE), InputAudio(TELEPHONE)
    for piece in pieces:
        buffer.append(piece)
    whole.append(b"".join(pieces))
    assert buffer.clock_ms == whole.clock_ms
    assert buffer.take() == b"".join(pieces)


def test_what_was_taken_is_gone_and_the_clock_goes_on() -> None:
    buffer = InputAudio(PCM)
    buffer.append(bytes(48 * 100))
    assert buffer.take(20, 60) == bytes(48 * 40)
    assert (buffer.clock_ms, buffer.held_ms) == (100, 40)
    assert buffer.take() == bytes(48 * 40)
    assert (buffer.clock_ms, buffer.held_ms) == (100, 0)


@pytest.mark.parametrize(("start", "end"), [(500, 900), (-5, 0), (60, 20)])
def test_times_that_are_not_in_the_buffer_take_nothing(start: float, end: float) -> None:
    buffer = InputAudio(PCM)
    buffer.append(bytes(48 * 100))
    assert buffer.take(start, end) == b""
    assert buffer.held_ms >= 0


def test_of_a_buffer_that_grows_for_ever_only_the_newest_is_kept() -> None:
    buffer = InputAudio(PCM)
    for _ in range(20):
        buffer.append(bytes(1024 * 1024))
    assert buffer.held_ms == 20 * 1024 * 1024 / 48
    assert len(buffer.take()) == KEPT_BYTES


def test_a_change_of_format_keeps_the_time_and_loses_the_audio() -> None:
    buffer = InputAudio(PCM)
    buffer.append(bytes(48 * 100))
    assert buffer.heard_in(TELEPHONE)
    assert not buffer.heard_in(TELEPHONE)
    buffer.append(bytes(8 * 100))
    assert buffer.held_ms == 200
    assert buffer.take() == bytes(8 * 100)
