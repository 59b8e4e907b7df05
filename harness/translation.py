"""Translates events between a dialect's wire form and canonical form, both ways.

Canonical form is the GA naming widened by what only other dialects have. A
translator keeps state, because one event on one side can be two on the other:
`conversation.item.created` stands for `.added` and `.done`, and for an item of
the model the second half comes only with `response.output_item.done`.

What has no place on the other side is named as a `Loss`; the service's padding
(`obfuscation`) and its fixed decorations (`item.object`, the second copy of a
content part) are put on and taken off without one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.dialects import Dialect
from harness.dialects.model import MapRow
from harness.messages import MISSING, Json, Side, get_path, put_path

_SESSION_EVENTS = frozenset({"session.update", "session.created", "session.updated"})
_RESPONSE_EVENTS = frozenset({"response.create", "response.created", "response.done"})


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that could not be carried over, by its dotted path in the event it came from."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Translation:
    """What one event became: none, one or two events, and what was lost on the way."""

    events: tuple[Json, ...]
    losses: tuple[Loss, ...] = ()


class Translator:
    """Translates one session of one dialect. Feed it every event, in order."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.table = dialect.translation
        self._to_wire_names = {canonical: wire for wire, canonical in self.table.events.items()}
        self._to_wire_parts = {canonical: wire for wire, canonical in self.table.parts.items()}
        self._answering: dict[str, Any] = {}
        """Items of the model still being made: their id, and the item before them."""

    def to_canonical(self, side: Side, event: Json) -> Translation:
        losses: list[Loss] = []
        result = copy.deepcopy(event)
        wire_type = event["type"]
        result["type"] = self.table.events.get(wire_type, wire_type)
        if wire_type in _SESSION_EVENTS and isinstance(event.get("session"), dict):
            result["session"] = objects_to_canonical(self.table.session, event["session"], losses, "session")
        if wire_type in _RESPONSE_EVENTS and isinstance(event.get("response"), dict):
            result["response"] = objects_to_canonical(
                self.table.response, event["response"], losses, "response"
            )
        self._strip_decorations(side, result)
        self._each_item(result, self.table.parts)
        return Translation(self._split(side, result), tuple(losses))

    def to_wire(self, side: Side, event: Json) -> Translation:
        losses: list[Loss] = []
        result = copy.deepcopy(event)
        type_ = event["type"]
        if type_ == "conversation.item.done" and self.table.item_done == "made":
            return Translation(())
        result["type"] = self._to_wire_names.get(type_, type_)
        vocabulary = self.dialect.client if side is Side.CLIENT else self.dialect.server
        if result["type"] not in vocabulary.events:
            return Translation((), (Loss("type", f"{self.dialect.name} has no event for {type_!r}"),))
        if type_ in _SESSION_EVENTS and isinstance(event.get("session"), dict):
            result["session"] = objects_to_wire(self.table.session, event["session"], losses, "session")
        if type_ in _RESPONSE_EVENTS and isinstance(event.get("response"), dict):
            result["response"] = objects_to_wire(self.table.response, event["response"], losses, "response")
        self._each_item(result, self._to_wire_parts)
        self._put_decorations(side, result)
        return Translation((result,), tuple(losses))

    # One event on the wire, two in canonical form.

    def _split(self, side: Side, event: Json) -> tuple[Json, ...]:
        if self.table.item_done != "made" or side is Side.CLIENT:
            return (event,)
        type_ = event["type"]
        item = event.get("item")
        item_id = item.get("id") if isinstance(item, dict) else None
        if not isinstance(item_id, str):
            return (event,)
        if type_ == "response.output_item.added":
            self._answering[item_id] = None
        elif type_ == "conversation.item.added":
            if item_id not in self._answering:
                return (event, {**copy.deepcopy(event), "type": "conversation.item.done"})
            self._answering[item_id] = event.get("previous_item_id")
        elif type_ == "response.output_item.done" and item_id in self._answering:
            done: Json = {"type": "conversation.item.done"}
            if "event_id" in event:
                done["event_id"] = event["event_id"]
            done["previous_item_id"] = self._answering.pop(item_id)
            done["item"] = copy.deepcopy(item)
            return (done, event)
        return (event,)

    # Items and their content parts.

    def _each_item(self, event: Json, parts: Mapping[str, str]) -> None:
        for item in items_of(event):
            if not parts or item.get("role") != "assistant" or not isinstance(item.get("content"), list):
                continue
            for part in item["content"]:
                if isinstance(part, dict) and isinstance(part.get("type"), str):
                    part["type"] = parts.get(part["type"], part["type"])

    def _strip_decorations(self, side: Side, event: Json) -> None:
        if side is Side.CLIENT:
            return
        for item in items_of(event):
            if self.dialect.service.item_object and item.get("object") == self.dialect.service.item_object:
                del item["object"]
        twin = self.dialect.service.content_part_copy
        if twin and "part" in event and event.get(twin) == event["part"]:
            del event[twin]

    def _put_decorations(self, side: Side, event: Json) -> None:
        if side is Side.CLIENT:
            return
        service = self.dialect.service
        for item in items_of(event):
            if service.item_object:
                item["object"] = service.item_object
        if service.content_part_copy and "part" in event:
            event[service.content_part_copy] = copy.deepcopy(event["part"])
        if not service.obfuscation:
            event.pop("obfuscation", None)


