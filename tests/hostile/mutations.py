"""Hostile frames: valid client events with something wrong in them, and what is no event at all.

Everything is chosen by a `Dice`, so that Hypothesis, a coverage-guided fuzzer
and a plain random number generator can all throw it.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from harness.dialects import Dialect
from harness.messages import Json

T = TypeVar("T")
Dice = Callable[[int], int]
"""Gives a number from 0 up to the one it is asked for, without it."""

_RAW = {
    "@nan@": "NaN",
    "@inf@": "-Infinity",
    "@huge@": "1" + "0" * 5_000,
    "@exponent@": "1e999",
    "@half@": r'"\ud800"',
    "@deep@": "[" * 80 + "]" * 80,
    "@abyss@": '{"a":' * 3_000 + "1" + "}" * 3_000,
    "@twice@": '{"type": "message", "type": "function_call", "type": 3}',
    "@open@": '{"type": ',
}
"""What no JSON library writes, put in by text."""

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    1e308,
    "",
    "\x00",
    "\U0001f600" * 40,
    "x" * 70_000,
    "root",
    "none",
    [],
    {},
    [[]],
    [None],
    ["text", "text"],
    [{}],
    {"type": None},
    {"type": "realtime"},
    {"": {}},
    {"__proto__": 1, "a.b": [1]},
    "{value}{param}{0}",
    *_RAW,
)

FRAMES: tuple[str | bytes, ...] = (
    "",
    " ",
    "\ufeff{}",
    "null",
    "[]",
    '"type"',
    "{",
    '{"type": 1}',
    '{"type": ""}',
    '{"type": "session.update"',
    '{"type": "\ud800"}',
    "[" * 100_000,
    '{"type": "session.update", "session": ' + "[" * 900 + "]" * 900 + "}",
    '{"a":' * 200_000,
    b"",
    b"\xff\xfe",
    b'{"type": "response.create"}',
    "\x00" * 100,
    "{}" * 1000,
    '{"type": "input_audio_buffer.append", "audio": "' + "A" * 2_000_000 + '"}',
    '{"type": "input_audio_buffer.append", "audio": "' + "=" * 50 + '"}',
    '{"type": "input_audio_buffer.append", "audio": "AAA"}',
    '{"type": "input_audio_buffer.append", "audio": "\u00e4\u00f6"}',
)


def valid_events(dialect: Dialect) -> list[Json]:
    """One or more events of every kind a client has, as the dialect takes them."""
    nested = "session_realtime" in dialect.client.shapes
    vad = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200}
    tool = {
        "type": "function",
        "name": "look",
        "description": "Looks.",
        "parameters": {"type": "object", "properties": {}},
    }
    tools = {"tools": [tool], "tool_choice": "auto"}
    if nested:
        sound = {"input": {"turn_detection": vad}, "output": {"voice": "coral"}}
        session: Json = {"type": "realtime", "instructions": "Be kind.", "audio": sound, **tools}
        response: Json = {"output_modalities": ["text"], "audio": {"output": {"voice": "coral"}}}
    else:
        session = {"instructions": "Be kind.", "turn_detection": vad, "voice": "coral", **tools}
        response = {"modalities": ["text"], "voice": "coral"}
    text = [{"type": "input_text", "text": "Hello?"}]
    items: tuple[Json, ...] = (
        {"id": "mine", "type": "message", "role": "user", "content": text},
        {"type": "function_call_output", "call_id": "call_1", "output": "{}"},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
    )
    pcm = base64.b64encode(bytes(9_600)).decode()
    return [
        {"type": "session.update", "session": session},
        {"type": "session.update", "session": session},
        {"type": "input_audio_buffer.append", "audio": pcm},
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
        *({"type": "conversation.item.create", "previous_item_id": "root", "item": item} for item in items),
        {"type": "conversation.item.retrieve", "item_id": "mine"},
        {"type": "conversation.item.delete", "item_id": "mine"},
        {"type": "conversation.item.truncate", "item_id": "mine", "content_index": 0, "audio_end_ms": 5},
        {"type": "response.create", "event_id": "e", "response": {**response, "metadata": {"a": "b"}}},
        {"type": "response.create", "response": {"conversation": "none", "input": [items[0]]}},
        {"type": "response.create"},
        {"type": "response.cancel", "response_id": "resp_1"},
        *({"type": name} for name in dialect.client.events),
    ]


def one_of(dice: Dice, values: Sequence[T]) -> T:
    return values[dice(len(values))]


def hostile_frame(dice: Dice, events: Sequence[Json]) -> str | bytes:
    """One frame: now and then a right one, mostly one that is wrong in one to three places."""
    kind = dice(20)
    if kind == 0:
        return one_of(dice, FRAMES)
    event = copy.deepcopy(one_of(dice, events))
    for _ in range(0 if kind < 5 else 1 + dice(3)):
        mutate(dice, event)
    text = json.dumps(event, ensure_ascii=bool(dice(2)))
    for mark, raw in _RAW.items():
        text = text.replace(f'"{mark}"', raw)
    return damaged(dice, text) if kind == 19 else text


def damaged(dice: Dice, text: str) -> str | bytes:
    """The text cut, doubled, or with a character changed; or as bytes."""
    at = dice(min(len(text), 10_000) + 1)
    how = dice(5)
    if how == 0:
        return text[:at]
    if how == 1:
        return text + text[at:]
    if how == 2:
        return text.encode("utf-8", "surrogatepass")
    if how == 3:  # one more key of a name that is there already
        return text.replace("{", '{"type": null, "id": 1, ', 1)
    return text[:at] + chr(one_of(dice, (0, 34, 44, 92, 123, 0xD800, 0xFEFF, 0x1F600))) + text[at + 1 :]


def mutate(dice: Dice, event: Json) -> None:
    """Drops, replaces, renames or adds one thing somewhere in the event, in place."""
    holder: Any = event
    while True:
        inner = [
            child
            for child in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(child, dict | list) and child
        ]
        if not inner or dice(3) == 0:
            break
        holder = one_of(dice, inner)
    value = copy.deepcopy(one_of(dice, VALUES))
    if isinstance(holder, list):
        if dice(2):
            holder.append(value)
        elif holder:
            holder[dice(len(holder))] = value
        return
    keys = [key for key in holder if holder is not event or key != "type" or dice(4) == 0]
    how = dice(4)
    if how == 0 or not keys:
        holder[one_of(dice, ("made_up", "", "type", "event_id", "session", "response", "item", "id"))] = value
        return
    key = one_of(dice, keys)
    if how == 1:
        del holder[key]
    elif how == 2:
        holder[f"{key}_"] = holder.pop(key)
    else:
        holder[key] = value
