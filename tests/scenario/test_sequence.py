from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario.sequence import (
    Chain,
    Interleaved,
    Matcher,
    One,
    Perhaps,
    Repeated,
    Sequence,
    matches_name,
    may_end,
)


def chain(*parts: str | Sequence) -> Chain:
    return Chain(tuple(One(part) if isinstance(part, str) else part for part in parts))


def many(name: str) -> Repeated:
    return Repeated(One(name), 1)


def event(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": name, **fields}


def taken(sequence: Sequence, *names: str, floating: tuple[str, ...] = ()) -> Matcher | None:
    """The matcher after these events, or None where one of them did not fit."""
    matcher = Matcher(sequence, floating)
    return matcher if all(matcher.take(event(name)) for name in names) else None


def ends(sequence: Sequence, *names: str) -> bool:
    matcher = taken(sequence, *names)
    return matcher is not None and matcher.may_end


@pytest.mark.parametrize(
    ("sequence", "right", "wrong"),
    [
        (chain("a", "b"), ["ab"], ["", "a", "b", "ba", "abb", "aab"]),
        (chain("a", many("b"), "c"), ["abc", "abbbc"], ["ac", "ab", "abcb"]),
        (chain("a", Repeated(One("b"), 0), "c"), ["ac", "abc", "abbc"], ["a", "cb"]),
        (chain("a", Perhaps(One("b")), "c"), ["ac", "abc"], ["abbc", "bc"]),
        (chain("a", Perhaps(chain("b", "c")), "d"), ["ad", "abcd"], ["abd", "acd"]),
        (
            Interleaved((chain("a", "b"), chain("c", "d"))),
            ["abcd", "acbd", "acdb", "cdab"],
            ["bacd", "abdc", "abc"],
        ),
        (Interleaved((chain(many("a")), chain(many("b")))), ["ab", "ba", "aabba"], ["aa", "b", "abc"]),
        (
            chain("x", Interleaved((chain(many("a")), chain(many("b")))), "y"),
            ["xaby", "xbbaaby"],
            ["xay", "xaby a", "aby"],
        ),
        (Repeated(chain("a", "b"), 1), ["ab", "abab"], ["", "aba", "ba"]),
        (chain("a", "a"), ["aa"], ["a", "aaa"]),
        (chain(many("a"), "a"), ["aa", "aaa"], ["a"]),
        (Chain(()), [""], ["a"]),
        (Interleaved((chain("a"), chain("a"))), ["aa"], ["a", "aaa"]),
    ],
)
def test_a_sequence_takes_what_it_says_and_nothing_else(
    sequence: Sequence, right: list[str], wrong: list[str]
) -> None:
    assert [names for names in right if not ends(sequence, *names)] == []
    assert [names for names in wrong if ends(sequence, *names)] == []


def test_what_does_not_fit_leaves_the_matcher_where_it_was() -> None:
    matcher = Matcher(chain("a", "b"))

    assert matcher.take(event("a"))
    assert not matcher.take(event("c"))
    assert matcher.next == ("b",)
    assert matcher.seen == ["a"]
    assert matcher.take(event("b"))


def test_may_end_and_finished_are_two_things() -> None:
    matcher = Matcher(chain("a", Repeated(One("b"), 1)))

    assert (matcher.may_end, matcher.finished) == (False, False)
    matcher.take(event("a"))
    assert not matcher.may_end
    matcher.take(event("b"))
    assert (matcher.may_end, matcher.finished) == (True, False)


def test_a_strict_sequence_is_finished_with_its_last_event() -> None:
    matcher = taken(chain("a", chain("b", chain("c"))), "a", "b", "c")

    assert matcher is not None
    assert matcher.finished


def test_what_floats_may_come_anywhere_and_is_said_to_float() -> None:
    matcher = taken(
        chain("a", "b"), "limits.updated", "a", "limits.new", "b", "limits.x", floating=("limits.*",)
    )

    assert matcher is not None
    assert matcher.finished
    assert matcher.seen == [
        "limits.updated (floating)",
        "a",
        "limits.new (floating)",
        "b",
        "limits.x (floating)",
    ]


def test_an_event_that_floats_counts_where_it_is_expected() -> None:
    matcher = taken(chain("a", "limits"), "a", "limits", floating=("limits",))

    assert matcher is not None
    assert matcher.finished


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.bc", False),
        ("a.*", "a.b.c", True),
        ("a.*", "ab", False),
        ("*", "anything", True),
        ("a*b", "acb", False),
    ],
)
def test_a_star_at_the_end_matches_the_rest_of_a_name(pattern: str, name: str, fits: bool) -> None:
    assert matches_name(pattern, name) is fits


