"""Ids as the service mints them.

A prefix, five base62 characters of the clock (seconds since 2019-12-20), then
sixteen random ones; call ids are sixteen random characters alone. Found in the
published captures: `expires_at` minus this clock is the session length.
"""

from __future__ import annotations

import random

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EPOCH = 1_576_800_000


class IdMint:
    """Mints ids, the same ones for the same seed."""

    def __init__(self, seed: int, unix_time: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - ids, not secrets; reproducible on purpose
        self.unix_time = unix_time

    def mint(self, prefix: str) -> str:
        """A new id: `event`, `sess`, `resp`, `item`, `conv` or `call`."""
        tail = self.characters(16)
        return f"call_{tail}" if prefix == "call" else f"{prefix}_{self._clock()}{tail}"

    def characters(self, count: int) -> str:
        return "".join(self._random.choice(ALPHABET) for _ in range(count))

    def _clock(self) -> str:
        value = max(self.unix_time - EPOCH, 0)
        digits = ""
        for _ in range(5):
            value, digit = divmod(value, 62)
            digits = ALPHABET[digit] + digits
        return digits
