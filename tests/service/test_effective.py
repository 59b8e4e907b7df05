from __future__ import annotations

import copy

import pytest

from harness.dialects import Dialect, bundled_dialect
from harness.messages import Json, get_path
from harness.service.effective import effective_session, initial_session, merged_session, response_fields
from tests.talk import BOTH, GA, PREVIEW


def session_of(dialect: str) -> tuple[Dialect, Json]:
    found = bundled_dialect(dialect)
    return found, initial_session(found, "sess_1", 1000, None)


@pytest.mark.parametrize(("dialect", "seconds"), [(GA, 3600), (PREVIEW, 1800)])
def test_a_session_begins_with_the_services_defaults_and_its_end(dialect: str, seconds: int) -> None:
    found, session = session_of(dialect)
    assert session["id"] == "sess_1"
    assert session["expires_at"] == 1000 + seconds
    assert get_path(session, "audio.input.turn_detection.type") == "server_vad"
    assert initial_session(found, "sess_1", 1000, "mine")["model"] == "mine"


@pytest.mark.parametrize("dialect", BOTH)
def test_only_fields_that_are_present_change(dialect: str) -> None:
    found, session = session_of(dialect)
    before = copy.deepcopy(session)
    after = merged_session(found, session, {"audio": {"output": {"voice": "echo"}}})
    assert session == before
    assert get_path(after, "audio.output.voice") == "echo"
    after["audio"]["output"]["voice"] = before["audio"]["output"]["voice"]
    assert after == before


@pytest.mark.parametrize("dialect", BOTH)
def test_empty_instructions_fall_back_to_the_stock_prompt(dialect: str) -> None:
    found, session = session_of(dialect)
    stock = session["instructions"]
    session = merged_session(found, session, {"instructions": "Be brief."})
    assert session["instructions"] == "Be brief."
    assert stock
    assert merged_session(found, session, {"instructions": ""})["instructions"] == stock


@pytest.mark.parametrize("dialect", BOTH)
def test_a_turn_detection_given_in_part_keeps_the_rest_of_its_kind(dialect: str) -> None:
    found, session = session_of(dialect)
    stock = get_path(session, "audio.input.turn_detection")

    def detecting(held: Json, value: object) -> Json:
        return merged_session(found, held, {"audio": {"input": {"turn_detection": value}}})

    session = detecting(session, {"type": "server_vad", "silence_duration_ms": 700})
    assert get_path(session, "audio.input.turn_detection") == {**stock, "silence_duration_ms": 700}
    session = detecting(session, {"type": "server_vad", "threshold": 0.9})
    assert get_path(session, "audio.input.turn_detection.silence_duration_ms") == 700
    session = detecting(session, {"type": "semantic_vad"})
    assert get_path(session, "audio.input.turn_detection") == {"type": "semantic_vad"}
    assert get_path(detecting(session, {"type": "none"}), "audio.input.turn_detection") is None
    session = detecting(session, None)
    assert get_path(session, "audio.input.turn_detection") is None
    session = detecting(session, {"type": "server_vad"})
    assert get_path(session, "audio.input.turn_detection") == stock


def test_ga_fills_up_a_transcription_given_by_its_model_alone() -> None:
    found, session = session_of(GA)
    session = merged_session(found, session, {"audio": {"input": {"transcription": {"model": "whisper-1"}}}})
    expected = {"model": "whisper-1", "language": None, "prompt": None}
    assert get_path(session, "audio.input.transcription") == expected
    session = merged_session(found, session, {"audio": {"input": {"transcription": None}}})
    assert get_path(session, "audio.input.transcription") is None


def test_a_format_without_its_rate_gets_the_only_one_there_is() -> None:
    found, session = session_of(GA)
    session = merged_session(found, session, {"audio": {"input": {"format": {"type": "audio/pcm"}}}})
    assert get_path(session, "audio.input.format") == {"type": "audio/pcm", "rate": 24000}


@pytest.mark.parametrize("dialect", BOTH)
def test_what_identifies_a_session_cannot_be_changed(dialect: str) -> None:
    found, session = session_of(dialect)
    update = {"id": "x", "object": "x", "model": "x", "expires_at": 1, "client_secret": {"value": "x"}}
    assert merged_session(found, session, update) == session


def test_a_null_where_none_is_possible_changes_nothing() -> None:
    found, session = session_of(GA)
    update = {"instructions": None, "audio": {"output": {"voice": None}}}
    assert merged_session(found, session, update) == session


def test_a_response_overrides_the_session_for_itself_alone() -> None:
    _, session = session_of(GA)
    overrides = {
        "instructions": "Shout.",
        "output_modalities": ["text"],
        "audio": {"output": {"voice": "echo"}},
        "metadata": {"a": "b"},
        "input": [],
        "conversation": "none",
        "max_output_tokens": None,
    }
    before = copy.deepcopy(session)
    effective = effective_session(session, overrides)
    assert session == before
    assert effective["instructions"] == "Shout."
    assert effective["output_modalities"] == ["text"]
    assert get_path(effective, "audio.output.voice") == "echo"
    assert effective["max_output_tokens"] == before["max_output_tokens"]
    assert not {"metadata", "input", "conversation"} & effective.keys()


@pytest.mark.parametrize("audio", [None, 5, {"output": None}, {"output": 5}, {"output": []}])
def test_overrides_nobody_can_apply_are_left_aside(audio: object) -> None:
    _, session = session_of(GA)
    assert get_path(effective_session(session, {"audio": audio}), "output_modalities") == ["audio"]


def test_a_ga_response_repeats_modalities_tokens_format_and_voice() -> None:
    _, session = session_of(GA)
    assert response_fields(session) == {
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}},
    }


def test_a_preview_response_also_repeats_the_temperature() -> None:
    _, session = session_of(PREVIEW)
    assert response_fields(session)["temperature"] == 0.8


def test_a_turn_detection_without_its_type_changes_the_one_in_force() -> None:
    dialect = bundled_dialect("azure-2024-10-01-preview")
    session = initial_session(dialect, "sess_1", 0, None)
    update = {"audio": {"input": {"turn_detection": {"threshold": 0.9}}}}
    detection = merged_session(dialect, session, update)["audio"]["input"]["turn_detection"]
    assert detection["type"] == "server_vad"
    assert detection["threshold"] == 0.9


def test_voice_live_has_times_of_its_own_for_a_turn_detection_given_by_its_type() -> None:
    found, session = session_of("azure-voice-live")
    given: Json = {"type": "server_vad", "create_response": True}
    after = merged_session(found, session, {"audio": {"input": {"turn_detection": given}}})
    detection = get_path(after, "audio.input.turn_detection")
    assert (detection["prefix_padding_ms"], detection["silence_duration_ms"]) == (400, 500)
    given["silence_duration_ms"] = 300
    after = merged_session(found, session, {"audio": {"input": {"turn_detection": given}}})
    assert get_path(after, "audio.input.turn_detection.silence_duration_ms") == 300
    given = {"type": "azure_semantic_vad"}
    after = merged_session(found, session, {"audio": {"input": {"turn_detection": given}}})
    assert get_path(after, "audio.input.turn_detection") == given
