"""Faults at work inside a playback: what the log says, and what leniency lets pass."""

from __future__ import annotations

import json

import pytest

from harness.messages import Json, Side
from harness.service import Origin, Outgoing
from tests.playback.replay import playback_of, replay
from tests.talk import BOTH, Talk, only, types, user_item

ADDED = ["error-event", "event-without-type", "malformed-json", "unknown-event", "duplicate"]


def answered(dialect: str, *faults: str) -> tuple[Talk, list[Outgoing]]:
    """A session with one answer, and all that went out for it."""
    session = replay(dialect, "text-turn", *faults)
    session.send(user_item("Hello there!"))
    session.send({"type": "response.create"})
    sent = []
    while (outgoing := session.service.pop()) is not None:
        sent.append(outgoing)
    return session, sent


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("name", ADDED)
def test_the_log_holds_what_was_sent_in_its_order(dialect: str, name: str) -> None:
    session, sent = answered(dialect, name)
    exchange = session.service.exchange
    assert [entry.number for entry in exchange.entries] == list(range(len(exchange.entries)))
    logged = exchange.server_entries()[-len(sent) :]
    assert [entry.event for entry in logged] == [outgoing.event for outgoing in sent]
    (faulty,) = [entry for entry in logged if entry.origin is Origin.FAULT]
    assert (faulty.side, faulty.fault) == (Side.SERVER, name)
    assert faulty.canonical == ()
    shown = exchange.entries[exchange.responses[0].entry].event
    assert shown is not None
    assert shown["type"] == "response.created"
    assert playback_of(session).remaining == ()


def test_without_a_fault_nothing_is_faulty() -> None:
    session, _ = answered("azure-v1")
    assert {entry.fault for entry in session.service.exchange.entries} == {None}
    assert Origin.FAULT not in {entry.origin for entry in session.service.exchange.entries}


def test_after_an_end_the_service_says_how_it_ends_and_nothing_else() -> None:
    session, sent = answered("azure-v1", "close:code=4000,reason=bye")
    assert session.service.ending is not None
    assert (session.service.ending.code, session.service.ending.reason) == (4000, "bye")
    assert sent[-1].canonical[0]["type"].endswith(".delta")
    session.send(user_item("Still there?"))
    assert session.service.pop() is None
    assert session.service.next_at is None


def test_a_stalled_service_has_nothing_due_however_long_one_waits() -> None:
    session, _ = answered("azure-v1", "stall")
    session.service.advance(10_000)
    assert session.service.pop() is None
    assert session.service.next_at is None
    assert session.service.ending is None
    assert session.service.idle


def test_a_pause_is_told_with_the_frame_after_it() -> None:
    _, sent = answered("azure-v1", "pause:seconds=2,at=response.done")
    assert [outgoing.pause for outgoing in sent] == [0.0] * (len(sent) - 1) + [2.0]


@pytest.mark.parametrize("dialect", BOTH)
def test_accept_any_session_takes_the_other_generations_session_and_ignores_it(dialect: str) -> None:
    session = replay(dialect, "text-turn", "accept-any-session")
    before = json.dumps(session.service.session)
    sent: Json = {"voice": "echo"} if session.ga else {"audio": {"output": {"voice": "echo"}}}
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


@pytest.mark.parametrize("dialect", BOTH)
def test_counted_are_the_recorded_answers_whatever_else_the_client_asks_for(dialect: str) -> None:
    session = replay(dialect, "reconnect", "drop:at=response.done,answer=1")
    greeting = session.respond()  # the framework's own idea
    assert "response.done" in types(greeting)
    assert session.service.ending is None
    session.say("My name is Ada.")
    assert types(session.respond())[-1] == "response.done"
    assert session.service.ending is not None


def test_a_fault_that_fails_a_response_fails_the_one_it_strikes() -> None:
    session = replay("azure-v1", "out-of-band-response", "failed-response:at=response.*.delta,answer=2")
    session.say()
    session.send({"type": "response.create"})
    outside: Json = {"conversation": "none", "metadata": {"purpose": "summary"}}
    events = session.ask({"type": "response.create", "response": outside})
    ended = [event["response"] for event in events if event["type"] == "response.done"]
    status = {(response["metadata"] or {}).get("purpose"): response["status"] for response in ended}
    assert status == {None: "completed", "summary": "failed"}
