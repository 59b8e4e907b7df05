"""Cassettes of one turn, for the benchmarks that replay: the answer of as many and as large pieces as asked.

They are bundled cassettes with other pieces in the answer, so what begins and what ends it is as
it is elsewhere.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.bundled import cassettes_folder
from harness.cassette import Cassette, Interaction, load_cassette
from harness.messages import Json, Side

DIALECT = "azure-v1"
STEP = 0.02
"""Seconds from one piece to the next, as recorded; unpaced, they do not count."""

_TEXT = "response.output_text.delta"
_TRANSCRIPT = "response.output_audio_transcript.delta"
_AUDIO = "response.output_audio.delta"
_ANSWERED_BY = {
    "session.update": "session.updated",
    "conversation.item.create": "conversation.item.added",
    "response.create": "response.created",
}
"""What the client says in its turn, each with the first event that answers it."""


def text_turn(events: int, piece: int) -> Cassette:
    """A turn of so many events of the server, its answer in pieces of so many characters of text."""
    cassette = _bundled("text-modality")
    chance = random.Random(1)  # noqa: S311 - the same turn every time
    count = events - _plain(cassette, _TEXT)
    pieces = ["".join(chance.choices(string.ascii_letters + " ", k=piece)) for _ in range(count)]
    said, made = _text(cassette, _TEXT), "".join(pieces)
    deltas = [{"delta": delta, "obfuscation": chance.randbytes(6).hex()} for delta in pieces]
    return _with_pieces(cassette, {_TEXT: deltas}, {said: made})


def voice_turn(events: int, piece: int) -> Cassette:
    """The same by voice: pieces of so many bytes of sound, and the words of the answer in one."""
    cassette = _bundled("text-turn")
    chance = random.Random(1)  # noqa: S311 - the same turn every time
    count = events - _plain(cassette, _AUDIO, _TRANSCRIPT) - 1
    words = {"delta": _text(cassette, _TRANSCRIPT), "obfuscation": ""}
    sound = [{"delta": base64.b64encode(chance.randbytes(piece)).decode()} for _ in range(count)]
    return _with_pieces(cassette, {_TRANSCRIPT: [words], _AUDIO: sound}, {})


def _bundled(name: str) -> Cassette:
    return load_cassette(cassettes_folder() / DIALECT / f"{name}.jsonl")


def _plain(cassette: Cassette, *pieces: str) -> int:
    """How many events of the server are no pieces."""
    return sum(event["type"] not in pieces for event in _events(cassette, Side.SERVER))


def _text(cassette: Cassette, type_: str) -> str:
    return "".join(event["delta"] for event in _events(cassette, Side.SERVER) if event["type"] == type_)


def _events(cassette: Cassette, side: Side) -> Iterator[Json]:
    return (one.event for one in cassette.interactions if one.side is side and one.event is not None)


def _with_pieces(cassette: Cassette, pieces: dict[str, list[Json]], texts: dict[str, str]) -> Cassette:
    """The cassette with other pieces in the place of its own, and texts that stand for its texts."""
    made: list[Interaction] = []
    left = dict(pieces)
    late = 0.0
    for one in cassette.interactions:
        event = one.event or {}
        if event["type"] not in pieces:
            made.append(replace(one, t=one.t + late, event=_replaced(event, texts)))
            continue
        for piece in left.pop(event["type"], []):
            late += STEP
            event_id = f"event_Piece{len(made):010}"
            made.append(replace(one, t=one.t + late, event={**event, "event_id": event_id, **piece}))
    return replace(cassette, interactions=tuple(made), path="<made>")


def _replaced(value: Any, texts: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(inner, texts) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, texts) for inner in value]
    return texts.get(value, value) if isinstance(value, str) else value


def exchanges(cassette: Cassette) -> list[tuple[Json, list[Json]]]:
    """What the client says, each with what the server says to it; first what it says unasked, to nothing."""
    said = list(_events(cassette, Side.CLIENT))
    heard = list(_events(cassette, Side.SERVER))
    starts = [_first(heard, type_) for type_ in _ANSWERED_BY.values()]
    groups = [heard[at:end] for at, end in zip([0, *starts], [*starts, len(heard)], strict=True)]
    assert [event["type"] for event in said] == list(_ANSWERED_BY), "another conversation"
    return list(zip([{}, *said], groups, strict=True))


def _first(events: list[Json], type_: str) -> int:
    return next(place for place, event in enumerate(events) if event["type"] == type_)
