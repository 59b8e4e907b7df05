"""Events of the service that several tests need, and shorthands for translating them."""

from __future__ import annotations

from typing import Any

from harness.dialects import Dialect
from harness.messages import Side
from harness.translation import Translator

Event = dict[str, Any]


def canonical(translator: Translator, *events: Event, side: Side = Side.SERVER) -> list[Event]:
    return [event for wire in events for event in translator.to_canonical(side, wire).events]


def wire(dialect: Dialect, *events: Event, side: Side = Side.SERVER) -> list[Event]:
    translator = Translator(dialect)
    return [made for event in events for made in translator.to_wire(side, event).events]


def item(id_: str, role: str = "user", **more: Any) -> Event:
    return {
        "id": id_,
        "object": "realtime.item",
        "type": "message",
        "role": role,
        "status": "completed",
        **more,
    }


def created(id_: str, previous: str | None = None, role: str = "user") -> Event:
    return {
        "type": "conversation.item.created",
        "event_id": f"e_{id_}",
        "previous_item_id": previous,
        "item": item(id_, role, content=[]),
    }


def output(kind: str, id_: str) -> Event:
    return {
        "type": f"response.output_item.{kind}",
        "event_id": f"o_{kind}_{id_}",
        "response_id": "r",
        "output_index": 0,
        "item": item(id_, "assistant", content=[{"type": "text", "text": "hi"}] if kind == "done" else []),
    }
