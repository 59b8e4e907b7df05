"""The rate of streamed audio, by the clock: who sends a microphone live sends a second of it in a second.

Only a steady stretch is read so: twenty appends or more over a second or more,
of one size and evenly spaced. What comes in bursts says nothing, and a pause
ends a stretch. A sender may pace a file faster than it is spoken, so a stream
faster than the session hears is told as a note alone.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.findings import Finding, Severity
from harness.lint.audio import rate_finding

# 22050 is none of them: 24 kHz sent by a timer that runs a tenth late looks the same.
_RATES = (8000, 11025, 16000, 24000, 32000, 44100, 48000)
_TOLERANCE = 0.03
_LEAST_APPENDS = 20
_LEAST_SECONDS = 1.0
_EVEN_SHARE = 0.8
"""How many of the gaps must lie near the middle one for a stretch to count as steady."""
_PAUSE = 3.0
"""Gaps this many times the middle one end a stretch, as a muted microphone does."""
_ROUND = 0.01
"""Seconds. Senders cut their audio into pieces of so many milliseconds."""


@dataclass(frozen=True, slots=True)
class Append:
    """One append: `size` in bytes, `rate` as the session hears it (None: not known, or no PCM)."""

    line: int
    t: float | None
    size: int
    rate: int | None


def pace_findings(appends: Sequence[Append]) -> Iterator[Finding]:
    """What the clock says of the appends of one session; the first steady stretch at a wrong rate."""
    for stretch in _stretches(appends):
        found = _judged(stretch)
        if found is not None:
            yield found
            return


def _stretches(appends: Sequence[Append]) -> Iterator[list[Append]]:
    gaps = [gap for one, other in pairwise(appends) if (gap := _gap(one, other)) is not None and gap > 0]
    if len(gaps) < _LEAST_APPENDS - 1:
        return
    pause = _PAUSE * statistics.median(gaps)
    stretch = [appends[0]]
    for one, other in pairwise(appends):
        gap = _gap(one, other)
        if gap is None or gap > pause or gap < 0:
            yield stretch
            stretch = []
        stretch.append(other)
    yield stretch


def _gap(one: Append, other: Append) -> float | None:
    """The time between two appends that the session hears alike."""
    if one.t is None or other.t is None or one.rate is None or one.rate != other.rate:
        return None
    return other.t - one.t


def _judged(stretch: Sequence[Append]) -> Finding | None:
    first, last = stretch[0], stretch[-1]
    if len(stretch) < _LEAST_APPENDS or first.t is None or last.t is None or first.rate is None:
        return None
    seconds = last.t - first.t
    if seconds < _LEAST_SECONDS:
        return None
    size, count = Counter(one.size for one in stretch).most_common(1)[0]
    gaps = [float(other.t or 0) - float(one.t or 0) for one, other in pairwise(stretch)]
    gap = statistics.median(gaps)
    even = sum(abs(one - gap) <= max(0.25 * gap, 0.005) for one in gaps)
    if gap <= 0 or count < _EVEN_SHARE * len(stretch) or even < _EVEN_SHARE * len(gaps):
        return None
    per_second = sum(one.size for one in stretch[:-1]) / 2 / seconds
    rate = next((rate for rate in _RATES if abs(per_second - rate) <= _TOLERANCE * rate), None)
    if rate is None or rate == first.rate:
        return None
    why = f"{size} bytes every {gap * 1000:.0f} ms, {seconds:.1f} s long"
    return rate_finding(first.line, rate, first.rate, why, _severity(rate, first.rate, size))


def _severity(rate: int, heard: int, size: int) -> Severity:
    if rate > heard:
        return Severity.NOTE  # as well a file sent faster than it is spoken
    pieces = size / 2 / heard / _ROUND
    # A piece that is round at the session's own rate may be right, and only sent late.
    return Severity.DEVIATION if abs(pieces - round(pieces)) < 1e-6 else Severity.FAIL
