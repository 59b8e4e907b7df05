"""A recorded stretch of deltas on its way to one client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.messages import Json
from harness.recording import RecordedPassage
from harness.recording.frames import EVENT_ID, Shape, id_text
from harness.service import Delta

_LONG = 2048
"""Bytes that are better not copied once more."""


class BoundPassage:
    """A recorded passage with one session's ids, which are all bound before it is sent."""

    __slots__ = ("_bound", "_ids", "_recorded")

    def __init__(self, recorded: RecordedPassage, ids: Mapping[str, str]) -> None:
        self._recorded = recorded
        self._ids = ids
        self._bound: list[tuple[bytes, bytes]] = []
        """The shapes of the frames with these ids."""

    @property
    def times(self) -> tuple[float, ...]:
        return self._recorded.times

    @property
    def sizes(self) -> tuple[int, ...]:
        return self._recorded.sizes

    def frames(self, first: int, event_ids: Sequence[str]) -> list[tuple[bytes, ...]]:
        bound = self._bound
        if not bound:
            bound += map(self._bind, self._recorded.shapes)
        found: list[tuple[bytes, ...]] = []
        for (shape, tail), id_ in zip(
            self._recorded.shaped[first : first + len(event_ids)], event_ids, strict=True
        ):
            before, behind = bound[shape]
            if len(tail) > _LONG:
                found.append((b"".join((before, id_.encode(), behind)), tail))
            else:
                found.append((b"".join((before, id_.encode(), behind, tail)),))
        return found

    def _bind(self, shape: Shape) -> tuple[bytes, bytes]:
        """What stands before and behind the event's own id, and before the tail."""
        before, behind = b"", b""
        for segment, (own, name) in zip(*shape, strict=True):
            text = segment.encode()
            if own and name == EVENT_ID:
                before, behind = behind + text + b'"', b'"'
            else:
                behind += text + id_text(None if own else self._ids.get(name, name))
        return before, behind

    def event(self, index: int, event_id: str) -> tuple[Json, Json]:
        template = self._recorded.templates[index]
        event = template.places.bound(self._ids)
        event["event_id"] = event_id
        return event, template.wire_event(event, self._ids)

    def deltas(self, first: int, end: int) -> tuple[Delta, ...]:
        return tuple(
            Delta(self._ids.get(item_id, item_id), content_index, words, sounds)
            for item_id, content_index, words, sounds in self._recorded.summed(first, end)
        )
