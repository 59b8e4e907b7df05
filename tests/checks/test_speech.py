"""What arrives of the user's speech: recorded words as clients send them, and as faulty ones do."""

from __future__ import annotations

import bisect
import math
import random
import wave
from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.audio import levels
from harness.bundled import scenarios_folder
from harness.scenario.model import RATE
from tests.checks.test_records import b64, client, outcome, record, server

Change = Callable[[bytes], bytes]


def recorded(name: str) -> bytes:
    with wave.open(str(scenarios_folder() / "audio" / f"{name}.wav")) as file:
        assert file.getframerate() == RATE
        return file.readframes(file.getnframes())


WORDS = {name: recorded(name) for name in ("question", "weather", "greeting", "tomorrow")}


def heard(arrived: bytes, said: bytes, kind: str = "audio/pcm") -> str:
    """What `input.audio` makes of a session in which that was said and this arrived."""
    session = {"audio": {"input": {"format": {"type": kind}}}}
    made = record(
        "audio-turn",
        client("session.update", session=session),
        server("session.updated", session=session),
        *(
            client("input_audio_buffer.append", audio=b64(arrived[at : at + 4800]))
            for at in range(0, len(arrived), 4800)
        ),
    )
    intents = tuple(
        replace(intent, fields=tuple({**dict(intent.fields), "audio": b64(said)}.items()))
        for intent in made.plan.intents
    )
    return outcome(replace(made, plan=replace(made.plan, intents=intents)), "input.audio")[0]


# What correct clients do.


def resampled(pcm: bytes, old: int, new: int) -> bytes:
    """Linear on the way up, the mean of each stretch on the way down: as plain as resamplers come."""
    samples, step = array("h", pcm), old / new
    found = array("h")
    for number in range(int(len(samples) / step)):
        at = int(number * step)
        stretch = samples[at : max(at + 1, int((number + 1) * step))]
        if step < 1 and at + 1 < len(samples):
            part = number * step - at
            found.append(int(samples[at] * (1 - part) + samples[at + 1] * part))
        else:
            found.append(sum(stretch) // len(stretch))
    return found.tobytes()


def by_way_of(rate: int) -> Change:
    return lambda pcm: resampled(resampled(pcm, RATE, rate), rate, RATE)


def louder(times: float) -> Change:
    return lambda pcm: array(
        "h", (max(-32768, min(32767, int(v * times))) for v in array("h", pcm))
    ).tobytes()


def noisy(size: int) -> Change:
    chance = random.Random(1)

    def change(pcm: bytes) -> bytes:
        noise = array("h", chance.randbytes(len(pcm)))
        pairs = zip(array("h", pcm), noise, strict=True)
        return array("h", (max(-32768, min(32767, v + (n * size >> 15))) for v, n in pairs)).tobytes()

    return change


def without_silence(pcm: bytes) -> bytes:
    """What a client sends that keeps silence to itself."""
    frames = (pcm[at : at + 960] for at in range(0, len(pcm), 960))
    return b"".join(frame for frame in frames if max(map(abs, array("h", frame))) > 400)


def g711(pcm: bytes, kind: str) -> bytes:
    """Encoded by the search for the nearest code, at 8 kHz."""
    codes = sorted((value, code) for code, value in enumerate(levels(kind)))
    found = bytearray()
    for sample in array("h", resampled(pcm, RATE, 8000)):
        place = min(max(bisect.bisect(codes, (sample, 0)), 1), len(codes) - 1)
        found.append(min(codes[place - 1 : place + 1], key=lambda one: abs(one[0] - sample))[1])
    return bytes(found)


CORRECT: dict[str, Change] = {
    "as it was": lambda pcm: pcm,
    "by way of 16 kHz": by_way_of(16_000),
    "by way of 8 kHz": by_way_of(8_000),
    "by way of 48 kHz": by_way_of(48_000),
    "silence trimmed": without_silence,
    "silence streamed all the time": lambda pcm: bytes(RATE * 10) + pcm + bytes(RATE * 20),
    "off by a quarter of a frame": lambda pcm: bytes(482) + pcm,
    "with comfort noise around": lambda pcm: noisy(200)(bytes(RATE) + pcm + bytes(RATE)),
    "over steady noise": lambda pcm: noisy(800)(bytes(RATE) + pcm + bytes(RATE)),
    "over louder noise, no longer": noisy(1200),
    "turned up by an automatic gain": louder(1.8),
    "turned down a little": louder(0.6),
}

FAULTY: dict[str, Change] = {
    "nothing": lambda pcm: b"",
    "silence": lambda pcm: bytes(len(pcm)),
    "half": lambda pcm: pcm[: len(pcm) // 4 * 2],
    "twice": lambda pcm: pcm * 2,
    "each third chunk lost": lambda pcm: b"".join(
        pcm[at : at + 1920] for n, at in enumerate(range(0, len(pcm), 1920)) if n % 3
    ),
    "16 kHz sent as 24": lambda pcm: resampled(pcm, RATE, 16_000),
    "48 kHz sent as 24": lambda pcm: resampled(pcm, RATE, 48_000),
    "far too loud": louder(4),
    "far too soft": louder(0.25),
    "bytes off by one": lambda pcm: pcm[1:] + b"\0",
    "bytes swapped": lambda pcm: b"".join(pcm[at : at + 2][::-1] for at in range(0, len(pcm), 2)),
    "noise": lambda pcm: noisy(4000)(bytes(len(pcm))),
}


@pytest.mark.parametrize("how", CORRECT)
@pytest.mark.parametrize("words", WORDS)
def test_speech_as_a_correct_client_sends_it_passes(words: str, how: str) -> None:
    assert heard(CORRECT[how](WORDS[words]), WORDS[words]) == "pass"


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
@pytest.mark.parametrize("words", WORDS)
def test_speech_in_g711_passes(words: str, kind: str) -> None:
    assert heard(g711(WORDS[words], kind), WORDS[words], kind) == "pass"


@pytest.mark.parametrize("how", FAULTY)
@pytest.mark.parametrize("words", WORDS)
def test_speech_that_arrives_otherwise_is_found(words: str, how: str) -> None:
    assert heard(FAULTY[how](WORDS[words]), WORDS[words]) == "finding"


@pytest.mark.parametrize("how", ["silence", "half", "twice", "each third chunk lost", "48 kHz sent as 24"])
@pytest.mark.parametrize("size", [200, 800, 1200])
@pytest.mark.parametrize("words", WORDS)
def test_noise_hides_no_speech_that_arrives_otherwise(words: str, size: int, how: str) -> None:
    arrived = noisy(size)(bytes(RATE) + FAULTY[how](WORDS[words]) + bytes(RATE))
    assert heard(arrived, WORDS[words]) == "finding"


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_the_other_law_and_pcm_taken_for_g711_are_found(kind: str) -> None:
    (other,) = {"audio/pcmu", "audio/pcma"} - {kind}
    assert heard(g711(WORDS["weather"], other), WORDS["weather"], kind) == "finding"
    assert heard(WORDS["weather"], WORDS["weather"], kind) == "finding"


def test_a_tone_that_fills_its_time_is_no_less_speech() -> None:
    tone = array("h", (int(8000 * math.sin(n / 8)) for n in range(RATE))).tobytes()
    assert heard(bytes(RATE) + tone, tone) == "pass"
    assert heard(by_way_of(16_000)(tone), tone) == "pass"
    assert heard(tone[: len(tone) // 2], tone) == "finding"
