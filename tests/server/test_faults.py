"""What a fault says is what arrives, at a client that is not ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.dialects import Evidence, bundled_dialect
from harness.exceptions import MessageFault
from harness.faults import FAULTS
from harness.faults.effects import BROKEN_JSON
from harness.messages import Side, parse_event
from harness.server import Connection, RealtimeServer
from harness.service import Entry, Origin
from tests.server.serving import KEY, TARGET, dial, hear, say, serving
from tests.server.test_server import settled
from tests.talk import BOTH, GA, PREVIEW, assert_valid, user_item

both = pytest.mark.parametrize("dialect", BOTH)

ON_EVENTS = [kind.name for kind in FAULTS if kind.parameter("at")]


async def ask(websocket: ClientConnection) -> None:
    await say(websocket, user_item("Hello there!"))
    await say(websocket, {"type": "response.create"})


async def frames_of_an_answer(websocket: ClientConnection) -> list[str]:
    """All frames up to `response.done`, or up to the end of the connection."""
    frames: list[str] = []
    try:
        while not frames or '"type":"response.done"' not in frames[-1]:
            frames.append(str(await asyncio.wait_for(websocket.recv(), 5)))
    except ConnectionClosed:
        pass
    return frames


def said(frame: str) -> Any:
    """The event of a frame, or None where it is none."""
    try:
        return parse_event(frame)
    except MessageFault:
        return None


def faulty(connection: Connection) -> list[Entry]:
    assert connection.exchange is not None
    return [entry for entry in connection.exchange.server_entries() if entry.origin is Origin.FAULT]


async def answer_with(fault: str, dialect: str = GA) -> tuple[list[str], list[Entry], Connection]:
    """One answer of a server with that fault: its frames, and what the log says of faults."""
    async with serving(dialect, "text-turn", fault) as server, dial(server) as websocket:
        await hear(websocket)
        await ask(websocket)
        frames = await frames_of_an_answer(websocket)
        (connection,) = server.connections
        return frames, faulty(connection), connection


# Silence.


@pytest.mark.parametrize("name", ON_EVENTS)
async def test_a_fault_that_is_not_armed_is_silent(name: str) -> None:
    plain, none, _ = await answer_with("accept-any-session")
    frames, entries, _ = await answer_with(f"{name}:at=nobody.knows")
    assert entries == none == []
    assert frames == plain


# Frames.


@both
@pytest.mark.parametrize("name", ["malformed-json", "event-without-type", "unknown-event", "error-event"])
async def test_a_frame_is_put_in_before_the_first_delta(name: str, dialect: str) -> None:
    plain, _, _ = await answer_with("accept-any-session", dialect)
    frames, (entry,), _ = await answer_with(name, dialect)
    (at,) = [n for n, frame in enumerate(frames) if frame not in plain]
    assert frames[:at] + frames[at + 1 :] == plain
    assert said(frames[at + 1])["type"].endswith(".delta")
    assert (entry.side, entry.fault, entry.event) == (Side.SERVER, name, said(frames[at]))
    assert (entry.event is None) == (name in ("malformed-json", "event-without-type"))
    assert entry.raw == (frames[at] if entry.event is None else None)
    own = bundled_dialect(dialect)
    if name == "error-event":
        assert_valid(own, said(frames[at]))
    if name == "unknown-event":
        assert said(frames[at])["type"] not in own.server.events


async def test_an_event_is_sent_twice() -> None:
    plain, _, _ = await answer_with("accept-any-session")
    frames, (entry,), _ = await answer_with("duplicate")
    (at,) = [n for n in range(1, len(frames)) if frames[n] == frames[n - 1]]
    assert frames[:at] + frames[at + 1 :] == plain
    assert said(frames[at])["type"].endswith(".delta")
    assert entry.event == said(frames[at])


@both
async def test_a_field_is_missing_or_of_another_kind(dialect: str) -> None:
    frames, (entry,), _ = await answer_with("missing-field", dialect)
    (short,) = [said(frame) for frame in frames if ".delta" in frame and "delta" not in said(frame)]
    assert entry.event == short
    frames, (entry,), _ = await answer_with(
        "wrong-type:field=response.output.0.content,at=response.done", dialect
    )
    assert said(frames[-1])["response"]["output"][0]["content"] == "no array"
    assert entry.event == said(frames[-1])


async def test_usage_is_null() -> None:
    frames, (entry,), _ = await answer_with("null-usage")
    assert said(frames[-1])["response"]["usage"] is None
    assert said(frames[-1])["response"]["status"] == "completed"
    assert entry.fault == "null-usage"


@both
@pytest.mark.parametrize("status", ["failed", "incomplete"])
async def test_a_response_ends_early_and_all_that_was_open_is_closed(dialect: str, status: str) -> None:
    frames, _, _ = await answer_with(f"{status}-response:nth=2", dialect)
    events = [said(frame) for frame in frames]
    for event in events:
        assert_valid(bundled_dialect(dialect), event)
    done = events[-1]["response"]
    assert done["status"] == done["status_details"]["type"] == status
    deltas = [event["delta"] for event in events if event["type"].endswith(".delta")]
    assert len(deltas) == 2
    assert done["output"][0]["status"] == "incomplete"
    assert json.dumps("".join(deltas))[1:-1] in json.dumps(done["output"])


async def test_floating_events_are_held_back() -> None:
    names = [said(frame)["type"] for frame in (await answer_with("accept-any-session"))[0]]
    held = next(name for name in names if name.endswith(".added"))
    frames, (entry,), _ = await answer_with(f"reorder:events=2,at={held},times=1")
    found = [said(frame)["type"] for frame in frames]
    moved = names.index(held)
    assert found == [*names[:moved], *names[moved + 1 : moved + 3], held, *names[moved + 3 :]]
    assert entry.canonical != ()


async def test_nothing_is_sent_for_a_while() -> None:
    fault = "pause:seconds=0.2,at=response.created"
    async with serving(GA, "text-turn", fault) as server, dial(server) as websocket:
        await hear(websocket)
        began = time.monotonic()
        await ask(websocket)
        await frames_of_an_answer(websocket)
        assert 0.2 <= time.monotonic() - began < 2


async def test_a_while_before_the_end_of_the_connection_passes_too() -> None:
    faults = ("pause:seconds=0.2,at=response.created", "drop:at=response.created,when=before")
    async with serving(GA, "text-turn", *faults) as server, dial(server) as websocket:
        await hear(websocket)
        began = time.monotonic()
        await ask(websocket)
        assert not any("response.created" in frame for frame in await frames_of_an_answer(websocket))
        assert 0.2 <= time.monotonic() - began < 2


async def test_any_session_is_accepted() -> None:
    async with serving(GA, "text-turn", "accept-any-session") as server, dial(server) as websocket:
        await hear(websocket)
        await say(websocket, {"type": "session.update", "session": {"voice": "echo"}})
        assert (await hear(websocket))["type"] == "session.updated"


# Ends.


@both
@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "going, away"), (1011, ""), (3000, "x"), (4000, "é" * 61), (4999, "")],
)
async def test_the_connection_is_closed_with_any_code_and_reason(
    dialect: str, code: int, reason: str
) -> None:
    fault = f"close:code={code},reason={json.dumps(reason)},at=response.created"
    async with serving(dialect, "text-turn", fault) as server, dial(server) as websocket:
        await hear(websocket)
        await ask(websocket)
        frames = await frames_of_an_answer(websocket)
        assert said(frames[-1])["type"] == "response.created"
        assert websocket.protocol.close_rcvd is not None
        assert (websocket.protocol.close_code, websocket.protocol.close_reason) == (code, reason)
        exchange = server.connections[0].exchange
        assert exchange is not None
        await settled(exchange)
        assert (exchange.close_by, exchange.close_code) == ("server", code)
        assert server.connections[0].idle


async def test_the_code_noted_is_that_of_who_closed_first() -> None:
    """aiohttp and Node's own WebSocket answer any close with a code of theirs."""
    async with serving(GA, "text-turn", "close:code=1011,at=session.created") as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(upgrade(GA, KEY))
        await reader.readuntil(b"\x88\x02\x03\xf3")
        writer.write(b"\x88\x82" + bytes(4) + b"\x03\xe8")
        exchange = server.connections[0].exchange
        assert exchange is not None
        await settled(exchange)
        assert (exchange.close_by, exchange.close_code) == ("server", 1011)
        writer.close()


