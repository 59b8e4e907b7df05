"""Which of two sequences' elements belong together, by their keys and, between those, by likeness.

Myers' O(ND) finds a shortest edit script, but its time grows with the edits
and it says nothing about elements that are alike and not equal. So: equal
ends and keys that stand once on both sides are matched first; what lies
between them is small in a real session and is matched by weight; only what is
large goes to Myers, with a cap on its edits, and beyond the cap by order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence

Likeness = Callable[[int, int], int]
"""How alike element i of the one and j of the other are: SAME at most, 0 for strangers."""

Match = list[tuple[int, int]]
"""Indices that belong together, rising on both sides."""

SAME = 1000
"""The likeness of equals. What is only alike must stay below its half, or two
changes look better than one equal pair and a gap."""

MAX_EDITS = 256
"""Myers' time and memory grow with the square of the edits."""

MAX_CELLS = 10_000
"""The size of a gap that is weighed cell by cell."""


def align(one: Sequence[str], other: Sequence[str], likeness: Likeness) -> Match:
    """Matches two sequences of keys; turned round, it gives the same match turned round."""
    if list(one) == list(other):
        return [(index, index) for index in range(len(one))]
    if list(other) < list(one):  # ties are broken by side, so the sides must have an order
        turned = _Aligner(other, one, lambda i, j: likeness(j, i)).run()
        return [(i, j) for j, i in turned]
    return _Aligner(one, other, likeness).run()


def myers(one: Sequence[str], other: Sequence[str], cap: int = MAX_EDITS) -> Match | None:
    """The matches of a shortest edit script, or None where it takes more than `cap` edits."""
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(min(cap, len(one) + len(other)) + 1):
        trace.append(dict(furthest))
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            y = x - k
            while x < len(one) and y < len(other) and one[x] == other[y]:
                x, y = x + 1, y + 1
            furthest[k] = x
            if x >= len(one) and y >= len(other):
                return _walk_back(trace, len(one), len(other))
    return None


def _walk_back(trace: list[dict[int, int]], x: int, y: int) -> Match:
    found: Match = []
    for edits in range(len(trace) - 1, -1, -1):
        furthest, k = trace[edits], x - y
        down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
        before = k + 1 if down else k - 1
        start_x = furthest[before]
        start_y = start_x - before
        while x > max(start_x, 0) and y > max(start_y, 0):
            x, y = x - 1, y - 1
            found.append((x, y))
        x, y = start_x, start_y
    return found[::-1]


class _Aligner:
    def __init__(self, one: Sequence[str], other: Sequence[str], likeness: Likeness) -> None:
        self.one = one
        self.other = other
        self.likeness = likeness
        self.found: Match = []

    def run(self) -> Match:
        one, other = self.one, self.other
        start, end = 0, 0
        shorter = min(len(one), len(other))
        while start < shorter and one[start] == other[start]:
            start += 1
        while end < shorter - start and one[-1 - end] == other[-1 - end]:
            end += 1
        self.found = [(index, index) for index in range(start)]
        anchors = self._anchors(start, len(one) - end, len(other) - end)
        at_one, at_other = start, start
        for i, j in [*anchors, (len(one) - end, len(other) - end)]:
            self._between(at_one, i, at_other, j)
            if i < len(one) - end:
                self.found.append((i, j))
            at_one, at_other = i + 1, j + 1
        self.found += [(len(one) - left, len(other) - left) for left in range(end, 0, -1)]
        return self.found

    def _anchors(self, start: int, end_one: int, end_other: int) -> Match:
        """Keys that stand once on both sides, as many as keep one order."""
        mine = Counter(self.one[start:end_one])
        theirs = Counter(self.other[start:end_other])
        place = {self.other[j]: j for j in range(start, end_other) if theirs[self.other[j]] == 1}
        pairs = [
            (i, place[self.one[i]])
            for i in range(start, end_one)
            if mine[self.one[i]] == 1 and self.one[i] in place
        ]
        return _longest_rising(pairs)

    def _between(self, start_one: int, end_one: int, start_other: int, end_other: int) -> None:
        """Matches a stretch without anchors."""
        if start_one >= end_one or start_other >= end_other:
            return
        if (end_one - start_one) * (end_other - start_other) <= MAX_CELLS:
            self._weigh(start_one, end_one, start_other, end_other)
            return
        matches = myers(self.one[start_one:end_one], self.other[start_other:end_other])
        if matches is None:
            self._in_order(start_one, end_one, start_other, end_other)
            return
        at_one, at_other = start_one, start_other
        for i, j in [*matches, (end_one - start_one, end_other - start_other)]:
            upto_one, upto_other = start_one + i, start_other + j
            if (upto_one - at_one) * (upto_other - at_other) <= MAX_CELLS:
                self._weigh(at_one, upto_one, at_other, upto_other)
            else:
                self._in_order(at_one, upto_one, at_other, upto_other)
            if upto_one < end_one:
                self.found.append((upto_one, upto_other))
            at_one, at_other = upto_one + 1, upto_other + 1

    def _in_order(self, start_one: int, end_one: int, start_other: int, end_other: int) -> None:
        self.found += [
            (i, j)
            for i, j in zip(range(start_one, end_one), range(start_other, end_other), strict=False)
            if self.likeness(i, j)
        ]

    def _weigh(self, start_one: int, end_one: int, start_other: int, end_other: int) -> None:
        """The match of the greatest likeness in all."""
        rows, columns = end_one - start_one, end_other - start_other
        if rows <= 0 or columns <= 0:
            return
        weights = [
            [self._weight(start_one + i, start_other + j) for j in range(columns)] for i in range(rows)
        ]
        best = [[0] * (columns + 1) for _ in range(rows + 1)]
        for i in range(rows - 1, -1, -1):
            below, row, weight = best[i + 1], best[i], weights[i]
            for j in range(columns - 1, -1, -1):
                skip = max(row[j + 1], below[j])
                both = below[j + 1] + weight[j]
                row[j] = max(skip, both)
        i = j = 0
        while i < rows and j < columns:
            if weights[i][j] and best[i][j] == best[i + 1][j + 1] + weights[i][j]:
                self.found.append((start_one + i, start_other + j))
                i, j = i + 1, j + 1
            elif best[i][j] == best[i + 1][j]:
                i += 1
            else:
                j += 1

    def _weight(self, i: int, j: int) -> int:
        return SAME if self.one[i] == self.other[j] else self.likeness(i, j)


def _longest_rising(pairs: Match) -> Match:
    """The longest run of pairs that rises on the second side too."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        place = bisect_left(tails, j)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(j)
            ends.append(index)
        else:
            tails[place] = j
            ends[place] = index
    found: Match = []
    index = ends[-1] if ends else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]
