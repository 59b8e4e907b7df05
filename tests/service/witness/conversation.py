"""The conversation's ear: which items there are, where, and what they hold."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict, deque
from typing import Any

from harness.messages import Json

ANSWERS = ("conversation.item.retrieved", "conversation.item.deleted", "conversation.item.truncated")


class Conversation:
    """`item_done` is how the wire tells that an item is done: `separate`, `made` (not at all), or `committed`
    (of the user's speech alone). `null_for_second`: a model's second item is done as if none came before.
    """

    def __init__(self, *, item_done: str, null_for_second: bool) -> None:
        self.item_done = item_done
        self.null_for_second = null_for_second
        self.order: list[str] = []
        """The items, as far as we were told."""
        self.bodies: dict[str, Json] = {}
        """The items as they must be shown to who asks for them."""
        self.audio_ms: dict[str, int] = {}
        """How much speech of the model there is."""
        self.leaving: set[str] = set()
        """Items whose deletion the client asked for."""
        self.next: tuple[str, Json, Any] | None = None
        """What must come directly now: name, item, previous item (ABSENT where it does not matter)."""
        self._made: defaultdict[str, deque[str]] = defaultdict(deque)
        """By id: where the client wanted the items it made and was not yet told of."""
        self._halved = False
        """What is heard now was due directly."""
        self._nameless = 0
        """Items the client made without an id and was not yet told of."""
        self._spoken: set[str] = set()
        """Of those that the wire tells only so much of: what the user spoke."""
        self._undone: set[str] = set()
        self._gone: set[str] = set()
        """Deleted while they were being made: what comes of that, nobody has published."""
        self._cut: set[str] = set()
        """Truncated: nobody is told any more what was said in them."""
        self._due: defaultdict[str, deque[Json]] = defaultdict(deque)
        """What must answer the client, by name, in this order."""

    # The client's wishes.

    def ask(self, name: str, event: Json) -> None:
        item_id = event.get("item_id", "")
        if name == "conversation.item.create":
            given = event["item"].get("id")
            self._nameless += given is None
            if given is not None:
                self._made[given].append(event.get("previous_item_id") or "")
                self.leaving.discard(given)
        elif name == "conversation.item.retrieve":
            item = copy.deepcopy(self.bodies.get(item_id))
            self._due["conversation.item.retrieved"].append({"item_id": item_id, "item": item})
        elif name == "conversation.item.delete":
            self._due["conversation.item.deleted"].append({"item_id": item_id})
            self.leaving.add(item_id)
            self.audio_ms.pop(item_id, None)
        elif name == "conversation.item.truncate":
            made, wanted = self.audio_ms[item_id], event["audio_end_ms"]
            due = {"item_id": item_id, "content_index": event["content_index"]}
            self._due["conversation.item.truncated"].append({**due, "audio_end_ms": min(wanted, made)})
            if event["content_index"] == 0 and wanted < made:
                self._cut.add(item_id)
                self.audio_ms[item_id] = wanted
                self.tell(self.bodies[item_id])

    def settled(self, item_id: str) -> bool:
        """Whether nothing about an item is still to be told: that it is there, or that it goes."""
        return item_id not in self.leaving and not self._made[item_id]

    # What the service says.

    def directly(self, name: str, event: Json) -> None:
        wanted, self.next = self.next, None
        self._halved = wanted is not None
        if wanted is None:
            return
        assert name == wanted[0], f"{name} comes where {wanted[0]} must"
        assert event["item"] == wanted[1], f"{name} has another item than the event before it"
        assert wanted[2] in (..., event.get("previous_item_id")), f"{name} has another previous item"

    def answer(self, name: str, event: Json) -> None:
        assert self._due[name], f"{name} answers nothing"
        due = self._due[name].popleft()
        if name == "conversation.item.retrieved":
            shown = event["item"]
            assert shown["id"] == due["item_id"], "another item is shown than was asked for"
            assert due["item"] in (None, _without_audio(shown)), f"shown is {shown}, told was {due['item']}"
            return
        told = {key: event[key] for key in due}
        assert told == due, f"{name} says {told} where {due} was asked for"
        if name == "conversation.item.deleted" and due["item_id"] in self.order:
            self._forget(due["item_id"])

    def _forget(self, item_id: str) -> None:
        self.order.remove(item_id)
        self.bodies.pop(item_id)
        if not self._made[item_id]:
            self.leaving.discard(item_id)
        if item_id in self._undone:
            self._undone.discard(item_id)
            self._gone.add(item_id)

    def tell(self, item: Json) -> None:
        """An item as it now is."""
        if item["id"] in self._cut:
            content = [
                {**part, "transcript": None} if "transcript" in part else part for part in item["content"]
            ]
            item = {**item, "content": content}
        if item["id"] in self.order:
            self.bodies[item["id"]] = item

    def added(self, event: Json, *, of_model: bool, stages: list[str] | None) -> None:
        """An item is there; `stages` of the user's speech came before it, where it is that."""
        item, previous = event["item"], event.get("previous_item_id")
        if self.item_done == "committed" and stages is not None and len(stages) > 1:
            self._spoken.add(item["id"])
        if not of_model and (self.item_done == "separate" or item["id"] in self._spoken):
            self.next = ("conversation.item.done", item, previous)
        made = self._made[item["id"]]
        wanted = made.popleft() if made else None
        if item["id"] in self.order:
            assert wanted is not None, "an item is added twice"
            assert previous == item["id"], f"an item that is there already is said to follow {previous}"
            return
        self._undone.add(item["id"])
        self._nameless -= wanted is None and not of_model and stages is None
        self._place(item["id"], previous, wanted or "")
        self.tell(item)

    def _place(self, item_id: str, previous: Any, wanted: str) -> None:
        if wanted == "root":
            assert previous is None, f"the first item has {previous} before it"
            self.order.insert(0, item_id)
        elif wanted in self.order:
            assert previous == wanted, f"{previous} is before an item that was to follow {wanted}"
            self.order.insert(self.order.index(wanted) + 1, item_id)
        else:
            last = self.order[-1] if self.order else None
            assert previous == last, f"an item is said to follow {previous}; the last one told of is {last}"
            self.order.append(item_id)

    def done(self, event: Json, *, of_model: bool) -> None:
        item_id, previous = event["item"]["id"], event.get("previous_item_id")
        assert self.item_done != "made", "this generation has no conversation.item.done"
        assert of_model or self._halved, "conversation.item.done without its .added, or twice"
        self._undone.discard(item_id)
        if not of_model or item_id in self._gone:
            return
        assert item_id in self.order, "an item is done and was never added"
        place = self.order.index(item_id)
        first = place == 0 or (place == 1 and self.null_for_second)
        before = None if first else self.order[place - 1]
        assert previous == before, f"an answer's item is done after {previous}; before it is {before}"

    def spoke(self, item_id: str, ms: int) -> None:
        """The model has said so much more of an item."""
        if item_id in self.order and item_id not in self._cut and item_id not in self.leaving:
            self.audio_ms[item_id] = self.audio_ms.get(item_id, 0) + ms

    def all_was_heard(self) -> None:
        assert self.next is None, f"{self.next} never came"
        for name in ANSWERS:
            assert not self._due[name], f"{name} never came: {list(self._due[name])}"
        owed = Counter({item: len(places) for item, places in self._made.items() if places})
        assert not owed, f"the client made items and is not told of them: {owed}"
        assert self._nameless <= 0, "the client made an item and is not told of it"

    def finish(self) -> None:
        assert self.item_done != "separate" or not self._undone, "an item is added and never done"


def _without_audio(item: Json) -> Json:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    return {**item, "content": [{k: v for k, v in part.items() if k != "audio"} for part in content]}
