"""A client for tests: it says one thing at a time to a service model and reads all that comes back."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from harness.dialects import Dialect, bundled_dialect, compiled_schema
from harness.messages import Json, Side
from harness.scenario import Answer
from harness.service import Service

GA = "azure-v1"
PREVIEW = "azure-2024-10-01-preview"
BOTH = (GA, PREVIEW)

NOW = 1_767_225_600


class Talk:
    """One session. Every event that comes back is checked against its dialect's own schema."""

    def __init__(self, service: Service | None = None, *, dialect: str = GA, **options: Any) -> None:
        self.service = service or Service(
            bundled_dialect(dialect), **{"seed": 1, "unix_time": NOW, **options}
        )
        self.heard: list[Json] = []

    @property
    def dialect(self) -> Dialect:
        return self.service.dialect

    @property
    def ga(self) -> bool:
        """Whether the dialect is of the generation with a nested session."""
        return "session_realtime" in self.dialect.client.shapes

    def open(self) -> Talk:
        self.service.open()
        self.read()
        return self

    def read(self) -> list[Json]:
        """Everything the service has to say now."""
        return list(self.reading())

    def reading(self) -> Iterator[Json]:
        while (outgoing := self.service.pop()) is not None:
            assert_valid(self.dialect, outgoing.event)
            self.heard.append(outgoing.event)
            yield outgoing.event

    def read_until(self, type_: str) -> list[Json]:
        """What comes until an event of that type, with it."""
        found: list[Json] = []
        for event in self.reading():
            found.append(event)
            if event["type"] == type_:
                return found
        raise AssertionError(f"no {type_} came, but {[event['type'] for event in found]}")

    def send(self, event: Json | str) -> None:
        self.service.receive(event if isinstance(event, str) else json.dumps(event))

    def ask(self, event: Json | str) -> list[Json]:
        """Sends one event and reads what comes of it."""
        self.send(event)
        return self.read()

    # The client's events, each in the dialect's own words.

    def update(self, *, nested: Json, flat: Json, **more: Any) -> list[Json]:
        session = {"type": "realtime", **nested} if self.ga else flat
        return self.ask({"type": "session.update", "session": session, **more})

    def say(self, text: str = "Hello!", **fields: Any) -> list[Json]:
        return self.ask(user_item(text, **fields))

    def respond(self, **response: Any) -> list[Json]:
        event: Json = {"type": "response.create"}
        return self.ask({**event, "response": response} if response else event)

    def speak(self, pcm: bytes) -> list[Json]:
        return self.ask({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})

    def commit(self, ms: int = 200) -> list[Json]:
        self.speak(bytes(48 * ms))
        return self.ask({"type": "input_audio_buffer.commit"})


def talk(dialect: str, answers: Iterable[Answer] = (), **options: Any) -> Talk:
    return Talk(dialect=dialect, answers=answers, **options).open()


def user_item(text: str = "Hello!", *, previous_item_id: str | None = None, **item: Any) -> Json:
    event: Json = {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": text}],
            **item,
        },
    }
    return event if previous_item_id is None else {**event, "previous_item_id": previous_item_id}


def result_item(call_id: str, output: str = "{}") -> Json:
    return {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": call_id, "output": output},
    }


def types(events: Iterable[Json]) -> list[str]:
    return [event["type"] for event in events]


def only(events: list[Json]) -> Json:
    assert len(events) == 1, types(events)
    return events[0]


def one(events: Iterable[Json], type_: str) -> Json:
    found = [event for event in events if event["type"] == type_]
    assert len(found) == 1, f"{len(found)} times {type_}"
    return found[0]


def assert_valid(dialect: Dialect, event: Json) -> None:
    schema = compiled_schema(dialect, Side.SERVER, event["type"])
    assert schema is not None, f"{dialect.name} has no server event {event['type']}"
    problems = schema.problems(event)
    assert not problems, (event["type"], problems[:3])


def assert_orders(events: list[Json]) -> None:
    """The rules that hold of every captured response ; canonical events."""
    created, done = events[0], events[-1]
    assert created["type"] == "response.created"
    assert done["type"] == "response.done"
    assert created["response"]["status"] == "in_progress"
    assert created["response"]["id"] == done["response"]["id"]
    made = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done["response"]["output"] == made
    assert types(events).count("response.created") == types(events).count("response.done") == 1
    for event in events[1:-1]:
        if event["type"].startswith("response."):
            assert event["response_id"] == created["response"]["id"]
    for before, after in itertools.pairwise(events):
        if before["type"] == "response.output_item.added":
            assert after["type"] == "conversation.item.added"
            assert after["item"] == before["item"]
        if after["type"] == "response.output_item.done":
            assert before["type"] == "conversation.item.done"
            assert before["item"] == after["item"]
    for item in made:
        _assert_lane(item, [event for event in events if _item_of(event) == item["id"]])


def _item_of(event: Json) -> Any:
    return event.get("item_id") or (event.get("item") or {}).get("id")


_DONE_VALUE = {
    "response.output_text": "text",
    "response.output_audio_transcript": "transcript",
    "response.function_call_arguments": "arguments",
    "response.output_audio": None,
}


def _assert_lane(item: Json, lane: list[Json]) -> None:
    names = types(lane)
    assert names[:2] == ["response.output_item.added", "conversation.item.added"]
    assert names[-2:] == ["conversation.item.done", "response.output_item.done"]
    inner = lane[2:-2]
    if item["type"] == "message":
        assert inner[0]["type"] == "response.content_part.added"
        assert inner[-1]["type"] == "response.content_part.done"
        assert inner[0]["part"]["type"] == inner[-1]["part"]["type"]
        inner = inner[1:-1]
        assert not any(event["type"].startswith("response.content_part.") for event in inner)
    streams: dict[str, list[str]] = {}
    closed: dict[str, Json] = {}
    for event in inner:
        stream, _, kind = event["type"].rpartition(".")
        assert stream not in closed, f"{event['type']} after {stream}.done"
        if kind == "delta":
            streams.setdefault(stream, []).append(event["delta"])
        else:
            closed[stream] = event
    assert streams.keys() <= closed.keys()
    for stream, event in closed.items():
        field = _DONE_VALUE[stream]
        if field is not None:
            assert "".join(streams.get(stream, ())) == event[field]
    if item["type"] == "function_call":
        assert closed["response.function_call_arguments"]["arguments"] == item["arguments"]
