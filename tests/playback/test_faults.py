from __future__ import annotations

import json

import pytest

from harness.exceptions import MessageFault, UsageFault
from harness.messages import Side, parse_event
from harness.playback import FAULTS, fault_named
from harness.service import Origin
from tests.playback.replay import playback_of, replay
from tests.talk import BOTH, Talk, assert_valid, only, types

WITH_FRAME = [fault.name for fault in FAULTS if fault.frame is not None]


def frames(session: Talk) -> list[str]:
    """What goes over the wire, as the server's shell sends it: faulty frames among the events."""
    playback = playback_of(session)
    sent: list[str] = []
    while (outgoing := playback.pop()) is not None:
        frame = playback.fault_frame(outgoing)
        if frame is not None:
            sent.append(frame)
        assert_valid(session.dialect, outgoing.event)
        sent.append(json.dumps(outgoing.event))
    return sent


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageFault) as fault:
        fault_named("earthquake")
    assert set(fault.value.known) == {fault.name for fault in FAULTS}


def test_faulty_frames_are_as_faulty_as_they_say() -> None:
    for name in ("malformed-json", "event-without-type"):
        with pytest.raises(MessageFault):
            parse_event(fault_named(name).frame or "")
    event = parse_event(fault_named("unknown-event").frame or "")
    from harness.dialects import bundled_dialect

    assert all(event["type"] not in bundled_dialect(name).server.events for name in BOTH)


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("name", WITH_FRAME)
def test_a_faulty_frame_is_sent_once_directly_before_the_first_delta(dialect: str, name: str) -> None:
    session = replay(dialect, "tool-call-round", name)
    session.send({"type": "conversation.item.create", "item": _item()})
    session.send({"type": "response.create"})
    sent = frames(session)
    frame = fault_named(name).frame
    assert sent.count(frame or "") == 1
    at = sent.index(frame or "")
    assert json.loads(sent[at + 1])["type"].endswith(".delta")
    assert not any('.delta"' in other for other in sent[:at])
    session.send({"type": "response.create"})
    assert frame not in frames(session)


@pytest.mark.parametrize("name", WITH_FRAME)
def test_the_log_holds_the_faulty_frame_where_it_was_sent(name: str) -> None:
    session = replay("azure-v1", "text-turn", name)
    session.send({"type": "conversation.item.create", "item": _item()})
    session.send({"type": "response.create"})
    frames(session)
    entries = playback_of(session).exchange.entries
    assert [entry.number for entry in entries] == list(range(len(entries)))
    at = next(n for n, entry in enumerate(entries) if entry.origin is Origin.FAULT)
    assert entries[at].side is Side.SERVER
    assert entries[at].raw == fault_named(name).frame
    is_event = name not in ("malformed-json", "event-without-type")
    assert entries[at].event == (json.loads(entries[at].raw or "") if is_event else None)
    after = entries[at + 1].event
    assert after is not None
    assert after["type"].endswith(".delta")
    start = playback_of(session).exchange.responses[0]
    shown = entries[start.entry].event
    assert shown is not None
    assert shown["type"] == "response.created"


def test_without_a_fault_no_frame_is_faulty() -> None:
    session = replay("azure-v1", "text-turn")
    session.send({"type": "conversation.item.create", "item": _item()})
    session.send({"type": "response.create"})
    frames(session)
    assert all(entry.origin is not Origin.FAULT for entry in playback_of(session).exchange.entries)


@pytest.mark.parametrize("dialect", BOTH)
def test_accept_any_session_takes_the_other_generations_session_and_ignores_it(dialect: str) -> None:
    session = replay(dialect, "text-turn", "accept-any-session")
    before = json.dumps(session.service.session)
    sent = {"voice": "echo"} if session.ga else {"audio": {"output": {"voice": "echo"}}}
    assert types([only(session.ask({"type": "session.update", "session": sent}))]) == ["session.updated"]
    assert json.dumps(session.service.session) == before
    assert playback_of(session).counterfactual is None
    assert session.service.exchange.client_entries()[-1].refusals


@pytest.mark.parametrize("dialect", BOTH)
def test_accept_any_session_takes_the_other_generations_response_create(dialect: str) -> None:
    session = replay(dialect, "text-turn", "accept-any-session")
    session.say()
    name = "modalities" if session.ga else "output_modalities"
    events = session.respond(**{name: ["text"]})
    assert types(events)[0] == "response.created"
    assert len(playback_of(session).played) == 1


def test_accept_any_session_does_not_take_other_nonsense() -> None:
    session = replay("azure-v1", "text-turn", "accept-any-session")
    assert types(session.ask({"type": "session.refresh"})) == ["error"]


def _item() -> dict[str, object]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello!"}]}
