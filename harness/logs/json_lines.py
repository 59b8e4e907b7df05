"""JSON Lines: one message a line, with its direction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.cassette import Close
from harness.exceptions import LogFault
from harness.logs.clock import Clock
from harness.logs.envelope import DIRECTION, read_close, read_entry
from harness.logs.lines import Line, read_lines
from harness.logs.model import Log, LogEntry
from harness.messages import MAX_DEPTH, read_json

FORMAT = "JSON Lines"


def read_json_lines(path: Path) -> Log:
    """Reads a file of JSON Lines; raises LogFault where no line of it has a direction."""
    clock = Clock()
    entries: list[LogEntry] = []
    close: Close | None = None
    session = 1
    for line, value, problem in parsed_lines(path):
        if problem is not None:
            entries.append(LogEntry(line.number, None, None, problem, session=session))
            continue
        ended = read_close(value)
        if ended is not None:
            close = ended
            continue
        entries.append(read_entry(value, line.text, line.number, clock, session))
        session = entries[-1].session
    if not any(entry.side for entry in entries):
        first = entries[0] if entries else LogEntry(1, None, None, "no message")
        raise LogFault(
            str(path),
            f"no line of it is a message with a direction; the first: {first.problem}",
            line=first.line,
            expected=DIRECTION,
        )
    return Log(str(path), FORMAT, tuple(entries), close=close, began=clock.began)


def parsed_lines(path: Path) -> Iterator[tuple[Line, Any, str | None]]:
    """Each line with its JSON value, or with what is wrong with it."""
    for line in read_lines(path):
        if line.problem is not None:
            yield line, None, line.problem
            continue
        try:
            value = read_json(line.text)
        except RecursionError:
            yield line, None, f"JSON nested deeper than {MAX_DEPTH} levels"
        except ValueError as error:
            yield line, None, _no_json(error, line)
        else:
            yield line, value, None


def _no_json(error: ValueError, line: Line) -> str:
    at = str(error)
    if isinstance(error, json.JSONDecodeError):  # its own line number would be that of a line in the line
        at = f"{error.msg.removesuffix(' at')} at column {error.colno}"
    half = "" if line.ended else " (the last line is only half written?)"
    return f"not JSON: {at}{half}"
