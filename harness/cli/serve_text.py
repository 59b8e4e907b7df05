"""What `serve` shows while it runs: what crosses, what was refused, and how a connection ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from harness.cli.crossing_text import (
    STREAMS,
    arrow,
    content,
    is_routine,
    name_of,
    quoted,
    shown,
    stream_of,
    streamed,
)
from harness.cli.finding_text import Line, body_lines, count
from harness.findings import Finding, Severity
from harness.messages import Side
from harness.server import Asked
from harness.service import Entry, Exchange, Handshake, Origin
from harness.serving import (
    Answered,
    Closed,
    Crossed,
    Failed,
    Happening,
    Judged,
    Kind,
    NeverStruck,
    Opened,
    Serving,
    Stranger,
    Struck,
    TurnedAway,
    handshake_reason,
    left_out,
)

_ROW_SECONDS = 5.0
"""A row of pieces that goes on for longer is shown in parts."""

_ROW_REST = 0.4
"""One that has not grown for so long is over. Microphones send every 10 to 200 ms."""

_INDENT = " " * 18

_MOST_AT_THE_END = 50
"""Lines about one connection as it ends; the findings at the end have the rest."""

_LIVE = {Kind.REFUSED: "REFUSED", Kind.PASSED: "ACCEPTED", Kind.FOUND: "FOUND"}
"""What is told of as it comes, and the word for it."""


@dataclass
class _Row:
    """Pieces of one stream that came one after another."""

    first: Crossed
    name: str
    pieces: list[object] = field(default_factory=list)
    grew: float = 0.0
    """When it grew last, by the process's clock."""


