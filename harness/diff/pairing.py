"""Which lanes of two sessions are one another's counterpart, and so which ids mean the same.

An id means what it refers to. So lanes are paired by what is in them, and the
ids of a pair count as equal from then on, wherever they stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.diff.align import align
from harness.diff.lanes import Lane, LaneKind
from harness.diff.model import PREVIOUS

_FLOOR, _SHARED = 100, 390
"""Of a lane's likeness: what its kind alone is worth, and what all its messages are."""

_BY_ID = (LaneKind.ITEM, LaneKind.RESPONSE, LaneKind.CALL, LaneKind.TRANSCRIPTION)


@dataclass(frozen=True)
class LanePair:
    """Two lanes, or one that has no counterpart, with the lanes inside that have none either."""

    kind: LaneKind
    a: Lane | None
    b: Lane | None
    parent: tuple[Lane, Lane] | None = None
    """The pair of responses that a pair of items belongs to."""
    inner: tuple[Lane, ...] = ()


@dataclass
class Ids:
    """The ids of one side: which are alone, what came before which item, and names for people."""

    alone: set[tuple[str, str]] = field(default_factory=set)
    before: dict[str, str | None] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)

    def learn(self, lanes: Iterable[Lane]) -> None:
        for lane in lanes:
            if lane.id is not None and lane.kind in (LaneKind.ITEM, LaneKind.RESPONSE, LaneKind.CALL):
                self.names.setdefault((_ID_OF[lane.kind], lane.id), f"{lane.kind} {lane.number}")
            if lane.kind is LaneKind.ITEM and lane.id is not None:
                self.before[lane.id] = _item_before(lane)

    def resolve(self, value: object) -> object:
        """For an item that the other side lacks, the one before it: so a gap is reported once."""
        seen = set()
        while isinstance(value, str) and ("item", value) in self.alone and value not in seen:
            seen.add(value)
            value = self.before.get(value)
        return value

    def shown(self, of: str, value: object) -> object:
        of = "item" if of == PREVIOUS else of
        name = self.names.get((of, value)) if isinstance(value, str) else None
        return value if name is None else f"{name} ({value})"


_ID_OF = {
    LaneKind.ITEM: "item",
    LaneKind.RESPONSE: "response",
    LaneKind.CALL: "call",
    LaneKind.TRANSCRIPTION: "item",
}


class Binder:
    """Which id of A is which of B."""

    def __init__(self, a: Ids, b: Ids) -> None:
        self.a = a
        self.b = b
        self._there: dict[tuple[str, str], str] = {}
        self._back: dict[tuple[str, str], str] = {}

    def bind(self, of: str, a: str, b: str) -> None:
        if (of, a) not in self._there and (of, b) not in self._back:
            self._there[of, a] = b
            self._back[of, b] = a

    def partner(self, of: str, a: str) -> str | None:
        return self._there.get((of, a))

    def of_a(self, of: str, value: object) -> str:
        """A text for an id of A that is the same for its partner; empty where neither is known."""
        if of == PREVIOUS:
            of, value = "item", self.a.resolve(value)
        return value if isinstance(value, str) and (of, value) in self._there else ""

    def of_b(self, of: str, value: object) -> str:
        """The same for an id of B."""
        if of == PREVIOUS:
            of, value = "item", self.b.resolve(value)
        return self._back.get((of, value), "") if isinstance(value, str) else ""

    def same(self, of: str, a: object, b: object) -> bool:
        """Whether two ids refer to the same; two that nothing is known of are taken at their word."""
        kind = "item" if of == PREVIOUS else of
        if isinstance(a, str) and isinstance(b, str) and self._there.get((kind, a)) == b:
            return True
        if of == PREVIOUS:
            of, a, b = kind, self.a.resolve(a), self.b.resolve(b)
        if not isinstance(a, str) or not isinstance(b, str) or "root" in (a, b):
            return bool(a == b)
        if (of, a) in self.a.alone or (of, b) in self.b.alone:
            return False
        self.bind(of, a, b)
        return self._there.get((of, a)) == b and self._back.get((of, b)) == a


def pair_lanes(a: Sequence[Lane], b: Sequence[Lane]) -> tuple[list[LanePair], Binder]:
    """Pairs the lanes of two sessions, in the order of a report."""
    pairing = _Pairing(a, b)
    pairing.run()
    order = list(LaneKind)
    pairing.pairs.sort(key=lambda pair: (order.index(_root(pair)), _line(pair), order.index(pair.kind)))
    return pairing.pairs, pairing.binder


