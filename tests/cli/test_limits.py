from __future__ import annotations

import pytest

from harness.cli.limits import limit_texts, read_limits
from harness.exceptions import UsageFault
from harness.messages import MAX_FRAME
from harness.server import Limits


def test_limits_are_read_with_their_units() -> None:
    texts = ["message=1MiB", "nesting=32", "sessions=50", "audio=1.5s"]
    assert read_limits(texts) == Limits(1024**2, 32, 50, 1.5)
    assert read_limits(["message=2048"]).message_bytes == 2048
    assert read_limits(["message=4kb"]).message_bytes == 4000
    assert read_limits([]) == Limits()


def test_limits_are_shown_as_they_are_written_and_only_those_that_were_asked_for() -> None:
    for texts in (
        ["message=1MiB", "nesting=32", "sessions=50", "audio=1.5s"],
        ["message=2050"],
        ["message=3KiB"],
    ):
        assert limit_texts(read_limits(texts)) == texts
    assert limit_texts(Limits()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("messages=1MiB", "is no limit"),
        ("message", "is no limit"),
        ("message=1TiB", "a message limit of '1TiB'"),
        ("message=100", "a limit of 100 for message bytes"),
        (f"message={MAX_FRAME + 1}", "for message bytes"),
        ("nesting=3", "a limit of 3 for nesting"),
        ("sessions=0", "a limit of 0 for sessions"),
        ("sessions=many", "a limit of 'many' sessions"),
        ("audio=60", "an audio limit of '60'"),
    ],
)
def test_what_is_no_limit_is_told_with_what_would_be(text: str, said: str) -> None:
    with pytest.raises(UsageFault, match=said) as fault:
        read_limits([text])
    assert fault.value.hint
