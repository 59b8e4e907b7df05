"""The sans-I/O model of the service."""

from harness.service.exchange import Ending, Entry, Exchange, Handshake, Origin, ResponseStart
from harness.service.model import Outgoing, Service
from harness.service.supply import Delta, Passage, Prepared, ResponseRequest, Supplied, Supply

__all__ = [
    "Delta",
    "Ending",
    "Entry",
    "Exchange",
    "Handshake",
    "Origin",
    "Outgoing",
    "Passage",
    "Prepared",
    "ResponseRequest",
    "ResponseStart",
    "Service",
    "Supplied",
    "Supply",
]
