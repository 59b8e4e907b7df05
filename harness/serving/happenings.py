"""What happens while a service is served, as it is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.messages import Json
from harness.server import Asked
from harness.service import Entry, Exchange, Handshake
from harness.serving.judge import Judged


@dataclass(frozen=True)
class Opened:
    """A connection is open."""

    number: int
    t: float
    handshake: Handshake
    judged: tuple[Judged, ...] = ()


@dataclass(frozen=True)
class TurnedAway:
    """A handshake was refused."""

    handshake: Handshake
    judged: tuple[Judged, ...] = ()


@dataclass(frozen=True)
class Crossed:
    """A message crossed connection `number`, `t` real seconds after it opened; `session` was in force."""

    number: int
    t: float
    entry: Entry
    session: Json
    why: str | None = None
    """Where the answer that begins with it comes from."""
    note: str | None = None
    """What the service takes without a word, and people want to know."""
    judged: tuple[Judged, ...] = ()
    """What is wrong with it, where it is the client's."""


@dataclass(frozen=True)
class Closed:
    """A connection is over; `log` is where its cassette stands, `problem` why it could not be written."""

    number: int
    t: float
    exchange: Exchange
    log: Path | None = None
    problem: str | None = None
    failure: Exception | None = None
    fault: str | None = None
    """The fault that ended it."""
    judged: tuple[Judged, ...] = ()
    """What is wrong with the connection as a whole."""


@dataclass(frozen=True)
class Struck:
    """A fault that leaves no mark on a message struck connection `number`."""

    number: int
    t: float
    fault: str


@dataclass(frozen=True)
class NeverStruck:
    """It is over, and the time of these faults never came."""

    faults: tuple[str, ...]


@dataclass(frozen=True)
class Answered:
    """A request by plain HTTP was answered."""

    request: Asked


@dataclass(frozen=True)
class Stranger:
    """A connection ended that never became a request, and why."""

    why: str


@dataclass(frozen=True)
class Failed:
    """Our own code broke before there was anything to cross the connection."""

    failure: Exception


Happening = Opened | TurnedAway | Crossed | Closed | Struck | NeverStruck | Answered | Stranger | Failed