# Captures and conditions


def test_a_captured_value_is_wanted_again() -> None:
    sequence = chain(One("a", capture=(("id", "item.id"),)), One("b", where=(("item_id", "$id"),)))
    matcher = Matcher(sequence)

    assert matcher.take(event("a", item={"id": "x"}))
    assert not matcher.take(event("b", item_id="y"))
    assert not matcher.take(event("b"))
    assert matcher.take(event("b", item_id="x"))
    assert matcher.bindings == {"id": "x"}


def test_values_captured_before_are_known() -> None:
    matcher = Matcher(chain(One("b", where=(("id", "$id"),))), bindings={"id": 5})

    assert not matcher.take(event("b", id=6))
    assert matcher.take(event("b", id=5))


def test_a_value_that_is_not_there_cannot_be_captured() -> None:
    assert not Matcher(chain(One("a", capture=(("id", "item.id"),)))).take(event("a", item={}))


@pytest.mark.parametrize(
    ("wanted", "value", "fits"),
    [
        ("x", "x", True),
        (["text"], ["text"], True),
        (["text"], ["audio"], False),
        (None, None, True),
        (0, 0, True),
        (1, "1", False),
        ("$unknown", "$unknown", False),
        (1, True, False),
    ],
)
def test_a_condition_holds_for_an_equal_value_alone(wanted: Any, value: Any, fits: bool) -> None:
    assert Matcher(One("a", where=(("x.y", wanted),))).take(event("a", x={"y": value})) is fits


def test_a_condition_on_what_is_not_there_does_not_hold_even_for_null() -> None:
    assert not Matcher(One("a", where=(("x", None),))).take(event("a"))


def test_two_ways_to_read_an_event_are_both_followed() -> None:
    first = chain(One("a", capture=(("one", "id"),)), One("b", where=(("id", "$one"),)))
    second = chain(One("a", capture=(("two", "id"),)), One("c", where=(("id", "$two"),)))
    matcher = Matcher(Interleaved((first, second)))

    assert matcher.take(event("a", id=1))
    assert matcher.take(event("a", id=2))
    assert matcher.take(event("c", id=1))
    assert matcher.take(event("b", id=2))
    assert matcher.finished
    assert matcher.bindings == {"one": 2, "two": 1}


# Messages


def test_the_script_says_what_came_and_what_was_expected() -> None:
    sequence = chain("a", Perhaps(One("b")), One("c", where=(("x.y", "z"),)))
    matcher = taken(sequence, "a", "rate", floating=("rate",))

    assert matcher is not None
    assert matcher.script() == (
        "  << a\n"
        "  << rate (floating)\n"
        "  ==== matched until here ====\n"
        "  << expected: b\n"
        "  << expected: c where x.y = 'z'"
    )


def test_each_expected_event_is_named_once() -> None:
    matcher = taken(Interleaved((chain(many("a"), "c"), chain(many("a"), "c"))), "a", "a", "a")

    assert matcher is not None
    assert sorted(matcher.next) == ["a", "c"]


# Properties


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=5)


