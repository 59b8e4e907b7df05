"""The server that clients dial: a thin WebSocket shell around a service."""

from harness.server.connection import Connection
from harness.server.opening import Opening
from harness.server.websocket import NewService, RealtimeServer

__all__ = ["Connection", "NewService", "Opening", "RealtimeServer"]
