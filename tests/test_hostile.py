"""Hostile clients and files: nothing escapes but our own errors, nothing grows without bound, nobody else suffers.

2,000 inputs by default; REALTIME_HARNESS_HOSTILE=100000 asks for more.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import tracemalloc
from collections.abc import Callable, Iterable
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from harness.bundled import cassettes_folder
from harness.cassette import read_cassette
from harness.dialects import bundled_dialect, dialect_names
from harness.exceptions import HarnessError
from harness.messages import parse_event
from harness.playback import Playback
from harness.scenario import Text
from harness.server.handshake import judge_handshake
from harness.server.keys import Keyring
from harness.service import Service, model
from tests.hostile.mutations import FRAMES, Dice, damaged, hostile_frame, one_of
from tests.hostile.sessions import QUIET, assaulted, opened, quiet_session, said
from tests.talk import NOW, user_item

INPUTS = int(os.environ.get("REALTIME_HARNESS_HOSTILE", "2000"))
KEY = "the-key-of-a-test"
MIB = 1024 * 1024

SILENT, DEAF = (
    json.dumps({"type": "session.update", "session": {"type": "realtime", **session}})
    for session in (
        {"output_modalities": ["text"]},
        {"audio": {"input": {"turn_detection": None}}},
    )
)


def append_of(size: int) -> str:
    """An append of so many bytes of silence."""
    return json.dumps({"type": "input_audio_buffer.append", "audio": "A" * (size // 3 * 4)})


TURN = [json.dumps(user_item("Hello? " * 20)), '{"type": "response.create"}']

every_dialect = pytest.mark.parametrize("dialect", dialect_names())


def dice_of(seed: str) -> Dice:
    """The same throws every time, and others for every seed."""
    return random.Random(seed).randrange


@pytest.fixture(autouse=True, scope="module")
def nobody_was_there_before() -> None:
    """How quiet sessions go on, before anything hostile is sent in this process."""
    for name in dialect_names():
        for played in (False, True):
            quiet_session(name, played=played)


def complaint(act: Callable[[], object]) -> str:
    """What our own error says, if there is one; any other escapes."""
    try:
        act()
    except HarnessError as fault:
        return str(fault)
    return "none"


def hostile(examples: int) -> settings:
    """The same examples every time."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


@every_dialect
class TestTheService:
    @pytest.mark.parametrize("played", [False, True], ids=["modelled", "played"])
    def test_raises_nothing_whatever_it_is_sent(self, dialect: str, played: bool) -> None:
        """Throws until its share of different frames was thrown; a fifth of it others throw, too."""
        thrown: set[int] = set()
        for number in itertools.count():
            dice = dice_of(f"{dialect} {played} {number}")
            thrown |= {hash(frame) for frame in assaulted(dialect, dice, played=played)}
            if len(thrown) >= 1.3 * INPUTS / 2 / len(dialect_names()):
                break

    @pytest.mark.parametrize("played", [False, True])
    def test_survives_every_frame_that_is_no_event(self, dialect: str, played: bool) -> None:
        service = opened(dialect, played=played)
        for frame in FRAMES:
            service.receive(frame)
            said(service)
        assert service.idle


def test_a_service_that_lets_one_session_change_another_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    receive, stock = Service.receive, model.STOCK_ANSWER

    def forgetful(self: Service, frame: str | bytes) -> None:
        receive(self, frame)
        if self.exchange.entries[-1].event is None:
            model.STOCK_ANSWER = Text("Broken.")

    monkeypatch.setattr(model, "STOCK_ANSWER", stock)
    monkeypatch.setattr(Service, "receive", forgetful)
    dice = dice_of("azure-v1 False 0")
    with pytest.raises(AssertionError, match="another session was affected"):
        assaulted("azure-v1", dice, played=False)


def broken(lines: list[str], dice: Dice) -> list[bytes]:
    """The lines of a cassette with up to three of them lost, doubled, damaged, or in another's place."""
    found: list[bytes] = [line.encode() for line in lines]
    events = [json.loads(line) for line in lines]
    for _ in range(1 + dice(3)):
        at, how = dice(len(found)), dice(4)
        if how == 0:
            del found[at]
        elif how == 1:
            found.insert(at, one_of(dice, found))
        else:
            text = found[at].decode("utf-8", "replace")
            frame = damaged(dice, text) if how == 2 else hostile_frame(dice, events)
            found[at] = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
    return found


