"""One message with its direction, in the many spellings that people log it in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.cassette import Close
from harness.exceptions import MessageFault
from harness.logs.clock import Clock, time_key
from harness.logs.model import Extent, LogEntry
from harness.messages import Json, Side, check_event, json_type, parse_event

_SIDE_KEYS = ("dir", "direction", "side", "from", "sender", "source")
_SERVER = ("server", "service", "received", "receive", "recv", "rx", "inbound", "incoming", "in", "s2c")
_CLIENT = ("client", "sent", "send", "tx", "outbound", "outgoing", "out", "c2s")
_SIDE_OF = {
    **dict.fromkeys((*_SERVER, "<-", "<", "<<"), Side.SERVER),
    **dict.fromkeys((*_CLIENT, "->", ">", ">>"), Side.CLIENT),
}

_EVENT_KEYS = ("event", "message", "data", "payload", "frame", "body")

_ELIDED = ("elided", "body_not_shown", "body_elided_by_console")
_CUT = "truncated_in_source"
_MARKERS = (*_ELIDED, _CUT, "audio_bytes", "session_no")

DIRECTION = f"a direction (server or client) under one of: {', '.join(_SIDE_KEYS)}"


def read_entry(value: Any, text: str, line: int, clock: Clock, session: int = 1) -> LogEntry:
    """The entry of one message, with a problem where it is none.

    `text` is what the value was parsed from, `session` the one it belongs to if
    it says nothing else.
    """
    if not isinstance(value, dict):
        return LogEntry(line, None, None, f"a JSON {json_type(value)}, expected an object", session=session)
    key, side = _side(value)
    number = _count(value.get("session_no"))
    entry = LogEntry(
        line,
        side,
        None,
        t=clock.read(value),
        extent=_extent(value),
        audio_bytes=_count(value.get("audio_bytes")),
        session=number or session,
    )
    if side is None:
        shown = f"{value[key]!r:.40} is no direction" if key else "no direction"
        return replace(entry, problem=f"{shown}; expected {DIRECTION}")
    try:
        return replace(entry, event=_event(value, key, text))
    except MessageFault as fault:
        return replace(entry, problem=fault.problem)


def read_close(value: Any) -> Close | None:
    """How the session ended, where a value says that and nothing else."""
    if not isinstance(value, dict):
        return None
    inner = value.get("close")
    said = inner if isinstance(inner, dict) else value
    if "code" not in said or any(
        isinstance(said.get(key), (dict, str)) for key in ("event", "data", "error")
    ):
        return None
    code, reason = said["code"], said.get("reason")
    if isinstance(code, bool) or not isinstance(code, int | None):
        return None
    _, side = _side(value)
    by = said.get("by")
    known = by if by in ("client", "server", "nobody") else str(side or "nobody")
    return Close(known, code, reason if isinstance(reason, str) else "")


def _side(value: Json) -> tuple[str | None, Side | None]:
    """The key of the direction, and what it says; a key whose value we know goes before one we do not."""
    found = None
    for key in _SIDE_KEYS:
        if key not in value:
            continue
        side = _SIDE_OF.get(value[key].strip().lower()) if isinstance(value[key], str) else None
        if side is not None:
            return key, side
        found = found or key
    return found, None


def _event(value: Json, side_key: str | None, text: str) -> Json:
    """The event of a line; raises MessageFault."""
    key = next((key for key in _EVENT_KEYS if key in value), None)
    inner = value[key] if key else None
    if _wraps(inner) or (key and not _names_event(value)):
        return parse_event(inner) if isinstance(inner, str) else check_event(inner, text)
    if "type" not in value:
        raise MessageFault(f"no event; expected one under one of: {', '.join(_EVENT_KEYS)}")
    around = {side_key, time_key(value), *_MARKERS}
    return check_event({name: field for name, field in value.items() if name not in around}, text)


def _wraps(inner: Any) -> bool:
    """Whether a value is an event that a line wraps, as an object or as text."""
    if isinstance(inner, dict):
        return isinstance(inner.get("type"), str)
    return isinstance(inner, str) and inner.lstrip().startswith("{")


def _names_event(value: Json) -> bool:
    """Whether the line's own `type` is one of an event, rather than a word like `message` or `text`."""
    type_ = value.get("type")
    return isinstance(type_, str) and ("." in type_ or type_ in ("error", "warning"))


def _extent(value: Json) -> Extent:
    if any(value.get(key) for key in _ELIDED):
        return Extent.ELIDED
    return Extent.CUT if value.get(_CUT) else Extent.WHOLE


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
