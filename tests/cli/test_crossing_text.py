"""One line for each message, whatever a peer sends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundled import cassettes_folder
from harness.cassette import load_cassette
from harness.cli.crossing_text import _TELLERS, content, name_of, shown
from harness.messages import Json, Side
from harness.service import Entry
from tests.talk import GA

FIELDS = (
    "session",
    "response",
    "item",
    "part",
    "error",
    "delta",
    "audio",
    "text",
    "transcript",
    "arguments",
    "item_id",
    "audio_start_ms",
    "audio_end_ms",
)

EVENTS = sorted(
    {
        interaction.event["type"]
        for path in (cassettes_folder() / GA).glob("*.jsonl")
        for interaction in load_cassette(path).interactions
        if interaction.event is not None
    }
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "content", "tools", "audio", "output", "input", "status", "name", "text"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def entry(event: Json) -> Entry:
    return Entry(0, 0.0, Side.CLIENT, event, (event,))


@given(type_=st.sampled_from(EVENTS), fields=st.dictionaries(st.sampled_from(FIELDS), values), session=values)
def test_whatever_an_event_holds_it_is_one_line_that_a_terminal_does_not_obey(
    type_: str, fields: Json, session: Any
) -> None:
    told = entry({**fields, "type": type_})
    line = f"{name_of(told)} {content(told, session if isinstance(session, dict) else {})}"
    assert line.isprintable()
    assert len(line) < 1000


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "\u202eright to left", "\ud800", "\r"])
def test_text_that_would_command_a_terminal_is_made_harmless(text: str) -> None:
    assert shown(text).isprintable()


def test_a_value_that_is_too_long_is_cut() -> None:
    assert shown("é" * 500) == "é" * 159 + "…"


def test_a_word_that_the_cut_goes_through_is_left_out_for_it_may_be_a_secret() -> None:
    for before in range(120, 160, 2):
        said = shown("x " * (before // 2) + "key-0123456789abcdef and more")
        assert "key-0123456789abcdef" in said or "key" not in said
    assert shown(f"{'x ' * 60}{'0' * 32} {'y' * 20}") == f"{'x ' * 60}{'0' * 32} …"


ODD: tuple[Any, ...] = (
    "\x1b[2J",
    None,
    5,
    [],
    {},
    ["\x1b[2J"],
    {"type": "\x1b[2J", "\x9b": "\x1b[2J", "delta": []},
)


@pytest.mark.parametrize("type_", sorted(_TELLERS))
def test_whatever_an_event_holds_it_is_told_in_one_line_that_commands_no_terminal(type_: str) -> None:
    names = ("session", "response", "item", "part", "error", "delta", "item_id", "audio_end_ms", "transcript")
    inner = ("type", "role", "content", "name", "arguments", "output", "tools", "status", "code", "message")
    for odd in ODD:
        for event in (
            {"type": type_, **dict.fromkeys(names, odd)},
            {"type": type_, **dict.fromkeys(names, dict.fromkeys(inner, odd))},
        ):
            told = content(Entry(0, 0.0, Side.CLIENT, event, canonical=(event,)), {})
            assert told.isprintable(), (type_, told)
