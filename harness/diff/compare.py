"""Compares two lanes: message by message, then value by value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from harness.diff.align import SAME, align
from harness.diff.model import Aside, Aspect, Difference, DiffOptions, Kind, Message
from harness.diff.outputs import line_up, with_plain_path
from harness.diff.pairing import Binder
from harness.diff.values import changes
from harness.findings import Change
from harness.logs.model import Extent
from harness.messages import Json, Side

_ALIKE, _SHARED, _RENAMED, _REFERS = 300, 140, 430, 50
"""Likeness: of one type; what their equal fields add; all the same but the type; to refer to the same."""


class Comparison:
    """Compares the lanes of two sessions, whose ids `binder` knows."""

    def __init__(self, binder: Binder, options: DiffOptions) -> None:
        self._binder = binder
        self._literally = options.ids
        self._counted = options.counted

    def lanes(self, a: Sequence[Message], b: Sequence[Message], echoes: Echoes) -> tuple[Difference, ...]:
        """The differences of two lanes; messages of each side and joined streams have orders of their own."""
        if self._alike(a, b):
            return ()
        groups: dict[tuple[Side | None, bool], tuple[list[Message], list[Message]]] = {}
        for index, messages in enumerate((a, b)):
            for message in messages:
                groups.setdefault((message.side, message.joined), ([], []))[index].append(message)
        found = [difference for group in groups.values() for difference in self._group(*group)]
        found.sort(key=_line)
        return tuple(echoes.marked(difference) for difference in found)

    def _alike(self, a: Sequence[Message], b: Sequence[Message]) -> bool:
        return len(a) == len(b) and all(
            mine.key == theirs.key
            and mine.side is theirs.side
            and self._beside_alike(mine.asides, theirs.asides)
            for mine, theirs in zip(a, b, strict=True)
        )

    def _group(self, mine: list[Message], theirs: list[Message]) -> Iterable[Difference]:
        refers_a = [self._referred(message, self._binder.of_a) for message in mine]
        refers_b = [self._referred(message, self._binder.of_b) for message in theirs]
        keys_a = [message.key + refers for message, refers in zip(mine, refers_a, strict=True)]
        keys_b = [message.key + refers for message, refers in zip(theirs, refers_b, strict=True)]

        def likeness(i: int, j: int) -> int:
            alike = _likeness(mine[i], theirs[j])
            return alike + _REFERS if alike and refers_a[i] == refers_b[j] else alike

        matches = align(keys_a, keys_b, likeness)
        for i, j in matches:
            found = self._values(mine[i], theirs[j])
            if found:
                yield Difference(Kind.CHANGED, (mine[i],), (theirs[j],), found)
        paired_a, paired_b = {i for i, _ in matches}, {j for _, j in matches}
        lone: dict[str, list[Message]] = {}
        for j in range(len(theirs) - 1, -1, -1):
            if j not in paired_b:
                lone.setdefault(keys_b[j], []).append(theirs[j])
        for i, message in enumerate(mine):
            if i in paired_a:
                continue
            same = lone.get(keys_a[i])
            if same:
                other = same.pop()
                yield Difference(Kind.MOVED, (message,), (other,), self._values(message, other))
            else:
                yield Difference(Kind.ONLY_A, (message,), ())
        for left in lone.values():
            for message in left:
                yield Difference(Kind.ONLY_B, (), (message,))

    def _referred(self, message: Message, known: Callable[[str, object], str]) -> str:
        """What a message refers to, for many say nothing else: a commit is known by its item."""
        return "".join(
            f" {aside.path} {known(aside.of, aside.value)}"
            for aside in message.asides
            if aside.aspect is Aspect.REFERENCE
        )

    def _values(self, a: Message, b: Message) -> tuple[Change, ...]:
        a, b = line_up(a, b, lambda item: self._binder.partner("item", item))
        found = list(_opened(changes(a.body, b.body))) if a.key != b.key or a.body != b.body else []
        if Extent.ELIDED in (a.extent, b.extent):
            return tuple(change for change in found if _sure_of_elided(change))
        found += self._asides(a, b)
        if Extent.CUT in (a.extent, b.extent):
            silent = {"added"} if a.extent is Extent.CUT else set()
            silent |= {"removed"} if b.extent is Extent.CUT else set()
            found = [change for change in found if change.kind not in silent]
        return tuple(sorted(found, key=lambda change: change.path))

    def _asides(self, a: Message, b: Message) -> Iterable[Change]:
        if self._beside_alike(a.asides, b.asides):
            return
        mine, theirs = self._asked(a), self._asked(b)
        for path, aside in mine.items():
            other = theirs.pop(path, None)
            if other is None:
                yield Change("removed", path, aside.value, None)
            elif aside.aspect is Aspect.REFERENCE and other.aspect is Aspect.REFERENCE:
                yield from self._reference(path, aside, other)
            else:
                yield from changes(aside.value, other.value, path) if aside.value != other.value else ()
        for path, aside in theirs.items():
            yield Change("added", path, None, aside.value)

    def _beside_alike(self, a: Sequence[Aside], b: Sequence[Aside]) -> bool:
        """Whether nothing beside two messages differs: mostly so, and quick to see."""
        if len(a) != len(b):
            return False
        for (aspect, path, value, of), other in zip(a, b, strict=True):
            if path != other.path:
                return False
            if aspect is Aspect.REFERENCE and not self._literally:
                if not self._binder.same(of, value, other.value):
                    return False
            elif aspect in self._counted and value != other.value:
                return False
        return True

    def _reference(self, path: str, a: Aside, b: Aside) -> Iterable[Change]:
        if self._literally:
            if a.value != b.value:
                yield Change("changed", path, a.value, b.value)
        elif not self._binder.same(a.of, a.value, b.value):
            shown_a, shown_b = self._binder.a.shown(a.of, a.value), self._binder.b.shown(b.of, b.value)
            yield Change("changed", path, shown_a, shown_b)

    def _asked(self, message: Message) -> dict[str, Aside]:
        return {aside.path: aside for aside in message.asides if aside.aspect in self._counted}


class Echoes:
    """What one lane, or a response with its items, has reported already."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[Message, ...]] = {}

    def marked(self, difference: Difference) -> Difference:
        """The difference, with what the lane has said before set apart."""
        if difference.kind is not Kind.CHANGED:
            return difference
        fresh: list[Change] = []
        echoes: list[Change] = []
        for change in difference.changes:
            first = self._seen.setdefault(_gist(change), difference.a)
            (fresh if first is difference.a else echoes).append(change)
        return Difference(difference.kind, difference.a, difference.b, tuple(fresh), tuple(echoes))


