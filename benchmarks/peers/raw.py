"""The least that a server in Python can do, as a reference: `python -m benchmarks.peers.raw CASSETTE…`.

A WebSocket made by hand on an asyncio protocol, and frames that were built before anybody dialled, one
write for each. It counts what the client says and reads none of it, checks no key, binds no id and
keeps no log.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import signal
import sys
from collections import deque
from pathlib import Path

from benchmarks.turns import exchanges
from harness.cassette import Cassette, load_cassette
from harness.messages import render_event

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BACKLOG = 1024
_MODEL = re.compile(rb"[?&]model=([\w.-]+)")
_KEY = re.compile(rb"\r\nsec-websocket-key: *(\S+)", re.IGNORECASE)

Answers = list[list[bytes]]
"""Frames: those sent unasked, then those for each of the client's messages."""


def frame(text: str) -> bytes:
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes([0x81, size]) + payload
    if size < 65536:
        return bytes([0x81, 126]) + size.to_bytes(2, "big") + payload
    return bytes([0x81, 127]) + size.to_bytes(8, "big") + payload


def answers_of(cassette: Cassette) -> Answers:
    return [[frame(render_event(event)) for event in events] for _, events in exchanges(cassette)]


class Raw(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, cassettes: dict[bytes, Answers]) -> None:
        self._cassettes = cassettes
        self._answers: Answers = []
        self._said = 0
        self._data = b""
        self._open = False
        self._due: deque[bytes] = deque()
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            head, end, self._data = self._data.partition(b"\r\n\r\n")
            if not end:
                self._data = head
                return
            self._shake_hands(head)
        self._hear()

    def _shake_hands(self, head: bytes) -> None:
        model, key = _MODEL.search(head), _KEY.search(head)
        assert model is not None, head
        assert key is not None, head
        accept = base64.b64encode(hashlib.sha1(key[1] + GUID, usedforsecurity=False).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._open = True
        self._answers = self._cassettes[model[1]]
        self._answer()

    def _hear(self) -> None:
        data, at = self._data, 0
        while len(data) - at >= 6:  # a client's frame has a mask
            size, head = data[at + 1] & 127, 6
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 8
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 14
            end = at + head + size
            if len(data) < end:
                break
            if data[at] & 15 == 8:
                self.transport.write(b"\x88\x02\x03\xe8")  # 1000
                self.transport.close()
                return
            self._answer()
            at = end
        self._data = data[at:]

    def _answer(self) -> None:
        self._due.extend(self._answers[self._said])
        self._said += 1
        self._push()

    def _push(self) -> None:
        due, write = self._due, self.transport.write
        while due and not self._paused:
            write(due.popleft())

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._push()


async def main(paths: list[Path]) -> None:
    cassettes = {path.stem.encode(): answers_of(load_cassette(path)) for path in paths}
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told_to_end.set)
    server = await loop.create_server(lambda: Raw(cassettes), "127.0.0.1", 0, backlog=BACKLOG)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await told_to_end.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main([Path(name) for name in sys.argv[1:]]))
