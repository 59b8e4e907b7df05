from __future__ import annotations

import pytest

from harness.model_script.patterns import MOST_SEARCHED, regular, words


@pytest.mark.parametrize(
    "text",
    [
        "rain|snow",
        "(rain|snow|hail)+",
        "(very )*nice",
        r"\d{1,3}(\.\d{1,3}){3}",
        ".*rain.*oslo",
        r"(what|how) .+ weather\??",
        r"(?<!\w)no(?!\w)",
        "",
    ],
)
def test_what_people_write_is_taken(text: str) -> None:
    assert regular(text).pattern.pattern == text


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+$",
        "(a|a)*b",
        "(a|ab)*c",
        "(a*)*",
        r"(\w+ ?)+$",
        "a*a*a*b",
        "(?:a?){40}a{40}",
        "((a{1,9}){1,9}){1,9}",
    ],
)
def test_what_may_take_for_ever_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="may take for ever"):
        regular(text)


def test_the_worst_that_is_taken_ends() -> None:
    assert not regular("a*a*b").within("a" * 100_000)


def test_words_are_found_where_a_pattern_no_longer_looks() -> None:
    text = "x " * MOST_SEARCHED + "Rain"
    assert words("rain").within(text)
    assert not regular("rain").within(text)
