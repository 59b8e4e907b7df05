"""Our own cassettes, read as logs: also those that are broken, which no run would replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from harness.cassette import Close
from harness.logs.clock import Clock
from harness.logs.envelope import read_close, read_entry
from harness.logs.json_lines import parsed_lines
from harness.logs.model import Log, LogEntry
from harness.messages import Json, Side

FORMAT = "cassette"


def read_cassette_log(path: Path) -> Log:
    """Reads a cassette line by line; what is wrong with it becomes an entry."""
    reader = _Reader()
    for line, value, problem in parsed_lines(path):
        reader.take(line.number, value, problem, line.text)
    return reader.log(str(path))


class _Reader:
    def __init__(self) -> None:
        self._entries: list[LogEntry] = []
        self._clock = Clock()
        self._header: Json | None = None
        self._close: Close | None = None
        self._ended = False
        self._more = False
        self._count = 0
        self._last = 0

    def take(self, line: int, value: Any, problem: str | None, text: str) -> None:
        first, self._last = self._last == 0, line
        if self._ended and not self._more:
            self._more = True
            self._wrong(line, "more lines after the footer")
        if first and (problem or not isinstance(value, dict) or "cassette" in value):
            self._head(line, value, problem)
        elif isinstance(value, dict) and "end" in value:
            self._foot(line, value["end"])
        else:
            self._count += 1
            self._entries.append(
                LogEntry(line, None, None, problem) if problem else self._interaction(value, text, line)
            )

    def _interaction(self, value: Any, text: str, line: int) -> LogEntry:
        if isinstance(value, dict) and "event" not in value and ("text" in value or "binary" in value):
            kind = "text" if "text" in value else "binary"
            side = Side(value["side"]) if value.get("side") in ("client", "server") else None
            problem = f"a {kind} frame that is no event"
            return LogEntry(line, side, None, problem, self._clock.read(value))
        return read_entry(value, text, line, self._clock)

    def _head(self, line: int, value: Any, problem: str | None) -> None:
        if problem is not None or not isinstance(value, dict):
            self._wrong(line, f"the header cannot be read: {problem or 'no JSON object'}")
            return
        self._header = value
        if not isinstance(value.get("dialect"), str):
            self._wrong(line, "the header names no dialect")

    def _foot(self, line: int, end: Any) -> None:
        self._ended = True
        self._close = read_close(end)
        counted = end.get("interactions") if isinstance(end, dict) else None
        if counted != self._count:
            problem = f"the footer counts {counted!r:.20} interactions, the file has {self._count}"
            self._wrong(line, f"{problem}: it was cut or edited")

    def _wrong(self, line: int, problem: str) -> None:
        self._entries.append(LogEntry(line, None, None, problem))

    def log(self, path: str) -> Log:
        if not self._ended:
            self._wrong(self._last, "ends without its footer: the recording was not finished")
        header = self._header or {}
        dialect = header.get("dialect")
        provenance = header.get("provenance")
        return Log(
            path,
            FORMAT,
            tuple(self._entries),
            dialect=dialect if isinstance(dialect, str) else None,
            url=_url(header.get("handshake")),
            close=self._close,
            provenance=_texts(provenance),
        )


def _url(handshake: Any) -> str | None:
    """The handshake of a header as a URL without a host, which no cassette has."""
    path = handshake.get("path") if isinstance(handshake, dict) else None
    if not isinstance(path, str):
        return None
    query = urlencode(_texts(handshake.get("query")))
    return f"{path}?{query}" if query else path


def _texts(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        return ()
    return tuple((key, inner) for key, inner in value.items() if isinstance(inner, str))
