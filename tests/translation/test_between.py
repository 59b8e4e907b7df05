from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bundled import cassettes_folder
from harness.cassette import load_cassette
from harness.dialects import (
    Dialect,
    Refusal,
    bundled_dialect,
    compiled_schema,
    dialect_names,
    judge_client_event,
)
from harness.messages import Json, Side
from harness.translation import Bridge, Loss, Translation, Translator
from tests.talk import assert_orders
from tests.translation.generated import client_events
from tests.translation.places import after_closing_up, in_canonical, leaves, on_wire, rest, steps, without
from tests.translation.sessions import Session, told

DIALECTS = {name: bundled_dialect(name) for name in dialect_names()}
PREVIEW, V1 = DIALECTS["azure-2024-10-01-preview"], DIALECTS["azure-v1"]
VOICE_LIVE, BETA = DIALECTS["azure-voice-live"], DIALECTS["openai-beta"]
CASSETTES = sorted(cassettes_folder().glob("*/*.jsonl"))
DONE = "conversation.item.done"

every_dialect = pytest.mark.parametrize("name", DIALECTS)


def refusals(dialect: Dialect, event: Json) -> list[Refusal]:
    # The walk refuses the elements of an array of which the tables say nothing; the schemas do not.
    found = judge_client_event(dialect, event)
    return [one for one in found if isinstance(one, Refusal) and one.expected]


def assert_valid(dialect: Dialect, side: Side, event: Json) -> None:
    schema = compiled_schema(dialect, side, event["type"])
    assert schema is not None, event["type"]
    assert schema.accepts(event), (dialect.name, event, schema.problems(event)[:2])


# One event of the client, made from the tables.


@every_dialect
@settings(max_examples=60)
@given(data=st.data())
def test_a_client_event_valid_in_one_dialect_is_valid_in_every_other_or_refused_with_a_reason(
    name: str, data: st.DataObject
) -> None:
    source = DIALECTS[name]
    event = data.draw(client_events(source))
    before = copy.deepcopy(event)
    assert refusals(source, event) == []

    for target in DIALECTS.values():
        found = Bridge(source, target).carry(Side.CLIENT, event)

        assert event == before
        assert len(found.events) == 1 or [loss.path for loss in found.losses] == ["type"]
        assert all(loss.reason for loss in found.losses)
        assert found.made_up == ()
        for made in found.events:
            assert refusals(target, made) == [], (target.name, made)
            assert_valid(target, Side.CLIENT, made)


@every_dialect
@settings(max_examples=60)
@given(data=st.data())
def test_every_field_of_a_client_event_is_at_its_place_in_the_other_dialect_or_listed_as_lost(
    name: str, data: st.DataObject
) -> None:
    source = DIALECTS[name]
    event = data.draw(client_events(source))

    for target in DIALECTS.values():
        found = Bridge(source, target).carry(Side.CLIENT, event)
        for made in found.events:
            there = dict(leaves(made))
            kept = without(event, {loss.path for loss in found.losses})
            lost = {steps(loss.path)[:length] for loss in found.losses for length in range(9)}
            for place, value in leaves(kept):
                # What kind of session it is stands, on some wires, in the event's name.
                if (value == {} and place in lost) or place in (("type",), ("session", "type")):
                    continue
                # A voice is an object on one wire and a name on another.
                where = place[: place.index("voice") + 1] if "voice" in place else place
                assert any(
                    there.get(other, MISSING) == value or (spelled(value, where) and begins(there, other))
                    for other in counterparts(source, target, event, made, where)
                ), (target.name, place, made)


MISSING = object()


def counterparts(
    source: Dialect, target: Dialect, event: Json, made: Json, place: tuple[Any, ...]
) -> set[Any]:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)[1:]
    return {
        steps(other)
        for middle in in_canonical(source, Side.CLIENT, event["type"], path)
        for other in on_wire(target, Side.CLIENT, made["type"], middle)
    }


SPELLED = {
    *("input_audio_format", "output_audio_format", "format", "rate", "type"),
    *("modalities", "output_modalities", "commit", "conversation", "voice"),
}


