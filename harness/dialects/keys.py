"""How keys for browsers are minted, as a dialect's table says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.dialects.model import Evidence, Fact


@dataclass(frozen=True, slots=True)
class Outage:
    """A field on which minting a key is known to break the service instead of being refused."""

    field: str
    status: int
    fact: Fact


@dataclass(frozen=True, slots=True)
class KeyRules:
    """How keys for browsers are minted: a POST to `path` that says what the session shall be.

    `settings` is the field of the body that holds them, None where they are the
    body. The key comes `within` the session, as its `client_secret`, or beside
    it. Where `least_seconds` is None nobody may say how long it is good for.
    """

    path: str
    query: Mapping[str, str]
    settings: str | None
    within: bool
    seconds: int
    least_seconds: int | None
    most_seconds: int | None
    seconds_fact: Fact
    session_expires_at: int | None
    """What the answer's session says of its own end, where that is not the session's."""
    outages: tuple[Outage, ...]
    refusal_evidence: Evidence
    """How well the body of a refusal is known."""
    fact: Fact
