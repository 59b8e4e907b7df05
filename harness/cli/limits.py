"""Limits as they are written on the command line: `message=1MiB`, `audio=60s`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.exceptions import UsageFault
from harness.server import Limits

_NAMES = {"message": "message_bytes", "nesting": "nesting", "sessions": "sessions", "audio": "audio_seconds"}
_UNITS = {"": 1, "KB": 1000, "KIB": 1024, "MB": 1000**2, "MIB": 1024**2}
_BYTES = (("MiB", 1024**2), ("KiB", 1024))
_USUAL = Limits()
_SIZE = re.compile(r"([0-9]{1,9})\s*([A-Za-z]*)")
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)s")
_COUNT = re.compile(r"[0-9]{1,9}")


def read_limits(texts: Iterable[str]) -> Limits:
    """The limits that are asked for; raises UsageFault. All others are as ever."""
    given: dict[str, float] = {}
    for text in texts:
        name, is_, value = text.partition("=")
        if not is_ or name not in _NAMES:
            raise UsageFault(f"{text!r} is no limit", known=tuple(_NAMES), hint="write NAME=VALUE")
        given[_NAMES[name]] = _value(name, value)
    return Limits(**given)  # type: ignore[arg-type]  # whole numbers where they must be: see _value


def limit_texts(limits: Limits) -> list[str]:
    """As they are written, those that were asked for."""
    texts = []
    for name, field in _NAMES.items():
        value = getattr(limits, field)
        if value != getattr(_USUAL, field):
            texts.append(f"{name}={_written(name, value)}")
    return texts


def _written(name: str, value: float) -> str:
    if name == "audio":
        return f"{value:g}s"
    unit, bytes_ = next(((unit, one) for unit, one in _BYTES if value % one == 0), ("", 1))
    return f"{int(value) // bytes_}{unit}" if name == "message" else str(value)


def _value(name: str, value: str) -> float:
    if name == "message":
        found = _SIZE.fullmatch(value)
        if found is None or found[2].upper() not in _UNITS:
            raise UsageFault(f"a message limit of {value!r}", hint="write bytes, or 512KiB, 4MiB")
        return int(found[1]) * _UNITS[found[2].upper()]
    if name == "audio":
        found = _SECONDS.fullmatch(value)
        if found is None:
            raise UsageFault(f"an audio limit of {value!r}", hint="write seconds with their unit: 60s")
        return float(found[1])
    if _COUNT.fullmatch(value) is None:
        raise UsageFault(f"a limit of {value!r} {name}", hint="write a whole number")
    return int(value)
