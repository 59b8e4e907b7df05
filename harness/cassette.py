"""Cassettes: one recorded session each, as JSON Lines.

The first line is the header, the last the footer; between them stands one
interaction a line, with its side and time. A file without its footer was not
finished, and one whose footer counts other interactions was cut or edited.
The format has a version of its own, apart from the tool's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from harness.exceptions import CassetteFault
from harness.messages import MAX_DEPTH, Json, Side, read_json, render_event, text_too_deep
from harness.validation import Problem, subschema

FORMAT = 1
MAX_LINE = 32 * 1024 * 1024

_SIDES = {str(side): side for side in Side}
_READ_AHEAD = 256 * 1024
"""Bytes. A line of audio is longer than what Python reads ahead by itself, and would come in pieces."""


class Provenance(StrEnum):
    """Where a cassette comes from; shown wherever a verdict rests on it."""

    RECORDED = "recorded"
    IMPORTED = "imported"
    CONSTRUCTED = "constructed"
    """Made by the service model from facts with evidence; nobody's recording."""


@dataclass(frozen=True)
class Header:
    """What a cassette is: its dialect, handshake, scenario and provenance."""

    dialect: str
    api_version: str
    path: str
    query: tuple[tuple[str, str], ...]
    scenario: str | None
    provenance: Provenance
    origin: tuple[tuple[str, str], ...]
    """Further particulars of the provenance: date, source, evidence."""
    tool: str
    transport: str = "websocket"

    def to_json(self) -> Json:
        return {
            "cassette": FORMAT,
            "dialect": self.dialect,
            "api_version": self.api_version,
            "transport": self.transport,
            "handshake": {"path": self.path, "query": dict(self.query)},
            "scenario": self.scenario,
            "provenance": {"kind": str(self.provenance), **dict(self.origin)},
            "tool": self.tool,
        }


@dataclass(frozen=True, slots=True)
class Interaction:
    """One frame: `event` where it is an event, else `raw` text or bytes. `t` in seconds."""

    t: float
    side: Side
    event: Json | None = None
    raw: str | None = None
    binary: str | None = None

    def to_json(self) -> Json:
        entry: Json = {"t": round(self.t, 6), "side": str(self.side)}
        if self.event is not None:
            entry["event"] = self.event
        elif self.binary is not None:
            entry["binary"] = self.binary
        else:
            entry["text"] = self.raw or ""
        return entry


@dataclass(frozen=True)
class Close:
    """How the session ended: who closed (`client`, `server`, `nobody`), and the close code."""

    by: str
    code: int | None
    reason: str = ""


@dataclass(frozen=True)
class Cassette:
    """One session. Shared between sessions that replay it, so never changed."""

    header: Header
    interactions: tuple[Interaction, ...] = field(repr=False)
    close: Close
    path: str = "<memory>"

    def lines(self) -> Iterator[str]:
        """The file, line by line, without line ends."""
        yield render_line(self.header.to_json())
        for interaction in self.interactions:
            yield render_line(interaction.to_json())
        yield render_footer(len(self.interactions), self.close)

    @cached_property
    def sha256(self) -> str:
        """Of the lines as they are written; reckoned once, as many cases replay one cassette."""
        digest = hashlib.sha256()
        for line in self.lines():
            digest.update(line.encode() + b"\n")
        return digest.hexdigest()


def render_line(value: Json) -> str:
    return render_event(value)


def render_footer(interactions: int, close: Close) -> str:
    end = {
        "interactions": interactions,
        "close": {"by": close.by, "code": close.code, "reason": close.reason},
    }
    return render_line({"end": end})


def load_cassette(path: Path) -> Cassette:
    """Reads one cassette file; raises CassetteFault naming the line."""
    try:
        with path.open("rb", buffering=_READ_AHEAD) as file:
            # Bounded, so that a file without line ends is not read as a whole before it is refused.
            return read_cassette(iter(partial(file.readline, MAX_LINE + 1), b""), str(path))
    except OSError as error:
        raise CassetteFault(str(path), f"cannot be read: {error.strerror or error}") from None


