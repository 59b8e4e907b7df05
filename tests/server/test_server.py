from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import struct
import time
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

from harness.dialects import bundled_dialect
from harness.exceptions import UsageFault
from harness.messages import MAX_FRAME, Json
from harness.server import Opening, RealtimeServer
from harness.service import Exchange, Origin, Service
from tests.cases import cassette
from tests.playback.replay import question
from tests.server.serving import KEY, TARGET, dial, hear, hear_until, say, serving
from tests.server.test_pace import Broken
from tests.talk import BOTH, GA, NOW, assert_valid, result_item, types, user_item

both = pytest.mark.parametrize("dialect", BOTH)


def exchange_of(connection: object) -> Exchange:
    exchange = getattr(connection, "exchange", None)
    assert isinstance(exchange, Exchange)
    return exchange


async def settled(exchange: Exchange) -> None:
    """Waits until the server knows that the connection is over."""
    for _ in range(200):
        if exchange.close_by is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the server never noticed the end of the connection")


@both
@pytest.mark.parametrize("name", ["text-turn", "tool-call-round", "audio-turn", "text-modality"])
async def test_a_client_we_did_not_write_gets_through_the_scenario(dialect: str, name: str) -> None:
    found = cassette(dialect, name)
    sent = [i.event for i in found.interactions if i.side == "client" and i.event]
    want = [i.event["type"] for i in found.interactions if i.side == "server" and i.event]
    async with serving(dialect, name) as server, dial(server) as websocket:
        heard = [await hear(websocket)]
        for event in sent:
            item = event.get("item", {})
            if item.get("type") == "function_call_output":
                call = next(e["item"]["call_id"] for e in heard if e["type"] == "response.output_item.done")
                await say(websocket, result_item(call, item["output"]))
            else:
                await say(websocket, event)
            if event["type"] == "response.create":
                heard += await hear_until(websocket, "response.done")
        (connection,) = server.connections
        assert types(heard) == want
        for event in heard:
            assert_valid(server.dialect, event)
        assert exchange_of(connection).unplayed == []
        assert {start.origin for start in exchange_of(connection).responses} == {Origin.RECORDED}
    assert (exchange_of(connection).close_by, exchange_of(connection).close_code) == ("client", 1000)


async def test_an_event_can_be_as_large_as_the_service_allows() -> None:
    async with serving(GA, "audio-turn") as server, dial(server, max_size=None) as websocket:
        await hear(websocket)
        audio = base64.b64encode(bytes(14 * 1024 * 1024)).decode()
        await say(websocket, {"type": "input_audio_buffer.append", "audio": audio})
        await say(websocket, {"type": "input_audio_buffer.commit"})
        assert (await hear(websocket))["type"] == "input_audio_buffer.committed"


async def test_a_frame_larger_than_that_ends_the_connection_and_no_other() -> None:
    async with serving() as server:
        websocket = await dial(server)
        await hear(websocket)
        with contextlib.suppress(ConnectionClosed):
            await websocket.send("x" * (MAX_FRAME + 1))
        exchange = exchange_of(server.connections[0])
        await settled(exchange)
        assert (exchange.close_by, exchange.close_code) == ("server", 1009)
        # Older libraries say the sizes in words of their own.
        assert exchange.close_reason.startswith("a message ")
        assert f"the {MAX_FRAME} " in exchange.close_reason
        assert str(MAX_FRAME + 1) in exchange.close_reason
        websocket.transport.close()
        async with dial(server) as other:
            assert (await hear(other))["type"] == "session.created"


@both
@pytest.mark.parametrize(
    "frame", [b"\x00\x01\xff", "{", "[1]", '{"type": 1}', '{"type": "nobody.knows"}', "null"]
)
async def test_nonsense_is_answered_by_an_error_and_the_session_goes_on(
    dialect: str, frame: str | bytes
) -> None:
    async with serving(dialect) as server, dial(server) as websocket:
        await hear(websocket)
        await websocket.send(frame)
        error = await hear(websocket)
        assert error["type"] == "error"
        assert_valid(server.dialect, error)
        await say(websocket, user_item("Hello there!"))
        await say(websocket, {"type": "response.create"})
        assert (await hear_until(websocket, "response.done"))[-1]["response"]["status"] == "completed"


