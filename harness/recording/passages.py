"""Stretches of a recorded answer that are deltas alone: they can be sent as they are, ids aside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from harness.messages import Json, decode_audio
from harness.recording.frames import Template

WORDS = frozenset(
    {
        "response.output_text.delta",
        "response.output_audio_transcript.delta",
        "response.function_call_arguments.delta",
    }
)
SOUND = "response.output_audio.delta"

_LEAST = 2
"""A delta alone is sent as any other event."""


Summed = tuple[str, Any, tuple[str, ...], tuple[int, ...]]
"""Of one stream: its item (as recorded), the place of its content, the words, or the bytes of each sound."""


@dataclass(frozen=True)
class RecordedPassage:
    """Deltas that follow each other, for any number of clients; `times` count from the answer's start."""

    times: tuple[float, ...]
    templates: tuple[Template, ...]
    events: tuple[Json, ...]
    """Canonical, as recorded."""

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How long the frames are, in bytes: as recorded, for ids have one length."""
        return tuple(template.size for template in self.templates)

    def summed(self, first: int, end: int) -> tuple[Summed, ...]:
        """What those from `first` up to before `end` add to each stream of an item."""
        return self._whole if end - first == len(self.events) else self._summed(first, end)

    @cached_property
    def _whole(self) -> tuple[Summed, ...]:
        return self._summed(0, len(self.events))

    @cached_property
    def _sounds(self) -> tuple[int, ...]:
        """How many bytes of sound each has."""
        return tuple(
            len(decode_audio(event.get("delta")) or b"") if event["type"] == SOUND else 0
            for event in self.events
        )

    def _summed(self, first: int, end: int) -> tuple[Summed, ...]:
        streams: dict[tuple[str, Any, bool], list[int]] = {}
        for place in range(first, end):
            event = self.events[place]
            stream = (event["item_id"], event.get("content_index"), event["type"] == SOUND)
            streams.setdefault(stream, []).append(place)
        return tuple(
            (
                item_id,
                content_index,
                () if sound else tuple(self.events[place]["delta"] for place in places),
                tuple(self._sounds[place] for place in places) if sound else (),
            )
            for (item_id, content_index, sound), places in streams.items()
        )


def stretches(
    places: Sequence[int], lines: Sequence[tuple[float, Json]], templates: Sequence[Template]
) -> Iterator[int | RecordedPassage]:
    """The lines at these places; where deltas follow each other, as passages."""
    for ready, group in groupby(places, key=lambda place: _ready(lines[place][1], templates[place])):
        chosen = tuple(group)
        if not ready or len(chosen) < _LEAST:
            yield from chosen
            continue
        yield RecordedPassage(
            tuple(lines[place][0] for place in chosen),
            tuple(templates[place] for place in chosen),
            tuple(lines[place][1] for place in chosen),
        )


def _ready(event: Json, template: Template) -> bool:
    """Whether it is a delta that can go out as it was recorded."""
    return (
        template.wire is not None
        and (event["type"] == SOUND or event["type"] in WORDS)
        and isinstance(event.get("delta"), str)
        and isinstance(event.get("item_id"), str)
    )
