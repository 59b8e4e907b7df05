"""What the user asks for between two turns, over records made by hand."""

from __future__ import annotations

from dataclasses import replace

from harness.messages import Json, Side
from harness.service import Origin, ResponseStart
from tests.checks.test_records import client, outcome, record, server

HELLO = "Hello! How can I help?"


def item(id_: str, role: str, **part: str) -> tuple[Side, Json]:
    return server("conversation.item.done", item={"id": id_, "role": role, "content": [part]})


HELD = (item("i0", "user", text="Hello there!"), item("i1", "assistant", transcript=HELLO))
RETRIEVE = client("conversation.item.retrieve", item_id="i1")
TRUNCATE = client("conversation.item.truncate", item_id="i1", content_index=0, audio_end_ms=500)
DELETE = client("conversation.item.delete", item_id="i0")


def edited(*sent: tuple[Side, Json], held: tuple[tuple[Side, Json], ...] = HELD) -> list[tuple[str, str]]:
    word, findings = outcome(record("item-editing", *held, *sent), "order.edit")
    assert (word == "finding") is bool(findings)
    return [(str(one.severity), one.path) for one in findings]


def test_what_was_asked_for_is_right_whatever_the_client_does_beside_it() -> None:
    assert edited(RETRIEVE, TRUNCATE, DELETE) == []
    own = client("conversation.item.retrieve", item_id="i0"), client("conversation.item.delete", item_id="i7")
    assert edited(*own, RETRIEVE, TRUNCATE, *own, DELETE) == []


def test_each_edit_that_never_came_is_not_proven() -> None:
    assert [severity for severity, _ in edited()] == ["not-proven"] * 3
    assert edited(RETRIEVE, DELETE) == [("not-proven", "conversation.item.truncate")]


def test_one_retrieval_is_not_two() -> None:
    made = record("item-editing", *HELD, RETRIEVE, TRUNCATE, DELETE)
    twice = replace(made.plan, intents=(*made.plan.intents, made.plan.intents[1]))
    again = replace(made, plan=twice, begun=len(twice.intents))
    assert [str(one.severity) for one in outcome(again, "order.edit")[1]] == ["not-proven"]


def test_another_item_or_another_place_fails_and_says_which() -> None:
    other = client("conversation.item.retrieve", item_id="i0")
    assert edited(other, TRUNCATE, DELETE) == [("fail", "conversation.item.retrieve.item_id")]
    early = client("conversation.item.truncate", item_id="i1", content_index=0, audio_end_ms=100)
    made = record("item-editing", *HELD, RETRIEVE, early, DELETE)
    (finding,) = outcome(made, "order.edit")[1]
    assert finding.path == "conversation.item.truncate.audio_end_ms"
    assert finding.actual == {"item": f"assistant: {HELLO}", "audio_end_ms": 100}


def test_an_item_that_was_cut_is_still_known_by_its_words() -> None:
    cut = server("conversation.item.retrieved", item={"id": "i1", "role": "assistant", "content": [{}]})
    assert edited(TRUNCATE, cut, RETRIEVE, DELETE) == []


def test_which_item_is_meant_is_not_judged_where_its_words_are_in_none() -> None:
    recorded = (item("i0", "user", text="Hello there!"), item("i1", "assistant", transcript="Hi, I am real."))
    assert edited(RETRIEVE, TRUNCATE, DELETE, held=recorded) == []


def test_an_item_that_came_only_after_the_edit_is_not_the_one_that_was_meant() -> None:
    other = item("i1", "assistant", transcript="The model's own words.")
    late = item("i2", "assistant", transcript=HELLO)
    assert edited(RETRIEVE, TRUNCATE, DELETE, late, held=(HELD[0], other)) == []


def test_what_was_refused_did_not_edit_another_item() -> None:
    made = record("item-editing", *HELD, client("conversation.item.retrieve", item_id="i7"), TRUNCATE, DELETE)
    entries = made.exchange.entries
    entries[2] = replace(entries[2], refused_by_state="retrieve_unknown_item")
    assert [str(one.severity) for one in outcome(made, "order.edit")[1]] == ["not-proven"]


def test_what_was_not_asked_for_yet_is_held_against_nobody() -> None:
    assert outcome(record("item-editing", begun=1), "order.edit")[0] == "not-applicable"
    assert outcome(record("rejected-config", begun=1), "session.rejected")[0] == "not-applicable"


def test_the_first_session_is_not_the_change_that_is_to_be_refused() -> None:
    first = {"type": "realtime", "instructions": "Be kind.", "audio": {"output": {"voice": "alloy"}}}
    made = record("rejected-config", client("session.update", session=first))
    assert outcome(made, "session.rejected")[0] == "finding"
    change = {"audio": {"output": {"voice": "echo"}}}
    made = record("rejected-config", client("session.update", session=change))
    assert outcome(made, "session.rejected")[0] == "pass"


def test_metadata_may_be_more_than_was_asked_for_and_not_less() -> None:
    def told(metadata: Json | None) -> str:
        response = {"id": "r", "conversation_id": None, "metadata": metadata}
        made = record("out-of-band-response", server("response.created", response=response))
        made.exchange.responses.append(ResponseStart(0, {}, (), Origin.RECORDED))
        return outcome(made, "response.metadata")[0]

    assert told({"purpose": "summary", "client_event_id": "7"}) == "pass"
    assert told({"client_event_id": "7"}) == told({"purpose": "chat"}) == told(None) == "finding"

    own = {"id": "own", "conversation_id": None, "metadata": {"topic": "harm"}}
    asked = {"id": "r", "conversation_id": None, "metadata": {"purpose": "summary"}}
    both = [server("response.created", response=response) for response in (own, asked)]
    made = record("out-of-band-response", *both)
    made.exchange.responses.append(ResponseStart(0, {}, (), Origin.RECORDED))
    assert outcome(made, "response.metadata")[0] == "pass"
    assert outcome(record("out-of-band-response"), "response.metadata")[0] == "not-proven"
