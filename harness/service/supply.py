"""Answers on their way in: what a response was asked for with, and the events that make it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from harness.messages import Json
from harness.service.answers import ResponseFrame
from harness.service.exchange import Origin


class Prepared(Protocol):
    """An event made ready beforehand, so that sending it costs no translation."""

    def frame(self, event: Json) -> bytes:
        """The text of its frame, in UTF-8; `event` is canonical, as it goes out now."""
        ...

    def wire(self, event: Json) -> Json:
        """The same in wire form."""
        ...


class Supplied(NamedTuple):
    """One event of an answer, canonical, `t` seconds from the answer's start."""

    t: float
    event: Json
    prepared: Prepared | None = None


class Delta(NamedTuple):
    """What deltas add to an item: words, or bytes of sound each; a call's arguments are in no content."""

    item_id: str
    content_index: object
    words: tuple[str, ...] = ()
    sounds: tuple[int, ...] = ()


Parts = tuple[bytes, ...]
"""The text of a frame, in pieces that follow each other."""


class Passage(Protocol):
    """Deltas of one answer that follow each other, made ready beforehand.

    Nothing in them depends on the moment. `times` are seconds from the answer's start.
    """

    @property
    def times(self) -> Sequence[float]: ...

    @property
    def sizes(self) -> Sequence[int]:
        """Bytes of all frames before each of them, and of all."""
        ...

    def frames(self, first: int, event_ids: Sequence[str]) -> list[Parts]:
        """Those from `first` on as the texts of their frames, in UTF-8, as many as there are ids."""
        ...

    def event(self, index: int, event_id: str) -> tuple[Json, Json]:
        """One of them in canonical and in wire form."""
        ...

    def deltas(self, first: int, end: int) -> Iterable[Delta]:
        """What those from `first` up to before `end` add to their item."""
        ...


@dataclass(frozen=True)
class ResponseRequest:
    """What a response was asked for with, for whoever supplies its answer."""

    frame: ResponseFrame
    refused: bool
    outside: bool = False
    """Out of band (`conversation: none`): the conversation does not change."""
    by_service: bool = False
    """Nobody asked: a turn of speech ended, or the user was silent for too long."""


@dataclass(frozen=True)
class Supply:
    """An answer's events, and why they are what they are.

    `hold`: the answer is cut after its last event and stays active until it is
    cancelled; the service then closes what is open.
    """

    events: tuple[Supplied | Passage, ...]
    origin: Origin
    why_modelled: str | None = None
    hold: bool = False


Supplier = Callable[[ResponseRequest], Supply | None]
