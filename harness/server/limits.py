"""What one server takes: of a message, of a session, of the number of sessions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.exceptions import UsageFault
from harness.messages import MAX_DEPTH, MAX_FRAME

OF_THIS_SERVER = "a limit of this server"
"""How it is told that no service has set it."""


@dataclass(frozen=True)
class Limits:
    """Bounds of a server; whoever goes beyond one is told, and nobody else notices.

    A message that is too large closes its connection with 1009, as RFC 6455 has
    it. One that nests too deep is answered as one that is no JSON. Too many
    sessions are refused with the service's 429. Too much audio closes the
    session with 1008: of such a limit of the service nothing is published.
    """

    message_bytes: int = MAX_FRAME
    nesting: int = MAX_DEPTH
    """Levels of JSON; real events have at most ten."""
    sessions: int | None = None
    """Open at the same time; None: as many as come."""
    audio_seconds: float | None = None
    """Input audio that one session takes; None: as much as comes."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("message_bytes", 1024, MAX_FRAME),
            ("nesting", 8, MAX_DEPTH),
            ("sessions", 1, math.inf),
            ("audio_seconds", 0.1, math.inf),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise UsageFault(
                    f"a limit of {value} for {name.replace('_', ' ')}",
                    hint=f"give a number from {least} {'on' if most == math.inf else f'to {most}'}",
                )
