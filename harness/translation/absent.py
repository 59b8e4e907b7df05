"""Keeps a session whole around items that the other dialect does not have.

An item that is left out takes with it what is said of it alone; the item after
it follows the one before it, and the outputs of a response close up.
"""

from __future__ import annotations

from typing import Any

from harness.messages import Json
from harness.translation.objects import Loss

_LEFT_OUT = "names an item that is left out"
_ADDS = frozenset({"conversation.item.added", "conversation.item.created", "conversation.item.create"})


class Absent:
    """The items of one session that were left out."""

    def __init__(self) -> None:
        self._before: dict[str, Any] = {}
        """Each item left out, with the item before it."""
        self._outputs: dict[str, set[int]] = {}
        """The places of outputs left out, by response."""

    def mend(self, event: Json, losses: list[Loss]) -> Json | None:
        """An event, changed in place so that it names nothing left out; None where that is all it does."""
        if not self._before and not self._outputs:
            return event
        if self._is_gone(event.get("item_id")):
            losses.append(Loss("type", f"item_id: {_LEFT_OUT}"))
            return None
        if self._is_gone(event.get("previous_item_id")):
            losses.append(Loss("previous_item_id", _LEFT_OUT))
            while self._is_gone(event["previous_item_id"]):
                event["previous_item_id"] = self._before[event["previous_item_id"]]
        place: Any = event.get("output_index")
        gone = sum(index < place for index in self._gone(event)) if isinstance(place, int) else 0
        if gone:
            event["output_index"] = place - gone
            losses.append(Loss("output_index", "an output before it is left out"))
        return event

    def note(self, event: Json) -> None:
        """An event, as it was before anything was left out of it, is not carried over."""
        item = event.get("item")
        id_ = item.get("id") if isinstance(item, dict) else None
        if not isinstance(id_, str):
            return
        if event["type"] in _ADDS:
            self._before[id_] = event.get("previous_item_id")
        elif event["type"] == "response.output_item.added" and isinstance(event.get("output_index"), int):
            self._outputs.setdefault(str(event.get("response_id")), set()).add(event["output_index"])

    def _is_gone(self, item_id: Any) -> bool:
        return isinstance(item_id, str) and item_id in self._before

    def _gone(self, event: Json) -> set[int]:
        return self._outputs.get(str(event.get("response_id")), set())
