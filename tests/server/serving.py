"""A real replay server on a real port, for clients that are not ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from harness.dialects import bundled_dialect
from harness.faults import FaultLine, parse_fault
from harness.messages import Json
from harness.playback import Playback
from harness.server import Certificate, Opening, RealtimeServer
from harness.service.pace import AT_ONCE, Pace
from tests.cases import cassette
from tests.talk import GA, NOW

KEY = "key-0123456789abcdef"

TARGET = {
    GA: "/openai/v1/realtime?model=gpt-realtime",
    "azure-2024-10-01-preview": "/openai/realtime?api-version=2024-10-01-preview&deployment=gpt-realtime",
}


@asynccontextmanager
async def serving(
    dialect: str = GA,
    name: str = "text-turn",
    *faults: str,
    pace: Pace = AT_ONCE,
    port: int = 0,
    tls: Certificate | None = None,
) -> AsyncIterator[RealtimeServer]:
    line = FaultLine(parse_fault(fault) for fault in faults)

    def new_playback(opening: Opening) -> Playback:
        return Playback(
            bundled_dialect(dialect), cassette(dialect, name), seed=1, unix_time=NOW, faults=line.connected()
        )

    own = bundled_dialect(dialect)
    context = tls.context if tls else None
    async with RealtimeServer(
        own, KEY, new_playback, pace=pace, faults=line, port=port, tls=context
    ) as server:
        yield server


def dial(server: RealtimeServer, target: str | None = None, **options: Any) -> connect:
    """A connection of the `websockets` package, with the key in the api-key header unless told otherwise."""
    url = server.origin.replace("http", "ws", 1) + (target or TARGET[server.dialect.name])
    return connect(url, **{"additional_headers": {"api-key": KEY}, **options})


async def hear(socket: ClientConnection) -> Json:
    event: Json = json.loads(await socket.recv())
    return event


async def hear_until(socket: ClientConnection, type_: str) -> list[Json]:
    found: list[Json] = []
    while not found or found[-1]["type"] != type_:
        found.append(await hear(socket))
    return found


async def say(socket: ClientConnection, event: Json) -> None:
    await socket.send(json.dumps(event))
