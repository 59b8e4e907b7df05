"""How the plain client connects."""

from __future__ import annotations

import asyncio
import ssl

from driver_runtime import Json
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

LONGEST_RETRY = 5.0
"""Seconds a refused handshake is waited for before it is tried once more."""
CLOSING = 4.0
"""Seconds the service has to answer a close."""


async def dial(url: str, headers: dict[str, str], ca_file: str | None) -> ClientConnection:
    """Connects; a service that is too busy is asked once more, after the time it names."""
    options: Json = {"ssl": ssl.create_default_context(cafile=ca_file)} if ca_file else {}

    def dialling() -> connect:
        return connect(
            url,
            additional_headers=headers,
            max_size=None,
            compression=None,
            close_timeout=CLOSING,
            **options,
        )

    try:
        return await dialling()
    except InvalidStatus as refusal:
        if refusal.response.status_code != 429:
            raise
        await asyncio.sleep(_retry_after(refusal.response.headers.get("Retry-After")))
        return await dialling()


def _retry_after(header: str | None) -> float:
    try:
        asked = float(header or "0.5")
    except ValueError:  # a date: whoever names one is not back in a moment
        return LONGEST_RETRY
    return asked if 0.0 <= asked <= LONGEST_RETRY else LONGEST_RETRY
