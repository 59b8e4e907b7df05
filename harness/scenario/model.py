"""A scenario as frozen values, in canonical form."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.messages import Json
from harness.scenario.sequence import Sequence

PLACEHOLDER = re.compile(r"\$[A-Za-z_]\w*")
"""`$name`, and nothing beside it; any other text may begin with a dollar."""

_ENDING = ("close", "drop")
"""The faults that end a connection."""

RATE = 24_000
"""Samples per second of every audio file: the rate of the service's default format."""


@dataclass(frozen=True)
class Audio:
    """Mono 16-bit PCM at 24 kHz, and the file it came from."""

    file: str
    pcm: bytes = field(repr=False)

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / RATE


@dataclass(frozen=True)
class Tool:
    """A tool the client offers, and the result it is scripted to return (any JSON value)."""

    name: str
    description: str
    parameters: Json
    result: Any

    @property
    def definition(self) -> Json:
        """The tool as it stands in a session."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }


@dataclass(frozen=True)
class Speech:
    """A scripted spoken answer."""

    transcript: str
    audio: Audio


@dataclass(frozen=True)
class Text:
    """A scripted written answer."""

    text: str


@dataclass(frozen=True)
class Call:
    """A scripted tool call."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Incomplete:
    """An answer that breaks off: `reason` is `max_output_tokens` or `content_filter`.

    A refusal is a text that ends with `content_filter`.
    """

    answer: Speech | Text
    reason: str


@dataclass(frozen=True)
class Cut:
    """An answer that is never given whole: what would come later than `after` seconds from
    `response.created` on is held back, and the response stays active until it is cancelled.
    """

    answer: Speech | Text
    after: float


@dataclass(frozen=True)
class Several:
    """One response with several items, in this order."""

    answers: tuple[Speech | Text | Call, ...]


@dataclass(frozen=True)
class Failure:
    """A response that fails with an error instead of an answer."""

    type: str
    code: str | None
    message: str


Answer = Speech | Text | Call | Incomplete | Cut | Several | Failure


@dataclass(frozen=True)
class Send:
    """A client event. `$name` strings in it stand for captured values; `audio` is its audio, if any.

    `wire` is the event as a recorded client wrote it, where that is more than canonical form holds.
    """

    event: Json
    audio: Audio | None = None
    wire: Json | None = None

    def resolved(self, bindings: Mapping[str, Any]) -> Json:
        """The event with captured values put in."""
        return _resolve(self.event, bindings)  # type: ignore[no-any-return]

    def resolved_wire(self, bindings: Mapping[str, Any]) -> Json | None:
        """The event as recorded, with captured values put in."""
        return _resolve(self.wire, bindings)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Expect:
    """An expected sequence of server events."""

    sequence: Sequence


@dataclass(frozen=True)
class Wait:
    """The client says nothing for that many seconds."""

    seconds: float


@dataclass(frozen=True)
class ExpectClose:
    """The service ends the connection; `code` None is any code."""

    code: int | None


@dataclass(frozen=True)
class Reconnect:
    """The connection is gone, and the client opens the next one."""


Step = Send | Expect | Wait | ExpectClose | Reconnect


@dataclass(frozen=True)
class Scenario:
    """One script. `dialects` is None where it applies to all."""

    name: str
    title: str
    path: str
    dialects: tuple[str, ...] | None
    session: Json
    tools: tuple[Tool, ...]
    steps: tuple[Step, ...]
    floating: tuple[str, ...]
    answers: tuple[Answer, ...]
    heard: tuple[str, ...]
    faults: tuple[str, ...] = ()
    """How the server misbehaves when the scenario is played, each as `--fault` takes it."""
    lines: tuple[int | None, ...] = field(default=(), compare=False)
    """Where the steps stand in the file."""

    def line(self, step: int) -> int | None:
        """The line of a step, as far as it is known."""
        return self.lines[step] if step < len(self.lines) else None

    @property
    def of_transcription(self) -> bool:
        """Whether its sessions only hear: they are opened with `intent=transcription`."""
        return self.session.get("type") == "transcription"

    @property
    def connections(self) -> tuple[tuple[Step, ...], ...]:
        """The steps, one connection after another; each has a cassette of its own."""
        found: list[list[Step]] = [[]]
        for step in self.steps:
            if isinstance(step, Reconnect):
                found.append([])
            else:
                found[-1].append(step)
        return tuple(map(tuple, found))

    def unended(self, faults: Iterable[str]) -> int | None:
        """The first `reconnect` before which neither the script nor one of `faults` ends the connection."""
        ending = [text for text in faults if text.partition(":")[0].strip() in _ENDING]
        left = sum(math.inf if "times=" in text else 1 for text in ending)
        for index, step in enumerate(self.steps):
            if isinstance(step, Reconnect) and not isinstance(self.steps[max(index - 1, 0)], ExpectClose):
                if left < 1:
                    return index
                left -= 1
        return None

    @property
    def cassette_names(self) -> tuple[str, ...]:
        """The file of each connection's cassette: `NAME.jsonl`, `NAME.2.jsonl` and so on."""
        numbers = range(1, len(self.connections) + 1)
        return tuple(f"{self.name}.{n}.jsonl" if n > 1 else f"{self.name}.jsonl" for n in numbers)

    def applies_to(self, dialect: str) -> bool:
        return self.dialects is None or dialect in self.dialects

    @property
    def wanted_session(self) -> Json:
        """The session the client wants, tools included, as it stands in `session.update`."""
        session = {"type": "realtime", **self.session}
        if self.tools:
            session["tools"] = [tool.definition for tool in self.tools]
        return session


def _resolve(value: Any, bindings: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and PLACEHOLDER.fullmatch(value):
        return bindings.get(value[1:], value)
    if isinstance(value, dict):
        return {key: _resolve(inner, bindings) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolve(inner, bindings) for inner in value]
    return value
