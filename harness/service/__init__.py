"""The sans-I/O model of the service."""

from harness.service.exchange import (
    KEY_SUBPROTOCOL,
    Ending,
    Entry,
    Exchange,
    Handshake,
    Origin,
    ResponseStart,
)
from harness.service.ids import IdMint
from harness.service.model import Service
from harness.service.outgoing import Burst, Outgoing
from harness.service.supply import Delta, Passage, Prepared, ResponseRequest, Supplied, Supply

__all__ = [
    "KEY_SUBPROTOCOL",
    "Burst",
    "Delta",
    "Ending",
    "Entry",
    "Exchange",
    "Handshake",
    "IdMint",
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