@pytest.mark.parametrize(
    ("fault", "bytes_"),
    [
        ("close:code=4000,reason=bye", b"\x88\x05\x0f\xa0bye"),
        ("close:code=1005", b"\x88\x00"),
        ("drop", b""),
        ("malformed-json:when=after", bytes((0x81, len(BROKEN_JSON))) + BROKEN_JSON.encode()),
    ],
)
async def test_the_bytes_after_the_first_event_are_those_of_the_fault(fault: str, bytes_: bytes) -> None:
    at = "," if ":" in fault else ":"
    async with serving(GA, "text-turn", f"{fault}{at}at=session.created") as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(upgrade(GA, KEY))
        await reader.readuntil(b"\r\n\r\n")
        opcode, length = await reader.readexactly(2)
        assert (opcode, length) == (0x81, 126)
        text = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        assert json.loads(text)["type"] == "session.created"
        if bytes_:
            assert await asyncio.wait_for(reader.readexactly(len(bytes_)), 5) == bytes_
        else:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


def upgrade(dialect: str, key: str) -> bytes:
    """The opening request, byte by byte."""
    lines = [
        f"GET {TARGET[dialect]} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        f"api-key: {key}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_a_connection_that_drops_has_no_close_frame_and_what_came_before_it_came() -> None:
    async with serving(GA, "text-turn", "drop:nth=2") as server, dial(server) as websocket:
        await hear(websocket)
        await ask(websocket)
        frames = await frames_of_an_answer(websocket)
        assert websocket.protocol.close_rcvd is None
        assert websocket.protocol.close_code == 1006
        assert len([frame for frame in frames if ".delta" in frame]) == 2
        (connection,) = server.connections
        assert connection.exchange is not None
        await settled(connection.exchange)
        assert (connection.exchange.close_by, connection.exchange.close_code) == ("server", 1006)


async def test_a_connection_that_stalls_stays_open_and_answers_pings() -> None:
    async with serving(GA, "text-turn", "stall:at=response.created") as server, dial(server) as websocket:
        await hear(websocket)
        await ask(websocket)
        await asyncio.wait_for(frames_until(websocket, "response.created"), 5)
        await say(websocket, {"type": "session.update", "session": {"type": "realtime"}})
        await asyncio.wait_for(await websocket.ping(), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(websocket.recv(), 0.1)
        assert server.connections[0].idle
        quiet = server.connections[0].last_activity
        await asyncio.sleep(0.05)
        assert server.connections[0].last_activity == quiet <= time.monotonic()
    (connection,) = server.connections
    assert connection.exchange is not None
    assert (connection.exchange.close_by, connection.exchange.close_code) == ("client", 1000)


async def frames_until(websocket: ClientConnection, type_: str) -> None:
    while (await hear(websocket))["type"] != type_:
        pass


async def test_a_client_that_comes_back_is_served() -> None:
    async with serving(GA, "text-turn", "close:at=response.created") as server:
        for want in ("response.created", "response.done"):
            async with dial(server) as websocket:
                await hear(websocket)
                await ask(websocket)
                assert said((await frames_of_an_answer(websocket))[-1])["type"] == want


async def test_one_connection_that_ends_or_stalls_is_nothing_to_another() -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(GA, "text-turn", "stall:at=session.created"))
        stalled = await stack.enter_async_context(dial(server))
        await hear(stalled)
        other = await stack.enter_async_context(dial(server))
        await hear(other)
        await ask(stalled)
        await ask(other)
        assert said((await frames_of_an_answer(other))[-1])["type"] == "response.done"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stalled.recv(), 0.05)


