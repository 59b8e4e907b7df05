"""An item that is added and done: two events in canonical form, on some wires one.

A wire either has `conversation.item.done` (`separate`), or its one event stands
for both (`made`), or it has it for the items that voice detection committed and
for no others (`committed`). The model's items are done later than they are
added: directly before `response.output_item.done`.
"""

from __future__ import annotations

from typing import Any

from harness.messages import Json, copied
from harness.translation.objects import Loss

ADDED = "conversation.item.added"
DONE = "conversation.item.done"

_SPEECH = frozenset({"input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"})
_SAID_ONCE = "the wire says it once, when the item is added"


class Halves:
    """What one session has said of its items, in canonical names. Show it every event of the service."""

    def __init__(self, item_done: str) -> None:
        self._item_done = item_done
        self._spoken: set[str] = set()
        """Items that voice detection heard begin or end."""
        self._detected: set[str] = set()
        """Items that voice detection committed."""
        self._answering: dict[str, Any] = {}
        """The model's items still being made, with the item before each."""
        self._added: dict[str, Json] = {}
        """Events that added an item whose other half has not come."""
        self._done: set[str] = set()
        self._held: dict[str, Json] = {}
        """Other halves of the model's items, which the wire leaves to `response.output_item.done`."""

    # Out of the wire: the half that is missing is made.

    def completed(self, event: Json, losses: list[Loss]) -> tuple[Json, ...]:
        """An event of the wire with the half that it stands for, or lets follow."""
        if self._item_done == "separate":
            return (event,)
        type_, id_ = event["type"], _item_id(event)
        self._note(event, id_)
        if id_ is None:
            return (event,)
        if type_ == DONE:
            if id_ in self._done:
                losses.append(Loss("type", "the item is done already"))
                return ()
            self._finish(id_)
        elif type_ == ADDED and id_ in self._answering:
            self._answering[id_] = event.get("previous_item_id")
        elif type_ == ADDED and id_ not in self._detected and id_ not in self._done:
            self._finish(id_)
            return (event, {**copied(event), "type": DONE})
        elif type_ == "response.output_item.done" and id_ in self._answering:
            done: Json = {"type": DONE}
            if "event_id" in event:
                done["event_id"] = event["event_id"]
            done["previous_item_id"] = self._answering[id_]
            done["item"] = copied(event["item"])
            self._finish(id_)
            return (done, event)
        return (event,)

    def _finish(self, id_: str) -> None:
        self._done.add(id_)
        self._answering.pop(id_, None)

    def _note(self, event: Json, id_: str | None) -> None:
        type_ = event["type"]
        if type_ in _SPEECH:
            self._spoken.add(str(event.get("item_id")))
        elif type_ == "input_audio_buffer.committed":
            if self._item_done == "committed" and str(event.get("item_id")) in self._spoken:
                self._detected.add(str(event["item_id"]))
        elif type_ == "response.output_item.added" and id_ is not None and id_ not in self._done:
            self._answering[id_] = None

    # Onto the wire: the half that it has not is left out.

    def leaves_out(self, event: Json, losses: list[Loss]) -> bool:
        """Whether the wire has no place for this event; names what it alone says as lost."""
        if self._item_done == "separate":
            return False
        type_, id_ = event["type"], _item_id(event)
        self._note(event, id_)
        if type_ == ADDED and id_ is not None:
            self._added[id_] = event
        elif type_ == "response.output_item.done" and id_ is not None:
            self._answering.pop(id_, None)
            held = self._held.pop(id_, None)
            if held is not None and held["item"] != event["item"]:
                losses.append(Loss("item", f"{DONE} said otherwise"))
        if type_ != DONE:
            return False
        added = self._added.pop(id_, {}) if id_ is not None else {}
        if id_ is not None and id_ in self._detected:
            return False
        losses.append(Loss("event_id", "the wire has no event of its own for an item that is done"))
        if added.get("previous_item_id") != event.get("previous_item_id"):
            losses.append(Loss("previous_item_id", _SAID_ONCE))
        if id_ is not None and id_ in self._answering:
            self._held[id_] = event
        elif added.get("item") != event.get("item"):
            losses.append(Loss("item", _SAID_ONCE))
        return True

    def end(self) -> list[tuple[Json, Loss]]:
        """What was left to an event that never came, where a session breaks off inside an answer."""
        reason = "left to response.output_item.done, which did not come"
        return [(event, Loss("item", reason)) for event in self._held.values()]


def _item_id(event: Json) -> str | None:
    item = event.get("item")
    id_ = item.get("id") if isinstance(item, dict) else None
    return id_ if isinstance(id_, str) else None
