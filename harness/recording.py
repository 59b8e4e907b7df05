"""Reads a cassette as what the service said, in lanes: session, items, and one answer after another.

A recorded answer is not tied to a place in the recording but to a barrier: what
the client had done since the answer before it. The barrier is a predicate over
the session's state, so a client may get there in its own way.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from harness.cassette import Cassette
from harness.dialects import Dialect
from harness.exceptions import CassetteFault
from harness.messages import Json, Side, decode_audio, get_path
from harness.translation import Translator

_FLOATING = ("rate_limits.updated", "conversation.item.input_audio_transcription.", "output_audio_buffer.")

_BODIES = {
    "session.created": "session",
    "session.updated": "session",
    "conversation.item.added": "item",
    "conversation.item.done": "item",
    "response.created": "response",
    "response.output_item.added": "item",
    "response.output_item.done": "item",
    "response.done": "response",
}
"""What a lane cannot do without."""

AUDIO_SHARE = 0.8
"""How much of the recorded input audio must have come: clients cut silence and drop part chunks."""


@dataclass(frozen=True)
class Barrier:
    """What must have happened since the last answer before this one is due."""

    user_items: int
    outputs: tuple[str, ...]
    """Recorded call ids whose results must be in."""
    audio_ms: int

    def __str__(self) -> str:
        needs = ["response.create"]
        if self.user_items:
            needs.append(f"{self.user_items} item(s) of the user")
        if self.audio_ms:
            needs.append(f"{self.audio_ms} ms of committed audio")
        if self.outputs:
            needs.append(f"the result of {len(self.outputs)} call(s)")
        return ", ".join(needs)


@dataclass(frozen=True)
class RecordedAnswer:
    """One recorded response: its events, canonical, with their times from `response.created` on."""

    barrier: Barrier
    events: tuple[tuple[float, Json], ...]

    @property
    def response(self) -> Json:
        """The response object of `response.created`."""
        return self.events[0][1]["response"]  # type: ignore[no-any-return]

    @property
    def call_ids(self) -> tuple[str, ...]:
        return tuple(
            event["item"]["call_id"]
            for _, event in self.events
            if event["type"] == "response.output_item.done" and event["item"]["type"] == "function_call"
        )

    def joined(self, type_: str, key: str = "delta") -> str:
        """The deltas of one kind, joined."""
        return "".join(event[key] for _, event in self.events if event["type"] == type_)

    @property
    def audio(self) -> bytes:
        chunks = (
            event["delta"] for _, event in self.events if event["type"] == "response.output_audio.delta"
        )
        return b"".join(decode_audio(chunk) or b"" for chunk in chunks)


@dataclass(frozen=True)
class Recording:
    """A cassette as the service's side of the conversation."""

    session_created: Json | None
    sessions_updated: tuple[Json, ...]
    user_contents: tuple[Json, ...]
    """The items the recorded client created, canonical, without ids."""
    answers: tuple[RecordedAnswer, ...]


def read_recording(cassette: Cassette, dialect: Dialect) -> Recording:
    """Reads the lanes of a cassette; raises CassetteFault where an event lacks what its lane needs."""
    reader = _Reader(dialect)
    for line, interaction in enumerate(cassette.interactions, 2):
        if interaction.event is None:
            continue
        try:
            reader.take(interaction.t, interaction.side, interaction.event)
        except (KeyError, TypeError, AttributeError) as error:
            if interaction.side is Side.CLIENT:
                continue  # what a client sent may be wrong, and then nothing came of it
            # A cassette is a file like any other: what a lane cannot do without may be missing in it.
            raise CassetteFault(
                cassette.path,
                f"a {interaction.event['type']} that cannot be read: {error}",
                line=line,
                pointer="/event",
                expected=f"an event as {dialect.name} has it",
            ) from None
    return Recording(reader.created, tuple(reader.updated), tuple(reader.items), tuple(reader.answers))


class _Reader:
    def __init__(self, dialect: Dialect) -> None:
        self.translator = Translator(dialect)
        self.created: Json | None = None
        self.updated: list[Json] = []
        self.items: list[Json] = []
        self.answers: list[RecordedAnswer] = []
        self._open: list[tuple[float, Json]] | None = None
        self._began = 0.0
        self._user_items = 0
        self._outputs: list[str] = []
        self._audio = 0.0
        self._committed = 0.0
        self._barrier = Barrier(0, (), 0)

    def take(self, t: float, side: Side, event: Json) -> None:
        for canonical in self.translator.to_canonical(side, event).events:
            if side is Side.CLIENT:
                self._client(canonical)
            else:
                self._server(t, canonical)

    def _client(self, event: Json) -> None:
        type_ = event["type"]
        if type_ == "conversation.item.create":
            item = event["item"]
            self.items.append(without_ids(item))
            if item["type"] == "function_call_output":
                self._outputs.append(item["call_id"])
            else:
                self._user_items += 1
        elif type_ == "input_audio_buffer.append":
            session = self.updated[-1] if self.updated else self.created or {}
            self._audio += len(decode_audio(event.get("audio")) or b"") / input_bytes_per_ms(session)
        elif type_ == "input_audio_buffer.commit":
            self._committed += self._audio
            self._audio = 0.0

    def _server(self, t: float, event: Json) -> None:
        type_ = event["type"]
        body = _BODIES.get(type_)
        if body is not None and not isinstance(event.get(body), dict):
            raise KeyError(body)
        if type_ == "session.created":
            self.created = event["session"]
        elif type_ == "session.updated":
            self.updated.append(event["session"])
        elif type_ == "response.created":
            self._barrier = Barrier(
                self._user_items, tuple(self._outputs), int(self._committed * AUDIO_SHARE)
            )
            self._user_items, self._outputs, self._committed = 0, [], 0.0
            self._open, self._began = [(0.0, event)], t
        elif self._open is not None and _belongs(self._open, event):
            self._open.append((t - self._began, event))
            if type_ == "response.done":
                self.answers.append(RecordedAnswer(self._barrier, tuple(self._open)))
                self._open = None


def input_bytes_per_ms(session: Json) -> int:
    """Bytes in a millisecond of the session's input audio: 24 kHz PCM, or G.711 at 8 kHz."""
    g711 = get_path(session, "audio.input.format.type") in ("audio/pcmu", "audio/pcma")
    return 8 if g711 else 48


def _belongs(answer: list[tuple[float, Json]], event: Json) -> bool:
    """Whether an event is part of the open answer: the response's own, and those of its items."""
    if event["type"].startswith(_FLOATING):
        return False
    if event["type"].startswith("response."):
        return True
    if event["type"] in ("conversation.item.added", "conversation.item.done"):
        made = {e["item"]["id"] for _, e in answer if e["type"] == "response.output_item.added"}
        return event["item"]["id"] in made
    return False


def without_ids(item: Json) -> Json:
    """An item without what the service gives it: its id, status and object; ids of calls stay."""
    bare = copy.deepcopy(item)
    for key in ("id", "status", "object"):
        bare.pop(key, None)
    return bare
