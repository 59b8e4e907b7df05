"""Whoever is given what others were given cannot tell, and neither can who reads the log."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dialects import bundled_dialect
from harness.faults import FaultLine, parse_fault
from harness.messages import Side
from harness.playback import Playback, Stage
from harness.playback.moments import Moment
from harness.service import Handshake
from tests.cases import cassette
from tests.talk import BOTH, GA, NOW, user_item

both = pytest.mark.parametrize("dialect", BOTH)

Act = tuple[str, object]
"""What is done to a session: `hear` a frame, `say` up to so many bytes, let time pass, or look into it."""


def frames_of(dialect: str, name: str) -> list[str]:
    """The client's side of a bundled cassette."""
    sent = [i.event for i in cassette(dialect, name).interactions if i.side is Side.CLIENT and i.event]
    return [json.dumps(event) for event in sent]


def said(session: Playback, room: int = 65_536, *, pauses: bool = False) -> list[bytes]:
    """All that it says now; after a pause it goes on at once."""
    found: list[bytes] = []
    while True:
        burst = session.burst(None, room, pauses=pauses)
        if burst is not None:
            found += burst.frames
            session.sent(burst.number, len(burst.frames))
            continue
        outgoing = session.pop()
        if outgoing is None:
            return found
        found.append(outgoing.frame.encode())
        session.sent(outgoing.number, 1)


def whole(session: Playback, frames: Sequence[str]) -> list[bytes]:
    """A conversation in which the client waits for what comes of each message."""
    session.start()
    found = said(session)
    for frame in frames:
        session.receive(frame)
        found += said(session)
    return found


def trained(dialect: str, name: str, frames: Sequence[str], times: int = 6) -> Stage:
    """A stage on which a conversation was had often enough."""
    stage = Stage(bundled_dialect(dialect), cassette(dialect, name))
    for seed in range(times):
        whole(stage.enter(seed=seed, unix_time=NOW), frames)
    return stage


def real(dialect: str, name: str, seed: int, **options: object) -> Playback:
    return Playback(bundled_dialect(dialect), cassette(dialect, name), seed=seed, unix_time=NOW, **options)


def same_log(one: Playback, other: Playback) -> None:
    assert list(one.exchange.entries) == list(other.exchange.entries)
    assert [start.items for start in one.exchange.responses] or not one.exchange.responses
    for mine, theirs in zip(one.exchange.responses, other.exchange.responses, strict=True):
        assert (mine.entry, mine.session, list(mine.items)) == (
            theirs.entry,
            theirs.session,
            list(theirs.items),
        )
    assert one.exchange.session == other.exchange.session
    assert list(map(str, one.exchange.unplayed)) == list(map(str, other.exchange.unplayed))


@both
@pytest.mark.parametrize("name", ["text-turn", "text-modality", "history-seeding", "session-config"])
def test_what_is_given_by_heart_is_what_the_service_would_have_said(dialect: str, name: str) -> None:
    frames = frames_of(dialect, name)
    stage = trained(dialect, name, frames)
    session, service = stage.enter(seed=77, unix_time=NOW), real(dialect, name, 77)
    assert whole(session, frames) == whole(service, frames)
    assert not session.live
    same_log(session, service)
    assert session.live


@both
def test_every_session_has_ids_of_its_own(dialect: str) -> None:
    frames = frames_of(dialect, "text-turn")
    stage = trained(dialect, "text-turn", frames)
    one, other = (whole(stage.enter(seed=seed, unix_time=NOW), frames) for seed in (100, 101))
    ids = [{json.loads(frame)["event_id"] for frame in said} for said in (one, other)]
    assert len(ids[0]) == len(one)
    assert not ids[0] & ids[1]
    assert list(map(len, one)) == list(map(len, other))


def test_a_client_that_says_something_else_gets_what_the_service_says_to_that() -> None:
    frames = frames_of(GA, "text-turn")
    stage = trained(GA, "text-turn", frames)
    for place in range(len(frames) + 1):
        unknown = json.dumps(user_item(f"Something else, at {place}.", id=f"item_mine_{place}"))
        departing = [*frames[:place], unknown, *frames[place:]]
        session, service = stage.enter(seed=place, unix_time=NOW), real(GA, "text-turn", place)
        assert whole(session, departing) == whole(service, departing)
        assert session.live
        same_log(session, service)


def test_messages_that_come_together_are_heard_together() -> None:
    frames = frames_of(GA, "text-turn")
    stage = Stage(bundled_dialect(GA), cassette(GA, "text-turn"))

    def at_once(session: Playback) -> list[bytes]:
        session.start()
        found = said(session)
        for frame in frames:
            session.receive(frame)
        return found + said(session)

    for seed in range(4):
        session = stage.enter(seed=seed, unix_time=NOW)
        service = real(GA, "text-turn", seed)
        assert at_once(session) == at_once(service)
    assert not session.live
    same_log(session, service)


def test_what_was_said_only_once_is_not_remembered() -> None:
    stage = Stage(bundled_dialect(GA), cassette(GA, "text-turn"))
    for number in range(5):
        session = stage.enter(seed=number, unix_time=NOW)
        whole(session, [json.dumps(user_item(f"Number {number}."))])
        assert session.live


def test_an_answer_that_is_held_for_a_barge_in_is_never_given_by_heart() -> None:
    frames = frames_of(GA, "interruption")
    stage = trained(GA, "interruption", frames)
    session, service = stage.enter(seed=5, unix_time=NOW), real(GA, "interruption", 5)
    assert whole(session, frames) == whole(service, frames)
    assert session.live
    same_log(session, service)


