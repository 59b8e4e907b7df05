"""What a client remembers of a conversation: its items in order, and the words in them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from driver_runtime import Json


@dataclass
class Conversation:
    """The items the service told of. A place counts from 0, and what was deleted keeps its place."""

    items: dict[str, Json] = field(default_factory=dict)
    _places: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._places)

    def note(self, item: Json) -> None:
        if item["id"] not in self.items and item["id"] not in self._places:
            self._places.append(item["id"])
        self.items[item["id"]] = item

    def forget(self, item_id: str) -> None:
        self.items.pop(item_id, None)

    def heard(self, item_id: str, part: int, transcript: str) -> None:
        """What the user said in an item, once the service has understood it."""
        content = self.items.get(item_id, {}).get("content") or []
        if part < len(content):
            content[part]["transcript"] = transcript

    def at(self, place: int) -> str | None:
        return self._places[place] if 0 <= place < len(self._places) else None

    def place_of(self, words: tuple[str, str], place: int) -> int:
        """Where these words stand, at that place or after it: what nobody asked for has moved them on."""
        later = (n for n, id_ in enumerate(self._places) if n >= place and self._words(id_) == words)
        return next(later, place)

    def words(self) -> list[tuple[str, str]]:
        """Who said what, as far as it is known in words."""
        return [words for words in map(self._words, self._places) if words is not None]

    def _words(self, item_id: str) -> tuple[str, str] | None:
        item = self.items.get(item_id)
        if item is None or item["type"] != "message":
            return None
        parts = item.get("content") or []
        text = "".join(part.get("text") or part.get("transcript") or "" for part in parts)
        return (item["role"], text) if text else None


@dataclass
class Playing:
    """The answer in the user's ear: as if a loudspeaker had begun with the first piece of it."""

    item_id: str
    part: int
    received_ms: float = 0.0
    began: float = field(default_factory=time.monotonic)

    @property
    def played_ms(self) -> int:
        """Never more than there was to play."""
        return int(min((time.monotonic() - self.began) * 1000, self.received_ms))
