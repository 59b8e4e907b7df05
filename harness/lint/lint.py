"""Judges a captured log against a dialect, without a server and without a scenario."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.dialects import Dialect, Evidence, bundled_dialect, dialect_names
from harness.findings import Basis, Finding, Severity
from harness.lint.audio import decoded_size
from harness.lint.client import APPEND, client_findings
from harness.lint.commits import CommitJudge
from harness.lint.hearing import Hearing
from harness.lint.order import OrderJudge
from harness.lint.pace import Append, pace_findings
from harness.lint.server import CONSTRUCTED_LOG, THIS_LOG, server_findings
from harness.lint.settings import SettingsJudge
from harness.lint.shown import ADDED, DONE, Shown
from harness.logs.model import Extent, Log, LogEntry
from harness.messages import Json, Side
from harness.translation import Translator

_CREATED = "conversation.item.created"
_ASKING = ("session.update", "transcription_session.update", "response.create")
_WORD = re.compile(r"\w+")


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
    faults: str | None = None
    """What `serve` misbehaved with on purpose as it was written; what came of that is not the service's."""

    def of(self, severity: Severity) -> tuple[Linted, ...]:
        return tuple(one for one in self.found if one.finding.severity is severity)

    @property
    def failed(self) -> bool:
        return bool(self.of(Severity.FAIL))