def test_with_faults_the_service_is_there_from_the_start() -> None:
    frames = frames_of(GA, "text-turn")
    stage = trained(GA, "text-turn", frames)
    line = FaultLine([parse_fault("duplicate:at=response.done")])
    session = stage.enter(seed=5, unix_time=NOW, faults=line)
    service = real(GA, "text-turn", 5, faults=FaultLine([parse_fault("duplicate:at=response.done")]))
    assert whole(session, frames) == whole(service, frames)
    assert session.live


def test_a_server_with_another_limit_of_nesting_plays_nothing_by_heart() -> None:
    deep = json.dumps({"type": "response.create", "metadata": {"a": [[[[[[[[[[1]]]]]]]]]]}})
    stage = trained(GA, "text-turn", [deep])
    session = stage.enter(seed=5, unix_time=NOW)
    session.nesting = 8
    (_, error) = whole(session, [deep])
    assert "nested deeper than 8" in json.loads(error)["error"]["message"]


def test_whoever_opens_a_session_otherwise_hears_something_else() -> None:
    frames = frames_of(GA, "text-turn")
    stage = trained(GA, "text-turn", frames)
    settings = {"type": "realtime", "instructions": "Be brief."}
    for _ in range(4):
        session = stage.enter(seed=5, unix_time=NOW, settings=settings, model="mine")
        first = json.loads(whole(session, frames)[0])
        assert first["session"]["instructions"] == "Be brief."
        assert first["session"]["model"] == "mine"


def test_the_end_of_the_session_comes_in_its_time() -> None:
    frames = frames_of(GA, "text-turn")
    stage = trained(GA, "text-turn", frames)
    session = stage.enter(seed=5, unix_time=NOW)
    whole(session, frames)
    assert not session.live
    assert session.next_timer is not None
    session.advance(session.next_timer - 1)
    assert not session.live
    session.advance(session.next_timer + 1)
    said(session)
    assert session.ending is not None
    assert session.ending.code == 1001


def test_the_handshake_that_is_noted_before_anything_is_in_the_log() -> None:
    stage = Stage(bundled_dialect(GA), cassette(GA, "text-turn"))
    session = stage.enter(seed=5, unix_time=NOW)
    handshake = Handshake("/openai/v1/realtime", (("model", "x"),), (), (), 101)
    session.exchange.handshake = handshake
    session.start()
    session.exchange.close_code, session.exchange.close_by = 1000, "client"
    assert len(session.exchange.entries) in (0, 1)
    assert session.exchange.handshake == handshake
    assert (session.exchange.close_code, session.exchange.close_by) == (1000, "client")


def acts(frames: Sequence[str]) -> st.SearchStrategy[list[Act]]:
    hear = st.sampled_from([*frames, json.dumps(user_item("Who?"))]).map(lambda frame: ("hear", frame))
    say = st.sampled_from([1, 700, 65_536]).map(lambda room: ("say", room))
    wait = st.floats(0.0, 2.0).map(lambda seconds: ("wait", seconds))
    return st.lists(st.one_of(hear, say, wait, st.just(("look", None))), max_size=12)


def masked(text: str) -> str:
    """Without the ids, which tell of the second in which they were minted: each is the number of its first."""
    seen: dict[str, int] = {}
    return re.sub(
        r"\b(event|sess|resp|item|conv|call)_[0-9A-Za-z]{16,21}\b",
        lambda found: f"{found[1]}_{seen.setdefault(found[0], len(seen))}",
        text,
    )


def shown(session: Playback, said: list[bytes]) -> list[str]:
    """What was said and what is in the log, but for the moment in which it was."""
    log = [
        json.dumps([entry.number, entry.side, entry.event, entry.canonical, entry.origin, entry.refused])
        for entry in session.exchange.entries
    ]
    return masked("\n".join([*(frame.decode() for frame in said), *log])).splitlines()


def perform(session: Playback, todo: Sequence[Act]) -> list[bytes]:
    session.start()
    found, now = [], 0.0
    for act, value in todo:
        if act == "hear":
            session.receive(str(value))
        elif act == "say" and isinstance(value, int):
            burst = session.burst(None, value, pauses=True)
            found += burst.frames if burst is not None else said(session)
        elif act == "wait" and isinstance(value, float):
            now += value
            session.advance(now)
        else:
            found.append(str(len(session.exchange.entries)).encode())
    return found + said(session)


@settings(deadline=None, max_examples=60)
@given(todo=acts(frames_of(GA, "text-turn")))
def test_nobody_can_tell_whatever_is_done(todo: list[Act]) -> None:
    stage = trained(GA, "text-turn", frames_of(GA, "text-turn"), times=5)
    for seed in range(3):
        session, service = stage.enter(seed=seed, unix_time=NOW), real(GA, "text-turn", seed)
        assert shown(session, perform(session, todo)) == shown(service, perform(service, todo))
        assert list(map(str, session.exchange.unplayed)) == list(map(str, service.exchange.unplayed))


def test_ways_to_open_a_session_are_forgotten_when_there_are_many() -> None:
    frames = frames_of(GA, "text-turn")
    stage = Stage(bundled_dialect(GA), cassette(GA, "text-turn"))
    for number in range(100):
        for seed in range(3):
            whole(stage.enter(seed=seed, unix_time=NOW, model=f"model-{number}"), frames)
    kept = list(stage._before.values())
    assert len(kept) == 32
    assert stage._remembered == sum(map(remembered, kept)) > 32
    long = {"instructions": "x" * 10_000}
    whole(stage.enter(seed=1, unix_time=NOW, settings=long), frames)
    assert list(stage._before.values()) == kept


def remembered(moment: Moment) -> int:
    return sum(1 + remembered(later) for later in moment.after.values())