def spelled(value: Any, place: tuple[Any, ...]) -> bool:
    """Whether two dialects may write it in different ways; what an object holds is looked at by itself."""
    return place[-1] in SPELLED or value == {}


def begins(there: dict[Any, Any], place: tuple[Any, ...]) -> bool:
    return any(other[: len(place)] == place for other in there)


@every_dialect
@settings(max_examples=60)
@given(data=st.data())
def test_a_client_event_is_itself_after_a_way_there_and_back_but_for_what_is_listed_as_lost(
    name: str, data: st.DataObject
) -> None:
    source = DIALECTS[name]
    event = data.draw(client_events(source))

    for target in DIALECTS.values():
        way = Way(source, target)
        way.go(Side.CLIENT, event)
        for step in way.steps:
            assert len(step.back) == len(step.there.events), (target.name, step)
            step.check()


# Whole sessions.


@dataclass
class Step:
    """One event, what it became, what came back of it, and the places that either way lists."""

    event: Json
    there: Translation
    back: list[Json] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    lost_again: set[str] = field(default_factory=set)

    def check(self) -> None:
        for returned in self.back:
            expected = rest(self.event, self.lost | self.lost_again)
            assert rest(returned, after_closing_up(self.lost) | self.lost_again) == expected, self.there


class Way:
    """A session's way into another dialect and back."""

    def __init__(self, source: Dialect, target: Dialect) -> None:
        self.source, self.target = source, target
        self.out, self.home = Bridge(source, target), Bridge(target, source)
        self.steps: list[Step] = []

    def go(self, side: Side, event: Json) -> None:
        def own(path: str) -> set[str]:
            return on_wire(self.source, side, event["type"], path)

        step = Step(event, self.out.carry(side, event))
        step.lost = {place for loss in step.there.losses for place in own(loss.path)}
        for made in step.there.events:
            returned = self.home.carry(side, made)
            step.back.extend(returned.events)
            again = {loss.path for loss in returned.losses} | set(returned.made_up)
            middle = {
                place for path in again for place in in_canonical(self.target, side, made["type"], path)
            }
            step.lost_again |= {place for path in middle for place in own(path)}
        self.steps.append(step)


def assert_there_and_back(source: Dialect, target: Dialect, session: Iterable[tuple[Side, Json]]) -> None:
    way = Way(source, target)
    for side, event in session:
        way.go(side, event)
        for made in way.steps[-1].there.events:
            if side is Side.SERVER:
                assert_valid(target, side, made)
    said: dict[str, set[str]] = {}
    """What was lost of each item: one half of it may be told by the other."""
    returned = {one["item"]["id"]: one for step in way.steps for one in step.back if one["type"] == DONE}
    left = {event["item"]["id"] for event, _ in way.out.end()}
    for step in way.steps:
        step.back = [one for one in step.back if one["type"] != DONE]
        if "item" in step.event and step.event["type"] != DONE:
            said.setdefault(str(step.event["item"].get("id")), set()).update(step.lost)
        if step.event["type"] != DONE:
            assert step.back or "type" in step.lost, (target.name, step)
            step.check()
    for step in (step for step in way.steps if step.event["type"] == DONE):
        id_ = step.event["item"]["id"]
        assert (id_ in returned) != (id_ in left)
        step.back = [returned[id_]] if id_ in returned else []
        step.lost |= {path for path in said[id_] if path.startswith("item")}
        step.check()


@cache
def session_of(source: Dialect) -> Session:
    return told(source)


