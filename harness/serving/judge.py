"""What a client did wrong on one connection, told as it crosses.

Rules of this module: the client alone is judged, for the service is ours; each
message is judged once, as it comes, so that a long session costs no long pause
at its end; what was let pass, and what nobody knows, is told apart from what
is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.checks.handshake import handshake_findings
from harness.checks.refusals import content_part_finding, of_content_part, unproven_finding
from harness.dialects import Dialect, Evidence
from harness.findings import Basis, Finding, Severity
from harness.lint.audio import append_findings, decoded_size
from harness.lint.client import APPEND
from harness.lint.hearing import Hearing
from harness.lint.pace import Append, pace_findings
from harness.messages import Json
from harness.recording import Waiting
from harness.service import Entry, Exchange, Handshake
from harness.serving.refusals import dialects_at, event_finding, state_finding

_RULES = {
    1002: (
        "connection.protocol",
        "frames as RFC 6455 has them",
        "leave the frames to a library",
    ),
    1007: ("connection.protocol", "text frames in UTF-8", "encode what is sent as UTF-8"),
    1009: (
        "connection.too-large",
        "a message the service takes",
        "send audio in pieces of about 100 ms",
    ),
}
"""By the code our server closes with where its client broke the rules of WebSocket: code, expected, mend."""


MOST_OF_ONE = 50
"""Findings about one message: who sends thousands of wrong fields at once must not hold up all others."""


class Kind(StrEnum):
    """How a finding came about."""

    REFUSED = "refused"
    """The service refused it."""
    PASSED = "passed"
    """The service would refuse it; a fault in force let it pass."""
    FOUND = "found"
    """The service takes it, and it is wrong all the same."""
    UNPROVEN = "unproven"
    """Nobody knows what the service does with it."""
    UNPLAYED = "unplayed"
    """The cassette has something to say that never came."""


@dataclass(frozen=True)
class Judged:
    """One finding about a client."""

    kind: Kind
    finding: Finding


def judge_handshake(dialect: Dialect, handshake: Handshake) -> Iterator[Judged]:
    """What is wrong with an opening request, be it refused or not."""
    kind = Kind.FOUND if handshake.refusal is None else Kind.REFUSED
    for finding in handshake_findings(dialect, handshake):
        fits = dialects_at(handshake) if finding.code == "handshake.path" else ()
        mend = "".join(f"; or serve {name}: -d {name}" for name in fits)
        yield Judged(kind, replace(finding, mend=finding.mend + mend))


def left_out(entry: Entry) -> int:
    """How many more findings there would be about a message."""
    return sum(max(len(found) - MOST_OF_ONE, 0) for found in (entry.refusals, entry.unproven))


class Judge:
    """Told of every message of one connection. `session` is the one in force, in canonical form."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._hearing = Hearing(dialect)
        self._appends: list[Append] = []

    def sent(self, entry: Entry, t: float, session: Json, note: str | None = None) -> Iterator[Judged]:
        """What is wrong with one message of the client, `t` seconds after the connection opened.

        `note` says where it is a tool's result that belongs to no call.
        """
        passed = entry.fault is not None
        for place, refusal in enumerate(entry.refusals[:MOST_OF_ONE]):
            finding = event_finding(self._dialect, refusal, at=entry.number, first=place == 0, lenient=passed)
            yield Judged(Kind.PASSED if passed else Kind.REFUSED, finding)
        if entry.refused_by_state is not None:
            yield Judged(Kind.REFUSED, state_finding(self._dialect, entry))
        for open_ in entry.unproven[:MOST_OF_ONE]:
            if of_content_part(open_):
                part = content_part_finding(self._dialect, open_, entry.event, at=entry.number)
                yield Judged(Kind.FOUND, part)
            else:
                yield Judged(Kind.UNPROVEN, unproven_finding(open_, entry.event, at=entry.number))
        if note is not None:
            yield Judged(Kind.FOUND, _uncalled(entry, note))
        if entry.event is not None and entry.event["type"] == APPEND:
            yield from self._appended(entry, entry.event, t, session)

    def over(self, exchange: Exchange, *, by_fault: bool) -> Iterator[Judged]:
        """What shows only at the end, which a fault may have brought about."""
        for finding in pace_findings(self._appends):
            yield Judged(Kind.FOUND, finding)
        if exchange.close_by == "server" and exchange.close_code in _RULES and not by_fault:
            yield Judged(Kind.REFUSED, _broken(exchange, exchange.close_code))
        for waiting in exchange.unplayed:
            yield Judged(Kind.UNPLAYED, _unplayed(waiting))

    def _appended(self, entry: Entry, event: Json, t: float, session: Json) -> Iterator[Judged]:
        audio = event.get("audio")
        if not isinstance(audio, str) or entry.refused:
            return
        self._hearing.told(session)
        rate = self._hearing.rate
        self._appends.append(Append(entry.number, t, decoded_size(audio), rate))
        for finding in append_findings(self._dialect, audio, entry.number, rate):
            yield Judged(Kind.FOUND, finding)


def _uncalled(entry: Entry, note: str) -> Finding:
    item = (entry.event or {})["item"]
    return Finding(
        code="order.tool-result",
        severity=Severity.DEVIATION,
        path="item.call_id",
        message=f"{note}.",
        expected="the call_id of a function_call of this conversation",
        actual=item.get("call_id"),
        basis=(Basis(Evidence.DOCUMENTED, "API reference: call_id is that of the function call"),),
        mend="send the call_id of the function_call item",
        at=entry.number,
    )


def _broken(exchange: Exchange, close_code: int) -> Finding:
    code, expected, mend = _RULES[close_code]
    too_large = close_code == 1009
    why = "a message was too large for it" if too_large else "the client broke the rules of WebSocket"
    source = "how large a message may be, nobody has published" if too_large else "RFC 6455"
    return Finding(
        code=code,
        # The service takes 15 MiB of audio in one append; what it does with more is a guess.
        severity=Severity.DEVIATION if too_large else Severity.FAIL,
        path="connection",
        message=f"the server closed with {close_code}, as {why}.",
        expected=expected,
        actual=exchange.close_reason or None,
        basis=(Basis(Evidence.ASSUMED if too_large else Evidence.DOCUMENTED, source),),
        mend=mend,
    )


def _unplayed(waiting: Waiting) -> Finding:
    return Finding(
        code="cassette.unplayed",
        severity=Severity.NOTE,
        path="cassette",
        message=f"an answer of the cassette never came: it waits for {waiting}.",
        expected=str(waiting),
        actual=None,
        basis=(),
        mend="do what it waits for, or serve a model, which answers whatever is asked",
    )
