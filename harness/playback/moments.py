"""What a client says and what it is given for it, made ready to be given to others with other ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.playback.playback import Playback
from harness.service import IdMint, Outgoing

_ID = re.compile(rb"(?:event|sess|resp|item|conv|call)_[0-9A-Za-z]{16,21}")

SOME_TIME = 1_700_000_000
"""Seconds; as many digits as ours."""

Said = tuple[str, ...]
"""Messages of the client that came before the service said anything to the first of them."""

START: Said = ()
"""None yet: the connection is open."""


@dataclass
class Moment:
    """Messages of the client, after certain others, and what the service says to them until it is quiet."""

    messages: Said
    text: bytes = b""
    """The frames, one after another, with a `%b` for each value of the session's."""
    values: tuple[int, ...] = ()
    """Which values those are."""
    frames: tuple[int, ...] = ()
    """How long each frame is: ids have one length, and so has the time."""
    thinking: int | None = None
    """The frame after which the service takes its time."""
    minted: tuple[tuple[bytes, float], ...] = ()
    """The ids minted meanwhile: how they begin, and when."""
    lasts: float = 0.0
    """Seconds of the service's clock."""
    timer: float | None = None
    """When the service's patience ends."""
    after: dict[Said, Moment] = field(default_factory=dict)
    heard: dict[Said, int] = field(default_factory=dict)
    """How often was said what is not remembered."""


def made_moment(
    messages: Said, said: Sequence[Outgoing], mint: NotingMint, since: tuple[int, float]
) -> Moment:
    """What was `said` to messages; `since` is how many ids there were before it, and the time."""
    playback, (first, began) = mint.of, since
    assert playback is not None
    values = {id_.encode(): place for place, (_, id_, _) in enumerate(mint.noted, 1)}
    values[b'"expires_at":%d' % playback.session.get("expires_at", -1)] = 0
    pattern = re.compile(rb'%b|"expires_at":[0-9]+' % _ID.pattern)
    texts = [outgoing.frame.encode() for outgoing in said]
    text, pieces, taken, last = b"".join(texts), [], [], 0
    for found in pattern.finditer(text):
        if found[0] in values:
            pieces.append(text[last : found.start()].replace(b"%", b"%%"))
            taken.append(values[found[0]])
            last = found.end()
    pieces.append(text[last:].replace(b"%", b"%%"))
    return Moment(
        messages,
        b"%b".join(pieces),
        tuple(taken),
        tuple(map(len, texts)),
        next((place for place, one in enumerate(said) if one.thinking), None),
        tuple((prefix, t - began) for prefix, _, t in mint.noted[first:]),
        playback.t - began,
        playback.next_timer,
    )


class NotingMint(IdMint):
    """Notes each id, with how it begins and when it was minted."""

    def __init__(self) -> None:
        super().__init__(0, SOME_TIME)
        self.of: Playback | None = None
        self.noted: list[tuple[bytes, str, float]] = []
        self._drawn = 0

    @property
    def irregular(self) -> bool:
        """Whether more was drawn than ids."""
        return self._drawn != 16 * len(self.noted)

    def mint(self, prefix: str) -> str:
        return self._note(prefix, super().mint(prefix))

    def mint_events(self, count: int) -> list[str]:
        return [self.mint("event") for _ in range(count)]

    def _note(self, prefix: str, id_: str) -> str:
        self.noted.append((f"{prefix}_".encode(), id_, self.of.t if self.of is not None else 0.0))
        return id_

    def characters(self, count: int) -> str:
        self._drawn += count
        return super().characters(count)
