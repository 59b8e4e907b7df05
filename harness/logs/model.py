"""A captured log of realtime traffic, whoever wrote it and in whatever format.

Every place of the file that should hold a message has an entry, in order: what
cannot be read is an entry with a `problem`, never lost and never the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.cassette import Close
from harness.messages import Json, Side


class Extent(StrEnum):
    """How much of an event its publisher left in."""

    WHOLE = "whole"
    CUT = "cut"
    """The object breaks off: what stands there counts, what is missing says nothing."""
    ELIDED = "elided"
    """Only the type is sure (and perhaps the size of the audio); the body was left out."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One message of a log. `line` is its 1-based line in the file; `t` in seconds, where the log has times.

    `problem` says, for people, why there is no `event`. `audio_bytes` is the
    decoded size of audio whose body was left out.
    """

    line: int
    side: Side | None
    event: Json | None
    problem: str | None = None
    t: float | None = None
    extent: Extent = Extent.WHOLE
    audio_bytes: int | None = None
    session: int = 1
    """Some files hold several sessions, numbered from 1."""


@dataclass(frozen=True)
class Log:
    """One file. `url` and `dialect` where the file says them; `format` names the format it was read as.

    `began` is the Unix time of `t` = 0, where the log has a date. `urls` holds
    the URL of each session, and `url` is there only if they have it in common.
    `provenance` is what a cassette says of its own origin, its `kind` included.
    """

    path: str
    format: str
    entries: tuple[LogEntry, ...]
    dialect: str | None = None
    url: str | None = None
    close: Close | None = None
    began: float | None = None
    urls: tuple[tuple[int, str], ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()

    @property
    def sessions(self) -> tuple[int, ...]:
        """The numbers of its sessions."""
        return tuple(sorted({entry.session for entry in self.entries}))
