"""A client of bytes: it says what it is told, cut as it is told, and reads whatever comes back."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from harness.dialects import bundled_dialect
from harness.messages import Json
from harness.playback import Playback
from harness.server import Connection, Limits, Opening, RealtimeServer
from harness.service.pace import AT_ONCE, Pace
from tests.cases import cassette
from tests.server.serving import KEY, TARGET, dial, hear, hear_until, say
from tests.talk import GA, NOW, user_item

TEXT, BINARY, CONTINUED, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10

SECONDS = 8.0
"""How long anything here may take; nothing does."""


# Bytes to send.


def opening(dialect: str = GA, *headers: str, target: str | None = None, key: str | None = KEY) -> bytes:
    """The request for a WebSocket."""
    lines = [
        f"GET {target or TARGET[dialect]} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *((f"api-key: {key}",) if key is not None else ()),
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def request(method: str, target: str, body: bytes = b"", *headers: str, version: str = "1.1") -> bytes:
    """A request for anything else."""
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def minting(body: Json | None = None, *headers: str, dialect: str = GA, key: str = KEY) -> bytes:
    """A request for a key."""
    rules = bundled_dialect(dialect).keys
    assert rules is not None
    query = "&".join(f"{name}={value}" for name, value in rules.query.items())
    target = rules.path + (f"?{query}" if query else "")
    asked = json.dumps(body if body is not None else {}).encode()
    return request("POST", target, asked, f"api-key: {key}", *headers)


_MASK = b"\x12\x9a\x5c\xe7"
"""The same in each run: cases are named by their frames."""


def frame(
    payload: bytes | str = b"",
    opcode: int = TEXT,
    *,
    last: bool = True,
    masked: bool = True,
    reserved: int = 0,
    length: int | None = None,
) -> bytes:
    """One frame; `length` is what it says of itself, where that is not true."""
    data = payload.encode() if isinstance(payload, str) else payload
    size = len(data) if length is None else length
    mask_bit = 0x80 if masked else 0
    head = bytes([(0x80 if last else 0) | reserved << 4 | opcode])
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 65_536:
        head += struct.pack("!BH", mask_bit | 126, size)
    else:
        head += struct.pack("!BQ", mask_bit | 127, size)
    if not masked:
        return head + data
    mask = _MASK
    whole = int.from_bytes(data, "big") ^ int.from_bytes((mask * (len(data) // 4 + 1))[: len(data)], "big")
    return head + mask + whole.to_bytes(len(data), "big")


def event(value: Json) -> bytes:
    return frame(json.dumps(value))


def text_turn() -> bytes:
    """What a client says in the scenario of that name."""
    return event(user_item("Hello there!")) + event({"type": "response.create"})


# What comes back.


@dataclass(frozen=True)
class Answer:
    """An answer by HTTP; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Heard:
    """A frame of the server."""

    opcode: int
    payload: bytes

    @property
    def event(self) -> Json:
        assert self.opcode == TEXT, self
        value: Json = json.loads(self.payload)
        return value

    @property
    def code(self) -> int:
        assert self.opcode == CLOSE, self
        return int.from_bytes(self.payload[:2], "big")


class Peer:
    """One TCP connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *pieces: bytes) -> None:
        """Sends the pieces one by one, each in a segment of its own as far as that can be had."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """The next answer by HTTP."""
        async with asyncio.timeout(SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")[:-2]
            fields = dict(line.split(": ", 1) for line in lines)
            headers = {name.lower(): value for name, value in fields.items()}
            length = 0 if bodiless else int(headers.get("content-length", 0))
            return Answer(int(first.split(" ")[1]), headers, await self.reader.readexactly(length))

    async def frame(self) -> Heard:
        async with asyncio.timeout(SECONDS):
            first, second = await self.reader.readexactly(2)
            assert second < 0x80, "a server masks nothing"
            assert first & 0x70 == 0, "no extension was agreed upon"
            length = second
            if second >= 126:
                length = int.from_bytes(await self.reader.readexactly(2 if second == 126 else 8), "big")
            return Heard(first & 0x0F, await self.reader.readexactly(length))

    async def opened(self) -> Json:
        """The handshake has worked; gives `session.created`."""
        answer = await self.answer()
        assert answer.status == 101, answer
        return (await self.frame()).event

    async def until(self, type_: str) -> list[Json]:
        found: list[Json] = []
        while not found or found[-1]["type"] != type_:
            found.append((await self.frame()).event)
        return found

    async def closed(self) -> int:
        """The code of the close frame that comes, whatever stands before it, and then the end."""
        while (heard := await self.frame()).opcode != CLOSE:
            pass
        await self.ended()
        return heard.code

    async def ended(self) -> bytes:
        """What still comes until the server ends its half."""
        async with asyncio.timeout(SECONDS):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    def reset(self) -> None:
        """Ends the connection as a process that is killed with data unread does: by RST."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def peer(
    server: RealtimeServer, *, tls: ssl.SSLContext | None = None, room: int | None = None
) -> AsyncIterator[Peer]:
    """A connection; with `room` it takes no more bytes than about that before they are read."""
    raw = socket.socket()
    if room is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(
        sock=raw, ssl=tls, server_hostname="127.0.0.1" if tls else None, limit=room or 2**16
    )
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()


# A server with somebody else on it.


@asynccontextmanager
async def among_others(
    dialect: str = GA,
    name: str = "text-turn",
    *,
    pace: Pace = AT_ONCE,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    trusted: ssl.SSLContext | None = None,
) -> AsyncIterator[RealtimeServer]:
    """A server with a session that has nothing to do with the test, and has to go on all the same.

    Afterwards all have left, and nothing of them is left behind.
    """
    found = bundled_dialect(dialect)

    def new_playback(opening: Opening) -> Playback:
        return Playback(
            found,
            cassette(dialect, name),
            seed=1,
            unix_time=NOW,
            model=opening.model,
            transcription=opening.transcription,
            settings=opening.settings,
        )

    async with RealtimeServer(found, KEY, new_playback, pace=pace, limits=limits, tls=tls) as server:
        async with dial(server, **({"ssl": trusted} if tls else {})) as other:
            assert (await hear(other))["type"] == "session.created"
            yield server
            await say(other, user_item("Hello there!"))
            await say(other, {"type": "response.create"})
            done = (await hear_until(other, "response.done"))[-1]
            assert done["response"]["status"] == "completed"
        await deserted(server)


def tight(server: RealtimeServer) -> None:
    """From now on hardly anything fits on the way to a client that does not read."""
    assert server._server is not None
    for listening in server._server.sockets:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


async def until(holds: Callable[[], bool], what: str = "it") -> None:
    """Waits for what nobody tells of."""
    try:
        async with asyncio.timeout(SECONDS):
            while not holds():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what} never came to be") from None


async def alone(server: RealtimeServer) -> None:
    """Nobody is there but the other session."""
    await until(lambda: len(server._present) == 1, f"a server with one session, but {server._present}")


async def deserted(server: RealtimeServer) -> None:
    """Nobody is there."""
    await until(lambda: not server._present, f"an empty server, but {server._present}")
    assert server._delayed == {}
    assert server.sessions == 0
    assert all(connection.over for connection in server.connections)
    assert all(connection.failure is None for connection in server.connections)


def newest(server: RealtimeServer) -> Connection:
    return server.connections[-1]
