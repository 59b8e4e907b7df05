"""Stretches of a recorded answer that are deltas alone: they can be sent as they are, ids aside."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import Any

from harness.messages import Json, decode_audio
from harness.recording.frames import Shape, Template

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
        """Bytes of all frames before each, and of all: as recorded, for ids have one length."""
        return tuple(accumulate((template.size for template in self.templates), initial=0))

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of the frames, each once."""
        return tuple(dict.fromkeys(template.shape for template in self.templates))

    @cached_property
    def shaped(self) -> tuple[tuple[int, bytes], ...]:
        """Of each frame: which shape it has, and what follows its last id."""
        places = {shape: place for place, shape in enumerate(self.shapes)}
        return tuple((places[template.shape], template.tail) for template in self.templates)

    def summed(self, first: int, end: int) -> Iterator[Summed]:
        """What those from `first` up to before `end` add to each stream of an item."""
        for (item_id, content_index, sound), places, pieces in self._streams:
            some = pieces[bisect_left(places, first) : bisect_left(places, end)]
            if some:
                yield item_id, content_index, () if sound else some, some if sound else ()

    @cached_property
    def _streams(self) -> tuple[tuple[tuple[str, Any, bool], list[int], tuple[Any, ...]], ...]:
        """Each stream: where its deltas stand, and the words of each, or the bytes of its sound."""
        found: dict[tuple[str, Any, bool], list[int]] = {}
        for place, event in enumerate(self.events):
            stream = (event["item_id"], event.get("content_index"), event["type"] == SOUND)
            found.setdefault(stream, []).append(place)
        return tuple(
            (stream, places, tuple(_piece(self.events[place], sound=stream[2]) for place in places))
            for stream, places in found.items()
        )


def _piece(delta: Json, *, sound: bool) -> Any:
    return len(decode_audio(delta["delta"]) or b"") if sound else delta["delta"]


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
        and isinstance(template.wire.get("event_id"), str)
    )