# Handshakes.


async def refused(server: RealtimeServer) -> tuple[int, dict[str, str], str]:
    with pytest.raises(InvalidStatus) as refusal:
        async with dial(server):
            pass
    response = refusal.value.response
    return response.status_code, dict(response.headers.raw_items()), (response.body or b"").decode()


@pytest.mark.parametrize(
    ("status", "dialect", "evidence", "words"),
    [
        (429, PREVIEW, Evidence.ASSUMED, "Too many requests"),
        (400, GA, Evidence.REPORTED, "does not work with the specified model"),
        (503, GA, Evidence.ASSUMED, "Service Unavailable"),
        (599, GA, Evidence.ASSUMED, "599"),
    ],
)
async def test_a_refusal_says_what_the_dialect_does_or_is_marked_as_a_guess(
    status: int, dialect: str, evidence: Evidence, words: str
) -> None:
    async with serving(dialect, "text-turn", f"refuse-handshake:status={status}") as server:
        found, headers, body = await refused(server)
        assert found == status
        assert headers["Content-Type"] == "application/json"
        assert "Retry-After" not in headers
        assert words in body
        assert json.loads(body)["error"].keys() == {"code", "message"}
        (connection,) = server.connections
        assert connection.service is None
        handshake = connection.handshake
        assert (handshake.status, handshake.refusal) == (status, None)
        assert handshake.fault == f"refuse-handshake:status={status}"
        assert handshake.body_evidence is evidence


