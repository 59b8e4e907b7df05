"""HAR files: what browsers and proxies export, with the messages of their WebSockets.

Each WebSocket is a session. The file is one JSON value, so it is held as a
whole, and bounded.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from harness.cassette import Close
from harness.exceptions import LogFault, MessageFault
from harness.logs.clock import Clock
from harness.logs.lines import read_text
from harness.logs.model import Log, LogEntry
from harness.logs.url import dialect_name_at
from harness.messages import Json, Side, json_type, parse_event

FORMAT = "HAR"

MAX_BYTES = 128 * 1024 * 1024

_MESSAGES = "_webSocketMessages"
_KEY = re.compile(rf'(?<!\\)"{_MESSAGES}"\s*:\s*\[')
"""The key as it stands in the text; inside a string its quote would have a backslash before it."""
_BETWEEN = re.compile(r"[\s,]*")

_SIDES = {"send": Side.CLIENT, "receive": Side.SERVER}
_TEXT, _BINARY, _CLOSE = 1, 2, 8
_CONTROL = (9, 10)
"""Pings and pongs, which carry no message."""


def read_har(path: Path) -> Log:
    """Reads the WebSocket messages of a HAR file; raises LogFault where there are none."""
    text = read_text(path, MAX_BYTES)
    sockets = _sockets(_parse(text, path))
    if not sockets:
        raise LogFault(
            str(path),
            "a HAR file without WebSocket messages",
            expected=f"entries with {_MESSAGES}",
            hint="export it with the network panel open since before the connection was made",
        )
    reader = _Reader()
    lines = _lines(text, [len(socket[_MESSAGES]) for socket in sockets])
    for session, (socket, places) in enumerate(zip(sockets, lines, strict=True), 1):
        for message, line in zip(socket[_MESSAGES], places, strict=True):
            reader.take(message, line, session)
    urls = tuple((number, url) for number, socket in enumerate(sockets, 1) if (url := _url(socket)))
    same = {url for _, url in urls} if len(urls) == len(sockets) else set()
    url = same.pop() if len(same) == 1 else None
    return Log(
        str(path),
        FORMAT,
        tuple(reader.entries),
        dialect=dialect_name_at(url),
        url=url,
        close=reader.close,
        began=reader.clock.began,
        urls=urls,
    )


def _parse(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise LogFault(str(path), "nested too deeply") from None
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg} at column {error.colno}"
        raise LogFault(str(path), problem, line=error.lineno, hint="export it again") from None
    except ValueError as error:
        raise LogFault(str(path), f"not JSON: {error}") from None


def _sockets(value: Any) -> list[Json]:
    """The entries that have WebSocket messages."""
    log = value.get("log") if isinstance(value, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        return []
    return [
        entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get(_MESSAGES), list) and entry[_MESSAGES]
    ]


def _url(socket: Json) -> str | None:
    request = socket.get("request")
    url = request.get("url") if isinstance(request, dict) else None
    return url if isinstance(url, str) else None


class _Reader:
    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.clock = Clock()
        self.close: Close | None = None

    def take(self, message: Any, line: int, session: int) -> None:
        if not isinstance(message, dict):
            problem = f"a JSON {json_type(message)}, expected an object"
            self.entries.append(LogEntry(line, None, None, problem, session=session))
            return
        type_ = message.get("type")
        side = _SIDES.get(type_) if isinstance(type_, str) else None
        opcode = message.get("opcode", _TEXT)
        if opcode == _CLOSE:
            self.close = Close(str(side or "nobody"), None)
        elif opcode not in _CONTROL:
            t = self.clock.seconds(message.get("time"))
            event, problem = None, f"{type_!r:.40} is no direction; expected send or receive"
            if side is not None:
                event, problem = _event(message.get("data"), opcode)
            self.entries.append(LogEntry(line, side, event, problem or None, t, session=session))


def _event(data: Any, opcode: Any) -> tuple[Json | None, str]:
    if opcode == _BINARY:
        return None, "a binary frame; the protocol is JSON text"
    if not isinstance(data, str):
        return None, f"the data is a JSON {json_type(data)}, expected text"
    try:
        return parse_event(data), ""
    except MessageFault as fault:
        return None, fault.problem


def _lines(text: str, counts: list[int]) -> list[list[int]]:
    """The line of each message of each socket. The parser forgets them, so they are looked for again."""
    found = [places for match in _KEY.finditer(text) if (places := _places(text, match.end()))]
    if [len(places) for places in found] != counts:
        return [[1] * count for count in counts]  # a key stands there twice, or elsewhere too
    starts: list[list[int]] = []
    line, last = 1, 0
    for places in found:
        starts.append([])
        for place in places:
            line += text.count("\n", last, place)
            last = place
            starts[-1].append(line)
    return starts


def _places(text: str, start: int) -> list[int]:
    """Where the elements of the array begin whose bracket ends at `start`, in text that is valid JSON."""
    decoder = json.JSONDecoder()
    places: list[int] = []
    at = start
    while True:
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if text.startswith("]", at):
            return places
        places.append(at)
        _, at = decoder.raw_decode(text, at)