@every_dialect
def test_what_a_service_tells_is_valid_in_every_other_dialect_and_itself_after_a_way_there_and_back(
    name: str,
) -> None:
    source = DIALECTS[name]
    session = session_of(source)
    before = json.dumps(session)

    assert {event["type"] for _, event in session} >= {"session.updated", "response.done", "error"}
    for target in DIALECTS.values():
        assert_there_and_back(source, target, session)
    assert json.dumps(session) == before


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_cassette_is_valid_in_every_other_dialect_and_itself_after_a_way_there_and_back(path: Any) -> None:
    cassette = load_cassette(path)
    session = [(one.side, one.event) for one in cassette.interactions if one.event is not None]

    for target in DIALECTS.values():
        assert_there_and_back(bundled_dialect(cassette.header.dialect), target, session)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("azure-ws-*.jsonl", "azure-v1"),
        ("parity-*azure*.jsonl", "azure-v1"),
        ("parity-*openai*.jsonl", "openai-ga"),
        ("openai-ws-*.jsonl", "openai-ga"),
        ("openai-beta-*.jsonl", "openai-beta"),
        ("azure-preview-webrtc-*.jsonl", "azure-2025-04-01-preview"),
        ("azure-voice-live-*.jsonl", "azure-voice-live"),
    ],
)
def test_a_captured_session_is_valid_in_every_other_dialect_and_itself_after_a_way_there_and_back(
    pattern: str, name: str, captured: Callable[[str], list[list[Any]]]
) -> None:
    for entries in captured(pattern):
        session = [(entry.side, entry.event) for entry in entries if not entry.truncated]
        for target in DIALECTS.values():
            assert_there_and_back(DIALECTS[name], target, session)


@every_dialect
def test_a_translated_session_keeps_the_orders_of_the_service(name: str) -> None:
    source = DIALECTS[name]
    for target in DIALECTS.values():
        bridge, reader = Bridge(source, target), Translator(target)
        events = [
            canonical
            for side, event in session_of(source)
            for made in bridge.carry(side, event).events
            for canonical in reader.to_canonical(side, made).events
            if side is Side.SERVER
        ]
        types = [event["type"] for event in events]
        first, last = types.index("response.created"), types.index("response.done")

        assert_orders(events[first : last + 1])
        assert types.count("conversation.item.added") == types.count(DONE)


@every_dialect
def test_within_a_dialect_nothing_changes(name: str) -> None:
    source = DIALECTS[name]
    bridge = Bridge(source, source)

    for side, event in session_of(source):
        assert bridge.carry(side, event) == Translation((event,))


# What is lost, by its place in the event it came from.


def carry(source: Dialect, target: Dialect, event: Json, side: Side = Side.CLIENT) -> Translation:
    return Bridge(source, target).carry(side, event)


def update(**session: Any) -> Json:
    return {"type": "session.update", "session": session}


def lost(translation: Translation) -> list[str]:
    return [loss.path for loss in translation.losses]


def test_what_only_the_flat_generation_has_is_lost_to_the_nested_one() -> None:
    found = carry(PREVIEW, V1, update(temperature=0.7, voice="echo"))

    assert lost(found) == ["session.temperature"]
    assert found.events == (update(type="realtime", audio={"output": {"voice": "echo"}}),)


def test_what_only_the_nested_generation_has_is_lost_to_the_flat_one() -> None:
    vad = {"type": "server_vad", "idle_timeout_ms": 5000}
    found = carry(
        V1, PREVIEW, update(type="realtime", truncation="auto", audio={"input": {"turn_detection": vad}})
    )

    assert set(lost(found)) == {"session.truncation", "session.audio.input.turn_detection.idle_timeout_ms"}
    assert found.events == (update(turn_detection={"type": "server_vad"}),)


def test_a_tool_of_a_kind_that_the_other_dialect_has_not_is_left_out_whole() -> None:
    function = {"type": "function", "name": "look"}
    mcp = {"type": "mcp", "server_label": "files", "server_url": "https://files.invalid"}

    found = carry(V1, PREVIEW, update(type="realtime", tools=[mcp, function], tool_choice="auto"))

    assert found.events == (update(tools=[function], tool_choice="auto"),)
    assert found.losses == (Loss("session.tools[0]", "type: no such value: 'mcp'"),)


def test_a_choice_of_a_kind_that_the_other_dialect_has_not_is_lost() -> None:
    found = carry(V1, PREVIEW, update(type="realtime", tool_choice={"type": "mcp", "server_label": "files"}))

    assert found.events == (update(),)
    assert lost(found) == ["session.tool_choice"]


def test_an_image_is_left_out_of_a_message_to_a_dialect_that_takes_none() -> None:
    text = {"type": "input_text", "text": "What is this?"}
    content = [{"type": "input_image", "image_url": "data:"}, text]
    message = {"type": "message", "role": "user", "content": content}

    found = carry(V1, PREVIEW, {"type": "conversation.item.create", "item": message})

    assert found.events[0]["item"]["content"] == [text]
    assert lost(found) == ["item.content[0]"]


