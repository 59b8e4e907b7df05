"""Faults whose events exist, or do not where they must not: nobody would notice what never strikes."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from harness.dialects import Dialect, check_event_pattern, server_event_names
from harness.exceptions import UsageFault
from harness.faults import values
from harness.faults.notation import Fault, parse_fault

_ENDING_RESPONSES = ("failed-response", "incomplete-response")
_WITHOUT_RESPONSE = (
    "session.created",
    "conversation.created",
    "transcription_session.created",
    "response.done",
)


def checked_fault(text: str, more: Iterable[Dialect] = ()) -> Fault:
    """As `parse_fault`; raises UsageFault too where it would never strike.

    The events there are are those of the bundled dialects, and of `more`.
    """
    fault = parse_fault(text)
    for name, value in fault.given:
        parameter = fault.kind.parameter(name)
        if parameter is not None and parameter.read is values.pattern:
            check_event_pattern(str(value), f"{name} of the fault {fault.name}", more)
    if fault.name == "unknown-event" and fault.text("type") in server_event_names(more):
        raise UsageFault(
            f"the fault unknown-event cannot have type={fault.text('type')!r}: dialects have it",
            hint="give a type that none has, such as harness.unknown_event",
        )
    alternatives = fault.text("at").split("|")
    if fault.name == "null-usage" and not any(fnmatchcase("response.done", one) for one in alternatives):
        raise UsageFault(
            f"the fault {text!r} would never strike: only response.done has usage",
            hint="give at=response.done, or leave `at` away",
        )
    if fault.name in _ENDING_RESPONSES and all(one in _WITHOUT_RESPONSE for one in alternatives):
        raise UsageFault(
            f"the fault {text!r} would never strike: no response is active at {fault.text('at')}",
            hint="give an event within a response, such as at=response.*.delta",
        )
    return fault