@pytest.mark.parametrize("text", ["\\ud83d", "\\udc00 x", "\\u0000", "\U0001f600", "é\\u2028"])
async def test_any_text_a_client_can_write_comes_back_to_it(text: str) -> None:
    async with serving() as server, dial(server) as websocket:
        await hear(websocket)
        frame = json.dumps(user_item("TEXT"), ensure_ascii=False).replace("TEXT", text)
        await websocket.send(frame)
        added = await hear(websocket)
        assert added["item"]["content"][0]["text"] == json.loads(f'"{text}"')


async def test_two_sessions_at_once_do_not_know_of_each_other() -> None:
    async with serving() as server, dial(server) as one, dial(server) as two:
        created = await hear(one), await hear(two)
        await say(one, {"type": "session.update", "session": {"type": "realtime", "instructions": "One."}})
        assert (await hear(one))["session"]["instructions"] == "One."
        await say(two, user_item("Two.", id="item_two"))
        await say(two, {"type": "response.create"})
        heard = await hear_until(two, "response.done")
        assert "item_two" in json.dumps(heard)
        await say(one, {"type": "conversation.item.retrieve", "item_id": "item_two"})
        assert (await hear(one))["type"] == "error"
        await say(two, {"type": "session.update", "session": {"type": "realtime"}})
        assert (await hear(two))["session"]["instructions"] != "One."
        first, second = server.connections
        assert created[0]["type"] == created[1]["type"] == "session.created"
        assert len(exchange_of(first).unplayed) == 1
        assert exchange_of(second).unplayed == []


async def test_a_client_may_send_everything_before_it_reads_anything() -> None:
    async with serving() as server, dial(server) as websocket:
        update = {"type": "session.update", "session": {"type": "realtime", "instructions": "x"}}
        for event in (update, update, user_item("Hello there!"), {"type": "response.create"}):
            await say(websocket, event)
        heard = await hear_until(websocket, "response.done")
        assert types(heard)[0] == "session.created"
        assert types(heard).count("session.updated") == 2
        assert {start.origin for start in exchange_of(server.connections[0]).responses} == {Origin.RECORDED}


async def test_a_second_response_sent_at_once_meets_the_first() -> None:
    async with serving() as server, dial(server) as websocket:
        await hear(websocket)
        await say(websocket, user_item("Hello there!"))
        await say(websocket, {"type": "response.create"})
        await say(websocket, {"type": "response.create"})
        heard = await hear_until(websocket, "response.done")
        heard += [] if "error" in types(heard) else [await hear(websocket)]
        errors = [event for event in heard if event["type"] == "error"]
        assert [error["error"]["code"] for error in errors] == ["conversation_already_has_active_response"]


# Endings.


async def test_a_client_that_drops_the_connection_is_noted_as_nobody_closing() -> None:
    async with serving() as server, dial(server) as websocket:
        await hear(websocket)
        raw = websocket.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        websocket.transport.abort()
        exchange = exchange_of(server.connections[0])
        await settled(exchange)
        assert (exchange.close_by, exchange.close_code) == ("nobody", 1006)
        async with dial(server) as other:
            assert (await hear(other))["type"] == "session.created"


async def test_a_client_that_drops_the_connection_in_mid_answer_breaks_nothing() -> None:
    async with serving() as server:
        for _ in range(3):
            async with dial(server) as websocket:
                await hear(websocket)
                await say(websocket, user_item("Hello there!"))
                await say(websocket, {"type": "response.create"})
                await hear_until(websocket, "response.created")
                websocket.transport.abort()
        async with dial(server) as websocket:
            await hear(websocket)
            await say(websocket, user_item("Hello there!"))
            await say(websocket, {"type": "response.create"})
            await hear_until(websocket, "response.done")


def test_no_address_is_none_to_listen_on_for_everybody() -> None:
    with pytest.raises(UsageFault, match="no address to listen on"):
        RealtimeServer(bundled_dialect(GA), KEY, lambda _: None, host="")  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("code", [1000, 1001, 4000])
async def test_the_clients_own_close_code_is_noted(code: int) -> None:
    async with serving() as server, dial(server) as websocket:
        await hear(websocket)
        await websocket.close(code)
        exchange = exchange_of(server.connections[0])
        await settled(exchange)
        assert (exchange.close_by, exchange.close_code) == ("client", code)


