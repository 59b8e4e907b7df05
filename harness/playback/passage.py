"""A recorded stretch of deltas on its way to one client."""

from __future__ import annotations

from collections.abc import Mapping

from harness.messages import Json
from harness.recording import RecordedPassage
from harness.recording.frames import EVENT_ID, id_text
from harness.service import Delta


class BoundPassage:
    """A recorded passage with one session's ids, which are all bound before it is sent."""

    __slots__ = ("_ids", "_recorded", "_texts")

    def __init__(self, recorded: RecordedPassage, ids: Mapping[str, str]) -> None:
        self._recorded = recorded
        self._ids = ids
        self._texts: dict[str, bytes] = {}
        """The ids as they stand in a frame."""

    @property
    def times(self) -> tuple[float, ...]:
        return self._recorded.times

    @property
    def sizes(self) -> tuple[int, ...]:
        return self._recorded.sizes

    def frame(self, index: int, event_id: str) -> bytes:
        template = self._recorded.templates[index]
        texts = self._texts
        for name in template.ids:
            if name not in texts:
                texts[name] = id_text(self._ids.get(name, name))
        texts[EVENT_ID] = b'"%b"' % event_id.encode()
        return template.frame(texts)

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
