"""No test of a server may leave an error in the log of the event loop: there its bugs would hide."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet_loop(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    said = [record for when in ("setup", "call") for record in caplog.get_records(when)]
    loud = [record.getMessage() for record in said if record.levelno >= logging.ERROR]
    assert not loud, loud
