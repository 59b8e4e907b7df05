"""Ids as the service mints them.

A prefix, five base62 characters of the clock (seconds since 2019-12-20), then
sixteen random ones; call ids are sixteen random characters alone. Found in the
published captures: `expires_at` minus this clock is the session length.
"""

from __future__ import annotations

import random
from collections import deque
from functools import lru_cache

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EPOCH = 1_576_800_000


_CHARACTERS = bytes(ord(ALPHABET[number % len(ALPHABET)]) for number in range(256))
"""For each random byte its character; that some come a little more often harms no id."""


class IdMint:
    """Mints ids, the same ones for the same seed."""

    def __init__(self, seed: int, unix_time: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - ids, not secrets; reproducible on purpose
        self.unix_time = unix_time
        self.given: deque[str] = deque()
        """Ids that were handed out already, to be minted first."""

    def mint(self, prefix: str) -> str:
        """A new id: `event`, `sess`, `resp`, `item`, `conv` or `call`."""
        tail = self.characters(16)
        if self.given:
            return self.given.popleft()
        return f"call_{tail}" if prefix == "call" else f"{prefix}_{clock_text(self.unix_time).decode()}{tail}"

    def mint_events(self, count: int) -> list[str]:
        """So many ids of events at once."""
        if self.given:
            return [self.mint("event") for _ in range(count)]
        begin, tails = f"event_{clock_text(self.unix_time).decode()}", self.characters(16 * count)
        return [begin + tails[place : place + 16] for place in range(0, 16 * count, 16)]

    def characters(self, count: int) -> str:
        return self._random.randbytes(count).translate(_CHARACTERS).decode("ascii")


@lru_cache(64)
def clock_text(unix_time: int) -> bytes:
    """The five characters of a time."""
    value = max(unix_time - EPOCH, 0)
    digits = ""
    for _ in range(5):
        value, digit = divmod(value, 62)
        digits = ALPHABET[digit] + digits
    return digits.encode()
