"""Reads a captured log in whichever of the known formats it is; its content tells, not its name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.exceptions import LogFault
from harness.logs.cassettes import read_cassette_log
from harness.logs.har import read_har
from harness.logs.json_lines import read_json_lines
from harness.logs.lines import read_head
from harness.logs.model import Log
from harness.logs.yaml_recordings import read_yaml_recording

FORMATS = (
    "JSON Lines with a direction and an event a line, a cassette, "
    "a HAR file with WebSocket messages, or a YAML recording with `interactions`"
)

_CASSETTE = re.compile(r'\s*\{\s*"cassette"\s*:')
_HAR = re.compile(r'(?:\A\s*\{|^)\s*"log"\s*:\s*\{', re.MULTILINE)
_RECORDING = re.compile(r"""^["']?interactions["']?\s*:""", re.MULTILINE)
_RECORDING_IN_JSON = re.compile(r'\s*\{\s*"(?:version"\s*:\s*[^,{}]*,\s*")?interactions"\s*:\s*\[')
_OBJECT_LINE = re.compile(r'^[ \t]*\{[ \t]*"', re.MULTILINE)


def read_log(path: Path) -> Log:
    """Reads one captured log; raises LogFault where the file as a whole is none.

    A message that cannot be read is an entry with a problem.
    """
    try:
        head = read_head(path)
        return _reader(head, path)(path)
    except LogFault as fault:
        fault.hint = fault.hint or f"what can be read: {FORMATS}"
        raise


def _reader(head: str, path: Path) -> Callable[[Path], Log]:
    if not head.strip():
        raise LogFault(str(path), "an empty file")
    if "\0" in head:
        raise LogFault(str(path), "no text: it has zero bytes", expected="UTF-8, or UTF-16 with its mark")
    first = _first_line(head)
    if _CASSETTE.match(head) or "cassette" in first:
        return read_cassette_log
    if _HAR.search(head):
        return read_har
    if "interactions" in first or _RECORDING.search(head) or _RECORDING_IN_JSON.match(head):
        return read_yaml_recording
    if _OBJECT_LINE.search(head):
        return read_json_lines
    raise LogFault(str(path), "no captured log in a format we know")


def _first_line(head: str) -> Any:
    """The keys of the object in the first line, if it is one and stands there whole."""
    try:
        value = json.loads(head.lstrip().split("\n", 1)[0])
    except (ValueError, RecursionError):
        return ()
    return value if isinstance(value, dict) else ()
