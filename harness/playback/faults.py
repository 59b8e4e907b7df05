"""Named faults: how the server misbehaves on purpose, to see what a client makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.exceptions import UsageFault
from harness.messages import Json, render_event


@dataclass(frozen=True)
class Fault:
    """One misbehaviour.

    `lenient`: configuration is never refused. `frame`: a frame sent once,
    directly before the first delta of the first answer.
    """

    name: str
    description: str
    lenient: bool = False
    frame: str | None = None


def _frame(event: Json) -> str:
    return render_event(event)


FAULTS: tuple[Fault, ...] = (
    Fault(
        "accept-any-session",
        "session.update and response.create are never refused; what the dialect does not have is ignored",
        lenient=True,
    ),
    Fault(
        "error-event",
        "an error of the service, before the first delta of the first answer",
        frame=_frame(
            {
                "type": "error",
                "event_id": "event_of_the_fault",
                "error": {
                    "type": "server_error",
                    "code": None,
                    "message": "The fault error-event sent this error.",
                    "param": None,
                    "event_id": None,
                },
            }
        ),
    ),
    Fault(
        "event-without-type",
        "an event without its type, before the first delta of the first answer",
        frame=_frame({"event_id": "event_without_type", "delta": "?"}),
    ),
    Fault(
        "malformed-json",
        "a frame that is no JSON, before the first delta of the first answer",
        frame='{"type": "response.output_text.delta", "delta": ',
    ),
    Fault(
        "unknown-event",
        "an event type nobody has heard of, before the first delta of the first answer",
        frame=_frame({"type": "harness.unknown_event", "event_id": "event_unknown", "value": 1}),
    ),
)


def fault_named(name: str) -> Fault:
    """The fault of that name; raises UsageFault with the known ones."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise UsageFault(f"there is no fault {name!r}", known=tuple(fault.name for fault in FAULTS))
