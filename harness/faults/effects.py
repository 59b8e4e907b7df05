"""What each kind of fault makes of the event it strikes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.faults.notation import Fault
from harness.faults.steps import End, EndResponse, Frame, Pause, Stall, Step
from harness.messages import Json, copied, json_type, render_event

BROKEN_JSON = '{"type": "response.output_text.delta", "delta": '


@dataclass(frozen=True)
class Beside:
    """Something is done before or after the event (`when`), which is sent all the same."""

    step: Step


@dataclass(frozen=True)
class Instead:
    """Another frame is sent in its place."""

    frame: Frame


@dataclass(frozen=True)
class Hold:
    """It is sent after the next event of the type `until`, or without one after so many events."""

    until: str | None
    events: int


Effect = Beside | Instead | Hold


def effect_of(fault: Fault, frame: Frame) -> Effect | None:
    """What the fault makes of a frame; None where it can make nothing of it, and waits for the next."""
    step = _STEPS.get(fault.name)
    return Beside(step(fault)) if step else _OF_FRAMES[fault.name](fault, frame)


def _close(fault: Fault) -> Step:
    return End(fault.number("code"), fault.text("reason"), str(fault))


def _drop(fault: Fault) -> Step:
    return End(None, "", str(fault))


def _stall(fault: Fault) -> Step:
    return Stall(str(fault))


def _pause(fault: Fault) -> Step:
    return Pause(fault.seconds("seconds"), str(fault))


def _duplicate(fault: Fault, frame: Frame) -> Effect:
    return Beside(Frame(frame.text, frame.event, (), str(fault)))


def _malformed(fault: Fault) -> Step:
    return Frame(BROKEN_JSON, None, (), str(fault))


def _untyped(fault: Fault) -> Step:
    event = {"event_id": "event_without_type", "delta": "?"}
    return Frame(render_event(event), None, (), str(fault))


def _unknown(fault: Fault) -> Step:
    return _event(fault, {"type": fault.text("type"), "event_id": "event_unknown", "value": 1})


def _error(fault: Fault) -> Step:
    said = {**_said(fault), "param": None, "event_id": None}
    return _event(fault, {"type": "error", "event_id": "event_of_the_fault", "error": said})


def _event(fault: Fault, event: Json) -> Step:
    return Frame(render_event(event), event, (), str(fault))


def _said(fault: Fault) -> Json:
    return {"type": fault.text("type"), "code": fault.value("code"), "message": fault.text("message")}


def _failed(fault: Fault, frame: Frame) -> Effect | None:
    return _end_response(fault, frame, "failed", {"error": _said(fault)})


def _incomplete(fault: Fault, frame: Frame) -> Effect | None:
    return _end_response(fault, frame, "incomplete", {"reason": fault.text("reason")})


def _end_response(fault: Fault, frame: Frame, status: str, details: Json) -> Effect | None:
    if frame.event is None or frame.event.get("type") == "response.done":
        return None  # it has ended already
    return Beside(EndResponse(status, {"type": status, **details}, str(fault)))


def _missing(fault: Fault, frame: Frame) -> Effect | None:
    def leave_out(holder: Any, key: Any) -> None:
        del holder[key]

    return _changed(fault, frame, fault.text("field"), leave_out)


def _wrong(fault: Fault, frame: Frame) -> Effect | None:
    def put_other(holder: Any, key: Any) -> None:
        holder[key] = _other(holder[key], fault)

    return _changed(fault, frame, fault.text("field"), put_other)


def _other(value: Any, fault: Fault) -> Any:
    """The value the fault gives, or one of another kind than `value`."""
    if fault.value("value") is None:
        return 12345 if isinstance(value, str) else f"no {json_type(value)}"
    try:
        return json.loads(fault.text("value"))
    except (ValueError, RecursionError):
        return fault.text("value")


def _null_usage(fault: Fault, frame: Frame) -> Effect | None:
    def put_null(holder: Any, key: Any) -> None:
        holder[key] = None

    return _changed(fault, frame, "response.usage", put_null)


def _reorder(fault: Fault, frame: Frame) -> Effect:  # noqa: ARG001 - any event can wait
    if fault.value("events") is not None:
        return Hold(None, fault.number("events"))
    return Hold(fault.text("until"), 0)


def _changed(fault: Fault, frame: Frame, path: str, change: Callable[[Any, Any], None]) -> Effect | None:
    """The frame with one value changed on the wire; its canonical form says what was meant."""
    if frame.event is None:
        return None
    event = _with_change(frame.event, path, change)
    if event is None:
        return None
    return Instead(Frame(render_event(event), event, frame.canonical, str(fault)))


def _with_change(event: Json, path: str, change: Callable[[Any, Any], None]) -> Json | None:
    """A copy in which the value at `path` is changed; None where nothing stands there."""
    result = copied(event)
    holder: Any = result
    *parents, last = path.split(".")
    for name in parents:
        key = _key(holder, name)
        if key is None:
            return None
        holder = holder[key]
    key = _key(holder, last)
    if key is None:
        return None
    change(holder, key)
    return result


def _key(holder: Any, name: str) -> Any:
    """What gets at a name of an object, or a place in a list; None where it is not there."""
    if isinstance(holder, dict):
        return name if name in holder else None
    if isinstance(holder, list) and name.isascii() and name.isdigit() and int(name) < len(holder):
        return int(name)
    return None


_STEPS: dict[str, Callable[[Fault], Step]] = {
    "close": _close,
    "drop": _drop,
    "error-event": _error,
    "event-without-type": _untyped,
    "malformed-json": _malformed,
    "pause": _pause,
    "stall": _stall,
    "unknown-event": _unknown,
}

_OF_FRAMES: dict[str, Callable[[Fault, Frame], Effect | None]] = {
    "duplicate": _duplicate,
    "failed-response": _failed,
    "incomplete-response": _incomplete,
    "missing-field": _missing,
    "null-usage": _null_usage,
    "reorder": _reorder,
    "wrong-type": _wrong,
}

CHANGES = frozenset({"missing-field", "null-usage", "wrong-type"})
"""The kinds that send an event as another one."""
