"""No test of a server may leave an error in the log of the event loop: there its bugs would hide.

What an older websockets leaves there of its own clients is not the server's: its 13.1 forgets
the keepalive of a connection that breaks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet_loop(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    said = [record for when in ("setup", "call") for record in caplog.get_records(when)]
    loud = [record.getMessage() for record in said if record.levelno >= logging.ERROR]
    ours = [message for message in loud if "coro=<Connection.keepalive()" not in message]
    assert not ours, ours
