from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.diff.align import SAME, align, myers

KEYS = st.lists(st.sampled_from("abcd"), max_size=9)


def longest_common(one: list[str], other: list[str]) -> int:
    """The length of a longest common subsequence, the slow way."""
    best = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one):
        for j, right in enumerate(other):
            best[i + 1][j + 1] = best[i][j] + 1 if left == right else max(best[i][j + 1], best[i + 1][j])
    return best[-1][-1]


def rises(match: list[tuple[int, int]]) -> bool:
    return all(i < k and j < m for (i, j), (k, m) in pairwise(match))


@given(KEYS, KEYS)
def test_an_edit_script_matches_only_equals_in_order_and_is_the_shortest(
    one: list[str], other: list[str]
) -> None:
    match = myers(one, other)

    assert match is not None
    assert rises(match)
    assert all(one[i] == other[j] for i, j in match)
    assert len(match) == longest_common(one, other)


@given(KEYS, KEYS, st.integers(0, 6))
def test_a_script_of_more_edits_than_the_cap_is_not_looked_for(
    one: list[str], other: list[str], cap: int
) -> None:
    edits = len(one) + len(other) - 2 * longest_common(one, other)

    assert (myers(one, other, cap) is None) == (edits > cap)


@given(KEYS, KEYS)
def test_an_alignment_is_in_order_and_turns_round_with_its_sides(one: list[str], other: list[str]) -> None:
    def alike(i: int, j: int) -> int:
        return 400 if (one[i] in "ab") == (other[j] in "ab") else 0

    match = align(one, other, alike)

    assert rises(match)
    assert all(one[i] == other[j] or alike(i, j) for i, j in match)
    assert align(other, one, lambda j, i: alike(i, j)) == [(j, i) for i, j in match]


@given(KEYS)
def test_equal_sequences_match_place_by_place(keys: list[str]) -> None:
    assert align(keys, list(keys), lambda i, j: 0) == [(i, i) for i in range(len(keys))]


def test_what_is_alike_is_matched_where_nothing_equal_stands_in_between() -> None:
    assert align(["a", "x1", "b"], ["a", "x2", "b"], lambda i, j: 400) == [(0, 0), (1, 1), (2, 2)]


def test_equals_go_before_what_is_only_alike() -> None:
    assert align(["x", "y"], ["y", "z"], lambda i, j: SAME // 2 - 1) == [(1, 0)]


def test_one_changed_element_among_many_equal_ones_is_matched_with_its_counterpart() -> None:
    one = ["x"] * 6
    other = ["x", "y", "x", "x", "z", "x"]

    assert align(one, other, lambda i, j: 400) == [(i, i) for i in range(6)]


def test_a_large_stretch_without_anything_in_common_is_matched_in_order_and_at_once() -> None:
    one = [f"a{n}" for n in range(6000)]
    other = [f"b{n}" for n in range(6000)]

    assert align(one, other, lambda i, j: 300) == [(i, i) for i in range(6000)]
    assert align(one, other, lambda i, j: 0) == []


def test_a_large_stretch_of_repeated_keys_with_few_edits_is_matched_but_for_them() -> None:
    one = ["a", "b", "a", "a", "b"] * 300
    other = [*one[:400], "b", *one[401:900], *one[910:]]

    match = align(one, other, lambda i, j: 300)

    assert rises(match)
    assert sum(one[i] == other[j] for i, j in match) >= len(one) - 12
