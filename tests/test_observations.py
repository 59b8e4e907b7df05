from __future__ import annotations

import base64
from typing import Any

import pytest

from harness.observations import (
    MAX_AUDIO,
    MAX_LOG_LINES,
    MAX_NOTICES,
    MAX_TEXT,
    Capabilities,
    LogLine,
    Observed,
    SwallowedException,
    ToolCall,
)

HELLO: dict[str, Any] = {
    "type": "hello",
    "implementation": {"name": "reference", "version": "1"},
    "intents": ["say", "speak"],
    "observes": ["text", "audio"],
    "cannot": [
        {"field": "session.audio.output.voice", "reason": "it has one voice"},
        {"field": "session.audio.input.format: pcmu", "reason": "no telephony"},
        {"field": "truncation", "reason": "not offered"},
    ],
}


def audio(pcm: bytes, rate: int = 24_000) -> dict[str, Any]:
    return {"kind": "audio", "audio": base64.b64encode(pcm).decode("ascii"), "rate": rate}


def test_what_a_framework_cannot_say_is_left_out_of_what_is_wanted_of_it() -> None:
    hello = {
        "implementation": {"name": "x", "version": "1"},
        "intents": [],
        "observes": [],
        "cannot": [{"field": "session.audio.input.turn_detection.idle_timeout_ms", "reason": "no field"}],
    }
    capabilities = Capabilities.from_hello(hello)
    wanted = {"type": "server_vad", "idle_timeout_ms": 5000}
    assert capabilities.expressible("audio.input.turn_detection", wanted) == {"type": "server_vad"}
    assert capabilities.expressible("audio.output.voice", "alloy") == "alloy"


def test_each_interruption_notes_how_much_had_been_heard() -> None:
    observed = Observed()
    observed.note({"kind": "interruption"})
    observed.note({"kind": "audio", "rate": 1000, "audio": "AAAAAAAA"})
    observed.note({"kind": "interruption"})
    assert observed.heard_before == [0.0, 0.003]


def test_capabilities_are_read_from_the_hello() -> None:
    found = Capabilities.from_hello(HELLO)

    assert (found.name, found.version, found.parts) == ("reference", "1", "wire")
    assert found.intents == {"say", "speak"}
    assert found.observes == {"text", "audio"}


def test_what_is_not_declared_is_no_limit() -> None:
    found = Capabilities.from_hello({key: value for key, value in HELLO.items() if key != "cannot"})

    assert found.reason_it_cannot("audio.output.voice", "echo") is None


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("audio.output.voice", "echo", "it has one voice"),
        ("audio.output.voice.name", "echo", "it has one voice"),
        ("audio.output.voices", "echo", None),
        ("audio.output", {"voice": "echo"}, None),
        ("audio.input.format", {"type": "audio/pcmu"}, "no telephony"),
        ("audio.input.format.type", "audio/pcmu", "no telephony"),
        ("audio.input.format", {"type": "audio/pcm", "rate": 24000}, None),
        ("truncation", "auto", "not offered"),
        ("instructions", "x", None),
    ],
)
def test_a_limit_holds_for_its_field_and_below_it_and_for_its_value_alone(
    path: str, value: object, reason: str | None
) -> None:
    assert Capabilities.from_hello(HELLO).reason_it_cannot(path, value) == reason


def test_nothing_is_seen_before_the_driver_said_hello() -> None:
    observed = Observed()

    assert not observed.sees("text")
    observed.capabilities = Capabilities.from_hello(HELLO)
    assert observed.sees("text")
    assert not observed.sees("transcript")


def test_text_and_transcripts_are_put_together_apart_from_each_other() -> None:
    observed = Observed()
    for kind, text in [("text", "a"), ("transcript", "b"), ("text", "c"), ("user_transcript", "d")]:
        observed.note({"kind": kind, "text": text})

    assert (observed.text, observed.transcript, observed.user_transcript) == ("ac", "b", "d")


def test_audio_is_put_together_by_its_rate() -> None:
    observed = Observed()
    for notice in (audio(b"ab"), audio(b"cd"), audio(b"\0" * 16_000, rate=8_000)):
        observed.note(notice)

    assert observed.audio[24_000] == b"abcd"
    assert observed.audio_seconds == pytest.approx(1 + 2 / 24_000)


def test_audio_that_is_no_base64_adds_nothing() -> None:
    observed = Observed()
    observed.note({"kind": "audio", "audio": "?", "rate": 24_000})

    assert observed.audio_seconds == 0


def test_every_other_notice_is_kept_in_its_place() -> None:
    observed = Observed()
    for notice in [
        {"kind": "tool_call", "name": "f", "arguments": {"a": 1}},
        {"kind": "error", "message": "bad"},
        {"kind": "exception", "message": "KeyError: 'x'", "where": "loop", "handled": True},
        {"kind": "exception", "message": "again", "handled": True},
        {"kind": "item", "item": {"id": "1"}},
        {"kind": "history", "items": [{"id": "2"}, {"id": "3"}]},
        {"kind": "history"},
        {"kind": "interruption"},
        {"kind": "event", "event_type": "response.done", "parsed_as": "ResponseDone"},
    ]:
        observed.note(notice)

    assert observed.tool_calls == [ToolCall("f", {"a": 1})]
    assert observed.errors == ["bad"]
    assert observed.exceptions == [
        SwallowedException("KeyError: 'x'", "loop"),
        SwallowedException("again", "?"),
    ]
    assert [item["id"] for item in observed.items] == ["1", "2", "3"]
    assert observed.interruptions == 1
    assert observed.events == {"response.done": "ResponseDone"}
    assert observed.notices == 9


def test_a_notice_of_an_unknown_kind_is_counted_and_nothing_else() -> None:
    observed = Observed()
    observed.note({"kind": "something new"})

    assert observed.notices == 1
    assert observed.to_json() == Observed().to_json()


def test_a_flood_of_notices_is_cut_off() -> None:
    observed = Observed()
    for _ in range(MAX_NOTICES + 5):
        observed.note({"kind": "error", "message": "x"})

    assert len(observed.errors) == MAX_NOTICES
    assert observed.notices == MAX_NOTICES + 5


def test_text_without_end_is_cut_off() -> None:
    observed = Observed()
    for _ in range(5):
        observed.note({"kind": "text", "text": "x" * MAX_TEXT})

    assert len(observed.text) == MAX_TEXT


def test_audio_without_end_is_cut_off() -> None:
    observed = Observed()
    observed.audio[24_000] = bytearray(MAX_AUDIO)
    observed.note(audio(b"more"))

    assert len(observed.audio[24_000]) == MAX_AUDIO


def test_of_the_log_the_last_lines_are_kept() -> None:
    observed = Observed()
    for number in range(MAX_LOG_LINES + 3):
        observed.log.append(LogLine("info", "x", str(number)))

    assert len(observed.log) == MAX_LOG_LINES
    assert observed.log[0].message == "3"


def test_a_report_shows_what_was_observed() -> None:
    observed = Observed()
    observed.note(audio(b"\0" * 24_000))
    observed.note({"kind": "text", "text": "hi"})
    observed.note({"kind": "tool_call", "name": "f", "arguments": "{}"})

    assert observed.to_json() == {
        "text": "hi",
        "transcript": "",
        "user_transcript": "",
        "audio_bytes": 24_000,
        "audio_seconds": 0.5,
        "tool_calls": [{"name": "f", "arguments": "{}"}],
        "errors": [],
        "exceptions": [],
        "interruptions": 0,
    }
