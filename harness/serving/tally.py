"""What was found about whatever connected, added up, implementation by implementation.

A server may run for days, so nothing is kept here of a connection that is over
but numbers: of findings that say the same, the first; of values that a client
sent, as much as people read; and of kinds of findings and of clients, no more
than a person would go through.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from harness.findings import Finding, Severity
from harness.messages import Side
from harness.redaction import cut
from harness.server import OF_THIS_SERVER
from harness.serving.happenings import (
    Answered,
    Closed,
    Crossed,
    Failed,
    Happening,
    NeverStruck,
    Opened,
    Stranger,
    TurnedAway,
)
from harness.serving.judge import Judged, Kind, left_out

MOST_FINDINGS = 200
"""Of one client. Who sends nonsense on purpose finds a new kind of it each time."""

MOST_CLIENTS = 40
"""What is more than these is counted as one."""

OTHERS = "others"

_MOST_SHOWN = 400
"""Characters of a value."""
_MOST_NAMED = 100
_VARYING = re.compile(r"\w*\d\w*")

_SEVERITIES = tuple(Severity)

_Key = tuple[Kind, str, str, str]


@dataclass
class Counted:
    """One finding, as it came first; how often it came, and on how many connections or handshakes."""

    kind: Kind
    finding: Finding
    connection: int | None
    """Of the first; None where its handshake was refused."""
    t: float
    times: int = 0
    connections: int = 0


@dataclass
class Client:
    """One implementation, by the name it gives itself; connections, messages and answers in numbers."""

    name: str | None
    connections: int = 0
    refused: int = 0
    """Handshakes."""
    sent: int = 0
    answers: int = 0
    failures: int = 0
    """Connections on which our own code broke: they say nothing."""
    left_out: int = 0
    """Findings of further kinds than are kept."""
    counted: dict[_Key, Counted] = field(default_factory=dict)

    def of(self, *kinds: Kind) -> list[Counted]:
        """What was found of these kinds, the worst first."""
        found = [one for one in self.counted.values() if one.kind in kinds]
        return sorted(found, key=lambda one: _SEVERITIES.index(one.finding.severity))

    @property
    def found(self) -> list[Counted]:
        """What is wrong, the worst first."""
        return self.of(Kind.REFUSED, Kind.FOUND, Kind.PASSED)


class Tally:
    """Told of everything that happens."""

    def __init__(self) -> None:
        self.clients: dict[str | None, Client] = {}
        self.never_struck: tuple[str, ...] = ()
        self.failures = 0
        """Of our own code, before a connection had begun."""
        self.turned_away: Counter[str] = Counter()
        """Why connections came to nothing that was no client's doing, or no handshake's: how often."""
        self.pages_refused: Counter[str] = Counter()
        """Requests by plain HTTP that were refused, as they are shown."""
        self._open: dict[int, tuple[Client, set[_Key]]] = {}
        """By connection: whose it is, and what was found on it."""

    def tell(self, happening: Happening) -> None:
        if isinstance(happening, Crossed):
            self._crossed(happening)
        elif isinstance(happening, Opened):
            client = self._client(happening)
            client.connections += 1
            self._open[happening.number] = (client, set())
            self._add(happening.number, happening.t, happening.judged)
        elif isinstance(happening, TurnedAway):
            self._turned_away(happening)
        elif isinstance(happening, Closed):
            self._add(happening.number, happening.t, happening.judged)
            client, _ = self._open.pop(happening.number)
            if happening.exchange.close_by == "server" and OF_THIS_SERVER in happening.exchange.close_reason:
                _note(self.turned_away, f"closed with {happening.exchange.close_reason}")
            client.answers += len(happening.exchange.responses)
            client.failures += happening.failure is not None
        elif isinstance(happening, Stranger):
            _note(self.turned_away, happening.why)
        elif isinstance(happening, Answered):
            asked = happening.request
            if asked.status >= 400:  # RFC 9110 15: the client's fault, or ours
                why = f": {asked.problem}" if asked.problem else ""
                _note(self.pages_refused, f"{asked.method} {asked.path}, {asked.status}{why}")
        elif isinstance(happening, NeverStruck):
            self.never_struck = happening.faults
        elif isinstance(happening, Failed):
            self.failures += 1

    @property
    def connections(self) -> int:
        return sum(client.connections for client in self.clients.values())

    @property
    def refused(self) -> int:
        """Handshakes that were refused for what the client did."""
        return sum(client.refused for client in self.clients.values())

    @property
    def sent(self) -> int:
        return sum(client.sent for client in self.clients.values())

    def _crossed(self, crossed: Crossed) -> None:
        if crossed.entry.side is Side.CLIENT:
            client = self._open[crossed.number][0]
            client.sent += 1
            client.left_out += left_out(crossed.entry)
            self._add(crossed.number, crossed.t, crossed.judged)

    def _turned_away(self, away: TurnedAway) -> None:
        handshake = away.handshake
        if handshake.refusal is None:
            fault = f"a fault, {handshake.fault}" if handshake.fault else "no request for a WebSocket"
            _note(self.turned_away, f"HTTP {handshake.status}: {handshake.limit or fault}")
            return
        client = self._client(away)
        client.refused += 1
        for judged in away.judged:
            _count(client, judged, None, 0.0, set())

    def _client(self, happening: Opened | TurnedAway) -> Client:
        name = happening.handshake.header("user-agent")
        name = name[:_MOST_NAMED] if name else None
        if name not in self.clients and len(self.clients) >= MOST_CLIENTS:
            name = OTHERS
        return self.clients.setdefault(name, Client(name))

    def _add(self, number: int, t: float, judged: Iterable[Judged]) -> None:
        client, seen = self._open[number]
        for one in judged:
            _count(client, one, number, t, seen)


def _note(counter: Counter[str], text: str) -> None:
    """Counts it; what is more than anybody reads is counted together."""
    text = _cut(text)
    counter[text if text in counter or len(counter) < MOST_CLIENTS else OTHERS] += 1


def _count(client: Client, judged: Judged, number: int | None, t: float, seen: set[_Key]) -> None:
    """Counts a finding; `seen` are those that its connection had already."""
    key = _key(judged)
    counted = client.counted.get(key)
    if counted is None:
        if len(client.counted) >= MOST_FINDINGS:
            client.left_out += 1
            return
        counted = client.counted[key] = Counted(judged.kind, _short(judged.finding), number, t)
    counted.times += 1
    counted.connections += key not in seen
    seen.add(key)


def _key(judged: Judged) -> _Key:
    """What findings that say the same have in common: not their values, ids and places in lists."""
    finding = judged.finding
    whole = finding.path in ("type", "cassette", "handshake.path")  # these places say nothing of themselves
    value = finding.message if whole else finding.path
    return judged.kind, finding.code, finding.severity, _VARYING.sub("", _cut(value))


def _short(finding: Finding) -> Finding:
    """The finding without what nobody reads to the end: a client may send megabytes."""
    return replace(
        finding,
        path=_cut(finding.path),
        message=_cut(finding.message, 2 * _MOST_SHOWN),
        expected=_value(finding.expected),
        actual=_value(finding.actual),
        mend=_cut(finding.mend),
        diff=(),
    )


def _value(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= _MOST_SHOWN else _cut(text)


def _cut(text: str, most: int = _MOST_SHOWN) -> str:
    return cut(text, most)