async def test_the_server_goes_down_cleanly_with_a_connection_open() -> None:
    async with serving() as server:
        websocket = await dial(server)
        await hear(websocket)
        began = time.monotonic()
    assert time.monotonic() - began < 2.5
    with pytest.raises(ConnectionClosed) as closed:
        await websocket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    exchange = exchange_of(server.connections[0])
    assert exchange.close_by == "server"


async def test_the_server_goes_down_although_a_client_no_longer_answers() -> None:
    async with serving() as server:
        port = urlsplit(server.origin).port or 0
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = [
            f"GET {TARGET[GA]} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            f"api-key: {server.key}",
        ]
        writer.write("\r\n".join([*request, "", ""]).encode())
        assert b"101" in await reader.readline()
        began = time.monotonic()
    assert time.monotonic() - began < 6
    writer.close()


def deaf_socket(server: RealtimeServer) -> socket.socket:
    """A connection on which hardly anything fits that is not read."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", server.port))
    raw.setblocking(False)
    return raw


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> float:
    """Less than `websockets` has of its own, and than tests have time for."""
    monkeypatch.setattr("harness.server.socket.CLOSING_SECONDS", 0.3)
    return 1.8


async def test_the_server_goes_down_although_a_client_never_reads(patience: float) -> None:
    async with serving() as server:
        websocket = await dial(server, sock=deaf_socket(server), close_timeout=1)
        websocket.transport.pause_reading()
        for _ in range(5):  # each comes back in two events
            await say(websocket, user_item("x" * 1_000_000))
        await asyncio.sleep(0.1)
        began = time.monotonic()
    assert time.monotonic() - began < patience
    exchange = exchange_of(server.connections[0])
    assert exchange.close_by == "server"
    websocket.transport.abort()


async def test_a_connection_that_breaks_is_over_although_its_client_never_reads(patience: float) -> None:
    def new_service(opening: Opening) -> Service:
        return Broken(opening.dialect, seed=1, unix_time=NOW)

    async with RealtimeServer(bundled_dialect(GA), KEY, new_service) as server:
        websocket = await dial(server, sock=deaf_socket(server), close_timeout=1)
        websocket.transport.pause_reading()
        for _ in range(5):
            await say(websocket, user_item("x" * 1_000_000))
        await websocket.send("break")
        async with asyncio.timeout(patience):
            while not server.connections[0].over:
                await asyncio.sleep(0.01)
        websocket.transport.abort()


async def test_the_last_activity_moves_with_every_message() -> None:
    async with serving() as server, dial(server) as websocket:
        await hear(websocket)
        (connection,) = server.connections
        before = connection.last_activity
        await asyncio.sleep(0.02)
        await say(websocket, user_item())
        await hear(websocket)
        assert connection.last_activity > before


async def test_audio_in_any_frames_reaches_the_recorded_answer() -> None:
    pcm = question("audio-turn")
    async with serving(GA, "audio-turn") as server, dial(server) as websocket:
        await hear(websocket)
        by_hand = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        await say(websocket, {"type": "session.update", "session": by_hand})
        await hear(websocket)
        for start in range(0, len(pcm), 1234):
            audio = base64.b64encode(pcm[start : start + 1234]).decode()
            await say(websocket, {"type": "input_audio_buffer.append", "audio": audio})
        await say(websocket, {"type": "input_audio_buffer.commit"})
        await say(websocket, {"type": "response.create"})
        heard: list[Json] = await hear_until(websocket, "response.done")
        assert types(heard)[0] == "input_audio_buffer.committed"
        assert {start.origin for start in exchange_of(server.connections[0]).responses} == {Origin.RECORDED}


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]")])
async def test_the_address_that_is_shown_can_be_dialled(host: str, shown: str) -> None:
    found = bundled_dialect(GA)
    try:
        async with RealtimeServer(
            found, KEY, lambda _: Service(found, seed=1, unix_time=NOW), host=host
        ) as server:
            assert server.origin == f"http://{shown}:{server.port}"
            async with dial(server) as websocket:
                assert (await hear(websocket))["type"] == "session.created"
    except UsageFault:
        assert ":" in host
        pytest.skip("no IPv6 here")
