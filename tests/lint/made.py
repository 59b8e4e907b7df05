"""Logs for the tests to judge: of the bundled cassettes, changed, and put together by hand."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.bundled import cassettes_folder
from harness.dialects import bundled_dialect
from harness.findings import Severity
from harness.lint import LintReport, lint_log
from harness.logs import Log, LogEntry, read_log
from harness.messages import Json, Side

GA = "azure-v1"
FLAT = "azure-2025-04-01-preview"
GENERATIONS = (GA, FLAT)

Said = tuple[str, Json]
"""The side, `client` or `server`, and what it said."""


def cassettes() -> list[Path]:
    return sorted(cassettes_folder().rglob("*.jsonl"))


def cassette(dialect: str, name: str) -> list[Said]:
    """What was said in a bundled cassette; a fresh copy, to be broken at will."""
    log = read_log(cassettes_folder() / dialect / f"{name}.jsonl")
    return [(str(e.side), copy.deepcopy(e.event)) for e in log.entries if e.event is not None]


def log_of(said: Iterable[Said], *, step: float | None = None, **more: Any) -> Log:
    """A log of what was said, one line each; with times where a step is given."""
    entries = tuple(
        LogEntry(line, Side(side), event, t=None if step is None else round(line * step, 6))
        for line, (side, event) in enumerate(said, start=1)
    )
    return Log(**{"path": "made.jsonl", "format": "JSON Lines", "entries": entries, **more})


def judged(said: Iterable[Said] | Log, dialect: str) -> LintReport:
    log = said if isinstance(said, Log) else log_of(said)
    return lint_log(log, bundled_dialect(dialect))


def said_of(report: LintReport) -> list[tuple[str, str, str]]:
    """What a report says against a log: everything but notes."""
    return [
        (str(one.finding.severity), one.finding.code, one.finding.message)
        for one in report.found
        if one.finding.severity is not Severity.NOTE
    ]


def codes(report: LintReport) -> set[str]:
    return {one.finding.code for one in report.found}


def failing(report: LintReport) -> set[str]:
    return {one.finding.code for one in report.of(Severity.FAIL)}


def place(said: list[Said], type_: str, nth: int = 0) -> int:
    """Where the nth event of a type stands."""
    return [at for at, (_, event) in enumerate(said) if event["type"] == type_][nth]


def without(said: list[Said], type_: str, nth: int = 0) -> list[Said]:
    at = place(said, type_, nth)
    return said[:at] + said[at + 1 :]


def moved(said: list[Said], type_: str, before: str, nth: int = 0) -> list[Said]:
    """The nth event of a type, taken out and put before the first of another."""
    one = said[place(said, type_, nth)]
    rest = without(said, type_, nth)
    at = place(rest, before)
    return [*rest[:at], one, *rest[at:]]


def twice(said: list[Said], type_: str, nth: int = 0) -> list[Said]:
    at = place(said, type_, nth)
    return [*said[: at + 1], copy.deepcopy(said[at]), *said[at + 1 :]]


def part_of(log: Log, entries: Iterable[LogEntry]) -> Log:
    return replace(log, entries=tuple(entries))
