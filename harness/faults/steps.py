"""What becomes of one event on its way to the client, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from harness.messages import Json


@dataclass(frozen=True)
class Frame:
    """One text frame to send.

    `event` is what it says, None where it is no event. `canonical` is empty
    where a fault made the event: the service did not say it. `fault` names
    the fault that made, changed or moved it, None where nobody touched it.
    """

    text: str
    event: Json | None
    canonical: tuple[Json, ...] = ()
    fault: str | None = None


@dataclass(frozen=True)
class Pause:
    """Seconds of real time in which nothing is sent."""

    seconds: float
    fault: str


@dataclass(frozen=True)
class End:
    """The connection ends here: a close frame with that code, or without a code the bare connection."""

    code: int | None
    reason: str
    fault: str


@dataclass(frozen=True)
class Stall:
    """Nothing more is sent, and the connection stays open."""

    fault: str


@dataclass(frozen=True)
class EndResponse:
    """The active response ends here, with that status; `details` is its `status_details`."""

    status: str
    details: Json
    fault: str


Step = Frame | Pause | End | Stall | EndResponse


@dataclass(frozen=True)
class HandshakeFault:
    """What becomes of one attempt to connect: after `delay` seconds, it is refused with a `status`.

    Without a status it is then taken up as ever. `body` None: the body that the
    dialect has for this status, or else a guess.
    """

    fault: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    delay: float = 0.0
