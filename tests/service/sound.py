"""Sound that any detector of speech takes for speech, and the silence after it."""

from __future__ import annotations

import math
import struct

RATE = 24_000


def speech_and_silence(spoken: float = 1.0, silent: float = 1.0) -> bytes:
    """A tone of 220 Hz whose loudness rises and falls as syllables do; then nothing."""
    samples = [
        int(12_000 * abs(math.sin(math.pi * 4 * n / RATE)) * math.sin(2 * math.pi * 220 * n / RATE))
        for n in range(int(spoken * RATE))
    ]
    return struct.pack(f"<{len(samples)}h", *samples) + bytes(2 * int(silent * RATE))
