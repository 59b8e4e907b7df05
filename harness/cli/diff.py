"""`realtime-harness diff`: what differs between two captured sessions."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from harness.cli.main import ASPECTS
from harness.cli.select import select_dialects
from harness.dialects import Dialect, dialect_names
from harness.diff import DiffOptions, SessionDiff, diff_sessions, text_lines, to_json
from harness.exceptions import UsageFault
from harness.logs import Log, read_log
from harness.redaction import Redactor


def run(options: argparse.Namespace) -> int:
    """Compares two files; exits 0 where they are the same and 1 where they differ."""
    diff = _compare(options)
    if options.output is None and options.format == "text":
        from harness.cli.terminal import show_report  # noqa: PLC0415 - rich, where it is needed

        show_report(text_lines(diff))
    elif options.output is None:
        print(rendered(diff, options.format), end="")
    else:
        _write(options.output, rendered(diff, options.format))
        print(f"{'no difference' if diff.same else f'{diff.count} difference(s)'}: {options.output}")
    return 0 if diff.same else 1


def rendered(diff: SessionDiff, form: str) -> str:
    """The comparison as a document."""
    if form == "json":
        return json.dumps(to_json(diff), indent=2) + "\n"
    if form == "html":
        from harness.html import render_diff  # noqa: PLC0415 - jinja2, where it is needed

        return render_diff(to_json(diff))
    return "".join(f"{line}\n" for line in text_lines(diff))


def _compare(options: argparse.Namespace) -> SessionDiff:
    a, b = _redacted(read_log(options.a)), _redacted(read_log(options.b))
    asked = {name for names in options.put_back or () for name in names}
    wanted = DiffOptions(**{name: name in asked for name in ASPECTS}, as_wire=options.as_wire)
    dialect_a, dialect_b = _dialect(options.dialect_a, a), _dialect(options.dialect_b, b)
    return diff_sessions(a, b, wanted, dialect_a=dialect_a, dialect_b=dialect_b)


def _redacted(log: Log) -> Log:
    """What differs is shown, and a log may hold keys."""
    redactor = Redactor()
    entries = (
        entry if entry.event is None else replace(entry, event=redactor.value(entry.event))
        for entry in log.entries
    )
    return replace(log, entries=tuple(entries))


def _dialect(named: str | None, log: Log) -> Dialect | None:
    """The dialect a user names, or else the one the log names, if we know it."""
    name = named or (log.dialect if log.dialect in dialect_names() else None)
    return select_dialects([name])[0] if name else None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UsageFault(f"{path} cannot be written: {error.strerror or error}") from None
