"""The wire log: every message of a connection, in order, written out when somebody reads it.

Deltas of a recorded answer are hundreds to a turn and say nothing but what the
cassette says, ids aside. They are noted as the stretch they are, and become
entries when they are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from typing import Generic, TypeVar, overload

Message = TypeVar("Message")


class Unwritten(Generic[Message]):
    """A stretch of the log from entry `first` on; `write` makes the entry that is so many after that."""

    __slots__ = ("first", "write")

    def __init__(self, first: int, write: Callable[[int], Message]) -> None:
        self.first = first
        self.write = write


class WireLog(MutableSequence[Message]):
    """A list of which stretches may be unwritten; whoever reads it does not notice."""

    def __init__(self, entries: Iterable[Message] = ()) -> None:
        self._entries: list[Message | Unwritten[Message]] = list(entries)

    def note(self, count: int, write: Callable[[int], Message]) -> int:
        """Adds so many entries that `write` makes when they are read; returns the number of the first."""
        first = len(self._entries)
        self._entries.extend([Unwritten(first, write)] * count)
        return first

    def clear(self) -> None:
        self._entries.clear()

    def append(self, value: Message) -> None:
        self._entries.append(value)

    def insert(self, index: int, value: Message) -> None:
        self._entries = list(self)  # what is unwritten knows its place
        self._entries.insert(index, value)

    def __len__(self) -> int:
        return len(self._entries)

    def _read(self, index: int) -> Message:
        entry = self._entries[index]
        if isinstance(entry, Unwritten):
            place = index if index >= 0 else index + len(self._entries)
            entry = self._entries[place] = entry.write(place - entry.first)
        return entry

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        if isinstance(index, slice):
            return [self._read(place) for place in range(*index.indices(len(self._entries)))]
        return self._read(index)

    def __iter__(self) -> Iterator[Message]:
        place = 0
        while place < len(self._entries):
            yield self._read(place)
            place += 1

    @overload
    def __setitem__(self, index: int, value: Message) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Message]) -> None: ...
    def __setitem__(self, index: int | slice, value: Message | Iterable[Message]) -> None:
        if isinstance(index, slice):
            self._entries = list(self)  # what is unwritten knows its place
        self._entries[index] = value  # type: ignore[index,assignment]  # as a list takes them

    def __delitem__(self, index: int | slice) -> None:
        self._entries = list(self)
        del self._entries[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (WireLog, list)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return repr(list(self))
