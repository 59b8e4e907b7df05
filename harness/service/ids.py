"""Ids as the service mints them.

A prefix, five base62 characters of the clock (seconds since 2019-12-20), then
sixteen random ones; call ids are sixteen random characters alone. Found in the
published captures: `expires_at` minus this clock is the session length.
"""

from __future__ import annotations

import random

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EPOCH = 1_576_800_000


_CHARACTERS = bytes(ord(ALPHABET[number % len(ALPHABET)]) for number in range(256))
"""For each random byte its character; that some come a little more often harms no id."""


class IdMint:
    """Mints ids, the same ones for the same seed."""

    def __init__(self, seed: int, unix_time: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - ids, not secrets; reproducible on purpose
        self.unix_time = unix_time
        self._clock = (-1, "")
        """The time that was last written, and how."""

    def mint(self, prefix: str) -> str:
        """A new id: `event`, `sess`, `resp`, `item`, `conv` or `call`."""
        tail = self.characters(16)
        return f"call_{tail}" if prefix == "call" else f"{prefix}_{self._now()}{tail}"

    def mint_events(self, count: int) -> list[str]:
        """So many ids of events at once."""
        begin, tails = f"event_{self._now()}", self.characters(16 * count)
        return [begin + tails[place : place + 16] for place in range(0, 16 * count, 16)]

    def _now(self) -> str:
        time, clock = self._clock
        if time != self.unix_time:
            clock = _clock(self.unix_time)
            self._clock = self.unix_time, clock
        return clock

    def characters(self, count: int) -> str:
        return self._random.randbytes(count).translate(_CHARACTERS).decode("ascii")


def _clock(unix_time: int) -> str:
    value = max(unix_time - EPOCH, 0)
    digits = ""
    for _ in range(5):
        value, digit = divmod(value, 62)
        digits = ALPHABET[digit] + digits
    return digits
