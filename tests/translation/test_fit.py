from __future__ import annotations

from typing import Any

import pytest

from harness.dialects import bundled_dialect
from harness.messages import Json, Side
from harness.translation import Loss
from harness.translation.fit import Fitted, fit_event

PREVIEW = bundled_dialect("azure-2024-10-01-preview")
V1 = bundled_dialect("azure-v1")


def fit(event: Json, side: Side = Side.CLIENT, *stock: Json) -> Fitted:
    return fit_event(V1, side, event, lambda _: stock)


def update(**session: Any) -> Json:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def test_an_event_that_fits_is_itself() -> None:
    event = update(tools=[{"type": "function", "name": "f"}], tracing=None, audio={"output": {"speed": 1}})

    assert fit({**event, "event_id": 5}) == Fitted({**event, "event_id": 5})


@pytest.mark.parametrize(
    ("session", "path"),
    [
        ({"colour": "red"}, "session.colour"),
        ({"temperature": None}, "session.temperature"),
        ({"instructions": 5}, "session.instructions"),
        ({"output_modalities": ["audio", "text"]}, "session.output_modalities"),
        ({"output_modalities": [[]]}, "session.output_modalities"),
        (
            {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}},
            "session.audio.input.format.rate",
        ),
        ({"audio": {"input": {"turn_detection": {}}}}, "session.audio.input.turn_detection"),
        ({"audio": {"input": {"turn_detection": {"type": "x"}}}}, "session.audio.input.turn_detection"),
        ({"audio": {"output": {"voice": {"name": "x"}}}}, "session.audio.output.voice"),
        ({"tools": [5]}, "session.tools[0]"),
        ({"tools": [None, {"type": "function"}]}, "session.tools[0]"),
        ({"tools": [{"type": "function", "meta": {}}]}, "session.tools[0].meta"),
        ({"tools": [{"type": "function"}, {"type": "mcp"}]}, "session.tools[1]"),
    ],
)
def test_the_smallest_thing_that_may_be_missing_is_left_out(session: Json, path: str) -> None:
    found = fit(update(**session))

    assert [loss.path for loss in found.losses] == [path]
    assert found.event is not None
    assert found.event["session"]["type"] == "realtime"


@pytest.mark.parametrize(
    "session",
    [
        {"instructions": None},
        {"voice_of_nobody": None, "audio": {"output": {"voice": "nobody"}}},
        {"parallel_tool_calls": "yes"},
        {"audio": {"input": {"format": "pcm16"}}},
        {"max_output_tokens": 99999},
    ],
)
def test_what_is_named_without_its_fate_being_known_is_written(session: Json) -> None:
    found = fit(update(**session))

    assert found.event is not None
    assert found.event["session"] == {
        "type": "realtime",
        **{key: value for key, value in session.items() if key != "voice_of_nobody"},
    }


def test_nothing_that_was_lost_inside_what_is_left_out_is_named_beside_it() -> None:
    found = fit(update(tools=[{"type": "mcp", "colour": "red"}]))

    assert found.losses == [Loss("session.tools[0]", "server_label: must be there")]


def test_paths_are_those_of_the_event_as_it_came() -> None:
    found = fit(update(tools=[{"type": "x"}, {"type": "function", "meta": 1}, {"type": "y"}]))

    assert [loss.path for loss in found.losses] == [
        "session.tools[0]",
        "session.tools[1].meta",
        "session.tools[2]",
    ]
    assert found.event is not None
    assert found.event["session"]["tools"] == [{"type": "function"}]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "session.update"}, "session: must be there"),
        ({"type": "session.update", "session": 5}, "session: must be object"),
        ({"type": "conversation.item.create", "item": {"type": "x"}}, "item.type: no such kind: 'x'"),
    ],
)
def test_an_event_of_which_nothing_valid_is_left_is_none(event: Json, reason: str) -> None:
    assert fit(event) == Fitted(None, [Loss("type", reason)])


def test_what_a_client_must_say_is_never_made_up() -> None:
    assert fit({"type": "input_audio_buffer.append"}, Side.CLIENT, {"audio": ""}).event is None


def response(**fields: Any) -> Json:
    body = {"id": "r", "object": "realtime.response", "status": "completed", "output": [], **fields}
    return {"type": "response.done", "event_id": "e", "response": body}


def test_what_the_service_always_says_is_taken_from_the_first_stock_that_fits() -> None:
    stock: list[Json] = [{}, {"output_modalities": ["video"]}, {"output_modalities": ["text"]}]

    found = fit(response(output_modalities=None), Side.SERVER, *stock)

    assert found.event is not None
    assert found.event["response"]["output_modalities"] == ["text"]
    assert found.made_up == ["response.output_modalities"]
    assert [loss.path for loss in found.losses] == ["response.output_modalities"]


def test_without_a_stock_a_server_event_is_left_out() -> None:
    assert fit(response(), Side.SERVER).losses == [Loss("type", "response.output_modalities: must be there")]


def test_a_part_that_the_service_never_sends_is_left_out_of_its_item() -> None:
    image = {"type": "input_image", "image_url": "data:"}
    item = {"id": "i", "type": "message", "role": "user", "status": "completed", "content": [image]}
    event = {"type": "conversation.item.created", "event_id": "e", "item": item}

    found = fit_event(PREVIEW, Side.SERVER, event)

    assert found.event == {**event, "item": {**item, "content": []}}
    assert found.losses == [Loss("item.content[0]", "type: no such value: 'input_image'")]


def test_an_item_of_a_kind_that_the_service_has_not_leaves_the_response_without_it() -> None:
    call = {"id": "c", "type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}"}
    event = {**response(output=[call], output_modalities=["audio"])}

    assert fit(event, Side.SERVER).losses == []
    assert fit_event(PREVIEW, Side.SERVER, event).losses[0].path == "response.output[0]"
