"""What a session has to send: one frame, or several that leave together."""

from __future__ import annotations

from collections.abc import MutableSequence
from dataclasses import dataclass

from harness.messages import Json
from harness.service.exchange import Entry, Origin
from harness.service.supply import Parts, Passage


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One frame to send, `pause` seconds of real time after the one before.

    `event` is as on the wire, None where the frame is no event. After one marked
    `thinking` the service takes its time.
    """

    t: float
    canonical: tuple[Json, ...]
    origin: Origin
    frame: str
    number: int
    """Its place in the log."""
    log: MutableSequence[Entry]
    thinking: bool = False
    pause: float = 0.0

    @property
    def event(self) -> Json | None:
        return self.log[self.number].event


@dataclass(frozen=True, slots=True)
class Burst:
    """Frames to send together, in UTF-8; `number` is the place of the first in the log.

    Each is in parts, for long ones are not copied before they are written. `thinking`: the
    service takes its time after the last.
    """

    parts: list[Parts]
    number: int
    thinking: bool = False

    @property
    def frames(self) -> list[bytes]:
        """The frames, each in one piece."""
        return list(map(b"".join, self.parts))


@dataclass(frozen=True, slots=True)
class OfPassage:
    """One delta of a passage that is sent alone."""

    passage: Passage
    place: int

    def frame(self, event: Json) -> bytes:
        (parts,) = self.passage.frames(self.place, (event["event_id"],))
        return b"".join(parts)

    def wire(self, event: Json) -> Json:
        return self.passage.event(self.place, event["event_id"])[1]
