"""What is said of the lines a driver writes that are no notices."""

from __future__ import annotations

import pytest

from harness.drivers.notices import Notices

HELLO = '"protocol": 2, "implementation": "x", "intents": ["say", "hangup"], "observes": ["texts"]'


@pytest.mark.parametrize("line", ["", "Listening…", "[1, 2]", "[" * 100_000, "7"])
def test_of_a_line_that_is_no_object_there_is_nothing_to_say(line: str) -> None:
    assert Notices().read(line) == (None, "")


def test_a_notice_is_read() -> None:
    assert Notices().read('{"type": "done", "intent": 3}') == ({"type": "done", "intent": 3}, "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"type": "redy"}', 'no notice: type is "redy", expected one of "hello", "ready", '),
        ('{"type": "redy"}', '("ready" is near)'),
        ('{"type": 5}', "no notice: type is 5, "),
        ('{"text": "Hi"}', "no notice: 'type' is missing"),
        ('{"type": "observation", "kind": "txt"}', 'observation: kind is "txt", expected one of "text", '),
        ('{"type": "observation", "kind": "text"}', "observation: 'text' is missing"),
        ('{"type": "done", "intent": "1"}', 'done: intent is "1", expected integer'),
        (f'{{"type": "hello", {HELLO}}}', 'hello: implementation is "x", expected object; '),
        (f'{{"type": "hello", {HELLO}}}', "protocol is 2, expected 1"),
        (f'{{"type": "hello", {HELLO}}}', 'intents/1 is "hangup", expected one of "say", "speak", '),
        (f'{{"type": "hello", {HELLO}}}', '("text" is near)'),
        (f"{{{HELLO}}}", "hello: 'type' is missing; implementation is"),
    ],
)
def test_of_what_is_nearly_a_notice_its_fault_is_named(line: str, said: str) -> None:
    assert said in Notices().read(line)[1]
