"""Hears where speech starts and stops in the stream of input audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Mark:
    """Speech started or stopped, `ms` after the beginning of all audio that was appended."""

    started: bool
    ms: int


class Detector(Protocol):
    """Told every append in turn, in the session's input format."""

    def feed(self, audio: bytes) -> list[Mark]:
        """The marks this append brings."""
        ...

    def clear(self) -> None:
        """The buffer was committed or cleared by the client: a turn that is open is over."""
        ...
