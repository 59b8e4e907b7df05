"""The values that parameters of faults take. A reader raises ValueError with what it expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

Value = str | int | float

LONGEST = 600.0
"""Seconds; a case that waits longer is no test any more."""

_PATTERN = re.compile(r"[A-Za-z0-9_.*|-]+")
NO_CODE = 1005
"""RFC 6455 7.4.1: says that a close frame has no code."""

_SENDABLE = frozenset({*range(1000, 1004), NO_CODE, *range(1007, 1015), *range(3000, 5000)})
"""RFC 6455 7.4: 1004, 1006 and 1015 are never sent; 1005 says that a close frame has no code."""


def text(given: str) -> str:
    return given


def name(given: str) -> str:
    if not given.strip():
        raise ValueError("a name")
    return given


def count(given: str) -> int:
    return _number(given, 1, 1_000_000, "a whole number from 1 on")


def whole(given: str) -> int:
    return _number(given, 0, 1_000_000, "a whole number")


def times(given: str) -> Value:
    return given if given == "always" else _number(given, 1, 1_000_000, "a whole number from 1 on, or always")


def status(given: str) -> int:
    return _number(given, 400, 599, "an HTTP status from 400 to 599")


def close_code(given: str) -> int:
    expected = (
        "a close code that can be sent: 1000-1003, 1005, 1007-1014 or 3000-4999 (1006 is the fault drop)"
    )
    code = _number(given, 0, 10_000, expected)
    if code not in _SENDABLE:
        raise ValueError(expected)
    return code


def reason(given: str) -> str:
    expected = "text of at most 123 bytes in UTF-8: a close frame holds no more"
    try:
        size = len(given.encode())
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can write
        raise ValueError(expected) from None
    if size > 123:
        raise ValueError(expected)
    return given


def seconds(given: str) -> float:
    expected = f"seconds from 0 to {LONGEST:g}"
    try:
        value = float(given)
    except ValueError:
        raise ValueError(expected) from None
    if not (math.isfinite(value) and 0 <= value <= LONGEST):
        raise ValueError(expected)
    return value


def pattern(given: str) -> str:
    if not _PATTERN.fullmatch(given) or "" in given.split("|"):
        raise ValueError("an event type, with `*` for anything and `|` for or")
    return given


def path(given: str) -> str:
    if "" in given.split("."):
        raise ValueError("a dotted path such as response.usage or item.content.0.text")
    if given == "type":
        raise ValueError("another field than the type: that is the fault event-without-type or unknown-event")
    return given


def one_of(*names: str) -> Callable[[str], str]:
    """A reader of these words and no others."""

    def read(given: str) -> str:
        if given not in names:
            raise ValueError(" or ".join(names))
        return given

    return read


def _number(given: str, least: int, most: int, expected: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", given) or not least <= int(given) <= most:
        raise ValueError(expected)
    return int(given)
