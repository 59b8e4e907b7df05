"""`serve` in this process, for clients that talk to it, and what it shows."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from websockets.asyncio.client import ClientConnection, connect

from harness.cli.main import build_parser
from harness.cli.serve import serving_of, show
from harness.cli.terminal import Screen
from harness.messages import Json

KEY = "key-0123456789abcdef"


@dataclass
class Served:
    """A server that runs, and what it showed."""

    output: io.StringIO

    @property
    def said(self) -> str:
        """As a terminal shows it."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.output.getvalue())

    @property
    def url(self) -> str:
        found = re.search(r"^ +url +(\S+)$", self.said, re.MULTILINE)
        assert found is not None, self.said
        return found[1]

    def dial(self, url: str = "", **options: Any) -> connect:
        return connect(url or self.url, **{"additional_headers": {"api-key": KEY}, **options})

    async def until(self, text: str) -> str:
        """Waits until it has shown that."""
        async with asyncio.timeout(5):
            while text not in self.said:
                await asyncio.sleep(0.01)
        return self.said

    def line(self, text: str) -> str:
        found = [line for line in self.said.splitlines() if text in line]
        assert len(found) == 1, self.said
        return found[0]


@contextlib.asynccontextmanager
async def served(
    *arguments: str, terminal: bool = False, findings: Path | None = None
) -> AsyncIterator[Served]:
    """Serves in this process, at once unless told otherwise; ends it as Ctrl-C does."""
    pace = () if "--speed" in arguments else ("--speed", "max")
    options = build_parser().parse_args(["serve", "--key", KEY, *pace, *arguments])
    output = io.StringIO()
    screen = Screen(Console(file=output, highlight=False, width=100, force_terminal=terminal))
    task = asyncio.create_task(show(serving_of(options), screen, from_variable=False, findings=findings))
    running = Served(output)
    try:
        await running.until("Ctrl-C")
        yield running
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def hear_until(websocket: ClientConnection, type_: str) -> list[Json]:
    found: list[Json] = []
    async with asyncio.timeout(5):
        while not found or found[-1]["type"] != type_:
            found.append(json.loads(await websocket.recv()))
    return found


async def say(websocket: ClientConnection, *events: Json) -> None:
    for event in events:
        await websocket.send(json.dumps(event))