def test_the_items_of_a_response_of_its_own_are_carried_with_their_parts() -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
    asked = {"type": "item_reference", "id": "item_1"}
    event = {"type": "response.create", "response": {"conversation": "none", "input": [said, asked]}}

    (to_ga,) = carry(PREVIEW, V1, event).events
    (to_voice_live,) = carry(PREVIEW, VOICE_LIVE, event).events

    assert to_ga["response"]["input"] == [{**said, "content": [{"type": "output_text", "text": "Hi"}]}, asked]
    assert to_voice_live["response"]["commit"] is False
    assert to_voice_live["response"]["input_items"][0] == said


def test_a_value_that_the_other_dialect_refuses_is_lost_at_its_own_place() -> None:
    found = carry(VOICE_LIVE, V1, update(output_audio_format="pcm16_16000hz"))

    assert lost(found) == ["session.output_audio_format"]
    assert refusals(V1, found.events[0]) == []


def test_an_event_that_cannot_be_without_what_is_refused_goes_as_a_whole() -> None:
    item = {"type": "mcp_approval_response", "id": "i", "approval_request_id": "r", "approve": True}

    found = carry(V1, PREVIEW, {"type": "conversation.item.create", "item": item})

    assert found.events == ()
    assert found.losses == (Loss("type", "item.type: no such kind: 'mcp_approval_response'"),)


def test_an_event_of_no_other_dialect_is_refused_with_a_reason() -> None:
    found = carry(VOICE_LIVE, V1, {"type": "input_audio.clear"})

    assert found == Translation((), (Loss("type", "azure-v1 has no event for 'input_audio.clear'"),))


def test_a_client_event_that_its_own_dialect_refuses_comes_out_valid_too() -> None:
    found = carry(V1, PREVIEW, update(type="realtime", voice="echo", colour=7, output_modalities="text"))

    assert found.events == (update(),)
    assert set(lost(found)) == {"session.voice", "session.colour", "session.output_modalities"}


# What is made up.


def session_created(dialect: Dialect, **changes: Any) -> Json:
    (_, event) = copy.deepcopy(session_of(dialect)[0])
    event["session"].update(changes)
    return event


def test_what_the_other_service_always_says_is_made_up_from_its_defaults_and_named() -> None:
    voice = {"type": "azure-standard", "name": "en-US-Ava"}
    found = carry(VOICE_LIVE, PREVIEW, session_created(VOICE_LIVE, voice=voice), Side.SERVER)

    assert found.events[0]["session"]["voice"] == "alloy"
    assert found.made_up == ("session.voice",)
    assert "session.voice" in lost(found)


def test_a_response_repeats_the_session_as_it_was_last_told() -> None:
    bridge = Bridge(PREVIEW, V1)
    bridge.carry(Side.SERVER, session_created(PREVIEW, modalities=["text"]))
    response = {"id": "resp_1", "object": "realtime.response", "status": "in_progress", "output": []}

    found = bridge.carry(Side.SERVER, {"type": "response.created", "event_id": "e", "response": response})

    assert found.events[0]["response"]["output_modalities"] == ["text"]
    assert found.made_up == ("response.output_modalities",)


def test_a_server_event_that_lacks_what_nobody_can_make_up_is_left_out_and_named() -> None:
    event = {"type": "response.created", "event_id": "e", "response": {"status": "in_progress", "output": []}}

    found = carry(PREVIEW, V1, event, Side.SERVER)

    assert found.events == ()
    assert lost(found) == ["type"]


def test_where_one_event_becomes_two_the_one_that_was_made_has_an_id_of_its_own() -> None:
    bridge = Bridge(PREVIEW, V1)
    for side, event in session_of(PREVIEW):
        found = bridge.carry(side, event)
        if len(found.events) == 2:
            (done,) = [made for made in found.events if made["type"] == DONE]
            assert done["event_id"] == f"{event['event_id']}_done"
            assert found.made_up == ("event_id",)
