"""Several connections of one case: which cassette each is given, and what of them is judged.

A new connection gets the cassette after the last one of which something was
played. So a client may try as often as it likes before it says anything, and
one that opens a second socket and leaves it alone is not judged by it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from harness.cassette import Cassette
from harness.dialects import Dialect
from harness.faults import FaultLine
from harness.playback import Playback
from harness.recording import never_played, recording_of
from harness.server import Connection, Opening
from harness.service import Ending, Entry, Exchange


@dataclass(frozen=True)
class Judged:
    """The connections of a case that count, joined to one record.

    `endings` says of each how the service ended it, where it did.
    """

    exchange: Exchange
    playbacks: tuple[Playback, ...]
    endings: tuple[Ending | None, ...]


class Cassettes:
    """Hands out the cassettes of one case."""

    def __init__(
        self, dialect: Dialect, cassettes: tuple[Cassette, ...], *, seed: int, faults: FaultLine
    ) -> None:
        self._dialect = dialect
        self._cassettes = cassettes
        self._seed = seed
        self._faults = faults
        self._given: list[tuple[int, Playback]] = []
        """Each connection's place among the cassettes; past their end nothing is left to play."""

    def new_playback(self, opening: Opening) -> Playback:
        """The service for one more connection."""
        place = 1 + max((place for place, playback in self._given if playback.played), default=-1)
        playback = Playback(
            self._dialect,
            self._cassettes[place] if place < len(self._cassettes) else _opening_of(self._cassettes[-1]),
            seed=self._seed + len(self._given),
            unix_time=int(time.time()),
            settings=opening.settings,
            faults=self._faults.connected(),
        )
        self._given.append((place, playback))
        return playback

    def judged(self, connections: Iterable[Connection]) -> Judged:
        """What the case is judged by: for each cassette the connection on which most was played, or said."""
        by_service = {id(one.service): one for one in connections if one.service is not None}
        chosen: dict[int, Playback] = {}
        for place, playback in self._given:
            further = place >= len(self._cassettes)
            if id(playback) in by_service and not (further and not playback.exchange.responses):
                rival = chosen.get(place)
                chosen[place] = playback if rival is None or _said(playback) > _said(rival) else rival
        places = [place for place in sorted(chosen) if _counts(place, chosen)]
        playbacks = tuple(chosen[place] for place in places)
        exchange = join([playback.exchange for playback in playbacks])
        for place, cassette in enumerate(self._cassettes):
            if place not in places and playbacks:
                exchange.still_to_play.append(partial(never_played, recording_of(cassette, self._dialect)))
        return Judged(exchange, playbacks, tuple(playback.ending for playback in playbacks))


def _counts(place: int, chosen: dict[int, Playback]) -> bool:
    """The first connection counts always; another one if the client did something on it."""
    return place == min(chosen) or bool(chosen[place].exchange.client_entries())


def _said(playback: Playback) -> tuple[int, int]:
    return len(playback.played), len(playback.exchange.entries)


def _opening_of(cassette: Cassette) -> Cassette:
    """The session of a cassette without what was said in it."""
    session = tuple(
        one for one in cassette.interactions if one.event is not None and _of_session(one.event["type"])
    )
    return replace(cassette, interactions=session)


def _of_session(type_: str) -> bool:
    return type_.startswith(("session.", "transcription_session."))


def join(exchanges: list[Exchange]) -> Exchange:
    """One record of several connections, one after another; each message knows its connection."""
    if not exchanges:
        return Exchange()
    if len(exchanges) == 1:
        return exchanges[0]
    last = exchanges[-1]
    joined = Exchange(
        handshake=last.handshake, session=last.session, close_code=last.close_code, close_by=last.close_by
    )
    for number, exchange in enumerate(exchanges, 1):
        first = len(joined.entries)
        began = joined.entries[-1].t if joined.entries else 0.0
        joined.entries.extend(_moved(entry, first, began, number) for entry in exchange.entries)
        joined.responses.extend(replace(one, entry=one.entry + first) for one in exchange.responses)
        joined.still_to_play.extend(exchange.still_to_play)
    return joined


def _moved(entry: Entry, first: int, began: float, connection: int) -> Entry:
    return replace(entry, number=entry.number + first, t=entry.t + began, connection=connection)
