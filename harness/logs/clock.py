"""The times of a log, in whatever notation, as seconds from its beginning."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from harness.messages import Json

_KEYS = ("t", "time", "ts", "timestamp", "t_ms", "time_ms", "timestamp_ms", "elapsed_ms")

_EPOCHS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e8, 1.0))
"""From which size on a number is a Unix time, and in what unit; no session lasts three years."""


class Clock:
    """Reads the time of one line after another; `began` is the Unix time of the first that has a date."""

    def __init__(self) -> None:
        self.began: float | None = None

    def read(self, line: Json) -> float | None:
        """Seconds from the beginning, or None where a line has no time that can be read."""
        for key in _KEYS:
            if key in line:
                return self.seconds(line[key], 1e-3 if key.endswith("_ms") else 1.0)
        return None

    def seconds(self, value: Any, unit: float = 1.0) -> float | None:
        """A time as seconds from the beginning; numbers that are no Unix time count from it already."""
        number = _number(value)
        if number is not None:
            scale = next((scale for least, scale in _EPOCHS if abs(number) >= least), None)
            return round(number * unit, 6) if scale is None else self._since(number * scale)
        dated = _dated(value)
        return None if dated is None else self._since(dated)

    def _since(self, unix: float) -> float:
        if self.began is None:
            self.began = unix
        return round(unix - self.began, 6)


def time_key(line: Json) -> str | None:
    """The key under which a line has its time."""
    return next((key for key in _KEYS if key in line), None)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _dated(value: Any) -> float | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
