"""The audio of the wire, PCM at 24 kHz or G.711 at 8 kHz: its length, its loudness, and how it is made."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable
from functools import cache

from harness.messages import MISSING, Json, get_path

PCM = "audio/pcm"

PCM_BYTES_PER_MS = 48
"""24 kHz, 16 bit, mono."""

G711_BYTES_PER_MS = 8
"""8 kHz, 8 bit, mono."""

_RATIO = 3
"""24 kHz to 8 kHz."""


def format_of(session: Json, direction: str) -> str:
    """The format of a session's `input` or `output`; PCM where the session names none."""
    value = get_path(session, f"audio.{direction}.format.type")
    return PCM if value is MISSING or not isinstance(value, str) else value


def bytes_per_ms(format_: str) -> int:
    return G711_BYTES_PER_MS if format_ in _LAWS else PCM_BYTES_PER_MS


def encoded(pcm: bytes, format_: str) -> bytes:
    """24 kHz PCM in a format of the wire."""
    if format_ not in _LAWS:
        return pcm
    codes = _codes(format_)
    return bytes(codes[(sample >> 2) + 0x2000] for sample in samples(pcm)[::_RATIO])


def loudness(format_: str) -> Callable[[bytes], float]:
    """What measures a piece of audio: the mean distance of its samples from zero, 0 to 32768."""
    if format_ not in _LAWS:
        return lambda piece: sum(map(abs, samples(piece))) * 2 / len(piece)
    sizes = [abs(sample) for sample in levels(format_)]
    return lambda piece: sum(map(sizes.__getitem__, piece)) / len(piece)


def samples(pcm: bytes) -> array[int]:
    """Little-endian PCM as numbers; half a sample at the end is left out."""
    result = array("h", pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        result.byteswap()
    return result


def _mu_law(code: int) -> int:
    code = ~code & 0xFF
    size = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return -size if code & 0x80 else size


def _a_law(code: int) -> int:
    code ^= 0x55
    step, size = (code >> 4) & 7, ((code & 0x0F) << 4) + 8
    size = (size + 0x100) << (step - 1) if step else size
    return size if code & 0x80 else -size


_LAWS: dict[str, Callable[[int], int]] = {"audio/pcmu": _mu_law, "audio/pcma": _a_law}


@cache
def levels(format_: str) -> tuple[int, ...]:
    """What each of the 256 codes of a G.711 law stands for (ITU-T G.711)."""
    return tuple(map(_LAWS[format_], range(256)))


@cache
def _codes(format_: str) -> bytes:
    """The code of every sample, its last two bits left out: G.711 knows at most fourteen."""
    # Of the two zeros of the mu law the later is meant: the positive one.
    ladder = sorted({level: code for code, level in enumerate(levels(format_))}.items())
    steps = [level for level, _ in ladder]
    return bytes(ladder[_nearest(steps, sample << 2)][1] for sample in range(-0x2000, 0x2000))


def _nearest(steps: list[int], sample: int) -> int:
    above = min(bisect_left(steps, sample), len(steps) - 1)
    below = max(above - 1, 0)
    return below if sample - steps[below] < steps[above] - sample else above
