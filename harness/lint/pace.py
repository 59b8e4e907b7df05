"""The rate of streamed audio, by the clock: who sends a microphone live sends a second of it in a second.

Only a steady stream is read so: at least twenty appends over a second or more,
most of them of one size and evenly spaced. What comes in bursts says nothing.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness.findings import Finding
from harness.lint.client import rate_finding
from harness.messages import Json, decode_audio, get_path

_RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000)
_TOLERANCE = 0.03
_LEAST_APPENDS = 20
_LEAST_SECONDS = 1.0
_EVEN_SHARE = 0.8
"""How many of the gaps must lie near the middle one for a stream to count as steady."""


def pace_findings(appends: Sequence[tuple[int, float | None, str]], session: Json) -> Iterator[Finding]:
    """Findings on appends given as (line, seconds, base64), all of one session in PCM."""
    if get_path(session, "audio.input.format.type") in ("audio/pcmu", "audio/pcma"):
        return
    times = [t for _, t, _ in appends if t is not None]
    if len(times) != len(appends) or len(appends) < _LEAST_APPENDS or times[-1] - times[0] < _LEAST_SECONDS:
        return
    sizes = [len(decode_audio(audio) or b"") for *_, audio in appends]
    size, count = Counter(sizes).most_common(1)[0]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    gap = statistics.median(gaps)
    even = sum(abs(one - gap) <= max(0.25 * gap, 0.005) for one in gaps)
    if gap <= 0 or count < _EVEN_SHARE * len(sizes) or even < _EVEN_SHARE * len(gaps):
        return
    per_second = size / 2 * (len(gaps)) / (times[-1] - times[0])
    for rate in _RATES:
        if abs(per_second - rate) <= _TOLERANCE * rate:
            seconds = times[-1] - times[0]
            yield rate_finding(
                appends[0][0], rate, f"{size} bytes every {gap * 1000:.0f} ms over {seconds:.1f} s"
            )
            return
