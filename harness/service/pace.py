"""How fast the service speaks: its own clock against real time.

Four numbers, each with one meaning:

- `speed`: seconds of the service's clock in one second of real time. 1 sends
  each event when the recording, or the model, has it; 2 twice as fast. None is
  at once: an event is sent as soon as it is there, and only what stands for the
  service's patience (idle timeout, session expiry) takes its time.
- `latency`: real seconds from a client event's arrival until the service takes
  it up. So whatever answers it comes that much later, and what follows keeps its
  distance. The first event of a session comes that long after the handshake.
- `delays`: real seconds to wait directly before an event of a type. What comes
  after it waits too, and then catches up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.exceptions import UsageFault


@dataclass(frozen=True)
class Pace:
    """A pace; sans-I/O: it says when, and somebody else waits."""

    speed: float | None = None
    latency: float = 0.0
    delays: tuple[tuple[str, float], ...] = ()
    """Event type patterns (`*` for anything), canonical or as on the wire; the first that fits holds."""
    thinking: float = 0.01
    """Long enough for a client that asks twice to be caught at it; at a speed the recording has its own."""

    def __post_init__(self) -> None:
        if self.speed is not None and not (math.isfinite(self.speed) and self.speed > 0):
            raise UsageFault(f"a speed of {self.speed:g}", hint="give a number above 0, or none for at once")
        for name, seconds in (("latency", self.latency), ("thinking", self.thinking), *self.delays):
            if not (math.isfinite(seconds) and seconds >= 0):
                raise UsageFault(f"{name}: {seconds:g} seconds", hint="give a number from 0 on")

    def clock(self, wall: float) -> float:
        """The service's time after so many seconds of real time."""
        return wall * (self.speed or 1.0)

    def until(self, wall: float) -> float | None:
        """Up to which of its times the service may now speak; None: as far as it can."""
        return None if self.speed is None else self.clock(wall)

    def seconds_to(self, t: float, wall: float) -> float:
        """Real seconds until the service's clock reads `t`."""
        return max(0.0, t / (self.speed or 1.0) - wall)

    def delay(self, types: Iterable[str]) -> float:
        """Real seconds to wait before an event that goes by these names."""
        names = tuple(types)
        return next(
            (wait for pattern, wait in self.delays if any(fnmatchcase(name, pattern) for name in names)), 0.0
        )


AT_ONCE = Pace()
