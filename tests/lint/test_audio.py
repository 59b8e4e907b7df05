"""What the bytes of an append give away, in base64 as it crosses the wire."""

from __future__ import annotations

import base64
import random
import struct

import pytest

from harness.findings import Severity
from harness.lint.audio import decoded_size
from tests.lint.made import FLAT, GA, GENERATIONS, codes, failing, judged

VOICE_LIVE = "azure-voice-live"


def wav(rate: int, samples: bytes = b"\0" * 4800) -> bytes:
    body = struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", len(samples))
    return struct.pack("<4sI4s", b"RIFF", 36 + len(samples), b"WAVE") + body + samples


def append(audio: bytes | str, dialect: str = GA, **session: object):
    text = audio if isinstance(audio, str) else base64.b64encode(audio).decode()
    told = [("server", {"type": "session.updated", "event_id": "e", "session": session})] if session else []
    return judged([*told, ("client", {"type": "input_audio_buffer.append", "audio": text})], dialect)


@pytest.mark.parametrize("dialect", GENERATIONS)
@pytest.mark.parametrize(
    ("head", "name"),
    [
        (wav(24000), "a WAV file"),
        (b"OggS\0\2" + b"\0" * 60, "an Ogg file"),
        (b"fLaC\0\0\0\x22" + b"\0" * 60, "a FLAC file"),
        (b"ID3\x04\0\0" + b"\0" * 60, "an MP3 file"),
        (b"\x1aE\xdf\xa3" + b"\0" * 60, "a WebM file"),
        (b"\0\0\0\x20ftypM4A " + b"\0" * 60, "an MP4 file"),
    ],
)
def test_a_file_in_place_of_samples_fails_by_its_first_bytes(dialect: str, head: bytes, name: str) -> None:
    report = append(head, dialect)
    assert failing(report) == {"audio.container"}
    assert name in report.found[0].finding.message


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_header_of_a_file_tells_its_rate(rate: int) -> None:
    report = append(wav(rate))
    assert failing(report) == {"audio.container", "audio.rate"}
    assert {one.finding.actual for one in report.found if one.finding.code == "audio.rate"} == {rate}


def test_a_rate_that_the_session_asked_for_is_right() -> None:
    assert failing(append(wav(16000), VOICE_LIVE)) == {"audio.container"}  # nothing tells the session's rate
    sampled = {"input_audio_format": "pcm16", "input_audio_sampling_rate": 16000}
    assert "audio.rate" not in codes(append(wav(16000), VOICE_LIVE, **sampled))
    assert "audio.rate" in codes(append(wav(24000), VOICE_LIVE, **sampled))


def test_a_rate_says_nothing_of_a_session_that_hears_no_pcm() -> None:
    assert "audio.rate" not in codes(append(wav(8000), FLAT, input_audio_format="g711_ulaw"))


def test_an_append_above_the_limit_fails() -> None:
    sound = "A" * (16 * 1024 * 1024 // 3 * 4)
    assert failing(append(sound)) == {"audio.too-large"}


@pytest.mark.parametrize(
    "text",
    ["not base64!", "AAA", "AAAA\nAAAA", "-_-_", "AAAA" * 50 + "====" + "AAAA" * 50, "AAAA====", "é==="],
)
def test_what_is_no_base64_is_a_deviation(text: str) -> None:
    report = append(text)
    assert codes(report) == {"audio.not-base64"}
    assert report.found[0].finding.severity is Severity.DEVIATION


@pytest.mark.parametrize("size", [0, 1, 2, 33, 320, 4800])
def test_raw_samples_are_left_in_peace(size: int) -> None:
    sound = random.Random(size).randbytes(size)
    assert not append(sound).found
    assert decoded_size(base64.b64encode(sound).decode()) == size


@pytest.mark.parametrize("audio", [None, 7, ["AAAA"], {}])
def test_audio_that_is_no_text_is_judged_by_the_tables_alone(audio: object) -> None:
    report = judged([("client", {"type": "input_audio_buffer.append", "audio": audio})], GA)
    assert not any(code.startswith("audio.") for code in codes(report))
