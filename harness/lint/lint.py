"""Judges a captured log against a dialect, without a server and without a scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.dialects import Dialect, Evidence, bundled_dialect, dialect_names
from harness.findings import Basis, Finding, Severity
from harness.lint.client import client_findings
from harness.lint.order import OrderJudge
from harness.lint.pace import pace_findings
from harness.lint.server import server_findings
from harness.logs.model import Extent, Log, LogEntry
from harness.messages import Json, Side
from harness.translation import Translator


@dataclass(frozen=True)
class Linted:
    """One finding with every line that shows it (the first stands in `finding.at`)."""

    finding: Finding
    lines: tuple[int, ...]


@dataclass(frozen=True)
class LintReport:
    """What a log came to, as one dialect."""

    path: str
    dialect: str
    client_events: int
    server_events: int
    elided: int
    unreadable: int
    sessions: int
    found: tuple[Linted, ...]

    def of(self, severity: Severity) -> tuple[Linted, ...]:
        return tuple(one for one in self.found if one.finding.severity is severity)

    @property
    def failed(self) -> bool:
        return bool(self.of(Severity.FAIL))


def lint_log(log: Log, dialect: Dialect) -> LintReport:
    """Judges every message of a log, and the sessions they make."""
    findings = list(_unreadable(log.entries))
    for number in sorted({entry.session for entry in log.entries}):
        findings.extend(_session_findings([e for e in log.entries if e.session == number], dialect))
    readable = [entry for entry in log.entries if entry.event is not None]
    return LintReport(
        path=log.path,
        dialect=dialect.name,
        client_events=sum(entry.side is Side.CLIENT for entry in readable),
        server_events=sum(entry.side is Side.SERVER for entry in readable),
        elided=sum(entry.extent is not Extent.WHOLE for entry in readable),
        unreadable=len(log.entries) - len(readable),
        sessions=len({entry.session for entry in log.entries}),
        found=_gathered(findings),
    )


def fitting_dialects(log: Log) -> list[tuple[str, int]]:
    """Every bundled dialect with the number of failures the log has as that dialect, fewest first."""
    counted = []
    for name in dialect_names():
        report = lint_log(log, bundled_dialect(name))
        counted.append((name, sum(len(one.lines) for one in report.of(Severity.FAIL))))
    return sorted(counted, key=lambda pair: pair[1])


def _unreadable(entries: Iterable[LogEntry]) -> Iterator[Finding]:
    for entry in entries:
        if entry.event is None:
            yield Finding(
                code="log.unreadable",
                severity=Severity.FAIL,
                path="(message)",
                message=entry.problem or "no event",
                expected="one event as a JSON object with a type",
                actual=entry.problem,
                basis=(Basis(Evidence.DOCUMENTED, "API reference: events are JSON objects with a type"),),
                mend="the rest of the log was judged; see the line",
                at=entry.line,
            )


def _session_findings(entries: Sequence[LogEntry], dialect: Dialect) -> Iterator[Finding]:
    translator = Translator(dialect)
    gaps = any(entry.event is None or entry.extent is not Extent.WHOLE for entry in entries)
    types = Counter(entry.event["type"] for entry in entries if entry.event is not None)
    judge = OrderJudge(dialect, gaps=gaps, parts_shown=bool(types["response.content_part.added"]))
    appends: list[tuple[int, float | None, str]] = []
    session: Json = {}
    yield from _created_for_added(types, entries, dialect)
    for entry in entries:
        event = entry.event
        if event is None or entry.side is None:
            continue
        if entry.side is Side.CLIENT:
            yield from client_findings(dialect, entry)
            if event["type"] in ("session.update", "transcription_session.update"):
                judge.update_sent()
            if event["type"] == "input_audio_buffer.append" and isinstance(event.get("audio"), str):
                appends.append((entry.line, entry.t, event["audio"]))
            continue
        yield from server_findings(dialect, entry)
        if entry.extent is not Extent.WHOLE or event["type"] not in dialect.server.events:
            continue  # a name of another dialect has been named; its order is another dialect's too
        for canonical in translator.to_canonical(Side.SERVER, event).events:
            if canonical["type"] == "session.updated" and isinstance(canonical.get("session"), dict):
                session = canonical["session"]
            yield from judge.take(canonical, entry.line)
    yield from pace_findings(appends, session)


def _created_for_added(
    types: Counter[str], entries: Sequence[LogEntry], dialect: Dialect
) -> Iterator[Finding]:
    """`.created` where the dialect has `.added` and `.done`: still in published unions, never seen alone."""
    created = "conversation.item.created"
    if created not in dialect.server.events or not types[created] or types["conversation.item.added"]:
        return
    if dialect.translation.item_done != "separate":
        return
    fact = dialect.server.events[created].fact
    for entry in entries:
        if entry.event is not None and entry.event["type"] == created:
            yield Finding(
                code="rename.server-event",
                severity=Severity.FAIL,
                path="type",
                message=f"items are announced with {created!r} alone; {dialect.name} says "
                "'conversation.item.added', and 'conversation.item.done' when the item is whole.",
                expected="conversation.item.added, conversation.item.done",
                actual=created,
                basis=(Basis(fact.evidence, fact.note or fact.source),),
                mend="judge the log as the dialect it is of, or translate it",
                at=entry.line,
            )


def _gathered(findings: Iterable[Finding]) -> tuple[Linted, ...]:
    """Findings that say the same of several lines, as one; the worst first."""
    lines: dict[tuple[str, str, str], list[int]] = {}
    first: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        key = (finding.code, _plain(finding.path), _plain(finding.message))
        first.setdefault(key, finding)
        lines.setdefault(key, []).append(finding.at or 0)
    ranks = list(Severity)
    made = [
        Linted(replace(first[key], at=found[0]), tuple(dict.fromkeys(found))) for key, found in lines.items()
    ]
    return tuple(sorted(made, key=lambda one: (ranks.index(one.finding.severity), one.lines[0])))


def _plain(text: str) -> str:
    """Without the numbers of array elements, which differ from line to line."""
    return "".join(character for character in text if not character.isdigit())
