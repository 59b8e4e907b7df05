"""`realtime-harness lint`: judges captured logs against a dialect, without a server."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.cli.finding_json import finding_json
from harness.cli.select import named_dialect
from harness.exceptions import HarnessError, UsageFault
from harness.findings import Severity
from harness.lint import Linted, LintReport, fitting_dialects, lint_log
from harness.logs.model import Log
from harness.logs.read import read_log
from harness.redaction import Redactor

_SHOWN_LINES = 4
_MOST_CHARACTERS = 200
_MOST_SAID = 400


def run(options: argparse.Namespace) -> int:
    """Judges each file; exits 1 where one has a failure, 2 where one cannot be judged."""
    reports: list[LintReport] = []
    broken = False
    for path in options.files:
        try:
            reports.append(_lint(path, options.dialect))
        except HarnessError as fault:
            broken = True
            print(f"realtime-harness: {fault}", file=sys.stderr)
    if options.json:
        # In ASCII: what a hostile log holds, half a surrogate pair say, no terminal could be written.
        print(json.dumps([_as_json(report) for report in reports], indent=2))
    else:
        for report in reports:
            print("\n".join(_lines(report, verbose=options.verbose)))
    if broken:
        return 2
    return 1 if any(report.failed for report in reports) else 0


def _redacted(report: LintReport) -> LintReport:
    """Findings quote the log, and a log may hold keys."""
    redactor = Redactor()

    def clean(one: Linted) -> Linted:
        path = one.finding.path
        shown = {name: redactor.value({path: getattr(one.finding, name)}) for name in ("expected", "actual")}
        values = {name: next(iter(value.values())) for name, value in shown.items()}
        finding = replace(one.finding, **values, message=redactor.text(one.finding.message))
        return replace(one, finding=finding)

    return replace(report, found=tuple(map(clean, report.found)))


def _lint(path: Path, named: str | None) -> LintReport:
    log = read_log(path)
    name = named or log.dialect
    if name is None:
        raise UsageFault(
            f"{path} does not say which dialect it is of; name it with --dialect",
            known=tuple(_fit(log)),
        )
    return _redacted(lint_log(log, named_dialect(name)))


def _fit(log: Log) -> list[str]:
    return [
        f"{name} (fits)" if not failures else f"{name} ({failures} failures)"
        for name, failures in fitting_dialects(log)
    ]


def _lines(report: LintReport, *, verbose: bool) -> list[str]:
    sessions = f" in {report.sessions} sessions" if report.sessions > 1 else ""
    heard = f"{report.client_events} client and {report.server_events} server events{sessions}"
    left_out = f", {report.elided} of them cut by the publisher" if report.elided else ""
    lines = [f"{_short(report.path)}: {heard}{left_out}, judged as {report.dialect}"]
    if report.faults is not None:
        lines.append(f"  served with faults in force, which are not the service's: {_short(report.faults)}")
    for one in report.found:
        if one.finding.severity is not Severity.NOTE or verbose:
            lines.extend(_finding_lines(one))
    counts = {severity: len(report.of(severity)) for severity in Severity}
    told = ", ".join(f"{counts[severity]} {severity}" for severity in Severity if counts[severity])
    hint = " (-v shows the notes)" if counts[Severity.NOTE] and not verbose else ""
    lines.append(f"  {told or 'nothing found'}{hint}")
    return lines


def _finding_lines(one: Linted) -> list[str]:
    finding = one.finding
    shown = ", ".join(str(line) for line in one.lines[:_SHOWN_LINES])
    more = f" and {len(one.lines) - _SHOWN_LINES} more" if len(one.lines) > _SHOWN_LINES else ""
    word = "line" if len(one.lines) == 1 else "lines"
    lines = [
        f"  {finding.severity.upper():9} {finding.code}  {word} {shown}{more}",
        f"            {_short(finding.message, _MOST_SAID)}",
        f"            expected  {_short(finding.expected)}",
        f"            actual    {_short(finding.actual)}",
    ]
    lines.extend(f"            evidence  {basis.evidence}: {basis.source}" for basis in finding.basis)
    lines.append(f"            mend      {_short(finding.mend)}")
    return lines


def _short(value: Any, most: int = _MOST_CHARACTERS) -> str:
    """A value on one line: what a hostile log holds neither floods a terminal nor commands it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(character if character.isprintable() else "�" for character in cut)


def _as_json(report: LintReport) -> dict[str, Any]:
    return {
        "file": report.path,
        "dialect": report.dialect,
        **({"faults": report.faults} if report.faults is not None else {}),
        "client_events": report.client_events,
        "server_events": report.server_events,
        "cut_events": report.elided,
        "unreadable": report.unreadable,
        "failed": report.failed,
        "findings": [{**finding_json(one.finding), "lines": list(one.lines)} for one in report.found],
    }
