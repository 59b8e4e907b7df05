"""Refusals, and the error events they become, filled in from the catalogue."""

from __future__ import annotations

from typing import Any, Protocol

from harness.dialects import ErrorSpec
from harness.messages import Json


class Refused(Exception):
    """Raised by a rule: the service answers with this error of the catalogue and changes nothing."""

    def __init__(self, error: str, value: Any = None, expected: Any = None, path: str | None = None) -> None:
        self.error = error
        self.value = value
        self.expected = expected
        self.path = path


class _Occasion(Protocol):
    @property
    def value(self) -> Any: ...
    @property
    def expected(self) -> Any: ...


def error_event(spec: ErrorSpec, occasion: _Occasion, client_event_id: Any) -> Json:
    """The `error` event for one refusal, without its own event id."""
    path = getattr(occasion, "path", None)
    fields = {
        "param": path,
        "value": occasion.value,
        "supported": occasion.expected,
        "expected": occasion.expected,
    }
    error: Json = {
        "type": spec.type,
        "code": spec.code,
        "message": spec.message.format(**fields),
        "param": None if spec.param is None or path is None else spec.param.format(**fields),
    }
    if spec.event_id == "client":
        error["event_id"] = client_event_id if isinstance(client_event_id, str) else None
    elif spec.event_id == "null":
        error["event_id"] = None
    return {"type": "error", "error": error}
