"""How the server misbehaves on purpose: what there is, how it is written, and what it does to the wire."""

from harness.faults.catalogue import FAULTS, Kind, Parameter
from harness.faults.known import checked_fault
from harness.faults.line import FaultLine
from harness.faults.notation import Fault, parse_fault
from harness.faults.steps import End, EndResponse, Frame, HandshakeFault, Pause, Stall, Step

__all__ = [
    "FAULTS",
    "End",
    "EndResponse",
    "Fault",
    "FaultLine",
    "Frame",
    "HandshakeFault",
    "Kind",
    "Parameter",
    "Pause",
    "Stall",
    "Step",
    "checked_fault",
    "parse_fault",
]
