"""Where sound is in a stream of input audio: loud and quiet stretches of 20 ms.

A measure, not a voice detector: it tells where the speech of a recording and of
a client begin, so that the one can be laid on the other.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.audio import PCM, bytes_per_ms, loudness

FRAME_MS = 20

LOUD = 200
"""Mean amplitude, of 32768, from which on a frame counts as sound: 44 dB below full scale."""


class Loudness:
    """Cuts a stream into frames, however it comes in, and says of each whether it is loud."""

    def __init__(self, format_: str = PCM) -> None:
        self._measure = loudness(format_)
        self.bytes_per_ms = bytes_per_ms(format_)
        self._size = FRAME_MS * self.bytes_per_ms
        self._rest = b""

    def cut(self, audio: bytes) -> Iterator[bytes]:
        """The bytes in pieces that end where frames do, the last where they end; to be fed one by one."""
        first = self._size - len(self._rest)
        yield audio[:first]
        for at in range(first, len(audio), self._size):
            yield audio[at : at + self._size]

    def feed(self, audio: bytes) -> list[bool]:
        """The frames that these bytes complete."""
        data = self._rest + audio if self._rest else audio
        whole = len(data) // self._size * self._size
        self._rest = data[whole:]
        frames = (data[at : at + self._size] for at in range(0, whole, self._size))
        return [self._measure(frame) >= LOUD for frame in frames]


QUIET_FRAMES = 5
"""Frames of silence after which speech that goes on is a new turn, and not the rest of the last one."""


class Onset:
    """Finds where sound begins: two loud frames in a row, so that a click is none.

    With `after_quiet` it must be quiet before, and `quiet` frames of that have come already.
    """

    def __init__(self, *, after_quiet: bool, quiet: int = 0) -> None:
        self._quiet_needed = QUIET_FRAMES if after_quiet and quiet < QUIET_FRAMES else 0
        self._quiet = quiet
        self._first: float | None = None

    @property
    def waits(self) -> bool:
        """It was never quiet so far."""
        return self._quiet_needed > 0

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
