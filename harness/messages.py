"""Events as they cross the wire, and how to point into them.

Rules of this module: every peer is hostile, so a frame is size- and
depth-checked before anything looks at it; an event is a plain JSON object and
is never changed in place once parsed.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, AnyStr, TypeVar

from harness.exceptions import MessageFault

Json = dict[str, Any]
"""One JSON object: an event, an item, a session."""

MAX_FRAME = 32 * 1024 * 1024
"""Bytes. The service takes 15 MiB of audio per append (API reference): 20 MiB of base64, and what stands
around it. The rest is room for clients that send more, of whom nobody has published what becomes."""

MAX_DEPTH = 64
"""Levels of nesting; real events have at most ten (tools with parameter schemas)."""

TOO_DEEP = "JSON nested deeper"
"""How the problem of a frame begins that nests too deep."""


class Side(StrEnum):
    """Who sent a message."""

    CLIENT = "client"
    SERVER = "server"


def parse_event(frame: str | bytes, levels: int = MAX_DEPTH) -> Json:
    """Reads one text frame as an event; raises MessageFault with a reason for people."""
    if isinstance(frame, bytes):
        raise MessageFault("a binary frame; the protocol is JSON text")
    if len(frame) > MAX_FRAME:
        raise MessageFault(f"frame of {len(frame)} bytes, more than the {MAX_FRAME} allowed")
    try:
        value = read_json(frame)
    except RecursionError:
        raise MessageFault(f"{TOO_DEEP} than {levels} levels") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise MessageFault(f"not JSON: {error}") from None
    return check_event(value, frame, levels)


def check_event(value: Any, text: str | bytes, levels: int = MAX_DEPTH) -> Json:
    """`value` as an event; raises MessageFault where it is none. `text` is what it was parsed from."""
    if not isinstance(value, dict):
        raise MessageFault(f"a JSON {json_type(value)}, expected an object")
    if text_too_deep(text, value, levels):
        raise MessageFault(f"{TOO_DEEP} than {levels} levels")
    if not isinstance(value.get("type"), str):
        raise MessageFault("an object without a string 'type'", value.get("event_id"))
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def read_json(text: str) -> Any:
    """JSON as its standard has it; raises ValueError for NaN, and for what Python would make infinite."""
    return _DECODER.decode(text)


def too_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether `value` nests more than `limit` levels; does not recurse."""
    level: list[Any] = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def text_too_deep(text: str | bytes, value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether `value`, parsed from `text`, nests more than `limit` levels.

    Each level opens a bracket, so text with few of them needs no walk.
    """
    if isinstance(text, str):
        opened = _count(text, "{", limit) + _count(text, "[", limit)
    else:
        opened = _count(text, b"{", limit) + _count(text, b"[", limit)
    return opened > limit and too_deep(value, limit)


def _count(text: AnyStr, bracket: AnyStr, limit: int) -> int:
    """How often `bracket` stands in `text`, or `limit + 1`; `find` leaps over audio, `count` does not."""
    found = 0
    at = text.find(bracket)
    while at >= 0 and found <= limit:
        found += 1
        at = text.find(bracket, at + 1)
    return found


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (child for child in value.values() if isinstance(child, (dict, list)))
    elif isinstance(value, list):
        yield from (child for child in value if isinstance(child, (dict, list)))


def render_event(event: Json) -> str:
    """One event as compact JSON text, which UTF-8 can always carry."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: JSON can hold it as an escape, UTF-8 cannot
        return json.dumps(event, separators=(",", ":"))
    return text


_Value = TypeVar("_Value")


def copied(value: _Value) -> _Value:
    """A copy of a JSON value that shares nothing with it; several times as fast as `copy.deepcopy`."""
    copy: Any = value
    if isinstance(value, dict):
        copy = {
            name: copied(inner) if isinstance(inner, (dict, list)) else inner for name, inner in value.items()
        }
    elif isinstance(value, list):
        copy = [copied(inner) if isinstance(inner, (dict, list)) else inner for inner in value]
    return copy  # type: ignore[no-any-return]


def json_type(value: Any) -> str:
    """The JSON name of a value's type, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def get_path(value: Any, path: str) -> Any:
    """The value at a dotted path (`audio.output.voice`), or MISSING."""
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def put_path(target: Json, path: str, value: Any) -> None:
    """Sets the value at a dotted path, making the objects in between."""
    *parents, last = path.split(".")
    for name in parents:
        inner = target.get(name)
        if not isinstance(inner, dict):
            inner = target[name] = {}
        target = inner
    target[last] = value


def put_path_apart(target: Json, path: str, value: Any) -> None:
    """As `put_path`, on a `target` that shares what is in it with others: for them nothing changes."""
    *parents, last = path.split(".")
    for name in parents:
        inner = target.get(name)
        target[name] = inner = dict(inner) if isinstance(inner, dict) else {}
        target = inner
    target[last] = value


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"

    def __bool__(self) -> bool:
        return False


MISSING = _Missing()
"""What `get_path` gives where nothing stands; unlike None, it is no JSON value."""


def decode_audio(text: Any) -> bytes | None:
    """The bytes of a base64 field, or None where it is not base64."""
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
