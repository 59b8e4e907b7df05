"""What was committed by hand, against what was appended: the service refuses to commit less than 100 ms.

Counted generously, as audio may have been on its way: all that was appended so
far against all that was committed so far, at the lowest rate there is. Where
nothing was ever appended the audio came another way (WebRTC), and where turns
are detected the service commits by itself: nothing is said of either.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.dialects import Dialect
from harness.findings import Basis, Finding, Severity
from harness.lint.shown import COMMITTED
from harness.logs.model import Extent, LogEntry

_LEAST = 100 * 8
"""Bytes: 100 ms of G.711, the format with the fewest."""


class CommitJudge:
    """Told of every event of one session."""

    def __init__(self, dialect: Dialect) -> None:
        self._spec = dialect.errors.get("commit_empty")
        self._bytes = 0
        self._asked = 0
        self._committed = 0
        self._appended = False
        self._sure = True

    def sent(self, entry: LogEntry, size: int, *, pcm: bool) -> None:
        """A client event; `size` in bytes where it is an append, `pcm` where it is heard as samples."""
        type_ = entry.event["type"] if entry.event else None
        if type_ == "input_audio_buffer.commit":
            self._asked += 1
        elif type_ == "input_audio_buffer.append":
            self._appended = True
            self._bytes += size
            # Half a sample at the end: a publisher cut the audio and left no mark.
            self._sure = self._sure and entry.extent is Extent.WHOLE and not (pcm and size % 2)

    def heard(self, entry: LogEntry) -> Iterator[Finding]:
        """What is wrong with one more `input_audio_buffer.committed`."""
        if entry.event is None or entry.event["type"] != COMMITTED:
            return
        self._committed += 1
        by_hand = self._appended and self._sure and self._committed <= self._asked
        if self._spec is None or not by_hand or self._bytes >= _LEAST * self._committed:
            return
        fact = self._spec.fact
        yield Finding(
            code="order.commit-empty",
            severity=Severity.FAIL if fact.evidence.can_fail else Severity.DEVIATION,
            path="input_audio_buffer.committed",
            message="more is committed than was appended; the service refuses a commit of less than 100 ms.",
            expected=f"error {self._spec.code}",
            actual=f"{self._bytes} bytes appended so far, {self._committed} commit(s)",
            basis=(Basis(fact.evidence, fact.source),),
            mend="see what stands between the service and this log, or who put it together",
            at=entry.line,
        )
