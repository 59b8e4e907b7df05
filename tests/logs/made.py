"""Small logs for the tests to write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.logs import Log, read_log

CREATED = {
    "type": "session.created",
    "event_id": "event_1",
    "session": {"type": "realtime", "object": "realtime.session", "id": "sess_1", "audio": {}},
}
UPDATE = {"type": "session.update", "session": {"type": "realtime"}}


def log_of(path: Path, content: str | bytes) -> Log:
    """What is read from a file with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_log(path)


def json_lines(*lines: Any) -> str:
    """Each value as a line; text stands as it is."""
    return "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)


def har(*sockets: tuple[str, list[Any]], **style: Any) -> str:
    entries: list[Any] = [{"request": {"url": "https://example.com/"}, "response": {}}]
    for url, messages in sockets:
        entries.append({"request": {"url": url}, "_webSocketMessages": messages})
    return json.dumps({"log": {"version": "1.2", "entries": entries}}, **style)


def har_message(type_: str, event: Any, time: float = 1_767_225_600.0, opcode: int = 1) -> dict[str, Any]:
    data = event if isinstance(event, str) else json.dumps(event)
    return {"type": type_, "time": time, "opcode": opcode, "data": data}