def _gist(change: Change) -> tuple[str, str]:
    """A change without its place; what is no sentence needs the name of its field too."""
    said = json.dumps([change.kind, change.expected, change.actual], sort_keys=True)
    texts = isinstance(change.expected, str) and isinstance(change.actual, str)
    return said, "" if texts else change.path.rpartition(".")[2]


def _opened(found: Iterable[Change]) -> Iterable[Change]:
    """The changes, with a field each for a whole group of settings that one side does not have."""
    for change in found:
        value = change.actual if change.kind == "added" else change.expected
        if change.kind != "changed" and isinstance(value, dict) and _is_group(change.path, value):
            for name, inner in value.items():
                old, new = (None, inner) if change.kind == "added" else (inner, None)
                yield from _opened([Change(change.kind, f"{change.path}.{name}", old, new)])
        else:
            yield with_plain_path(change)


def _is_group(path: str, value: Json) -> bool:
    """Whether a value is no setting but holds some: `session.audio`, where flat sessions have no such."""
    settings = path.partition(".")[0] in ("session", "response")
    return settings and any(isinstance(each, dict) for each in value.values())


def _sure_of_elided(change: Change) -> bool:
    values = change.expected, change.actual
    return change.kind == "changed" and change.path in ("type", "audio_bytes") and 0 not in values


def _line(difference: Difference) -> int:
    messages = difference.a or difference.b
    return messages[0].lines[0] if messages[0].lines else 0


def _likeness(a: Message, b: Message) -> int:
    """How alike two messages are whose keys differ."""
    if a.type == b.type:
        if Extent.ELIDED in (a.extent, b.extent):
            return SAME // 2 - _REFERS - 1
        shared = [name for name, value in a.body.items() if name in b.body and value == b.body[name]]
        return _ALIKE + _SHARED * len(shared) // max(len(a.body), len(b.body), 1)
    rest_a, rest_b = ({**message.body, "type": None} for message in (a, b))
    return _RENAMED if len(rest_a) > 1 and rest_a == rest_b else 0
