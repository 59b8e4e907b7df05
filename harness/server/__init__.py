"""The server that clients dial: one port, WebSockets and plain HTTP, thin shells around a service."""

from harness.server.certificate import Certificate, certified_names, made_certificate
from harness.server.connection import Connection
from harness.server.limits import OF_THIS_SERVER, Limits
from harness.server.opening import Opening
from harness.server.rest import Asked
from harness.server.server import LOOPBACK, NewService, RealtimeServer

__all__ = [
    "LOOPBACK",
    "OF_THIS_SERVER",
    "Asked",
    "Certificate",
    "Connection",
    "Limits",
    "NewService",
    "Opening",
    "RealtimeServer",
    "certified_names",
    "made_certificate",
]
