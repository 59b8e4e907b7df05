"""Recordings of other test suites, in YAML: a mapping with `interactions`.

Each interaction is a message with its direction and data, or the close. The
file is bounded as every YAML file is that people hand us, and held as a whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.cassette import Close
from harness.documents import read_document
from harness.exceptions import LogFault
from harness.logs.clock import Clock
from harness.logs.envelope import read_close, read_entry
from harness.logs.model import Log, LogEntry
from harness.messages import read_json, render_event

FORMAT = "YAML recording"


def read_yaml_recording(path: Path) -> Log:
    """Reads one recording; raises LogFault with the line where it is no YAML or has no interactions."""
    document = read_document(path, LogFault, huge=True)
    value = document.value
    interactions = value.get("interactions") if isinstance(value, dict) else None
    if not isinstance(interactions, list) or not interactions:
        raise LogFault(
            str(path),
            "no recording: it has no interactions",
            line=document.line("/interactions"),
            expected="a mapping with a list under `interactions`",
        )
    clock = Clock()
    entries: list[LogEntry] = []
    close: Close | None = None
    for number, interaction in enumerate(interactions):
        line = document.line(f"/interactions/{number}") or 1
        inner = _unwrapped(interaction)
        ended = read_close(inner)
        if ended is not None:
            close = ended
            continue
        entries.append(_entry(inner, line, clock))
    return Log(str(path), FORMAT, tuple(entries), close=close, began=clock.began)


def _entry(interaction: Any, line: int, clock: Clock) -> LogEntry:
    if not isinstance(interaction, dict):
        return read_entry(interaction, "", line, clock)
    text = render_event(interaction)
    try:
        value = read_json(text)  # YAML has numbers that JSON has not
    except ValueError as error:
        return LogEntry(line, None, None, f"not JSON: {error}")
    return read_entry(value, text, line, clock)


def _unwrapped(interaction: Any) -> Any:
    """What stands under the only key of an interaction (`message: {…}`, `close: {…}`), or itself."""
    if isinstance(interaction, dict) and len(interaction) == 1:
        (inner,) = interaction.values()
        if isinstance(inner, dict) and "type" not in inner:
            return inner
    return interaction
