"""A session in which things go wrong on purpose: whatever the fault, the rest is as the service says it."""

from __future__ import annotations

import pytest

from harness.faults import FaultLine, parse_fault
from harness.scenario import Audio, Call, Speech
from tests.talk import BOTH, GA, Talk, one, talk, types

SPOKEN = Speech("It is sunny.", Audio("a.wav", bytes(48 * 1000)))

both = pytest.mark.parametrize("dialect", BOTH)


def faulty(dialect: str, *faults: str) -> Talk:
    line = FaultLine(parse_fault(fault) for fault in faults)
    return talk(dialect, [SPOKEN, SPOKEN], faults=line)


def outcomes(session: Talk) -> dict[str, str]:
    """How each response ended, by its purpose."""
    done = [event["response"] for event in session.heard if event["type"] == "response.done"]
    return {(one["metadata"] or {}).get("purpose", ""): one["status"] for one in done}


def ask_beside(session: Talk) -> None:
    session.send({"type": "response.create", "response": {"metadata": {"purpose": "first"}}})
    session.send(
        {
            "type": "response.create",
            "response": {"conversation": "none", "metadata": {"purpose": "beside"}},
        }
    )
    session.read()


def test_a_response_that_fails_on_purpose_is_the_one_the_fault_names() -> None:
    session = faulty(GA, "failed-response:at=response.content_part.added,answer=2")
    ask_beside(session)
    assert outcomes(session) == {"first": "completed", "beside": "failed"}


def test_an_answer_out_of_band_fails_alone_too() -> None:
    session = faulty(GA, "failed-response")
    session.respond(conversation="none", metadata={"purpose": "beside"})
    assert outcomes(session) == {"beside": "failed"}


@pytest.mark.parametrize(
    ("dialect", "at"),
    [
        *(
            (dialect, f"{name}.added")
            for dialect in BOTH
            for name in ("response.output_item", "conversation.item")
        ),
        (GA, "conversation.item.done"),
    ],
)
@pytest.mark.parametrize("how", ["failed", "incomplete"])
def test_the_two_events_of_an_item_stay_together_where_its_response_ends(
    dialect: str, at: str, how: str
) -> None:
    session = faulty(dialect, f"{how}-response:at={at}")
    events = session.respond()
    assert one(events, "response.done")["response"]["status"] == how
    added = [
        event["item"]["id"] for event in events if event["type"].endswith(("item.added", "item.created"))
    ]
    assert len(added) == 2
    assert len(set(added)) == 1
    done = [event["item"] for event in events if event["type"].endswith("item.done")]
    assert all(item == done[0] for item in done)
    assert events[-1]["response"]["output"] == [done[0]]


@both
@pytest.mark.parametrize("field", ["response", "response.id", "response.status", "event_id"])
@pytest.mark.parametrize("how", ["missing-field", "wrong-type"])
def test_a_spoilt_beginning_breaks_nothing_of_the_session(dialect: str, field: str, how: str) -> None:
    line = FaultLine([parse_fault(f"{how}:at=response.created,field={field}")])
    service = talk(dialect, [Call("look", "{}")], faults=line).service
    service.receive('{"type": "response.create"}')
    while service.pop() is not None:
        pass
    assert len(service.exchange.responses) == 1
    assert service.idle
    assert "response.done" in types(
        e.event for e in service.exchange.server_entries() if e.event and "type" in e.event
    )