def lint_log(log: Log, dialect: Dialect) -> LintReport:
    """Judges every message of a log, and the sessions they make."""
    findings = list(_unreadable(log.entries))
    sessions: dict[int, list[LogEntry]] = {}
    for entry in log.entries:
        sessions.setdefault(entry.session, []).append(entry)
    for _, entries in sorted(sessions.items()):
        findings.extend(_session_findings(entries, dialect, clocked=_has_clock(log)))
    if dict(log.provenance).get("kind") == "constructed":
        findings = [replace(one, basis=tuple(map(_as_constructed, one.basis))) for one in findings]
    readable = [entry for entry in log.entries if entry.event is not None]
    return LintReport(
        path=log.path,
        dialect=dialect.name,
        client_events=sum(entry.side is Side.CLIENT for entry in readable),
        server_events=sum(entry.side is Side.SERVER for entry in readable),
        elided=sum(entry.extent is not Extent.WHOLE for entry in readable),
        unreadable=len(log.entries) - len(readable),
        sessions=len(sessions),
        found=_gathered(findings),
        faults=dict(log.provenance).get("faults"),
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


def _session_findings(entries: Sequence[LogEntry], dialect: Dialect, *, clocked: bool) -> Iterator[Finding]:
    translator = Translator(dialect)
    shown = _shown(entries, dialect)
    judge = OrderJudge(dialect, shown)
    hearing = Hearing(dialect)
    commits = CommitJudge(dialect)
    settings = SettingsJudge(judge.finding)
    appends: list[Append] = []
    yield from _created_for_added(entries, dialect)
    for entry in entries:
        event = entry.event
        if event is None or entry.side is None:
            continue
        if entry.side is Side.CLIENT:
            found = list(client_findings(dialect, entry, hearing.rate))
            yield from found
            commits.sent(entry, _size(entry), pcm=hearing.rate is not None)
            judge.sent(event, refused=any(one.severity is Severity.FAIL for one in found))
            if event["type"] == APPEND:
                appends.append(Append(entry.line, entry.t, _size(entry), hearing.rate))
                settings.appended(entry)
            elif event["type"] in _ASKING:
                asked = translator.to_canonical(Side.CLIENT, event).events[0]
                hearing.asked(_session_of(asked))
                settings.asked(asked)
            continue
        yield from server_findings(dialect, entry)
        yield from commits.heard(entry)
        if entry.extent is not Extent.WHOLE or event["type"] not in dialect.server.events:
            continue  # a name of another dialect has been named; its order is another dialect's too
        for canonical in translator.to_canonical(Side.SERVER, event).events:
            if canonical["type"] in ("session.created", "session.updated"):
                hearing.told(_session_of(canonical))
                settings.told(_session_of(canonical))
            yield from judge.take(canonical, entry.line)
            if shown.whole:
                yield from settings.take(canonical, entry.line)
    if clocked:
        yield from pace_findings(appends)
    if judge.opened and shown.filtered and not shown.gaps and not shown.foreign:
        yield _filtered(shown, entries)


def _shown(entries: Sequence[LogEntry], dialect: Dialect) -> Shown:
    """Which of the service's events the log has, under their canonical names."""
    types = {
        entry.event["type"] for entry in entries if entry.event is not None and entry.side is Side.SERVER
    }
    names, listed = dialect.translation.events, dialect.server.events
    separate = dialect.translation.item_done == "separate"
    return Shown(
        frozenset(names.get(type_, type_) for type_ in types if type_ in listed),
        gaps=any(entry.event is None or entry.extent is not Extent.WHOLE for entry in entries),
        item_done=separate,
        foreign=not types <= listed.keys() or (separate and _CREATED in types),
    )


def _filtered(shown: Shown, entries: Sequence[LogEntry]) -> Finding:
    hidden = ", ".join(shown.hidden)
    return Finding(
        code="log.filtered",
        severity=Severity.NOTE,
        path="(log)",
        message="kinds of events are missing throughout that belong to those that are there: the log was "
        "filtered, so nothing is said of what should have come first.",
        expected="every event of the session",
        actual=f"none of {hidden}",
        basis=(Basis(Evidence.DOCUMENTED, "the service can filter what a browser gets (webrtcfilter=on)"),),
        mend="capture every event, if the order is what you want judged",
        at=entries[0].line,
    )


def _session_of(event: Json) -> Json:
    session = event.get("session")
    return session if isinstance(session, dict) else {}


def _size(entry: LogEntry) -> int:
    if entry.audio_bytes is not None:
        return entry.audio_bytes
    audio = (entry.event or {}).get("audio")
    return decoded_size(audio) if isinstance(audio, str) else 0


def _as_constructed(basis: Basis) -> Basis:
    """What a constructed log says of the service is no recording of it."""
    return CONSTRUCTED_LOG if basis == THIS_LOG else basis


def _has_clock(log: Log) -> bool:
    """Whether its times are those of its traffic: a cassette says where it made them up."""
    notes = dict(log.provenance)
    return notes.get("kind") != "constructed" and "made up" not in notes.get("times", "")


def _created_for_added(entries: Sequence[LogEntry], dialect: Dialect) -> Iterator[Finding]:
    """`.created` where the dialect has `.added` and `.done`: still in published unions, never seen alone."""
    listed = dialect.server.events
    if _CREATED not in listed or dialect.translation.item_done != "separate":
        return
    alone = [entry for entry in entries if entry.event is not None and entry.event["type"] == _CREATED]
    if not alone or any(entry.event is not None and entry.event["type"] == ADDED for entry in entries):
        return
    facts = (listed[_CREATED].fact, listed[ADDED].fact)
    for entry in alone:
        yield Finding(
            code="rename.server-event",
            severity=Severity.FAIL,
            path="type",
            message=f"items are announced with {_CREATED!r} alone; {dialect.name} says {ADDED!r}, "
            f"and {DONE!r} when the item is whole.",
            expected=f"{ADDED}, {DONE}",
            actual=_CREATED,
            basis=tuple(Basis(fact.evidence, fact.note or fact.source) for fact in facts),
            mend="judge the log as the dialect it is of, or translate it",
            at=entry.line,
        )


def _gathered(findings: Iterable[Finding]) -> tuple[Linted, ...]:
    """Findings that say the same of several lines, as one; the worst first."""
    lines: dict[tuple[str, str, str, str], list[int]] = {}
    first: dict[tuple[str, str, str, str], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.severity, _plain(finding.path), _plain(finding.message))
        first.setdefault(key, finding)
        lines.setdefault(key, []).append(finding.at or 0)
    ranks = list(Severity)
    made = [Linted(first[key], tuple(sorted(set(found)))) for key, found in lines.items()]
    return tuple(sorted(made, key=lambda one: (ranks.index(one.finding.severity), one.lines[0])))


def _plain(text: str) -> str:
    """Without what differs from line to line: ids, numbers of elements, sizes."""
    # Word by word: a pattern that looks for the digit itself takes for ever over a long name without one.
    return _WORD.sub(lambda word: "" if any(map(str.isdecimal, word[0])) else word[0], text)