def played(lines: list[bytes]) -> None:
    cassette = read_cassette(lines, "<hostile>")
    service = Playback(bundled_dialect("azure-v1"), cassette, seed=1, unix_time=NOW)
    service.start()
    for sent in QUIET:
        service.receive(sent)
        said(service)


class TestReading:
    @hostile(max(100, INPUTS // 20))
    @given(data=st.data())
    def test_a_frame_is_an_event_or_a_fault(self, data: st.DataObject) -> None:
        frame = data.draw(st.text(max_size=40) | st.binary(max_size=20) | st.sampled_from(FRAMES))
        assert complaint(lambda: parse_event(frame)["type"].encode("utf-8", "surrogatepass"))

    def test_a_cassette_is_one_or_a_fault(self) -> None:
        lines = (cassettes_folder() / "azure-v1" / "text-modality.jsonl").read_text("utf-8").splitlines()
        for number in range(max(100, INPUTS // 20)):
            assert complaint(partial(played, broken(lines, dice_of(f"cassette {number}"))))

    @hostile(max(100, INPUTS // 20))
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
        judged = judge_handshake(bundled_dialect(name), target, headers, Keyring(KEY))
        refusal = judged.refusal
        assert judged.handshake.status == (refusal.status if refusal else 101)
        assert KEY not in repr(judged.handshake) + judged.body


class TestMemory:
    """A session keeps what was said, for the checks: so many bytes for each that was sent, and no more."""

    TIMES = 8

    def held(self, frames: Iterable[str], service: Service | None = None) -> int:
        """How many bytes are held at most."""
        service = service or opened("azure-v1", played=False)
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
        largest = append_of(15 * MIB)
        assert self.grown([largest, largest]) < self.TIMES

    def test_of_frames_too_large_or_too_deep(self) -> None:
        too_large = "x" * (33 * MIB)
        assert self.grown([too_large, "[" * MIB, '{"a":' * MIB]) < self.TIMES

    def test_of_frames_that_are_no_event_the_beginning_is_kept(self) -> None:
        assert self.held(["x" * MIB] * 40) < 8 * MIB

    def test_of_values_that_are_echoed(self) -> None:
        event = {"type": "session.update", "session": {"type": "realtime", "voice": "x" * MIB}}
        unknown = {"type": "conversation.item.retrieve", "item_id": "x" * MIB}
        assert self.grown([json.dumps(event), json.dumps(unknown), json.dumps({"type": "x" * MIB})]) < 12

    def test_of_sound_the_newest_is_kept(self) -> None:
        service = opened("azure-v1", played=False)
        service.receive(DEAF)
        for _ in range(3):
            service.receive(append_of(8 * MIB))
            service.receive('{"type": "input_audio_buffer.commit"}')
        said(service)
        sounds = []
        for item in service.conversation.items:
            service.receive(json.dumps({"type": "conversation.item.retrieve", "item_id": item["id"]}))
            (shown,) = (json.loads(frame) for frame in said(service).splitlines())
            sounds.append(len(shown["item"]["content"][0].get("audio", "")))  # base64
        assert sounds == [0, 0, 8 * MIB // 3 * 4]

    @pytest.mark.parametrize("played", [False, True], ids=["modelled", "played"])
    def test_of_a_conversation_with_ever_more_items_and_answers(self, played: bool) -> None:
        """Twice as many turns need about twice as much, not four times."""

        def turns(count: int) -> int:
            return self.held(TURN * count, opened("azure-v1", played=played))

        turns(2)  # what is kept once for all
        assert turns(40) < 2.15 * turns(20)

    @pytest.mark.parametrize("played", [False, True], ids=["modelled", "played"])
    def test_of_an_answer_however_much_was_said_before_it(self, played: bool) -> None:
        """No answer keeps a list of its own of all the items before it."""

        def turns_after(items: int) -> int:
            service = opened("azure-v1", played=played)
            service.receive(SILENT)
            for _ in range(items):
                service.receive(TURN[0])
                said(service)
            return self.held(TURN * 20, service)

        turns_after(0)
        # With 1,200 a set of ids is made anew meanwhile, which is no answer's.
        assert turns_after(1000) < 1.25 * turns_after(20)
