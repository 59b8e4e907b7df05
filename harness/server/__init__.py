"""The server that clients dial: a thin WebSocket shell around a playback."""

from harness.server.websocket import Connection, ReplayServer

__all__ = ["Connection", "ReplayServer"]
