"""What happened on one connection: the record that checks judge.

Entries keep the wire form; canonical forms stand beside it. Everything here
is append-only while the session runs and read-only afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableSequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

from harness.dialects import Evidence, Refusal, Unproven
from harness.messages import Json, Side
from harness.recording import Waiting
from harness.service.wire_log import WireLog


class Origin(StrEnum):
    """Why the server sent something."""

    RECORDED = "recorded"
    """It stands in the cassette, ids bound."""
    MODELLED = "modelled"
    """The cassette has no answer; the service model gave one."""
    COUNTERFACTUAL = "counterfactual"
    """It stands in the cassette, but the service would not have sent it to this client."""
    FAULT = "fault"
    """A named fault sent or changed it."""


@dataclass(frozen=True)
class Entry:
    """One message. `event` is None where the frame was no event (`raw` tells its beginning)."""

    number: int
    t: float
    side: Side
    event: Json | None
    canonical: tuple[Json, ...] = ()
    origin: Origin | None = None
    raw: str | None = None
    fault: str | None = None
    """The fault that sent or changed it; of a client event, the one that lets its refusals pass."""
    refusals: tuple[Refusal, ...] = ()
    unproven: tuple[Unproven, ...] = ()
    refused_by_state: str | None = None
    """The catalogue name of a refusal that comes from the session's state."""
    problem: str | None = None
    """Why a frame is no event."""
    connection: int = 1
    """Which connection of its case it crossed."""

    @property
    def refused(self) -> bool:
        """Whether the client was told that it will not do."""
        return self.refused_by_state is not None or (bool(self.refusals) and self.fault is None)


@dataclass(frozen=True)
class ResponseStart:
    """The state at one `response.created`: session, items, and whether the cassette's answer was due."""

    entry: int
    session: Json
    items: Iterable[Json]
    origin: Origin
    why_modelled: str | None = None


@dataclass(frozen=True)
class Ending:
    """How the service ends the connection; without a code it drops it, close frame and all.

    `pause` is seconds of real time before it.
    """

    code: int | None
    reason: str = ""
    pause: float = 0.0


KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""What a key is called as a subprotocol, by the openai package for browsers."""


@dataclass(frozen=True)
class Handshake:
    """The request a client opened with, redacted, and the HTTP status it got."""

    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    subprotocols: tuple[str, ...]
    status: int
    refusal: str | None = None
    """The name of the dialect's handshake refusal, where one was given."""
    fault: str | None = None
    """The fault that delayed or refused it."""
    limit: str | None = None
    """The limit of this server, and no service's, that refused it."""
    expired_key: bool = False
    """It came with a minted key that was good once."""
    body_evidence: Evidence | None = None
    """How well the body of that fault's refusal is known; None where the fault brought its own."""
    body: str = ""
    """What a refused one was answered with."""

    @property
    def opened(self) -> bool:
        """Whether a session came of it; there are services that open a WebSocket only to refuse it."""
        return self.status == HTTPStatus.SWITCHING_PROTOCOLS and self.refusal is None

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass
class Exchange:
    """Everything that crossed one connection, in order."""

    handshake: Handshake | None = None
    entries: MutableSequence[Entry] = field(default_factory=WireLog)
    responses: list[ResponseStart] = field(default_factory=list)
    session: Json | None = None
    """The effective session at the end, canonical."""
    still_to_play: list[Callable[[], Iterable[Waiting]]] = field(default_factory=list)
    """Whoever knows what a cassette still has to say."""
    close_code: int | None = None
    close_by: str | None = None
    close_reason: str = ""
    """What whoever closed it said, or our own server where the protocol was broken."""

    @property
    def unplayed(self) -> list[Waiting]:
        """What the cassette still has to say now, and which barrier holds it back."""
        return [waiting for told in self.still_to_play for waiting in told()]

    def client_entries(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.side is Side.CLIENT]

    def server_entries(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.side is Side.SERVER]
