"""What a comparison of two sessions is made of, and what it comes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from harness.diff.names import Loss, Rename
from harness.findings import Change
from harness.logs.model import Extent
from harness.messages import Json, Side


class Aspect(StrEnum):
    """Why a value stands beside a message and not in it."""

    REFERENCE = "references"
    """An id that something else has too: compared by what it refers to."""
    ID = "ids"
    TIME = "times"
    PADDING = "obfuscation"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class DiffOptions:
    """What is compared that is left out by default, because it is new in every session."""

    ids: bool = False
    """Literally. By default an id counts by what it refers to."""
    times: bool = False
    obfuscation: bool = False
    audio: bool = False
    """The samples; the amount of audio always counts."""
    as_wire: bool = False
    """No translation, even between two known dialects."""

    @property
    def counted(self) -> frozenset[Aspect]:
        """What is compared of the values that stand beside a message."""
        asked = {aspect for aspect in Aspect if getattr(self, aspect, False)}
        return frozenset({Aspect.REFERENCE, *asked})

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(aspect for aspect in Aspect if aspect not in self.counted)


PREVIOUS = "previous item"
"""What `previous_item_id` is the id of: an item, by its place in the conversation."""


class Aside(NamedTuple):
    """A value taken out of a message before it is compared; `of` says what an id is the id of.

    A tuple, for a session has more of these than of anything else.
    """

    aspect: Aspect
    path: str
    value: Any
    of: str = ""


class Message(NamedTuple):
    """One event as it is compared, or the joined deltas of one stream, which have many lines.

    A tuple too: a frozen dataclass takes thrice as long to make.
    """

    type: str
    side: Side | None
    lines: tuple[int, ...]
    body: Json
    """The event without its asides."""
    asides: tuple[Aside, ...]
    key: str
    """The body as text; equal bodies have equal keys."""
    extent: Extent = Extent.WHOLE
    joined: bool = False


class Kind(StrEnum):
    """How two sessions differ in one place."""

    ONLY_A = "only-a"
    ONLY_B = "only-b"
    CHANGED = "changed"
    MOVED = "moved"
    """The same message, at another place in its lane."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. More than one message on a side means a whole lane that only this side has.

    `echoes` are changes that this lane has reported already, of another
    message: a text stands in up to six messages.
    """

    kind: Kind
    a: tuple[Message, ...]
    b: tuple[Message, ...]
    changes: tuple[Change, ...] = ()
    echoes: tuple[Change, ...] = ()

    @property
    def weight(self) -> int:
        """How many differences a reader has to think about."""
        return len(self.changes) if self.kind is Kind.CHANGED else 1


@dataclass(frozen=True, slots=True)
class LaneDiff:
    """The differences of one lane; a side that has no such lane has no name for it."""

    kind: str
    session: int
    name_a: str | None
    name_b: str | None
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class SideOf:
    """What is known of one side as a whole."""

    path: str
    format: str
    dialect: str | None
    messages: int
    sessions: int
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class SessionDiff:
    """What two logs differ in. Lanes without a difference are only counted."""

    a: SideOf
    b: SideOf
    options: DiffOptions
    canonical: bool
    """Both sides were translated to canonical form first."""
    renames: tuple[Rename, ...]
    notes: tuple[str, ...]
    lanes: tuple[LaneDiff, ...]
    compared: int
    """How many lanes there are, paired or not."""

    @property
    def same(self) -> bool:
        return not self.lanes

    @property
    def count(self) -> int:
        """All differences: each changed value, each message or whole lane on one side only, each move."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """Differences by kind."""
        found: Counter[str] = Counter({str(kind): 0 for kind in Kind})
        for lane in self.lanes:
            for difference in lane.differences:
                found[str(difference.kind)] += difference.weight
        return dict(found)
