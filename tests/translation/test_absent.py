from __future__ import annotations

from typing import Any

from harness.dialects import bundled_dialect
from harness.messages import Json, Side
from harness.translation import Bridge, Translation

PREVIEW = bundled_dialect("azure-2024-10-01-preview")
V1 = bundled_dialect("azure-v1")


def item(id_: str, type_: str = "message", **fields: Any) -> Json:
    if type_ == "mcp_call":
        return {"id": id_, "type": type_, "server_label": "s", "name": "n", "arguments": "{}", **fields}
    return {"id": id_, "type": type_, "role": "assistant", "status": "completed", "content": [], **fields}


def added(id_: str, previous: str | None, type_: str = "message") -> Json:
    body = {"previous_item_id": previous, "item": item(id_, type_)}
    return {"type": "conversation.item.added", "event_id": f"a_{id_}", **body}


def output(kind: str, id_: str, index: int, type_: str = "message") -> Json:
    place = {"response_id": "r", "output_index": index, "item": item(id_, type_)}
    return {"type": f"response.output_item.{kind}", "event_id": f"{kind}_{id_}", **place}


def carried(*events: Json, side: Side = Side.SERVER) -> list[Translation]:
    bridge = Bridge(V1, PREVIEW)
    return [bridge.carry(side, event) for event in events]


def test_the_item_after_one_that_is_left_out_follows_the_one_before_it() -> None:
    found = carried(
        added("a", None), added("b", "a", "mcp_call"), added("c", "b", "mcp_call"), added("d", "c")
    )

    assert [len(one.events) for one in found] == [1, 0, 0, 1]
    assert found[3].events[0]["previous_item_id"] == "a"
    assert [loss.path for loss in found[3].losses] == ["previous_item_id"]


def test_what_is_said_of_an_item_that_is_left_out_goes_with_it() -> None:
    delta = {"type": "conversation.item.deleted", "event_id": "e", "item_id": "b"}
    _, deleted, other = carried(added("b", None, "mcp_call"), delta, {**delta, "item_id": "c"})

    assert deleted.events == ()
    assert [loss.reason for loss in deleted.losses] == ["item_id: names an item that is left out"]
    assert other.events == ({**delta, "item_id": "c"},)


def test_the_outputs_of_a_response_close_up() -> None:
    place = {"response_id": "r", "item_id": "m", "output_index": 1, "content_index": 0}
    delta = {"type": "response.output_text.delta", "event_id": "e", **place, "delta": "x"}
    found = carried(
        output("added", "b", 0, "mcp_call"),
        output("added", "m", 1),
        delta,
        output("done", "b", 0, "mcp_call"),
        {**delta, "response_id": "another"},
    )

    assert [len(one.events) for one in found] == [0, 1, 1, 0, 1]
    assert [found[place].events[0]["output_index"] for place in (1, 2, 4)] == [0, 0, 1]
    assert [loss.path for loss in found[2].losses] == ["output_index"]


def test_an_item_that_a_client_could_not_create_is_not_named_again() -> None:
    approval = {"type": "mcp_approval_response", "id": "p", "approval_request_id": "r", "approve": True}
    create = {"type": "conversation.item.create", "previous_item_id": "a", "item": approval}
    message = {"type": "message", "role": "user", "content": []}

    _, after, deleted = carried(
        create,
        {"type": "conversation.item.create", "previous_item_id": "p", "item": message},
        {"type": "conversation.item.delete", "item_id": "p"},
        side=Side.CLIENT,
    )

    assert after.events[0]["previous_item_id"] == "a"
    assert deleted.events == ()


def test_an_id_that_is_no_string_names_nothing() -> None:
    broken = {"type": "conversation.item.delete", "item_id": ["p"], "previous_item_id": {}}

    _, found = carried(added("b", None, "mcp_call"), broken)

    assert [loss.path for loss in found.losses] == ["type"]
