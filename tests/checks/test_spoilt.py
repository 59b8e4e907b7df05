"""Whatever a fault leaves out or changes: nobody is asked for what was never sent whole, and no check breaks."""

from __future__ import annotations

import pytest

from harness.checks import judge
from harness.checks.served import served_answers
from harness.faults import FaultLine, parse_fault
from harness.scenario import Audio, Call, Several, Speech
from tests.checks.test_records import record
from tests.talk import GA, Talk, talk, user_item

ANSWER = Several((Speech("It is sunny.", Audio("a.wav", bytes(48 * 600))), Call("look", '{"a": 1}')))


def conversation(*faults: str) -> Talk:
    session = talk(GA, [ANSWER], faults=FaultLine(parse_fault(fault) for fault in faults))
    for event in (user_item(), {"type": "response.create"}):
        session.send(event)
        while session.service.pop() is not None:
            pass
    return session


def places() -> list[tuple[str, str]]:
    """Every event of an answer with each of its fields, and those of its response."""
    found: dict[tuple[str, str], None] = {}
    for entry in conversation().service.exchange.server_entries():
        event = entry.event or {}
        if event["type"].startswith("response."):
            fields = [*event, *(f"response.{name}" for name in event.get("response", {}))]
            found.update(dict.fromkeys((event["type"], field) for field in fields if field != "type"))
    return list(found)


@pytest.mark.parametrize("how", ["missing-field", "wrong-type"])
def test_a_spoilt_event_breaks_no_check_and_its_answer_is_asked_of_nobody(how: str) -> None:
    for type_, field in places():
        fault = f"{how}:at={type_},field={field}"
        exchange = conversation(fault).service.exchange
        judged = record("text-turn", exchange=exchange)
        judge(judged)
        (answer,) = served_answers(judged)
        of_frame = type_ in ("response.created", "response.done")
        assert answer.spoilt == (not of_frame or field in ("response", "response.id", "response.status")), (
            fault
        )


def test_an_answer_whose_cost_alone_was_taken_is_still_due() -> None:
    judged = record("text-turn", exchange=conversation("null-usage").service.exchange)
    (answer,) = served_answers(judged)
    assert not answer.spoilt