async def test_a_refusal_takes_a_body_a_header_and_a_number_of_times() -> None:
    fault = 'refuse-handshake:status=429,retry-after=2,body="slower, please",times=2'
    async with serving(GA, "text-turn", fault) as server:
        for _ in range(2):
            status, headers, body = await refused(server)
            assert (status, headers["Retry-After"], body) == (429, "2", "slower, please")
            assert headers["Content-Type"].startswith("text/plain")
            assert server.connections[-1].handshake.body_evidence is None
        async with dial(server) as websocket:
            assert (await hear(websocket))["type"] == "session.created"
        assert server.connections[-1].handshake.fault is None


async def test_what_the_dialect_refuses_is_no_attempt_for_a_fault() -> None:
    async with serving(GA, "text-turn", "refuse-handshake:status=418") as server:
        with pytest.raises(InvalidStatus) as wrong:
            async with dial(server, additional_headers={}):
                pass
        assert wrong.value.response.status_code == 401
        assert (await refused(server))[0] == 418


async def test_a_slow_handshake_holds_up_itself_alone() -> None:
    async with serving(GA, "text-turn", "slow-handshake:seconds=0.3") as server:
        began = time.monotonic()
        slow = asyncio.ensure_future(dial(server).__aenter__())
        while not server.connections:
            await asyncio.sleep(0.005)
        async with dial(server) as other:
            assert (await hear(other))["type"] == "session.created"
        assert not slow.done()
        async with await slow as websocket:
            assert time.monotonic() - began >= 0.3
            assert (await hear(websocket))["type"] == "session.created"
        assert server.connections[0].handshake.fault == "slow-handshake:seconds=0.3"


async def test_a_server_goes_down_in_the_middle_of_a_slow_handshake() -> None:
    async with serving(GA, "text-turn", "slow-handshake:seconds=60") as server:
        slow = asyncio.ensure_future(dial(server).__aenter__())
        while not server.connections:
            await asyncio.sleep(0.005)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    with pytest.raises((InvalidStatus, ConnectionClosed, OSError)):
        await slow


def test_every_fault_is_tested_on_the_wire() -> None:
    text = (
        Path(__file__)
        .read_text("utf-8")
        .replace('f"{status}-response', "failed-response incomplete-response")
    )
    assert [kind.name for kind in FAULTS if kind.name not in text] == []
