"""Serving for days: what is kept of connections that are over, and of what was told."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.dialects import bundled_dialect
from harness.faults import parse_fault
from harness.model_script import stock_script
from harness.server import RealtimeServer
from harness.service.pace import Pace
from harness.serving import (
    Answered,
    Closed,
    Crossed,
    Failed,
    Happening,
    Serving,
    Stranger,
    Tapped,
    TurnedAway,
    serve,
)
from tests.server.serving import KEY, TARGET, dial, hear, hear_until, say
from tests.talk import GA, user_item

STOCK = Serving(bundled_dialect(GA), KEY, script=stock_script())


@dataclass
class Running:
    server: RealtimeServer
    told: list[Happening] = field(default_factory=list)

    async def until(self, kind: type[Happening]) -> None:
        async with asyncio.timeout(5):
            while not any(isinstance(one, kind) for one in self.told):
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(serving: Serving) -> AsyncIterator[Running]:
    started: asyncio.Queue[RealtimeServer] = asyncio.Queue()
    told: list[Happening] = []
    task = asyncio.create_task(serve(serving, told.append, started.put_nowait))
    try:
        yield Running(await started.get(), told)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_nothing_is_kept_of_a_connection_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.serving.run.COLLECT_SECONDS", 0.0)
    async with running(STOCK) as one:
        async with dial(one.server) as websocket:
            await hear(websocket)
            (connection,) = one.server.connections
            service = weakref.ref(connection.service or connection)
            del connection
        await one.until(Closed)
        with pytest.raises(InvalidStatus):
            await dial(one.server, additional_headers={"api-key": "another-key"})
        await one.until(TurnedAway)
        one.told.clear()
        await asyncio.sleep(0.3)
        assert one.server.connections == []
        assert service() is None


@pytest.mark.parametrize("number", range(5))
async def test_the_last_message_is_logged_though_the_client_leaves_as_it_comes(
    tmp_path: Path, number: int
) -> None:
    serving = replace(STOCK, log=tmp_path / f"log{number}.jsonl", pace=Pace(speed=1.0))
    async with running(serving) as one:
        async with dial(one.server) as websocket:
            await say(websocket, user_item("Hello"))
            await say(websocket, {"type": "response.create"})
            await hear_until(websocket, "response.created")
        await one.until(Closed)
    assert "response.created" in (tmp_path / f"log{number}.jsonl").read_text("utf-8")


async def test_a_client_that_is_gone_before_its_connection_is_open_is_let_go() -> None:
    slow = replace(STOCK, faults=(parse_fault("slow-handshake:seconds=0.3"),))
    async with running(slow) as one:
        _, writer = await asyncio.open_connection("127.0.0.1", one.server.port)
        request = [
            f"GET {TARGET[GA]} HTTP/1.1",
            f"Host: 127.0.0.1:{one.server.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            f"api-key: {KEY}",
        ]
        writer.write("".join(f"{line}\r\n" for line in [*request, ""]).encode())
        await writer.drain()
        async with asyncio.timeout(5):
            while not one.server.connections:
                await asyncio.sleep(0.01)
            writer.transport.abort()
            while one.server.connections:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("logged", [False, True])
async def test_what_was_told_is_kept_for_a_cassette_alone(tmp_path: Path, logged: bool) -> None:
    serving = replace(STOCK, log=tmp_path / "log.jsonl" if logged else None)
    async with running(serving) as one, dial(one.server) as websocket:
        await say(websocket, user_item("Hello"))
        await hear_until(websocket, "conversation.item.done")
        await one.until(Crossed)
        await asyncio.sleep(0.2)
        service = one.server.connections[0].service
        assert isinstance(service, Tapped)
        told = [happening for happening in one.told if isinstance(happening, Crossed)]
        assert [crossed.entry.number for crossed in told] == list(range(len(told)))
        assert service.tap.kept == (told if logged else [])


async def test_what_breaks_before_a_connection_is_open_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("harness.serving.services.TappedModel", breaks)
    async with running(STOCK) as one:
        websocket = await dial(one.server)
        with pytest.raises(ConnectionClosed):
            await websocket.recv()
        await one.until(Failed)


async def test_a_request_for_no_websocket_is_told_as_a_page_that_was_asked_for() -> None:
    async with running(STOCK) as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.server.port)
        writer.write(f"GET {TARGET[GA]} HTTP/1.1\r\nHost: x\r\napi-key: {KEY}\r\n\r\n".encode())
        await reader.read()
        writer.close()
        await one.until(Answered)


async def test_that_no_more_files_may_be_opened_is_told_once_a_second() -> None:
    async with running(STOCK) as one:
        loop = asyncio.get_running_loop()
        for _ in range(1000):  # so often asyncio says it
            error = OSError(errno.EMFILE, "Too many open files")
            loop.call_exception_handler(
                {"message": "socket.accept() out of system resource", "exception": error}
            )
        await one.until(Stranger)
        (stranger,) = [told for told in one.told if isinstance(told, Stranger)]
        assert "ulimit -n" in stranger.why
