"""A comparison as a page: everything in it is shown, and nothing of it becomes markup."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any

from harness.cassette import Close
from harness.diff import diff_sessions, to_json
from harness.html import render_diff
from harness.logs import Log, LogEntry
from tests.diff.sessions import Entry, log_of, voice_session, with_fresh_ids

HOSTILE = "\"'><script>alert(1)</script></script><!--\u202e]]>\x00{{ 7 * 7 }}"
SESSION = voice_session()


def page_of(a: list[Entry], b: list[Entry], **values: Any) -> str:
    return render_diff({**to_json(diff_sessions(log_of(a), log_of(b, "b.jsonl"))), **values})


class Reader(HTMLParser):
    """The elements of a page, and the text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style", "title"):
            self.text += data + " "


def words_of(page: str) -> str:
    return " ".join(Reader(page).text.split())


def edited() -> list[Entry]:
    other = with_fresh_ids(SESSION)
    other[1][1]["session"]["instructions"] = "Be long."
    del other[4]
    del other[-1]
    return other


def test_the_page_shows_lane_event_field_both_values_and_lines() -> None:
    words = words_of(page_of(SESSION, edited()))

    assert re.search(r"session .*session\.update from the client A:2 B:2", words)
    assert 'session.instructions "Be brief." "Be long."' in words
    assert f"only in A rate_limits.updated from the service A:{len(SESSION)}" in words
    assert "Names are compared as they stand on the wire." in words


def test_no_difference_is_said_so() -> None:
    words = words_of(page_of(SESSION, SESSION))

    assert words.startswith("No difference")
    assert "Differences" not in words


def test_a_whole_lane_shows_each_of_its_messages() -> None:
    talk = [*SESSION, *with_fresh_ids(SESSION[8:10])]

    words = words_of(page_of(SESSION, talk))

    assert "only in B 2 messages" in words
    assert f"conversation.item.added from the service B:{len(talk) - 1}" in words


def test_names_and_losses_are_listed() -> None:
    value = to_json(diff_sessions(log_of(SESSION), log_of(SESSION)))
    value["renames"] = [{"kind": "event", "a": "old.name", "b": "new.name"}]
    value["a"]["losses"] = [{"line": 3, "path": "session.x", "reason": "no place for it"}]
    value["compared"] = "canonical"

    words = words_of(render_diff(value))

    assert "event old.name is new.name" in words
    assert "A:3 session.x no place for it" in words
    assert "translated to canonical form" in words


def test_nothing_a_log_says_becomes_markup_and_the_page_loads_nothing() -> None:
    a = [
        ("server", {"type": HOSTILE, HOSTILE: 1, "item": {"id": HOSTILE, "role": HOSTILE}}),
        *SESSION,
    ]
    b = copy.deepcopy(a)
    b[0][1][HOSTILE] = HOSTILE
    del b[9]
    log = Log(
        HOSTILE,
        HOSTILE,
        (*log_of(a).entries, LogEntry(999, None, None, HOSTILE)),
        dialect=HOSTILE,
        close=Close(HOSTILE, 1000, HOSTILE),
    )
    diff = diff_sessions(log, log_of(b, close=Close("client", 1000)))

    page = render_diff(to_json(diff))
    calm = page_of(SESSION, edited())

    tags = Reader(page).elements
    assert {tag for tag, _ in tags} <= {tag for tag, _ in Reader(calm).elements}
    assert sum(tag == "script" for tag, _ in tags) == 2
    assert not [attrs for _, attrs in tags if {"src", "href", "onclick"} & attrs.keys()]
    assert "\x00" not in page
    assert "{{ 7 * 7 }}" in words_of(page)


def test_the_comparison_is_in_the_page_as_json() -> None:
    value = to_json(diff_sessions(log_of(SESSION), log_of(edited())))

    page = render_diff(value)

    embedded = re.search(r'<script type="application/json" id="results">(.*?)</script>', page, re.DOTALL)
    assert embedded is not None
    assert json.loads(embedded[1]) == value
