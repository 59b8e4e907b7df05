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

    def words(self) -> list[tuple[str, str]]:
        """Who said what, as far as it is known in words."""
        found: list[tuple[str, str]] = []
        for item in map(self.items.get, self._places):
            if item is None or item["type"] != "message":
                continue
            parts = item.get("content") or []
            text = "".join(part.get("text") or part.get("transcript") or "" for part in parts)
            if text:
                found.append((item["role"], text))
        return found


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
