"""Whether the service does what its session says, judged by its log alone."""

from __future__ import annotations

import base64

import pytest

from tests.lint.made import GENERATIONS, cassette, codes, judged, place
from tests.service.sound import speech_and_silence


@pytest.mark.parametrize("dialect", GENERATIONS)
def test_an_answer_in_another_modality_than_its_response_says_is_a_deviation(dialect: str) -> None:
    said = cassette(dialect, "text-modality")
    assert "order.modality-kept" not in codes(judged(said, dialect))
    said[place(said, "response.content_part.added")][1]["part"]["type"] = "audio"
    assert "order.modality-kept" in codes(judged(said, dialect))


@pytest.mark.parametrize("dialect", GENERATIONS)
def test_loud_sound_of_which_no_speech_is_told_is_noted(dialect: str) -> None:
    said = cassette(dialect, "text-turn")
    updated = place(said, "session.updated")
    sound = base64.b64encode(speech_and_silence(silent=1.2)).decode()
    said.insert(updated + 1, ("client", {"type": "input_audio_buffer.append", "audio": sound}))
    assert "order.speech-heard" in codes(judged(said, dialect))
    started = {
        "type": "input_audio_buffer.speech_started",
        "event_id": "e",
        "audio_start_ms": 0,
        "item_id": "i",
    }
    said.insert(updated + 2, ("server", started))
    assert "order.speech-heard" not in codes(judged(said, dialect))