@given(NAMES, NAMES, st.data())
def test_any_interleaving_of_two_sequences_is_accepted(
    one: list[str], other: list[str], data: st.DataObject
) -> None:
    sequence = Interleaved((chain(*one), chain(*other)))
    left, right, merged = list(one), list(other), []
    while left or right:
        from_left = bool(left) and (not right or data.draw(st.booleans()))
        merged.append(left.pop(0) if from_left else right.pop(0))

    assert ends(sequence, *merged)
    assert not ends(sequence, *merged, "a")
    assert not ends(sequence, *merged[:-1])


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=6, unique=True), st.data())
def test_a_strict_pair_that_is_swapped_is_not_accepted(names: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(names) - 2))
    swapped = [*names[:at], names[at + 1], names[at], *names[at + 2 :]]

    assert ends(chain(*names), *names)
    assert taken(chain(*names), *swapped) is None


@given(
    st.lists(st.sampled_from("abcd"), min_size=4, max_size=4, unique=True),
    st.permutations([0, 0, 1, 1]),
)
def test_in_an_interleaving_each_part_stays_strict(names: list[str], order: list[int]) -> None:
    one, other = names[:2], names[2:]
    swapped = [list(reversed(one)), list(other)]
    merged = [swapped[which].pop(0) for which in order]

    assert taken(Interleaved((chain(*one), chain(*other))), *merged) is None


SEQUENCES = st.recursive(
    st.sampled_from("ab").map(One),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Chain(tuple(parts))),
        st.lists(inner, min_size=2, max_size=2).map(lambda parts: Interleaved(tuple(parts))),
        st.builds(Repeated, inner, st.integers(0, 1)),
        inner.map(Perhaps),
    ),
    max_leaves=5,
)


@given(SEQUENCES, st.lists(st.sampled_from("ab"), max_size=6))
def test_what_a_matcher_says_may_come_next_is_what_it_takes(sequence: Sequence, names: list[str]) -> None:
    matcher = Matcher(sequence)
    for name in names:
        announced = name in matcher.next
        assert matcher.take(event(name)) is announced


def language(sequence: Sequence, longest: int) -> set[str]:
    """Every sentence of a sequence up to a length, by the plain definition: the matcher's second witness."""
    if isinstance(sequence, One):
        return {sequence.type}
    if isinstance(sequence, Perhaps):
        return {"", *language(sequence.part, longest)}
    if isinstance(sequence, Repeated):
        once = language(sequence.part, longest)
        found = set(once) if sequence.minimum else {"", *once}
        for _ in range(longest):
            found |= {a + b for a in found for b in once if len(a + b) <= longest}
        return found
    found = {""}
    for part in sequence.parts:
        pairs = ((a, b) for a in found for b in language(part, longest) if len(a + b) <= longest)
        if isinstance(sequence, Chain):
            found = {a + b for a, b in pairs}
        else:
            found = {merged for a, b in pairs for merged in merges(a, b)}
    return found


def merges(one: str, other: str) -> set[str]:
    if not one or not other:
        return {one + other}
    return {one[0] + rest for rest in merges(one[1:], other)} | {
        other[0] + rest for rest in merges(one, other[1:])
    }


@given(SEQUENCES, st.text("ab", max_size=4))
def test_a_matcher_takes_exactly_the_sentences_of_its_sequence(sequence: Sequence, sentence: str) -> None:
    assert ends(sequence, *sentence) == (sentence in language(sequence, 4))


@given(SEQUENCES)
def test_a_sequence_may_end_at_once_where_nothing_is_one_of_its_sentences(sequence: Sequence) -> None:
    assert may_end(sequence) == ("" in language(sequence, 2))


def test_many_deltas_of_two_streams_are_matched_in_little_time() -> None:
    matcher = Matcher(
        chain(Interleaved((chain(many("text")), chain(many("audio")))), Perhaps(many("text")), "done")
    )

    for number in range(2_000):
        assert matcher.take(event("text" if number % 3 else "audio"))
    assert matcher.take(event("done"))
    assert matcher.finished