class Story:
    """Turns what happens into lines; rows of deltas and appends become one line each."""

    def __init__(self, serving: Serving, put: Callable[[Line], None]) -> None:
        self._dialect = serving.dialect
        self._put = put
        self._replays = bool(serving.cassettes)
        self._quiet = serving.quiet
        self.origin = ""
        """Where the server listens, once it does: `ws://127.0.0.1:PORT`."""
        self._rows: dict[int, dict[str, _Row]] = {}
        """By connection: rows that go on, by their stream."""
        self._told: dict[int, set[str]] = {}
        """By connection: the codes of what was found in its rows."""

    def tell(self, happening: Happening) -> None:
        if isinstance(happening, Crossed):
            if not self._quiet:
                self._crossed(happening)
        elif isinstance(happening, Answered):
            self._answered(happening.request)
        elif isinstance(happening, Stranger):
            self._put([("    ", ""), ("turned away  ", "bold red"), (shown(happening.why, 400), "")])
        elif isinstance(happening, Opened):
            self._opened(happening)
        elif isinstance(happening, TurnedAway):
            self._turned_away(happening.handshake)
        elif isinstance(happening, Struck):
            self._put([*_margin(happening.number, happening.t), _fault(happening.fault)])
        elif isinstance(happening, NeverStruck):
            pass  # told with the findings
        elif isinstance(happening, Failed):
            self._put(_failure_line(happening.failure))
        else:
            self._flush(happening.number)
            self._told.pop(happening.number, None)
            for line in _end_lines(happening):
                self._put(line)

    def _answered(self, request: Asked) -> None:
        """A request by plain HTTP; the evidence is that of the body of its refusal."""
        style = "bold green" if request.status < 400 else "bold red"
        line: Line = [("    ", ""), (f"HTTP {request.status}  ", style)]
        line.append((f"{shown(request.method)} {shown(request.path)}", ""))
        if request.problem:
            known = f"  ({request.evidence})" if request.evidence else ""
            line.append((f": {shown(request.problem, 400)}{known}", ""))
        self._put(line)

    def rest(self) -> None:
        """Shows rows that have not grown for a while."""
        since = time.monotonic() - _ROW_REST
        for number, rows in list(self._rows.items()):
            if all(row.grew < since for row in rows.values()):
                self._flush(number)

    def _opened(self, opened: Opened) -> None:
        asked = f"{opened.handshake.path} {_query(opened.handshake)}"
        line: Line = [*_margin(opened.number, 0.0), ("open  ", "bold green"), (shown(asked), "")]
        if opened.handshake.fault:
            line.append(_fault(opened.handshake.fault))
        self._put(line)
        for more in _judged_lines(opened.judged):
            self._put(more)

    def _turned_away(self, handshake: Handshake) -> None:
        expected = evidence = None
        if handshake.refusal is not None:
            why, expected, evidence = handshake_reason(self._dialect, handshake, self.origin)
        else:
            why = handshake.limit or ("a fault" if handshake.fault else "no request for a WebSocket")
        line: Line = [("    ", ""), ("handshake refused  ", "bold red")]
        seen = self._dialect.handshake.shown(handshake.refusal or "", handshake.status)
        line.append((f"{seen}, {why}: {shown(handshake.path)}", ""))
        line.append((f" {_query(handshake)}" if handshake.query else "", "dim"))
        if handshake.fault:
            line.append(_fault(handshake.fault))
        self._put(line)
        if expected is not None:
            self._put([(f"{_INDENT}expected  ", "bold"), (expected, "")])
        if evidence is not None:
            self._put([(f"{_INDENT}evidence  ", "bold"), (evidence, "dim")])
        if (handshake.fault or handshake.limit) and handshake.refusal is None and handshake.body:
            guessed = f"  ({handshake.body_evidence})" if handshake.body_evidence else ""
            self._put([(f"{_INDENT}body      ", "bold"), (f"{shown(handshake.body)}{guessed}", "")])

    def _crossed(self, crossed: Crossed) -> None:
        stream = stream_of(crossed.entry)
        if stream is not None:
            self._collect(crossed, stream)
            self._found_in_row(crossed)
            return
        self._flush(crossed.number)
        for line in self._lines(crossed):
            self._put(line)

    def _collect(self, crossed: Crossed, stream: str) -> None:
        rows = self._rows.setdefault(crossed.number, {})
        row = rows.get(stream)
        if row is not None and crossed.t - row.first.t > _ROW_SECONDS:
            self._flush(crossed.number)
            rows, row = self._rows.setdefault(crossed.number, {}), None
        if row is None:
            row = rows[stream] = _Row(crossed, name_of(crossed.entry))
        row.pieces.append(crossed.entry.canonical[0].get(STREAMS[stream]))
        row.grew = time.monotonic()

    def _found_in_row(self, crossed: Crossed) -> None:
        """What is wrong with one piece is wrong with most: it is told once a connection."""
        told = self._told.setdefault(crossed.number, set())
        new = [one for one in crossed.judged if one.kind in _LIVE and one.finding.code not in told]
        if new:
            told.update(one.finding.code for one in new)
            self._flush(crossed.number)
            for line in _judged_lines(new):
                self._put(line)

    def _flush(self, number: int) -> None:
        for stream, row in self._rows.pop(number, {}).items():
            line = _head(row.first, row.name)
            if len(row.pieces) > 1:
                line.append((f" x{len(row.pieces)}", "bold"))
            line.append((f"  {streamed(stream, row.pieces, row.first.session)}", ""))
            self._put(line)

    def _lines(self, crossed: Crossed) -> Iterator[Line]:
        entry = crossed.entry
        line = _head(crossed, name_of(entry))
        if entry.fault is not None or entry.origin is Origin.FAULT:
            line.append(_fault(entry.fault or ""))
        said = content(entry, crossed.session)
        if said:
            line.append((f"  {said}", "dim" if is_routine(entry) else ""))
        if crossed.why is not None:
            line.append((f"  ({crossed.why})", "dim"))
        elif self._replays and entry.origin is Origin.COUNTERFACTUAL:
            line.append(("  (counterfactual)", "dim"))
        yield line
        if crossed.note is None:
            yield from _judged_lines(crossed.judged)
            more = left_out(crossed.entry)
            if more:
                yield [
                    (f"{_INDENT}and       ", "bold"),
                    (f"{count(more, 'more finding')} about this message", ""),
                ]
        if crossed.note is not None:
            yield [(f"{_INDENT}note      ", "bold yellow"), (crossed.note, "")]


