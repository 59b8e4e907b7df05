"""One attempt to connect, and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from harness.playback import Playback
from harness.service import Exchange, Handshake, Service


@dataclass
class Connection:
    """One attempt to connect: its handshake and, where that was accepted, the service behind it."""

    handshake: Handshake
    service: Service | None = None
    last_activity: float = field(default_factory=time.monotonic)
    """When something last crossed the wire; in the future while a wait that we make lasts."""
    failure: Exception | None = None
    """What broke in our own code. The connection was then closed with 1011."""
    opened_at: float = field(default_factory=time.monotonic)
    over_at: float | None = None
    """When the connection was closed or lost; None while it is neither."""

    @property
    def over(self) -> bool:
        """The connection is closed or lost."""
        return self.over_at is not None

    @property
    def ended_by_service(self) -> bool:
        return self.over and self.service is not None and self.service.ending is not None

    @property
    def exchange(self) -> Exchange | None:
        return self.service.exchange if self.service else None

    @property
    def playback(self) -> Playback | None:
        """The service, where it plays a cassette."""
        return self.service if isinstance(self.service, Playback) else None

    @property
    def idle(self) -> bool:
        """Nothing more will be sent unless the client does something."""
        return self.over or self.service is None or self.service.idle

    def end(self) -> None:
        self.over_at = time.monotonic()
        self.touch()

    def touch(self, wait: float = 0.0) -> None:
        """Something crosses the wire now, or will when a wait that we make is over."""
        self.last_activity = max(self.last_activity, time.monotonic() + wait)
