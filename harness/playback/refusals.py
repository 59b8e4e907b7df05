"""A recorded refusal, said to the client that is there."""

from __future__ import annotations

from typing import Any

from harness.dialects import Dialect
from harness.messages import Json, copied
from harness.recording import RecordedRefusal


def repeated(refusal: RecordedRefusal, given: Any, dialect: Dialect) -> Json:
    """The recorded error for an event with the id `given`.

    Where the recorded client gave no id, nothing shows whether the error would
    have named it; then the catalogue's rule for that error holds.
    """
    event = copied(refusal.error)
    event.pop("event_id", None)
    error = event["error"]
    if "event_id" in error:
        echoes = _echoes(error, dialect) if refusal.echoes is None else refusal.echoes
        error["event_id"] = given if echoes and isinstance(given, str) else None
    return event


def _echoes(error: Json, dialect: Dialect) -> bool:
    wanted = (error.get("type"), error.get("code"))
    rules = [spec.event_id for spec in dialect.errors.values() if (spec.type, spec.code) == wanted]
    return not rules or "client" in rules


def without_client(error: Json) -> Json:
    """An error as it is whoever caused it."""
    return {key: value for key, value in error.items() if key != "event_id"}
