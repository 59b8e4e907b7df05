"""The sans-I/O model of the service."""

from harness.service.exchange import Entry, Exchange, Handshake, Origin, ResponseStart
from harness.service.model import Outgoing, ResponseRequest, Service, Supply

__all__ = [
    "Entry",
    "Exchange",
    "Handshake",
    "Origin",
    "Outgoing",
    "ResponseRequest",
    "ResponseStart",
    "Service",
    "Supply",
]
