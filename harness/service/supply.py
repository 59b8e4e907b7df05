"""Answers on their way in: what a response was asked for with, and the events that make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from harness.messages import Json
from harness.service.answers import ResponseFrame
from harness.service.exchange import Origin


class Prepared(Protocol):
    """An event made ready beforehand, so that sending it costs no translation."""

    def ready(self, event: Json) -> tuple[Json, str]:
        """The event in wire form and as the text of its frame; `event` is canonical, as it goes out now."""
        ...


@dataclass(frozen=True)
class Supplied:
    """One event of an answer, canonical, `t` seconds from the answer's start."""

    t: float
    event: Json
    prepared: Prepared | None = None


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

    events: tuple[Supplied, ...]
    origin: Origin
    why_modelled: str | None = None
    hold: bool = False


Supplier = Callable[[ResponseRequest], Supply | None]
