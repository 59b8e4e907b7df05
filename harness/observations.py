"""What an implementation surfaced to its user, as its driver reported it."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from harness.messages import Json, decode_audio

MAX_LOG_LINES = 500
"""The last ones are kept: they say what went wrong."""
MAX_AUDIO = 32 * 1024 * 1024
MAX_TEXT = 1024 * 1024
MAX_NOTICES = 10_000


@dataclass(frozen=True, slots=True)
class LogLine:
    level: str
    logger: str
    message: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call as the user's tool received it; `arguments` an object or JSON text."""

    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class SwallowedException:
    """An exception caught inside the shim, so that nobody else heard of it."""

    message: str
    where: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver said of itself in its `hello`.

    `parts` is the naming of content parts its framework promises to its users:
    `canonical`, or `wire` where it hands on what the service sent.
    """

    name: str
    version: str
    intents: frozenset[str]
    observes: frozenset[str]
    cannot: tuple[tuple[str, str], ...]
    parts: str

    @classmethod
    def from_hello(cls, hello: Json) -> Capabilities:
        return cls(
            name=hello["implementation"]["name"],
            version=hello["implementation"]["version"],
            intents=frozenset(hello["intents"]),
            observes=frozenset(hello["observes"]),
            cannot=tuple((entry["field"], entry["reason"]) for entry in hello.get("cannot", ())),
            parts=hello.get("parts", "wire"),
        )

    def reason_it_cannot(self, path: str, value: Any) -> str | None:
        """Why the framework has no way to express a session field (`audio.output.voice`), or None.

        A limit may be for one value alone: `session.audio.input.format: pcmu`.
        """
        for declared, reason in self.cannot:
            name, colon, only = declared.removeprefix("session.").partition(":")
            if path != name and not path.startswith(f"{name}."):
                continue
            if not colon or only.strip() in json.dumps(value):
                return reason
        return None

    def expressible(self, path: str, value: Any) -> Any:
        """A wanted value without the fields inside it that the framework has no way to express."""
        if not isinstance(value, dict):
            return value
        left = {
            name: inner for name, inner in value.items() if not self.reason_it_cannot(f"{path}.{name}", inner)
        }
        return {name: self.expressible(f"{path}.{name}", inner) for name, inner in left.items()}


@dataclass
class Observed:
    """Everything observed in one case; filled while it runs, read afterwards."""

    capabilities: Capabilities | None = None
    text: str = ""
    transcript: str = ""
    user_transcript: str = ""
    audio: dict[int, bytearray] = field(default_factory=dict)
    """PCM by sample rate."""
    tool_calls: list[ToolCall] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    exceptions: list[SwallowedException] = field(default_factory=list)
    items: list[Json] = field(default_factory=list)
    events: dict[str, str] = field(default_factory=dict)
    """Server event types as the user saw them, and the class each was parsed into."""
    interruptions: int = 0
    heard_before: list[float] = field(default_factory=list)
    """Seconds of audio that had surfaced at each interruption."""
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=MAX_LOG_LINES))
    notices: int = 0
    garbage: list[str] = field(default_factory=list)
    """Lines on the protocol stream that are no notices, with what is wrong where they nearly are."""
    hello_fault: str | None = None
    """What is wrong with its hello: nothing was asked of it then."""
    not_done: list[str] = field(default_factory=list)
    """What it was asked for, with the number, and never said `done` to."""
    stray_done: list[int] = field(default_factory=list)
    """Numbers it said `done` to though it had not been asked."""
    leaked_key: bool = False
    exit_code: int | None = None
    """None where it had to be stopped."""
    stage: str = "starting"
    """How far the driver came: starting, said-hello, ready, finished (it said `closed`)."""
    hung: str | None = None
    """What it did not do in time, before it was told to close."""
    closed_in_time: bool = True

    def sees(self, kind: str) -> bool:
        return self.capabilities is not None and kind in self.capabilities.observes

    def note(self, notice: Json) -> None:
        """Takes one observation notice; a flood of them is cut off."""
        self.notices += 1
        if self.notices > MAX_NOTICES:
            return
        kind = notice["kind"]
        if kind in ("text", "transcript", "user_transcript"):
            held: str = getattr(self, kind)
            if len(held) < MAX_TEXT:
                setattr(self, kind, held + notice["text"])
        elif kind == "audio":
            pcm = self.audio.setdefault(notice["rate"], bytearray())
            if len(pcm) < MAX_AUDIO:
                pcm += decode_audio(notice["audio"]) or b""
        elif kind == "event":
            self.events[notice.get("event_type", "?")] = notice.get("parsed_as", "?")
        elif kind == "interruption":
            self.interruptions += 1
            self.heard_before.append(self.audio_seconds)
        else:
            self._note_listed(kind, notice)

    def _note_listed(self, kind: str, notice: Json) -> None:
        if kind == "tool_call":
            self.tool_calls.append(ToolCall(notice["name"], notice["arguments"]))
        elif kind == "error":
            self.errors.append(notice["message"])
        elif kind == "exception" and notice.get("handled"):
            self.exceptions.append(SwallowedException(notice["message"], notice.get("where", "?")))
        elif kind == "exception":
            self.log.append(LogLine("ERROR", notice.get("where", "?"), notice["message"]))
        elif kind == "item":
            self.items.append(notice["item"])
        elif kind == "history":
            self.items.extend(notice.get("items", ()))

    @property
    def audio_seconds(self) -> float:
        return sum(len(pcm) / 2 / rate for rate, pcm in self.audio.items())

    def to_json(self) -> Json:
        """What a report shows of it."""
        return {
            "text": self.text,
            "transcript": self.transcript,
            "user_transcript": self.user_transcript,
            "audio_bytes": sum(len(pcm) for pcm in self.audio.values()),
            "audio_seconds": round(self.audio_seconds, 3),
            "tool_calls": [{"name": call.name, "arguments": call.arguments} for call in self.tool_calls],
            "errors": self.errors,
            "exceptions": [{"message": e.message, "where": e.where} for e in self.exceptions],
            "interruptions": self.interruptions,
        }
