"""A client's frame as the service takes it: what it says, what is wrong with it, what it means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from harness.dialects import Dialect, Refusal, Unproven, judge_client_event
from harness.messages import MAX_DEPTH, Json, Side, parse_event
from harness.translation import Translator

_SHORT = 4096
"""Characters of a frame that is remembered: clients say the same things over and over, but for audio."""

_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class Read:
    """One event of a client, judged by the tables as it stands on the wire, and in canonical form.

    Events are never changed in place, so one may stand in many logs.
    """

    event: Json
    refusals: tuple[Refusal, ...]
    unproven: tuple[Unproven, ...]
    canonical: Json


def read_frame(dialect: Dialect, frame: str | bytes, levels: int = MAX_DEPTH) -> Read:
    """Reads one frame; raises MessageFault where it is no event, or nests more than so many levels."""
    if isinstance(frame, str) and len(frame) <= _SHORT:
        return _remembered(dialect, frame, levels)
    return _read(dialect, frame, levels)


def _read(dialect: Dialect, frame: str | bytes, levels: int) -> Read:
    event = parse_event(frame, levels)
    judged = judge_client_event(dialect, event)
    return Read(
        event,
        tuple(one for one in judged if isinstance(one, Refusal) and one.fact.evidence.can_fail),
        tuple(one for one in judged if isinstance(one, Unproven)),
        canonical_of(dialect, event),
    )


_remembered = lru_cache(_REMEMBERED)(_read)


def canonical_of(dialect: Dialect, event: Json) -> Json:
    """A client event in canonical form; that needs no history."""
    return _translator(dialect).to_canonical(Side.CLIENT, event).events[0]


@lru_cache(64)
def _translator(dialect: Dialect) -> Translator:
    return Translator(dialect)
