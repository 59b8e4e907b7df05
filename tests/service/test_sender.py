"""What leaves in one burst is what would have left one by one."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dialects import bundled_dialect
from harness.faults import FaultLine, parse_fault
from harness.messages import Side
from harness.playback import Playback
from tests.cases import cassette
from tests.talk import BOTH, GA, NOW, talk

both = pytest.mark.parametrize("dialect", BOTH)


def playback(dialect: str, name: str, *faults: str) -> Playback:
    line = FaultLine(parse_fault(fault) for fault in faults)
    return Playback(bundled_dialect(dialect), cassette(dialect, name), seed=4, unix_time=NOW, faults=line)


def frames_of(dialect: str, name: str) -> list[str]:
    sent = [i.event for i in cassette(dialect, name).interactions if i.side is Side.CLIENT and i.event]
    return [json.dumps(event) for event in sent]


def one_by_one(service: Playback) -> list[bytes]:
    return [outgoing.frame.encode() for outgoing in iter(service.pop, None)]


def together(service: Playback, room: int, *, pauses: bool = False) -> list[bytes]:
    found: list[bytes] = []
    while (burst := service.burst(None, room, pauses=pauses)) is not None:
        assert burst.number == len(service.exchange.entries) - len(burst.frames)
        found += burst.frames
    return found + one_by_one(service)


@both
@pytest.mark.parametrize("name", ["text-turn", "audio-turn", "tool-call-round", "history-seeding"])
@pytest.mark.parametrize("room", [1, 3000, 65_536])
def test_a_session_is_the_same_however_much_leaves_at_once(dialect: str, name: str, room: int) -> None:
    one, other = playback(dialect, name), playback(dialect, name)
    one.start()
    other.start()
    assert together(one, room) == one_by_one(other)
    for frame in frames_of(dialect, name):
        one.receive(frame)
        other.receive(frame)
        assert together(one, room) == one_by_one(other)
    assert list(one.exchange.entries) == list(other.exchange.entries)
    assert list(one.conversation.items) == list(other.conversation.items)
    assert one.conversation.audio_ms == other.conversation.audio_ms


@settings(deadline=None, max_examples=40)
@given(times=st.lists(st.floats(0.0, 0.4), max_size=30), room=st.integers(1, 20_000))
def test_at_a_pace_nothing_leaves_before_its_time(times: list[float], room: int) -> None:
    one, other = playback(GA, "audio-turn"), playback(GA, "audio-turn")
    for service in (one, other):
        service.start()
        for frame in frames_of(GA, "audio-turn"):
            service.receive(frame)
    now = 0.0
    for wait in times:
        now += wait
        one.advance(now)
        other.advance(now)
        found: list[bytes] = []
        while (burst := one.burst(now, room, pauses=False)) is not None:
            found += burst.frames
        assert found == [outgoing.frame.encode() for outgoing in iter(partial(other.pop, now), None)]
        assert one.next_at == other.next_at
    assert list(one.exchange.entries) == list(other.exchange.entries)


def test_a_burst_ends_where_the_service_takes_its_time() -> None:
    service = playback(GA, "text-turn")
    service.start()
    for frame in frames_of(GA, "text-turn"):
        service.receive(frame)
    burst = service.burst(None, 65_536, pauses=True)
    assert burst is not None
    assert burst.thinking
    assert json.loads(burst.frames[-1])["type"] == "response.created"
    after = service.burst(None, 10_000_000, pauses=True)
    assert after is not None
    assert not after.thinking
    assert json.loads(after.frames[-1])["type"] == "response.done"


def test_what_goes_through_faults_leaves_one_by_one() -> None:
    service = playback(GA, "text-turn", "drop:at=response.done")
    service.start()
    assert service.burst(None, 65_536, pauses=False) is None
    assert len(one_by_one(service)) == 1


def test_an_answer_that_is_cancelled_in_the_midst_of_a_passage_says_what_was_said() -> None:
    service = playback(GA, "audio-turn")
    service.start()
    for frame in frames_of(GA, "audio-turn"):
        service.receive(frame)
    heard = b""
    while b'"response.output_audio.delta"' not in heard:
        burst = service.burst(None, 1, pauses=False)
        assert burst is not None
        heard += b"".join(burst.frames)
    service.receive('{"type": "response.cancel"}')
    rest = [json.loads(frame) for frame in together(service, 65_536)]
    assert not [event for event in rest if event["type"] == "response.output_audio.delta"]
    (done,) = [event for event in rest if event["type"] == "response.done"]
    assert done["response"]["status"] == "cancelled"
    transcript = done["response"]["output"][0]["content"][0]["transcript"]
    deltas = [
        entry.event["delta"]
        for entry in service.exchange.entries
        if entry.event and entry.event["type"] == "response.output_audio_transcript.delta"
    ]
    assert transcript == "".join(deltas)


def test_messages_said_again_are_read_once_and_nobody_changes_what_was_read() -> None:
    first, second = talk(GA), talk(GA)
    frame = json.dumps({"type": "session.update", "session": {"type": "realtime", "instructions": "Once."}})
    for session in (first, second):
        session.send(frame)
        session.read()
        session.update(nested={"instructions": "Twice."}, flat={})
    entries = [next(e for e in session.service.exchange.client_entries()) for session in (first, second)]
    assert entries[0].event is entries[1].event
    assert entries[0].event == json.loads(frame)
