"""The keys a server takes: its own, and those it minted, until they expire."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from harness.messages import Json
from harness.redaction import Redactor

MOST_MINTED = 10_000
"""Minted keys that are known at a time; beyond that the oldest are forgotten."""

MOST_SETTINGS = 64 * 1024 * 1024
"""Characters of what they were minted for, likewise: a request may have a megabyte."""


@dataclass(frozen=True)
class EphemeralKey:
    """A key for a browser: it opens sessions with settings of its own, for a while.

    `expires_at` is in seconds of Unix time; `settings` are canonical, and
    `model` what they were minted for.
    """

    value: str
    expires_at: int
    settings: Json
    model: str | None


class Keyring:
    """Knows the server's own key and mints others."""

    def __init__(self, key: str, clock: Callable[[], float] = time.time) -> None:
        self.key = key
        self.redactor = Redactor((key,))
        self.clock = clock
        self._minted: OrderedDict[str, EphemeralKey] = OrderedDict()
        self._sizes: dict[str, int] = {}
        """Characters of the settings of those that are good."""

    def mint(self, seconds: int, settings: Json, model: str | None) -> EphemeralKey:
        """A new key that is good for so many seconds."""
        # `ek_`: in browsers the agents SDK takes no other key (openai-agents-js 0.20.0).
        value = f"ek_{secrets.token_hex(16)}"
        minted = EphemeralKey(value, int(self.clock()) + seconds, settings, model)
        self._minted[value] = minted
        self._sizes[value] = len(json.dumps(settings))
        for expired in [one for one in self._sizes if self.expired(self._minted[one])]:
            # That it was one is still known, and told.
            self._minted[expired] = replace(self._minted[expired], settings={})
            del self._sizes[expired]
        held = sum(self._sizes.values())
        while len(self._minted) > MOST_MINTED or (len(self._minted) > 1 and held > MOST_SETTINGS):
            oldest, _ = self._minted.popitem(last=False)
            held -= self._sizes.pop(oldest, 0)
        return minted

    def own(self, offered: Iterable[str]) -> bool:
        """Whether one of the keys is the server's own."""
        wanted = self.key.encode()
        # A header of other bytes than UTF-8 comes in lone surrogates, which cannot be written as it either.
        given = [value.encode(errors="surrogatepass") for value in offered]
        return any(hmac.compare_digest(value, wanted) for value in given)

    def ephemeral(self, offered: Iterable[str]) -> EphemeralKey | None:
        """The one among the keys that was minted here, expired or not."""
        return next((self._minted[value] for value in offered if value in self._minted), None)

    def expired(self, key: EphemeralKey) -> bool:
        return self.clock() >= key.expires_at
