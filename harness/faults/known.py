"""Faults whose events exist: what is written wrong there would never strike, and nobody would notice."""

from __future__ import annotations

from collections.abc import Iterable

from harness.dialects import Dialect, check_event_pattern
from harness.faults import values
from harness.faults.notation import Fault, parse_fault


def checked_fault(text: str, more: Iterable[Dialect] = ()) -> Fault:
    """As `parse_fault`; raises UsageFault too where no bundled dialect, nor one of `more`, has its events."""
    fault = parse_fault(text)
    for name, value in fault.given:
        parameter = fault.kind.parameter(name)
        if parameter is not None and parameter.read is values.pattern:
            check_event_pattern(str(value), f"{name} of the fault {fault.name}", more)
    return fault
