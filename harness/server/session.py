"""One service at one end of one WebSocket: it hears, speaks at its pace, and hangs up.

Each session has tasks and a clock of its own. What one waits for, or breaks on,
is nothing to another.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, PayloadTooBig

from harness.faults.values import NO_CODE
from harness.messages import MAX_FRAME
from harness.server.connection import Connection
from harness.service import Ending, Outgoing, Service
from harness.service.pace import Pace

THINKING_SECONDS = 0.01
"""The pause after `response.created`: long enough for a client that sends twice to be caught at it."""

PARTING_SECONDS = 0.05
"""The pause before the end at once: no service says its last word and hangs up in one packet, and
clients on websockets 13 lose what they had not yet read when the connection ends."""

LEAST_REST = 0.001
"""Seconds; a clock that is a hair early must not make the loop spin."""

CLOSING_SECONDS = 3.0
"""How long a client may hold up the end of its connection: one that never reads would do it for ever."""

FLUSH_SECONDS = 1.0
"""How long a client that reads slowly may hold up the loss of its connection."""

_MOST_COMING = 4096
"""Frames under way at once; who sends faster than that waits, as on a full line."""


class Session:
    """Runs until the connection is over."""

    def __init__(
        self, websocket: ServerConnection, connection: Connection, service: Service, pace: Pace
    ) -> None:
        self._websocket = websocket
        self._connection = connection
        self._service = service
        self._pace = pace
        self._began = time.monotonic()
        self._started = asyncio.Event()
        self._arrived = asyncio.Event()
        self._coming: asyncio.Queue[tuple[float, str | bytes]] = asyncio.Queue(_MOST_COMING)
        """Frames on their way through the latency, with the times at which they get there."""

    async def run(self) -> None:
        if not self._pace.latency:
            await self._guarded(self._start)
        tasks = [asyncio.create_task(self._guarded(self._speak))]
        if self._pace.latency:
            tasks.append(asyncio.create_task(self._guarded(self._carry)))
        try:
            await self._guarded(self._hear)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._guarded(self._hear_out)
            self._note_close()

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Ends the session, and this one alone, where our own code breaks."""
        try:
            await work()
        except ConnectionClosed:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the runner shows it as ours
            self._connection.failure = self._connection.failure or error
            await hang_up(self._websocket, 1011, "the harness failed")

    # Hearing.

    async def _hear(self) -> None:
        async for frame in self._websocket:
            self._connection.touch(self._pace.latency)
            if self._pace.latency:
                await self._coming.put((time.monotonic() + self._pace.latency, frame))
            else:
                self._take(frame)

    async def _carry(self) -> None:
        await self._started.wait()
        while True:
            due, frame = await self._coming.get()
            await _sleep(due - time.monotonic())
            self._take(frame)

    async def _hear_out(self) -> None:
        """What was still on its way as the client left: it said so, and the log has it."""
        if not self._coming.empty() and not self._started.is_set():
            await self._start()
        while not self._coming.empty():
            self._take(self._coming.get_nowait()[1])

    def _take(self, frame: str | bytes) -> None:
        if self._service.ending is not None:
            return  # who has hung up hears no more
        self._service.advance(self._pace.clock(self._wall()))
        self._service.receive(frame)
        self._arrived.set()

    # Speaking.

    async def _start(self) -> None:
        self._service.advance(self._pace.clock(self._wall()))
        self._service.start()
        self._started.set()

    async def _speak(self) -> None:
        if self._pace.latency:
            self._connection.touch(self._pace.latency)
            await _sleep(self._pace.latency)
            await self._start()
        while self._started.is_set():
            wall = self._wall()
            self._service.advance(self._pace.clock(wall))
            self._arrived.clear()
            outgoing = self._service.pop(self._pace.until(wall))
            if outgoing is not None:
                await self._send(outgoing)
            elif self._service.ending is not None:
                await self._end(self._service.ending)
                return
            else:
                await self._rest(wall)

    async def _send(self, outgoing: Outgoing) -> None:
        types = [event["type"] for event in outgoing.canonical]
        types += [outgoing.event["type"]] if outgoing.event else []
        wait = outgoing.pause + self._pace.delay(types)
        if wait:
            self._connection.touch(wait)
            await _sleep(wait)
        await self._websocket.send(outgoing.frame)
        self._service.sent(outgoing)
        self._connection.touch()
        at_once = self._pace.speed is None
        if at_once and "response.output_item.done" in types:
            return  # how soon response.done follows nobody published: no client is caught in between
        # A send that needs no wait never yields, and the reader must get its turn.
        await asyncio.sleep(THINKING_SECONDS if outgoing.thinking and at_once else 0)

    async def _rest(self, wall: float) -> None:
        """Waits until the client says something, an event is due, or the service's patience ends."""
        waits = []
        if self._service.next_at is not None and self._pace.speed is not None:
            waits.append(self._pace.seconds_to(self._service.next_at, wall))
            self._connection.touch(waits[0])
        if self._service.next_timer is not None:
            waits.append(self._pace.seconds_to(self._service.next_timer, wall))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(min(waits), LEAST_REST) if waits else None):
                await self._arrived.wait()

    async def _end(self, ending: Ending) -> None:
        pause = max(ending.pause, PARTING_SECONDS if self._pace.speed is None else 0.0)
        self._connection.touch(pause)
        await _sleep(pause)
        if ending.code is None:
            await self._flushed()
            self._websocket.transport.abort()
        elif ending.code == NO_CODE:
            await hang_up(self._websocket, None)
        else:
            await hang_up(self._websocket, ending.code, ending.reason)

    async def _flushed(self) -> None:
        """Waits until what was sent has left this process: losing the connection must not unsay it."""
        began = time.monotonic()
        transport = self._websocket.transport
        while transport.get_write_buffer_size() and time.monotonic() - began < FLUSH_SECONDS:
            await asyncio.sleep(LEAST_REST)

    def _wall(self) -> float:
        return time.monotonic() - self._began

    def _note_close(self) -> None:
        """Whoever closes first says why: an answer to a close may have a code of its own, or never come."""
        protocol, exchange = self._websocket.protocol, self._service.exchange
        exchange.close_code = protocol.close_code
        by_client = bool(protocol.close_rcvd_then_sent) or protocol.close_sent is None
        first = protocol.close_rcvd if by_client else protocol.close_sent
        if first is not None:
            exchange.close_by = "client" if by_client else "server"
            exchange.close_code, exchange.close_reason = first.code, first.reason
            broken = protocol.parser_exc
            if isinstance(broken, PayloadTooBig):
                exchange.close_reason = _too_big(broken)
        else:
            dropped = self._service.ending is not None and self._service.ending.code is None
            exchange.close_by = "server" if dropped else "nobody"
        self._connection.end()


def _too_big(broken: PayloadTooBig) -> str:
    """What becomes of a message that is too large; websockets 13 says its size in a sentence only."""
    size = getattr(broken, "size", None)
    if size is None:
        return f"a message larger than the {MAX_FRAME} bytes that are taken: {broken}"
    whole = size + (getattr(broken, "current_size", None) or 0)
    return f"a message of {whole} bytes, more than the {MAX_FRAME} that are taken"


async def hang_up(websocket: ServerConnection, code: int | None, reason: str = "") -> None:
    """Closes the connection, or loses it where the client does not let it end; code None: an empty frame."""
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await websocket.close(code, reason)  # type: ignore[arg-type]  # None is an empty frame
    except TimeoutError:
        websocket.transport.abort()


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
