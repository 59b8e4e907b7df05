"""The conversation: an ordered list of items, as the service keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from harness.dialects import Evidence
from harness.messages import Json, copied
from harness.service.input_audio import KEPT_BYTES
from harness.service.registry import CAPTURES, TYPES, rule


@dataclass(frozen=True, eq=False, repr=False)
class Held:
    """The items as they once were: the first `kept` of those `before`, then `added`.

    A session keeps one for each answer, so they share what did not change.
    """

    before: Held | None = None
    kept: int = 0
    added: tuple[Json, ...] = ()

    def __iter__(self) -> Iterator[Json]:
        pieces: list[tuple[Json, ...]] = []
        shown, upto = self, self.kept + len(self.added)
        while upto:
            pieces.append(shown.added[: max(upto - shown.kept, 0)])
            upto = min(upto, shown.kept)
            shown = shown.before or Held()
        return chain.from_iterable(reversed(pieces))


@dataclass
class Conversation:
    """The items in order, and how much audio the model made for each (milliseconds).

    Items are replaced and never changed in place.
    """

    items: list[Json] = field(default_factory=list)
    audio_ms: dict[str, int] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)
    """The ids of the items."""
    _shown: Held = field(default_factory=Held)
    """The items as they were when last asked for; from `_changed` on they are others."""
    _changed: int = 0
    _truncated: dict[str, int] = field(default_factory=dict)
    """Up to where the user heard an item, for those he did not hear to the end."""
    _sounds: dict[tuple[str, int], str] = field(default_factory=dict)
    """The audio that came from the client, by item and part; in base64, so that however often it is
    retrieved it is in memory once."""
    _sounds_bytes: int = 0
    _leaving: set[str] = field(default_factory=set)
    """Items whose deletion is still to be told of: gone for the client, there for an answer under way."""

    def position(self, item_id: str) -> int | None:
        """Where an item is; None where there is none, or it was deleted."""
        return None if item_id in self._leaving else self._index(item_id)

    def holds(self, item_id: str) -> bool:
        """Whether an item is there, one that leaves included."""
        return item_id in self._known

    def _index(self, item_id: str) -> int | None:
        if item_id not in self._known:
            return None
        # What is asked for is mostly new.
        return next(n for n in reversed(range(len(self.items))) if self.items[n]["id"] == item_id)

    def _insert(self, index: int, item: Json) -> None:
        self.items.insert(index, item)
        self._known.add(item["id"])
        self._changed = min(self._changed, index)

    def _put(self, index: int, item: Json) -> None:
        self.items[index] = item
        self._changed = min(self._changed, index)

    @property
    def last_id(self) -> str | None:
        return next((item["id"] for item in reversed(self.items) if item["id"] not in self._leaving), None)

    def add_answer(self, item: Json) -> str | None:
        """Puts an item of the model last, as it is told of; returns the id before it."""
        before = self.items[-1]["id"] if self.items else None
        self._insert(len(self.items), item)
        return before

    @rule(
        "items.previous",
        "`previous_item_id` absent (or empty) puts an item last, `root` first",
        evidence=Evidence.DOCUMENTED,
        source=f"{TYPES}: ConversationItemCreateEvent; the empty one: tests of speaches-ai/speaches",
    )
    def add(self, item: Json, previous_item_id: str | None) -> str | None:
        """Puts an item in its place; returns the id before it, None for the first.

        `previous_item_id` None appends, `root` puts it first; an unknown id
        raises KeyError.
        """
        if previous_item_id in (None, ""):
            before = self.last_id
            self._insert(len(self.items), item)
            return before
        if previous_item_id == "root":
            self._insert(0, item)
            return None
        position = self.position(str(previous_item_id))
        if position is None:
            raise KeyError(previous_item_id)
        self._insert(position + 1, item)
        return str(previous_item_id)

    def replace(self, item: Json) -> None:
        """The item as it stands at its end; what was truncated in the meantime stays so."""
        position = self._index(item["id"])
        if position is not None:
            self._put(position, without_transcript(item) if item["id"] in self._truncated else item)

    def remove(self, item_id: str) -> bool:
        """Deletes an item, if there is one, as the client sees it; `forget` does when that is told of."""
        if self.position(item_id) is None:
            return False
        self._leaving.add(item_id)
        self.audio_ms.pop(item_id, None)
        for place in [place for place in self._sounds if place[0] == item_id]:
            self._sounds_bytes -= len(self._sounds.pop(place))
        self._truncated.pop(item_id, None)
        return True

    def forget(self, item_id: str) -> None:
        places = [n for n, item in enumerate(self.items) if item["id"] == item_id]
        if places:
            # Of two with the same id the older one was deleted: the other was made since.
            del self.items[places[0]]
            self._changed = min(self._changed, places[0])
        if len(places) < 2:
            self._known.discard(item_id)
        self._leaving.discard(item_id)

    @rule(
        "items.truncate.transcript",
        "truncating takes the transcript away, as it may hold what was not heard; retrieved it is null",
        evidence=Evidence.DOCUMENTED,
        source=f"{TYPES}: ConversationItemTruncateEvent",
    )
    def truncate(self, item_id: str, ms: int) -> None:
        """Forgets what of an item's audio comes after so many milliseconds."""
        if ms >= self.audio_ms[item_id]:
            return
        self.audio_ms[item_id] = self._truncated[item_id] = ms
        position = self.position(item_id)
        if position is not None:
            self._put(position, without_transcript(self.items[position]))

    def made_audio(self, item_id: str, ms: int) -> None:
        """The model has made so much more audio of an item; of one that was truncated it does not count."""
        if item_id in self._known and item_id not in self._leaving and item_id not in self._truncated:
            self.audio_ms[item_id] = self.audio_ms.get(item_id, 0) + ms

    def keep_sound(self, item_id: str, audio: str, part: int = 0) -> None:
        """Keeps audio of the client, in base64; if there is too much, that of the oldest is forgotten."""
        self._sounds_bytes += len(audio) - len(self._sounds.pop((item_id, part), ""))
        self._sounds[item_id, part] = audio
        while self._sounds_bytes > KEPT_BYTES * 4 // 3:
            self._sounds_bytes -= len(self._sounds.pop(next(iter(self._sounds))))

    @rule(
        "items.retrieve.audio",
        "events of an item leave its audio out; a retrieved item has what came from the client",
        evidence=Evidence.DOCUMENTED,
        source=f"{TYPES}: ConversationItemRetrieveEvent, ConversationItemDone",
    )
    def retrieved(self, item_id: str) -> Json | None:
        """An item as `conversation.item.retrieved` shows it."""
        position = self.position(item_id)
        if position is None:
            return None
        item: Json = copied(self.items[position])
        for (holder, part), sound in self._sounds.items():
            if holder == item_id:
                item["content"][part]["audio"] = sound
        return item

    @rule(
        "items.done.second",
        "on GA `conversation.item.done` of a model's item that is second has no previous item",
        evidence=Evidence.RECORDED,
        source=f"{CAPTURES}: 7 of 7",
    )
    def before_done(self, item: Json, given: str | None, *, null_for_second: bool) -> str | None:
        """What `conversation.item.done` says comes before an item."""
        position = self._index(item["id"])
        if position is None:
            return given
        of_model = item.get("role") == "assistant" or item.get("type") == "function_call"
        if position == 0 or (position == 1 and of_model and null_for_second):
            return None
        return str(self.items[position - 1]["id"])

    @rule(
        "responses.input",
        "`input` takes the place of the conversation for one response; a reference stands for the item "
        "it names, and for nothing where there is none",
        evidence=Evidence.DOCUMENTED,
        source=f"{TYPES}: RealtimeResponseCreateParams.input; of unknown references nothing is published",
    )
    def context(self, given: Iterable[Json] | None) -> Held:
        """The items a response is asked with: the conversation's, or those it was given instead."""
        if given is not None:
            return Held(added=tuple(self._resolved(given)))
        if self._leaving:
            return Held(added=tuple(item for item in self.items if item["id"] not in self._leaving))
        if self._changed < len(self.items) or len(self.items) < self._shown.kept + len(self._shown.added):
            self._shown = Held(self._shown, self._changed, tuple(self.items[self._changed :]))
            self._changed = len(self.items)
        return self._shown

    def _resolved(self, given: Iterable[Json]) -> Iterator[Json]:
        for item in given:
            if not isinstance(item, dict):
                continue
            if item.get("type") != "item_reference":
                yield item
                continue
            position = self.position(str(item.get("id")))
            if position is not None:
                yield self.items[position]

    @property
    def has_model_audio(self) -> bool:
        return any(self.audio_ms.values())


def without_transcript(item: Json) -> Json:
    """An item without the words of what was spoken."""
    content = [
        {**part, "transcript": None} if part.get("type") == "output_audio" else part
        for part in item.get("content") or ()
    ]
    return {**item, "content": content}