def read_cassette(lines: Iterable[bytes], path: str) -> Cassette:
    """Reads a cassette from its lines; `path` is for messages."""
    header: Header | None = None
    interactions: list[Interaction] = []
    close: Close | None = None
    number = 0
    for number, raw in enumerate(lines, 1):
        if close is not None:
            raise CassetteFault(
                path, "more lines after the footer", line=number, expected="the end of the file"
            )
        value = _parse(raw, path, number)
        if header is None:
            header = _header(value, path)
        elif "end" in value:
            close = _footer(value, len(interactions), path, number)
        else:
            interactions.append(_interaction(value, path, number))
    if header is None:
        raise CassetteFault(path, "an empty file", line=1, expected='a header line with "cassette": 1')
    if close is None:
        raise CassetteFault(
            path,
            "ends without its footer: the recording was not finished",
            line=number,
            expected='a last line {"end": …}',
            hint="record it again, or add the footer if the session is whole",
        )
    return Cassette(header, tuple(interactions), close, path)


def _parse(raw: bytes, path: str, number: int) -> Json:
    if len(raw) > MAX_LINE:
        raise CassetteFault(path, "a line too long", line=number, expected=f"at most {MAX_LINE} bytes")
    try:
        value = read_json(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except (ValueError, RecursionError) as error:
        half = "" if raw.endswith(b"\n") else " (the last line is only half written?)"
        raise CassetteFault(path, f"not JSON: {error}{half}", line=number) from None
    if not isinstance(value, dict) or text_too_deep(raw, value, MAX_DEPTH + 1):  # an event, in its line
        raise CassetteFault(path, "not a JSON object of reasonable depth", line=number)
    return value


def _check(definition: str, value: Any, path: str, number: int) -> None:
    problems: list[Problem] = subschema("cassette", definition).problems(value)
    if problems:
        first = problems[0]
        raise CassetteFault(
            path, first.message, line=number, pointer=first.pointer or "/", expected=first.expected
        )


def _header(value: Json, path: str) -> Header:
    if value.get("cassette") != FORMAT:
        raise CassetteFault(
            path,
            f"format version {value.get('cassette')!r}",
            line=1,
            pointer="/cassette",
            expected=str(FORMAT),
            hint="a newer tool wrote it, or this is no cassette",
        )
    _check("header", value, path, 1)
    provenance = dict(value["provenance"])
    return Header(
        dialect=value["dialect"],
        api_version=value["api_version"],
        transport=value["transport"],
        path=value["handshake"]["path"],
        query=tuple(value["handshake"]["query"].items()),
        scenario=value["scenario"],
        provenance=Provenance(provenance.pop("kind")),
        origin=tuple(provenance.items()),
        tool=value["tool"],
    )


def _interaction(value: Json, path: str, number: int) -> Interaction:
    if not plainly_an_interaction(value):
        _check("interaction", value, path, number)
    return Interaction(
        value["t"], _SIDES[value["side"]], value.get("event"), value.get("text"), value.get("binary")
    )


def plainly_an_interaction(value: Json) -> bool:
    """Whether `value` is an interaction as this tool writes it.

    Such a one fulfils the schema, so a good line costs no more than this. Any
    other is left to the schema, which also accepts keys of other writers, and
    says what is wrong with the rest.
    """
    t: Any = value.get("t")
    if type(t) not in (float, int) or not t >= 0 or value.get("side") not in ("client", "server"):
        return False
    if len(value) != 3:
        return False
    event = value.get("event")
    if type(event) is dict:
        return type(event.get("type")) is str
    return type(value.get("text")) is str or type(value.get("binary")) is str


def _footer(value: Json, count: int, path: str, number: int) -> Close:
    _check("footer", value, path, number)
    end = value["end"]
    if end["interactions"] != count:
        raise CassetteFault(
            path,
            f"the footer counts {end['interactions']} interactions, the file has {count}",
            line=number,
            pointer="/end/interactions",
            hint="the file was cut or edited: record it again",
        )
    return Close(end["close"]["by"], end["close"]["code"], end["close"].get("reason", ""))
