"""Where sound is in a stream of input audio: loud and quiet stretches of 20 ms.

A measure, not a voice detector: it tells where the speech of a recording and of
a client begin, so that the one can be laid on the other.
"""

from __future__ import annotations

import sys
from array import array

FRAME_MS = 20

LOUD = 200
"""Mean amplitude, of 32768, from which on a frame counts as sound: 44 dB below full scale."""


def _mu_law(code: int) -> int:
    code = ~code & 0xFF
    return (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84


def _a_law(code: int) -> int:
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, code & 0x0F
    return (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)


_LAWS = {
    "audio/pcmu": tuple(_mu_law(code) for code in range(256)),
    "audio/pcma": tuple(_a_law(code) for code in range(256)),
}
"""Amplitudes without their signs (ITU-T G.711)."""


class Loudness:
    """Cuts a stream into frames, however it comes in, and says of each whether it is loud."""

    def __init__(self, format_: str | None = None) -> None:
        self._law = _LAWS.get(format_ or "")
        self.bytes_per_ms = 8 if self._law else 48
        self._size = FRAME_MS * self.bytes_per_ms
        self._rest = b""

    def feed(self, audio: bytes) -> list[bool]:
        """The frames that these bytes complete."""
        data = self._rest + audio if self._rest else audio
        whole = len(data) // self._size * self._size
        self._rest = data[whole:]
        return [self._loud(data[at : at + self._size]) for at in range(0, whole, self._size)]

    def _loud(self, frame: bytes) -> bool:
        if not any(frame) and self._law is None:
            return False
        if self._law is not None:
            return sum(map(self._law.__getitem__, frame)) >= LOUD * len(frame)
        samples = array("h", frame)
        if sys.byteorder == "big":
            samples.byteswap()
        return sum(map(abs, samples)) >= LOUD * len(samples)


QUIET_FRAMES = 5
"""Frames of silence after which speech that goes on is a new turn, and not the rest of the last one."""


class Onset:
    """Finds where sound begins: two loud frames in a row, so that a click is none."""

    def __init__(self, *, after_quiet: bool) -> None:
        self._quiet_needed = QUIET_FRAMES if after_quiet else 0
        self._quiet = 0
        self._first: float | None = None

    def take(self, loud: bool, at_ms: float) -> float | None:
        """Takes the next frame; the ms where sound began, once it has."""
        if self._quiet_needed:
            self._quiet = 0 if loud else self._quiet + 1
            if self._quiet >= self._quiet_needed:
                self._quiet_needed = 0
            return None
        if not loud:
            self._first = None
            return None
        if self._first is None:
            self._first = at_ms
            return None
        return self._first
