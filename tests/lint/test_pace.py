"""The clock tells the rate of what is streamed live; of anything else it tells nothing."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from harness.findings import Finding, Severity
from harness.lint.pace import Append, pace_findings
from tests.lint.made import FLAT, GA, codes, judged, log_of


def stream(
    rate: int, ms: float, count: int = 100, *, jitter: float = 0.0, heard: int = 24000
) -> list[Append]:
    """A second of sound in a second, in pieces of some milliseconds, each a little early or late."""
    rng = random.Random(1)
    size = round(rate * 2 * ms / 1000)
    return [
        Append(i + 1, i * ms / 1000 + rng.uniform(-jitter, jitter) * ms / 1000, size, heard)
        for i in range(count)
    ]


def told(appends: Iterable[Append]) -> list[Finding]:
    return list(pace_findings(list(appends)))


@pytest.mark.parametrize("rate", [8000, 11025, 16000])
@pytest.mark.parametrize("ms", [10, 20, 40, 64, 100])
@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_a_live_stream_at_a_lower_rate_fails(rate: int, ms: float, jitter: float) -> None:
    (found,) = told(stream(rate, ms, count=200, jitter=jitter))
    assert (found.code, found.severity, found.actual) == ("audio.rate", Severity.FAIL, rate)


@pytest.mark.parametrize("rate", [32000, 44100, 48000])
def test_a_stream_at_a_higher_rate_is_a_note_for_it_may_be_a_file_in_haste(rate: int) -> None:
    (found,) = told(stream(rate, 20))
    assert (found.severity, found.actual) == (Severity.NOTE, rate)


def test_pieces_that_are_round_at_the_right_rate_may_only_be_late() -> None:
    (found,) = told(stream(16000, 30))
    assert found.severity is Severity.DEVIATION


@pytest.mark.parametrize("ms", [10, 20, 100, 170.667])
@pytest.mark.parametrize("late", [1.0, 1.02, 1.05, 1.1, 1.25])
def test_a_stream_at_the_right_rate_is_right_also_where_its_timer_runs_late(ms: float, late: float) -> None:
    appends = stream(24000, ms, jitter=0.1)
    assert not told(Append(a.line, (a.t or 0) * late, a.size, a.rate) for a in appends)


def test_bursts_and_uneven_streams_say_nothing() -> None:
    rng = random.Random(2)
    assert not told(Append(i, 0.001 * i, 640, 24000) for i in range(2000))
    assert not told(Append(i, i // 10 * 0.2, 640, 24000) for i in range(200))
    assert not told(Append(i, 0.02 * i + rng.uniform(0, 0.5), 640, 24000) for i in range(200))
    assert not told(Append(i, 0.02 * i, rng.randrange(100, 2000), 24000) for i in range(200))


def test_pauses_do_not_make_a_stream_slower() -> None:
    appends = stream(24000, 20, count=500)
    half = [a for a in appends if a.line <= 250]
    later = [Append(a.line, (a.t or 0) + 5.0, a.size, a.rate) for a in appends if a.line > 250]
    assert not told([*half, *later])


@pytest.mark.parametrize("count", [1, 10, 19])
def test_a_short_stream_says_nothing(count: int) -> None:
    assert not told(stream(16000, 100, count=count))


def test_a_stream_without_times_or_of_a_session_that_is_not_known_says_nothing() -> None:
    assert not told(Append(i, None, 640, 24000) for i in range(100))
    assert not told(Append(i, 0.02 * i, 640, None) for i in range(100))
    assert not told([])


def test_a_rate_that_the_session_hears_is_right() -> None:
    assert not told(stream(16000, 20, heard=16000))
    (found,) = told(stream(8000, 20, heard=16000))
    assert found.expected == 16000


def sent(*sizes: int) -> list[tuple[str, dict[str, str]]]:
    return [
        ("client", {"type": "input_audio_buffer.append", "audio": "A" * (size * 4 // 3)}) for size in sizes
    ]


def test_a_log_tells_the_times_and_the_format_of_what_is_streamed() -> None:
    wrong = sent(*[960] * 100)
    assert codes(judged(log_of(wrong, step=0.03), GA)) == {"audio.rate"}
    assert not judged(log_of(wrong), GA).found
    ulaw = {"type": "session.update", "session": {"input_audio_format": "g711_ulaw"}}
    assert not judged(log_of([("client", ulaw), *wrong], step=0.03), FLAT).found


@pytest.mark.parametrize("provenance", [("kind", "constructed"), ("times", "made up: the log has none")])
def test_times_that_were_made_up_tell_no_rate(provenance: tuple[str, str]) -> None:
    log = log_of(sent(*[960] * 100), step=0.03, provenance=(provenance,))
    assert not judged(log, GA).found
