"""When things are sent, by a real clock; margins are for slow machines."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from harness.dialects import bundled_dialect
from harness.exceptions import UsageFault
from harness.messages import Json
from harness.scenario import Text
from harness.server import Opening, RealtimeServer
from harness.service import Service
from harness.service.pace import AT_ONCE, Pace
from tests.server.serving import KEY, dial, hear, hear_until, say, serving
from tests.talk import GA, NOW, types, user_item

MODEL = "openai-ga"


async def heard_at(websocket: ClientConnection, last: str = "response.done") -> list[tuple[float, Json]]:
    found: list[tuple[float, Json]] = []
    while not found or found[-1][1]["type"] != last:
        event = await asyncio.wait_for(hear(websocket), 5)
        found.append((time.monotonic(), event))
    return found


def model(pace: Pace = AT_ONCE, words: str = "One two three four five.", port: int = 0) -> RealtimeServer:
    """A server of the service model, which has no cassette."""

    def new_service(opening: Opening) -> Service:
        return Service(
            opening.dialect,
            seed=1,
            unix_time=NOW,
            model=opening.model,
            answers=[Text(words)],
            transcription=opening.transcription,
        )

    return RealtimeServer(bundled_dialect(GA), KEY, new_service, pace=pace, port=port)


async def respond(websocket: ClientConnection) -> float:
    """Asks for an answer in writing, which is quick; returns when."""
    session = {"type": "realtime", "output_modalities": ["text"]}
    await say(websocket, {"type": "session.update", "session": session})
    await say(websocket, user_item())
    await say(websocket, {"type": "response.create"})
    return time.monotonic()


async def test_at_once_is_at_once() -> None:
    async with model() as server, dial(server) as websocket:
        began = await respond(websocket)
        (end, _) = (await heard_at(websocket))[-1]
        assert end - began < 0.4  # of its own time it takes half a second


async def test_a_speed_divides_the_services_own_time() -> None:
    async with model(Pace(speed=4.0)) as server, dial(server) as websocket:
        await hear(websocket)
        began = await respond(websocket)
        times = {event["type"]: at for at, event in await heard_at(websocket)}
    # THINKING is 0.25 s of the service's time, and 0.02 s lie between two events.
    assert times["response.created"] - began >= 0.055
    assert times["response.done"] - times["response.created"] >= 10 * 0.02 / 4
    assert times["response.done"] - began < 1.5


async def test_in_its_own_time_an_answer_can_be_cancelled_in_the_middle() -> None:
    async with model(Pace(speed=2.0), words="word " * 60) as server, dial(server) as websocket:
        await hear(websocket)
        await respond(websocket)
        await hear_until(websocket, "response.output_text.delta")
        await say(websocket, {"type": "response.cancel"})
        rest = await asyncio.wait_for(hear_until(websocket, "response.done"), 5)
        assert rest[-1]["response"]["status"] == "cancelled"
        assert len(rest) < 40


async def test_latency_comes_before_each_answer_and_leaves_the_order() -> None:
    async with model(Pace(latency=0.1)) as server:
        began = time.monotonic()
        async with dial(server) as websocket:
            await hear(websocket)
            assert time.monotonic() - began >= 0.1
            began = await respond(websocket)
            assert server.connections[0].last_activity <= began + 0.11
            found = await heard_at(websocket)
            assert found[0][0] - began >= 0.095
            assert found[-1][0] - began < 0.5
            names = types(event for _, event in found)
            assert names[0] == "session.updated"
            assert names.index("conversation.item.added") < names.index("response.created")


async def test_what_a_client_said_before_it_left_is_in_the_log() -> None:
    async with model(Pace(latency=0.2)) as server:
        async with dial(server) as websocket:
            await say(websocket, user_item("On its way"))
        await asyncio.sleep(0.02)
        (connection,) = server.connections
        assert connection.exchange is not None
        assert "On its way" in str(connection.exchange.client_entries())


async def test_a_delay_holds_for_its_events_also_at_once() -> None:
    pace = Pace(delays=(("response.output_text.done", 0.15),))
    async with model(pace) as server, dial(server) as websocket:
        await hear(websocket)
        await respond(websocket)
        found = await heard_at(websocket)
    waits = {
        event["type"]: at - before
        for (before, _), (at, event) in itertools.pairwise(found)
        if at - before >= 0.1
    }
    assert list(waits) == ["response.output_text.done"]


async def test_a_wait_that_we_make_is_no_silence() -> None:
    async with model(Pace(delays=(("response.created", 0.2),))) as server, dial(server) as websocket:
        await hear(websocket)
        began = await respond(websocket)
        await hear_until(websocket, "conversation.item.done")
        await asyncio.sleep(0.02)
        assert server.connections[0].last_activity > began + 0.18
        await hear_until(websocket, "response.done")
        assert server.connections[0].last_activity <= time.monotonic()


async def test_a_slow_connection_is_nothing_to_another() -> None:
    paces = Pace(delays=(("response.created", 0.3),))
    async with model(paces) as server, dial(server) as slow, dial(server) as other:
        await hear(slow)
        await hear(other)
        await respond(slow)
        answer = asyncio.ensure_future(heard_at(slow))
        for _ in range(5):
            await say(other, user_item())
            await hear_until(other, "conversation.item.done")
        assert not answer.done()
        await answer


# What a server is told, and what breaks.


async def test_a_factory_is_told_what_the_client_asks_for() -> None:
    told: list[Opening] = []

    def new_service(opening: Opening) -> Service:
        told.append(opening)
        return Service(
            opening.dialect, seed=1, unix_time=NOW, model=opening.model, transcription=opening.transcription
        )

    dialect = bundled_dialect(MODEL)
    async with RealtimeServer(dialect, KEY, new_service) as server:
        keyed = {"Authorization": f"Bearer {KEY}"}
        for query in ("model=gpt-realtime", "intent=transcription"):
            target = f"{dialect.handshake.path}?{query}"
            async with dial(server, target, additional_headers=keyed) as websocket:
                created = await hear(websocket)
                assert created["session"]["type"] == ("transcription" if "intent" in query else "realtime")
    assert [(one.number, one.model, one.transcription) for one in told] == [
        (1, "gpt-realtime", False),
        (2, None, True),
    ]


async def test_a_port_can_be_named_and_is_refused_where_it_is_taken() -> None:
    async with model() as server:
        with pytest.raises(UsageFault, match=str(server.port)):
            async with model(port=server.port):
                pass
        port = server.port
    async with model(port=port) as again:
        assert again.port == port
    for port in (-1, 70_000):
        with pytest.raises(UsageFault):
            async with model(port=port):
                pass


class BrokenError(Exception):
    pass


class Broken(Service):
    """Breaks as it hears a word."""

    def receive(self, frame: str | bytes) -> None:
        if "break" in str(frame):
            raise BrokenError
        super().receive(frame)


async def test_a_socket_that_joins_a_call_is_not_greeted() -> None:
    target = "/openai/v1/realtime?call_id=rtc_0123456789abcdef"
    async with model() as server, dial(server, target) as websocket:
        await say(
            websocket, {"type": "session.update", "session": {"type": "realtime", "instructions": "Hi."}}
        )
        assert (await hear(websocket))["type"] == "session.updated"


class NeverBegins(Service):
    def start(self) -> None:
        raise BrokenError


@pytest.mark.parametrize("latency", [0.0, 0.01])
async def test_what_breaks_at_the_start_is_told_as_ours(latency: float) -> None:
    def new_service(opening: Opening) -> Service:
        return NeverBegins(opening.dialect, seed=1, unix_time=NOW)

    own = bundled_dialect(GA)
    async with RealtimeServer(own, KEY, new_service, pace=Pace(latency=latency)) as server:
        async with dial(server) as websocket:
            with pytest.raises(ConnectionClosed) as closed:
                await hear(websocket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011
        (connection,) = server.connections
        async with asyncio.timeout(5):
            while not connection.over:
                await asyncio.sleep(0.01)
        assert isinstance(connection.failure, BrokenError)


@pytest.mark.parametrize("latency", [0.0, 0.01])
async def test_what_breaks_ends_its_own_connection_and_is_told(latency: float) -> None:
    def new_service(opening: Opening) -> Service:
        if opening.number == 3:
            raise BrokenError
        return Broken(opening.dialect, seed=1, unix_time=NOW)

    async with RealtimeServer(bundled_dialect(GA), KEY, new_service, pace=Pace(latency=latency)) as server:
        async with dial(server) as one, dial(server) as other:
            await hear(one)
            await hear(other)
            await one.send('{"type": "break"}')
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(one.recv(), 5)
            assert one.protocol.close_code == 1011
            await say(other, user_item())
            await hear_until(other, "conversation.item.done")
            async with dial(server) as third:
                await third.wait_closed()
                assert third.protocol.close_code == 1011
        failures = [type(connection.failure) for connection in server.connections]
        assert failures == [BrokenError, type(None), BrokenError]
        assert server.connections[2].idle


async def test_cassettes_keep_their_pace() -> None:
    async with serving(pace=Pace(speed=20.0)) as server, dial(server) as websocket:
        await hear(websocket)
        await say(websocket, user_item("Hello there!"))
        await say(websocket, {"type": "response.create"})
        found = await heard_at(websocket)
        assert 0.0125 < found[-1][0] - found[0][0] < 2