def _root(pair: LanePair) -> LaneKind:
    return LaneKind.RESPONSE if pair.parent else pair.kind


def _line(pair: LanePair) -> tuple[int, int]:
    """Items stand with their response and before it, for it repeats what they say."""
    a, b = pair.parent or (pair.a, pair.b)
    lane = a or b
    return (lane.number if lane else 0, 0 if pair.parent else 1)


class _Pairing:
    def __init__(self, a: Sequence[Lane], b: Sequence[Lane]) -> None:
        self._a, self._b = _by_kind(a), _by_kind(b)
        ids_a, ids_b = Ids(), Ids()
        ids_a.learn(a)
        ids_b.learn(b)
        self.binder = Binder(ids_a, ids_b)
        self.pairs: list[LanePair] = []
        self._inner_a, self._inner_b = _inner(self._a), _inner(self._b)

    def run(self) -> None:
        for kind in LaneKind:
            if kind not in _BY_ID:
                for a, b in _zipped(self._a[kind], self._b[kind]):
                    self.pairs.append(LanePair(kind, a, b))
        self._responses()
        self._items()
        self._bind_calls()
        for kind in (LaneKind.CALL, LaneKind.TRANSCRIPTION):
            self._by_id(kind, _ID_OF[kind])

    def _responses(self) -> None:
        mine, theirs = self._a[LaneKind.RESPONSE], self._b[LaneKind.RESPONSE]
        families_a = [[lane, *self._inner_a.get(lane.id or "", ())] for lane in mine]
        families_b = [[lane, *self._inner_b.get(lane.id or "", ())] for lane in theirs]
        lone_a, lone_b = set(range(len(mine))), set(range(len(theirs)))
        for i, j in _match(families_a, families_b):
            lone_a.discard(i)
            lone_b.discard(j)
            self._pair(mine[i], theirs[j])
            inner_a, inner_b = families_a[i][1:], families_b[j][1:]
            for k, m in _match([[lane] for lane in inner_a], [[lane] for lane in inner_b]):
                self._pair(inner_a[k], inner_b[m], parent=(mine[i], theirs[j]))
        self._lone_a = [families_a[i] for i in sorted(lone_a)]
        self._lone_b = [families_b[j] for j in sorted(lone_b)]

    def _items(self) -> None:
        """The items of no response, then whatever is left: an event may name a wrong response."""
        paired = {id(lane) for pair in self.pairs for lane in (pair.a, pair.b)}
        inside = {id(lane) for family in (*self._lone_a, *self._lone_b) for lane in family}
        left_a = [lane for lane in self._a[LaneKind.ITEM] if id(lane) not in paired]
        left_b = [lane for lane in self._b[LaneKind.ITEM] if id(lane) not in paired]
        for homeless in (True, False):
            mine = [lane for lane in left_a if not (homeless and lane.response)]
            theirs = [lane for lane in left_b if not (homeless and lane.response)]
            for i, j in _match([[lane] for lane in mine], [[lane] for lane in theirs]):
                if id(mine[i]) in inside and id(theirs[j]) in inside:
                    continue  # both go with a response that has no counterpart
                self._pair(mine[i], theirs[j])
                paired |= {id(mine[i]), id(theirs[j])}
            left_a = [lane for lane in left_a if id(lane) not in paired]
            left_b = [lane for lane in left_b if id(lane) not in paired]
        gone = {id(lane) for lane in (*left_a, *left_b)}
        for family, is_a in [*((f, True) for f in self._lone_a), *((f, False) for f in self._lone_b)]:
            self._alone(family[0], is_a=is_a, inner=[lane for lane in family[1:] if id(lane) in gone])
        for lane in left_a:
            if id(lane) not in inside:
                self._alone(lane, is_a=True)
        for lane in left_b:
            if id(lane) not in inside:
                self._alone(lane, is_a=False)

    def _bind_calls(self) -> None:
        for pair in self.pairs:
            if pair.kind is LaneKind.ITEM and pair.a and pair.b:
                a, b = _call_id(pair.a), _call_id(pair.b)
                if a is not None and b is not None:
                    self.binder.bind("call", a, b)

    def _by_id(self, kind: LaneKind, of: str) -> None:
        theirs = {lane.id: lane for lane in self._b[kind]}
        left_a: list[Lane] = []
        for lane in self._a[kind]:
            partner = None if lane.id is None else self.binder.partner(of, lane.id)
            if partner in theirs and partner is not None:
                self._pair(lane, theirs.pop(partner))
            else:
                left_a.append(lane)
        left_b = list(theirs.values())
        matched = _match([[lane] for lane in left_a], [[lane] for lane in left_b])
        for i, j in matched:
            self.pairs.append(LanePair(kind, left_a[i], left_b[j]))
        for i in sorted(set(range(len(left_a))) - {i for i, _ in matched}):
            self.pairs.append(LanePair(kind, left_a[i], None))
        for j in sorted(set(range(len(left_b))) - {j for _, j in matched}):
            self.pairs.append(LanePair(kind, None, left_b[j]))

    def _pair(self, a: Lane, b: Lane, parent: tuple[Lane, Lane] | None = None) -> None:
        self.pairs.append(LanePair(a.kind, a, b, parent))
        if a.id is not None and b.id is not None:
            self.binder.bind(_ID_OF[a.kind], a.id, b.id)

    def _alone(self, lane: Lane, *, is_a: bool, inner: Sequence[Lane] = ()) -> None:
        ids = self.binder.a if is_a else self.binder.b
        for each in (lane, *inner):
            if each.id is not None:
                ids.alone.add((_ID_OF[each.kind], each.id))
        a, b = (lane, None) if is_a else (None, lane)
        self.pairs.append(LanePair(lane.kind, a, b, inner=tuple(inner)))


