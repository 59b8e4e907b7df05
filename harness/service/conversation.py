"""The conversation: an ordered list of items, as the service keeps it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from harness.messages import Json


@dataclass
class Conversation:
    """The items in order, and how much audio the model made for each (milliseconds)."""

    items: list[Json] = field(default_factory=list)
    audio_ms: dict[str, int] = field(default_factory=dict)

    def position(self, item_id: str) -> int | None:
        for index, item in enumerate(self.items):
            if item["id"] == item_id:
                return index
        return None

    @property
    def last_id(self) -> str | None:
        return self.items[-1]["id"] if self.items else None

    def add(self, item: Json, previous_item_id: str | None) -> str | None:
        """Puts an item in its place; returns the id before it, None for the first.

        `previous_item_id` None appends, `root` puts it first; an unknown id
        raises KeyError.
        """
        if previous_item_id in (None, ""):
            before = self.last_id
            self.items.append(item)
            return before
        if previous_item_id == "root":
            self.items.insert(0, item)
            return None
        position = self.position(str(previous_item_id))
        if position is None:
            raise KeyError(previous_item_id)
        self.items.insert(position + 1, item)
        return str(previous_item_id)

    def replace(self, item: Json) -> None:
        position = self.position(item["id"])
        if position is not None:
            self.items[position] = item

    def remove(self, item_id: str) -> bool:
        position = self.position(item_id)
        if position is None:
            return False
        del self.items[position]
        return True

    def snapshot(self) -> list[Json]:
        return copy.deepcopy(self.items)

    @property
    def has_model_audio(self) -> bool:
        return bool(self.audio_ms)
