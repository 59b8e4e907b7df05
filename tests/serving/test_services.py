"""Cassettes played by heart to many at once: judged when they are over, as if each had been watched."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace

import pytest

from harness.dialects import bundled_dialect
from harness.faults import parse_fault
from harness.messages import Side
from harness.model_script import stock_script
from harness.service.pace import AT_ONCE, Pace
from harness.serving import Answered, Closed, Crossed, Opened, Serving, Stranger, Tally
from harness.serving.tap import TappedModel, TappedPlayback, Watched
from tests.cases import cassette
from tests.server.serving import KEY, dial, hear, hear_until, say
from tests.serving.test_run import Running, running
from tests.talk import GA

QUIET = Serving(bundled_dialect(GA), KEY, cassettes=(cassette(GA, "text-turn"),), pace=AT_ONCE, quiet=True)


async def turn(one: Running, *more: dict[str, object]) -> None:
    """The conversation of the cassette, and what is said beside it."""
    async with dial(one.server) as websocket:
        await hear(websocket)
        for event in more:
            await say(websocket, event)
            await hear(websocket)
        for line in cassette(GA, "text-turn").interactions:
            if line.side is Side.CLIENT and line.event is not None:
                await say(websocket, line.event)
        await hear_until(websocket, "response.done")


async def until_closed(one: Running, count: int) -> list[Closed]:
    async with asyncio.timeout(10):
        while len(found := [told for told in one.told if isinstance(told, Closed)]) < count:
            await asyncio.sleep(0.01)
    return found


async def test_many_at_once_are_judged_when_they_are_over() -> None:
    wrong: dict[str, object] = {"type": "session.update", "session": {"type": "realtime", "voice": "alloy"}}
    async with running(QUIET) as one:
        for _ in range(3):
            await turn(one)
        await asyncio.gather(*(turn(one) for _ in range(20)), turn(one, wrong))
        closed = await until_closed(one, 24)
    tally = Tally()
    for happening in one.told:
        tally.tell(happening)
    (client,) = tally.clients.values()
    assert (client.connections, client.answers, client.sent) == (24, 24, 24 * 3 + 1)
    (found,) = client.found
    assert found.finding.path == "session.voice"
    assert (found.times, found.connections) == (1, 1)
    assert not [judged for one in closed for judged in one.judged]
    assert one.server.connections == []
    crossed = [told for told in one.told if isinstance(told, Crossed)]
    assert sum(told.entry.side is Side.CLIENT for told in crossed) == client.sent


async def test_a_session_still_open_is_judged_when_the_server_ends() -> None:
    async with running(QUIET) as one:
        websocket = await dial(one.server)
        await hear(websocket)
        await say(websocket, {"type": "nobody.knows"})
        await hear(websocket)
        async with asyncio.timeout(5):
            while not any(isinstance(told, Opened) for told in one.told):
                await asyncio.sleep(0.01)
    (closed,) = await until_closed(one, 1)
    assert [entry.refused for entry in closed.exchange.client_entries()] == [True]
    with contextlib.suppress(Exception):
        await websocket.close()


@pytest.mark.parametrize(
    ("serving", "kind"),
    [
        (QUIET, Watched),
        (replace(QUIET, quiet=False), TappedPlayback),
        (replace(QUIET, pace=Pace(speed=1.0)), TappedPlayback),
        (replace(QUIET, faults=(parse_fault("drop:at=response.done"),)), TappedPlayback),
        (replace(QUIET, cassettes=(), script=stock_script()), TappedModel),
    ],
)
async def test_only_what_nobody_watches_is_played_by_heart(serving: Serving, kind: type) -> None:
    async with running(serving) as one, dial(one.server) as websocket:
        await hear(websocket)
        (connection,) = one.server.connections
        assert type(connection.service) is kind


async def test_what_is_no_websocket_is_told_of() -> None:
    async with running(QUIET) as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.server.port)
        path = "/openai/v1/realtime/client_secrets"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\napi-key: {KEY}\r\nContent-Length: 2\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n{{}}".encode())
        body = (await reader.read()).partition(b"\r\n\r\n")[2]
        minted = json.loads(body)["value"]
        writer.close()
        _, other = await asyncio.open_connection("127.0.0.1", one.server.port)
        other.write(b"\x16\x03\x01")
        async with asyncio.timeout(5):
            while len(one.told) < 2:
                await asyncio.sleep(0.01)
        other.close()
    answered, stranger = one.told
    assert isinstance(answered, Answered)
    assert (answered.request.status, answered.request.path) == (200, path)
    assert isinstance(stranger, Stranger)
    assert "TLS" in stranger.why
    assert minted not in repr(one.told)
    assert KEY not in repr(one.told)