def _by_kind(lanes: Iterable[Lane]) -> dict[LaneKind, list[Lane]]:
    found: dict[LaneKind, list[Lane]] = {kind: [] for kind in LaneKind}
    for lane in lanes:
        found[lane.kind].append(lane)
    return found


def _inner(lanes: dict[LaneKind, list[Lane]]) -> dict[str, list[Lane]]:
    """The items of each response."""
    found: dict[str, list[Lane]] = {}
    for lane in lanes[LaneKind.ITEM]:
        if lane.response:
            found.setdefault(lane.response, []).append(lane)
    return found


def _zipped(mine: list[Lane], theirs: list[Lane]) -> Iterable[tuple[Lane | None, Lane | None]]:
    for index in range(max(len(mine), len(theirs))):
        yield (
            mine[index] if index < len(mine) else None,
            theirs[index] if index < len(theirs) else None,
        )


def _match(mine: list[list[Lane]], theirs: list[list[Lane]]) -> list[tuple[int, int]]:
    """Matches lanes, each with the lanes inside it."""
    keys_a = ["\n".join(lane.key for lane in family) for family in mine]
    keys_b = ["\n".join(lane.key for lane in family) for family in theirs]
    bags: dict[int, Counter[str]] = {}

    def likeness(i: int, j: int) -> int:
        return _likeness(mine[i][0], theirs[j][0], *(_bag(family, bags) for family in (mine[i], theirs[j])))

    return align(keys_a, keys_b, likeness)


def _likeness(mine: Lane, theirs: Lane, bag_a: Counter[str], bag_b: Counter[str]) -> int:
    common = sum(min(count, bag_b[key]) for key, count in bag_a.items() if key in bag_b)
    if not common and mine.label and theirs.label and mine.label != theirs.label:
        return 0
    return _FLOOR + _SHARED * common // max(bag_a.total(), bag_b.total(), 1)


def _bag(family: list[Lane], known: dict[int, Counter[str]]) -> Counter[str]:
    """The messages of a lane and of those inside it, counted once for all comparisons."""
    found = known.get(id(family))
    if found is None:
        found = known[id(family)] = Counter(message.key for lane in family for message in lane.messages)
    return found


def _call_id(lane: Lane) -> str | None:
    return _first_id(lane, "call") if "call" in lane.label or not lane.label else None


def _item_before(lane: Lane) -> str | None:
    """The item before one: from the first event that has one, for the service leaves it out later."""
    return _first_id(lane, PREVIOUS)


def _first_id(lane: Lane, of: str) -> str | None:
    for message in lane.messages:
        for aside in message.asides:
            if aside.of == of and isinstance(aside.value, str):
                return aside.value
    return None
