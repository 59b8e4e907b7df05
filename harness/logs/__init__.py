"""Captured logs: cassettes, JSON Lines with a direction, other recorders' YAML, HAR."""

from harness.logs.carry import Carried, LeftOut, carry
from harness.logs.model import Extent, Log, LogEntry
from harness.logs.read import FORMATS, read_log
from harness.logs.sessions import session_of
from harness.logs.url import dialects_at, host_class, known_query

__all__ = [
    "FORMATS",
    "Carried",
    "Extent",
    "LeftOut",
    "Log",
    "LogEntry",
    "carry",
    "dialects_at",
    "host_class",
    "known_query",
    "read_log",
    "session_of",
]
