"""What a log shows of audio that was committed without having been appended."""

from __future__ import annotations

import base64

import pytest

from tests.lint.made import GENERATIONS, Said, cassette, codes, judged, place

COMMITTED: Said = (
    "server",
    {
        "type": "input_audio_buffer.committed",
        "event_id": "event_c",
        "previous_item_id": None,
        "item_id": "item_c",
    },
)
COMMIT: Said = ("client", {"type": "input_audio_buffer.commit"})


def append(size: int) -> Said:
    return (
        "client",
        {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(size)).decode()},
    )


def after_update(dialect: str, *said: Said) -> list[Said]:
    log = cassette(dialect, "text-turn")
    at = place(log, "session.updated") + 1
    return [*log[:at], *said]


@pytest.mark.parametrize("dialect", GENERATIONS)
class TestACommit:
    def test_of_less_than_the_service_takes_is_none_it_would_confirm(self, dialect: str) -> None:
        report = judged(after_update(dialect, append(480), COMMIT, COMMITTED), dialect)
        assert codes(report) == {"order.commit-empty"}

    def test_of_what_the_one_before_has_used_up_is_another(self, dialect: str) -> None:
        second: Said = ("server", {**COMMITTED[1], "item_id": "item_d"})
        said = after_update(dialect, append(960), COMMIT, COMMITTED, COMMIT, second)
        assert codes(judged(said, dialect)) == {"order.commit-empty"}

    @pytest.mark.parametrize(
        "said",
        [
            [append(4800), COMMIT, COMMITTED],
            [COMMIT, COMMITTED],  # over WebRTC the audio comes another way
            [append(480), COMMITTED],  # turn detection commits by itself
            [append(33), COMMIT, COMMITTED],  # half a sample: a publisher cut it
        ],
    )
    def test_that_may_be_right_is_let_be(self, dialect: str, said: list[Said]) -> None:
        assert not codes(judged(after_update(dialect, *said), dialect))
