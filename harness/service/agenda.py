"""What is still to come: queued events in the order of their times, and timers.

Events may be taken at once, however far ahead they lie. Timers stand for the
service's patience and fire only when their time has really come.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from harness.messages import Json
from harness.service.exchange import Ending, Origin
from harness.service.supply import Passage, Prepared

_PARTNERS = {
    "response.output_item.added": "conversation.item.added",
    "conversation.item.done": "response.output_item.done",
}


class Queued(NamedTuple):
    """One event on its way out: canonical, or an ending instead. `prepared` spares its translation."""

    t: float
    event: Json | None
    origin: Origin
    thinking: bool = False
    response_id: str | None = None
    """The response it is part of; cancelling the response drops it."""
    prepared: Prepared | None = None
    ending: Ending | None = None
    passage: Passage | None = None
    """Deltas that follow each other, in place of an event; `t` is the time of the next of them."""
    place: int = 0
    """Which of them that is."""
    begun: float = 0.0
    """When the answer began, from which the passage counts its times."""


class Due(NamedTuple):
    """Deltas of a passage that are due: those from `first` up to before `end`."""

    queued: Queued
    passage: Passage
    first: int
    end: int
    size: int
    """Bytes of their frames, as recorded."""


class Agenda:
    """Queued events and timers, on the service's virtual clock (seconds)."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, Queued]] = []
        self._order = 0
        self._timers: dict[str, tuple[float, Callable[[], None]]] = {}

    def push(self, queued: Queued) -> None:
        self._order += 1
        heapq.heappush(self._queue, (queued.t, self._order, queued))

    def take(self, until: float | None) -> Queued | None:
        """The next event due by `until` (None: whenever it is due)."""
        if not self._queue or (until is not None and self._queue[0][0] > until):
            return None
        return heapq.heappop(self._queue)[2]

    def take_deltas(self, until: float | None, room: int) -> Due | None:
        """Deltas that follow each other, where they are next, before anything else is due; `room` in bytes.

        None where something else is next, or nothing is due yet.
        """
        if not self._queue:
            return None
        t, order, queued = self._queue[0]
        passage, first = queued.passage, queued.place
        if passage is None or (until is not None and t > until):
            return None
        times, sizes = passage.times, passage.sizes
        begun = queued.begun
        # As many as there is room for, one at least; of these those that come before all else.
        most = max(bisect_left(sizes, sizes[first] + room), first + 1)
        end = min(most, len(times))
        other = min(self._queue[1:3], default=None, key=lambda entry: entry[:2])
        while end > first + 1 and (
            (until is not None and begun + times[end - 1] > until)
            or (other is not None and (begun + times[end - 1], order) > other[:2])
        ):
            end -= 1
        size = sizes[end] - sizes[first]
        if end == len(times):
            heapq.heappop(self._queue)
        else:
            rest = queued._replace(t=begun + times[end], place=end)
            heapq.heapreplace(self._queue, (rest.t, order, rest))
        return Due(queued, passage, first, end, size)

    def take_partner(self, queued: Queued) -> Queued | None:
        """The event that belongs directly after this one of a response, whatever else is due before it."""
        wanted = _PARTNERS.get(queued.event["type"] if queued.event else "")
        if wanted is None or queued.response_id is None:
            return None
        mine = [entry for entry in self._queue if entry[2].response_id == queued.response_id]
        first = min(mine, default=None, key=lambda entry: entry[:2])
        if first is None or first[2].event is None or first[2].event["type"] != wanted:
            return None
        self._queue.remove(first)
        heapq.heapify(self._queue)
        return first[2]

    def drop(self, unwanted: Callable[[Queued], bool]) -> None:
        """Takes out what will never be said."""
        self._queue = [entry for entry in self._queue if not unwanted(entry[2])]
        heapq.heapify(self._queue)

    def queued(self) -> list[Queued]:
        """Everything queued, in order."""
        return [entry[2] for entry in sorted(self._queue, key=lambda entry: entry[:2])]

    def earliest(self, wanted: Callable[[Queued], bool]) -> float | None:
        """When the first of the events queued that are wanted is due."""
        return min((t for t, _, queued in self._queue if wanted(queued)), default=None)

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def empty(self) -> bool:
        return not self._queue

    @property
    def next_at(self) -> float | None:
        return self._queue[0][0] if self._queue else None

    @property
    def timers(self) -> AbstractSet[str]:
        """The names of those that run."""
        return self._timers.keys()

    def set_timer(self, name: str, t: float, fire: Callable[[], None]) -> None:
        """Sets a timer, or sets it anew."""
        self._timers[name] = (t, fire)

    def clear_timer(self, name: str) -> None:
        self._timers.pop(name, None)

    @property
    def next_timer(self) -> float | None:
        return min((t for t, _ in self._timers.values()), default=None) if self._timers else None

    def due_timer(self, now: float) -> tuple[float, Callable[[], None]] | None:
        """The earliest timer whose time has come, taken out."""
        due = [(t, name) for name, (t, _) in self._timers.items() if t <= now]
        return self._timers.pop(min(due)[1]) if due else None
