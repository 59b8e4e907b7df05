"""Hostile clients and files: nothing escapes but our own errors, nothing grows without bound, nobody else suffers.

2,000 inputs by default; REALTIME_HARNESS_HOSTILE=100000 asks for more.
"""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from harness.bundled import cassettes_folder
from harness.cassette import read_cassette
from harness.dialects import bundled_dialect, dialect_names
from harness.exceptions import HarnessError
from harness.messages import parse_event
from harness.playback import Playback
from harness.server.handshake import judge_handshake
from tests.hostile.mutations import FRAMES, Dice, damaged, hostile_frame, one_of
from tests.hostile.sessions import FRAMES_EACH, QUIET, assaulted, opened, said
from tests.talk import NOW, user_item

INPUTS = int(os.environ.get("REALTIME_HARNESS_HOSTILE", "2000"))
KEY = "the-key-of-a-test"
MIB = 1024 * 1024

every_dialect = pytest.mark.parametrize("dialect", dialect_names())


def dice_of(data: st.DataObject) -> Dice:
    return lambda top: data.draw(st.integers(0, top - 1))


def complaint(act: Callable[[], object]) -> str:
    """What our own error says, if there is one; any other escapes."""
    try:
        act()
    except HarnessError as fault:
        return str(fault)
    return "none"


def hostile(share: float) -> settings:
    """So many of all inputs, spread over the dialects; the same ones every time."""
    each = INPUTS * share / len(dialect_names()) / FRAMES_EACH
    return settings(
        max_examples=max(1, round(each)),
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


@every_dialect
class TestTheService:
    def test_raises_nothing_whatever_it_is_sent(self, dialect: str) -> None:
        @hostile(0.5)
        @given(data=st.data())
        def holds(data: st.DataObject) -> None:
            assaulted(dialect, dice_of(data), played=False)

        holds()

    def test_with_a_cassette_neither(self, dialect: str) -> None:
        @hostile(0.5)
        @given(data=st.data())
        def holds(data: st.DataObject) -> None:
            assaulted(dialect, dice_of(data), played=True)

        holds()

    @pytest.mark.parametrize("played", [False, True])
    def test_survives_every_frame_that_is_no_event(self, dialect: str, played: bool) -> None:
        service = opened(dialect, played=played)
        for frame in FRAMES:
            service.receive(frame)
            said(service)
        assert service.idle


class TestReading:
    @settings(hostile(7.0), max_examples=max(100, INPUTS // 20))
    @given(data=st.data())
    def test_a_frame_is_an_event_or_a_fault(self, data: st.DataObject) -> None:
        frame = data.draw(st.text(max_size=40) | st.binary(max_size=20) | st.sampled_from(FRAMES))
        assert complaint(lambda: parse_event(frame)["type"].encode("utf-8", "surrogatepass"))

    @settings(hostile(7.0), max_examples=max(60, INPUTS // 20))
    @given(data=st.data())
    def test_a_cassette_is_one_or_a_fault(self, data: st.DataObject) -> None:
        lines = (cassettes_folder() / "azure-v1" / "text-modality.jsonl").read_text("utf-8").splitlines()

        dice = dice_of(data)
        broken: list[bytes] = [line.encode() for line in lines]
        for _ in range(1 + dice(3)):
            at = dice(len(broken))
            how = dice(4)
            if how == 0:
                del broken[at]
            elif how == 1:
                broken.insert(at, one_of(dice, broken))
            else:
                frame = (
                    damaged(dice, broken[at].decode("utf-8", "replace"))
                    if how == 2
                    else hostile_frame(dice, [json.loads(line) for line in lines])
                )
                broken[at] = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame

        def played() -> None:
            cassette = read_cassette(broken, "<hostile>")
            service = Playback(bundled_dialect("azure-v1"), cassette, seed=1, unix_time=NOW)
            service.start()
            for sent in QUIET:
                service.receive(sent)
                said(service)

        assert complaint(played)

    @settings(hostile(7.0), max_examples=max(100, INPUTS // 20))
    @given(
        target=st.text(max_size=60) | st.from_regex(r"/openai(/v1)?/realtime\?[^#]{0,40}", fullmatch=True),
        headers=st.lists(
            st.tuples(
                st.sampled_from(["api-key", "Authorization", "Sec-WebSocket-Protocol", "\xe4"]) | st.text(),
                st.text(max_size=20) | st.just(f"Bearer {KEY}") | st.just("\udcff"),
            ),
            max_size=4,
        ),
        name=st.sampled_from(dialect_names()),
    )
    @example("//[", [], "azure-v1")
    @example("/openai/v1/realtime?model=x", [("api-key", "\udcff")], "azure-v1")
    @example("/openai/v1/realtime?model=x&api-key=%FF", [], "azure-v1")
    @example("/openai/v1/realtime?model=" + "&a" * 5000, [("api-key", KEY)], "azure-v1")
    def test_a_handshake_is_taken_or_refused(
        self, target: str, headers: list[tuple[str, str]], name: str
    ) -> None:
        handshake, refusal, body = judge_handshake(bundled_dialect(name), target, headers, KEY)
        assert handshake.status == (refusal.status if refusal else 101)
        assert KEY not in repr(handshake) + body


class TestMemory:
    """A session keeps what was said, for the checks: so many bytes for each that was sent, and no more."""

    TIMES = 8

    def held(self, frames: list[str], *, dialect: str = "azure-v1") -> int:
        """How many bytes are held at most."""
        service = opened(dialect, played=False)
        said(service)
        tracemalloc.start()
        try:
            for frame in frames:
                service.receive(frame)
                said(service)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def grown(self, frames: list[str]) -> float:
        """How many times the size of what was sent."""
        return self.held(frames) / sum(map(len, frames))

    def test_of_appends_as_large_as_they_may_be(self) -> None:
        largest = '{"type": "input_audio_buffer.append", "audio": "' + "A" * (20 * MIB) + '"}'
        assert self.grown([largest, largest]) < self.TIMES

    def test_of_frames_too_large_or_too_deep(self) -> None:
        too_large = "x" * (33 * MIB)
        assert self.grown([too_large, "[" * MIB, '{"a":' * MIB]) < self.TIMES

    def test_of_values_that_are_echoed(self) -> None:
        event = {"type": "session.update", "session": {"type": "realtime", "voice": "x" * MIB}}
        unknown = {"type": "conversation.item.retrieve", "item_id": "x" * MIB}
        assert self.grown([json.dumps(event), json.dumps(unknown), json.dumps({"type": "x" * MIB})]) < 12

    def test_of_a_conversation_with_ever_more_items_and_answers(self) -> None:
        """Twice as many turns need about twice as much, not four times."""

        def turns(count: int) -> int:
            return self.held([json.dumps(user_item("Hello? " * 20)), '{"type": "response.create"}'] * count)

        turns(2)  # what is kept once for all
        assert turns(80) < 2.15 * turns(40)