def items_of(event: Json) -> list[Json]:
    """The conversation items inside an event: its own, and those of a response's output or input."""
    found: list[Any] = [event.get("item")]
    response = event.get("response")
    if isinstance(response, dict):
        for key in ("output", "input"):
            if isinstance(response.get(key), list):
                found.extend(response[key])
    return [item for item in found if isinstance(item, dict)]


def objects_to_canonical(rows: tuple[MapRow, ...], wire: Json, losses: list[Loss], at: str) -> Json:
    """A session or response object in canonical form; fields without a row keep their names."""
    result: Json = {}
    by_wire = {row.wire: row for row in rows if row.wire is not None}
    for row in rows:
        if row.wire is None and row.canonical is not None and row.fixed is not None:
            put_path(result, row.canonical, row.fixed)
    for name, value in wire.items():
        found = by_wire.get(name)
        if found is None:
            result[name] = copy.deepcopy(value)
        elif found.canonical is None:
            losses.append(Loss(f"{at}.{name}", "canonical form has no place for it"))
        else:
            put_path(result, found.canonical, _mapped(found, value, losses, f"{at}.{name}", to_wire=False))
    return result


def objects_to_wire(rows: tuple[MapRow, ...], canonical: Json, losses: list[Loss], at: str) -> Json:
    """A session or response object in wire form; what the wire cannot hold becomes a loss."""
    rest = copy.deepcopy(canonical)
    result: Json = {}
    deepest_first = sorted(rows, key=lambda row: -(row.canonical or "").count("."))
    for row in deepest_first:
        if row.canonical is None:
            continue
        value = get_path(rest, row.canonical)
        if value is MISSING:
            continue
        _remove(rest, row.canonical)
        if row.wire is not None:
            result[row.wire] = _mapped(row, value, losses, f"{at}.{row.canonical}", to_wire=True)
        elif value != row.fixed and value is not None:
            losses.append(Loss(f"{at}.{row.canonical}", "the wire has no place for it"))
    moved = {row.canonical.split(".")[0] for row in rows if row.canonical and "." in row.canonical}
    for name, value in rest.items():
        if name in moved:
            paths = [f"{name}.{leaf}" for leaf in _leaves(value)] if isinstance(value, dict) else [name]
            losses.extend(Loss(f"{at}.{path}", "the wire has no place for it") for path in paths)
        else:
            result[name] = value
    return result


def _mapped(row: MapRow, value: Any, losses: list[Loss], path: str, *, to_wire: bool) -> Any:
    if not row.values or value is None:
        return copy.deepcopy(value)
    for wire, canonical in row.values:
        known, other = (canonical, wire) if to_wire else (wire, canonical)
        if _same(value, known):
            return copy.deepcopy(other)
    losses.append(Loss(path, f"{value!r} has no counterpart"))
    return copy.deepcopy(value)


def _same(value: Any, known: Any) -> bool:
    """Equal; lists of strings as sets; an audio format also where it leaves the rate out."""
    if isinstance(value, list) and isinstance(known, list):
        return all(member in known for member in value) and all(member in value for member in known)
    if isinstance(value, dict) and isinstance(known, dict) and "type" in value:
        return all(known.get(key) == inner for key, inner in value.items())
    return bool(value == known)


def _remove(target: Json, path: str) -> None:
    parent, _, last = path.rpartition(".")
    holder = get_path(target, parent) if parent else target
    if isinstance(holder, dict):
        holder.pop(last, None)


def _leaves(value: Json, at: str = "") -> list[str]:
    found: list[str] = []
    for name, inner in value.items():
        if isinstance(inner, dict):
            found.extend(_leaves(inner, f"{at}{name}."))
        else:
            found.append(f"{at}{name}")
    return found