def _query(handshake: Handshake) -> str:
    return shown(" ".join(f"{name}={value}" for name, value in handshake.query))


def _margin(number: int, t: float) -> Line:
    return [(f"#{number:<3}{t:8.3f}  ", "dim")]


def _head(crossed: Crossed, name: str) -> Line:
    side = crossed.entry.side
    bad = name == "error" or crossed.entry.refused
    style = "bold red" if bad else "cyan" if side is Side.CLIENT else "green"
    weight = style if bad else "dim" if is_routine(crossed.entry) else "bold"
    return [*_margin(crossed.number, crossed.t), (f"{arrow(side)}  ", style), (name, weight)]


def _fault(name: str) -> tuple[str, str]:
    return (f"  FAULT {name}".rstrip(), "bold magenta")


def _judged_lines(judged: Iterable[Judged]) -> Iterator[Line]:
    """What is worth a look at once; the rest is told as the connection ends."""
    for one in judged:
        if one.kind in _LIVE:
            yield from _finding_lines(one.finding, _LIVE[one.kind])


def _finding_lines(finding: Finding, word: str) -> Iterator[Line]:
    red = finding.severity is Severity.FAIL
    yield [
        (f"{_INDENT}{word:<8} ", "bold red" if red else "bold yellow"),
        (f"{finding.path}  ", "bold"),
        (finding.code, "dim"),
    ]
    yield from body_lines(finding, f"{_INDENT}  ")


def _end_lines(closed: Closed) -> Iterator[Line]:
    exchange = closed.exchange
    refused = [entry for entry in exchange.client_entries() if entry.refused]
    by = {"client": "by the client", "server": "by the server"}.get(
        exchange.close_by or "", "without a close frame"
    )
    code = f", {exchange.close_code}" if exchange.close_code is not None else ""
    if exchange.close_reason:
        code += f" {quoted(exchange.close_reason)}"
    counts = [
        count(len(exchange.responses), "answer"),
        count(len(refused), "refused event"),
        count(len(_unproven(exchange)), "unproven field"),
    ]
    yield from _judged_lines(closed.judged)
    style = "bold red" if refused or closed.failure else "bold green"
    line = [*_margin(closed.number, closed.t), ("closed", style), (f" {by}{code}: {', '.join(counts)}", "")]
    yield [*line, _fault(closed.fault)] if closed.fault else line
    for text in islice(dict.fromkeys(_refused_text(entry) for entry in refused), _MOST_AT_THE_END):
        yield [(f"{_INDENT}refused   ", "bold"), (text, "")]
    for path, reason in islice(_unproven(exchange).items(), _MOST_AT_THE_END):
        yield [(f"{_INDENT}unproven  ", "bold"), (f"{shown(path)}: {shown(reason)}", "")]
    for waiting in exchange.unplayed:
        yield [(f"{_INDENT}unplayed  ", "bold"), (f"an answer that waits for {waiting}", "")]
    if closed.log is not None:
        yield [(f"{_INDENT}written   ", "bold"), (str(closed.log), "")]
    if closed.problem is not None:
        yield [(f"{_INDENT}not written  ", "bold red"), (closed.problem, "")]
    if closed.failure is not None:
        yield _failure_line(closed.failure)
    yield []


def _failure_line(failure: Exception) -> Line:
    text = f"{type(failure).__name__}: {failure}"
    return [(f"{_INDENT}the harness failed  ", "bold red"), (shown(text, 400), "")]


def _refused_text(entry: Entry) -> str:
    reasons: Iterable[str] = (refusal.path for refusal in entry.refusals)
    return f"{name_of(entry)}: {shown(', '.join(reasons) or entry.refused_by_state or '')}"


def _unproven(exchange: Exchange) -> dict[str, str]:
    return {one.path: one.reason for entry in exchange.client_entries() for one in entry.unproven}
