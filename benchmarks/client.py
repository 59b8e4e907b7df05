"""The client of all servers: as light as it gets, so that what is measured is the server.

Non-blocking sockets on one epoll, a WebSocket made by hand. It dials, waits for `session.created`, says
all it has to say in one write, counts frames until `response.done`, and closes as the protocol wants it.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from benchmarks.peers.process import KEY, Server
from benchmarks.turns import exchanges
from harness.cassette import Cassette
from harness.messages import render_event

HOST = "127.0.0.1"
READ = 262_144
PATIENCE = 60.0
"""Seconds without anything from any server."""

_OPENED = b'{"type":"session.created"'
_CREATED = b'{"type":"response.created"'
_DONE = b'{"type":"response.done"'
_CLOSE = 8


class Goal(IntEnum):
    """How far a session is to go."""

    OPENED = 1
    """`session.created` has come, and the client says nothing."""
    ANSWERED = 2
    """`response.done` has come, and the connection stays open."""
    OVER = 3
    """It was closed by both sides."""


@dataclass(frozen=True)
class Talk:
    """What a client sends, as bytes: a request to open a WebSocket, and then its messages."""

    request: bytes
    messages: bytes
    frames: int
    """How many it is to be sent; a server that sends others plays another session."""


def talk_of(cassette: Cassette, model: str) -> Talk:
    """The client's part of a cassette, which it asks for by the name of a model."""
    lines = (
        f"GET {cassette.header.path}?model={model} HTTP/1.1",
        f"Host: {HOST}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        f"api-key: {KEY}",
        "\r\n",
    )
    told, *asked = exchanges(cassette)
    messages = b"".join(masked(render_event(event).encode()) for event, _ in asked)
    frames = sum(len(events) for _, events in (told, *asked))
    return Talk("\r\n".join(lines).encode(), messages, frames)


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """A client's frame."""
    mask, size = os.urandom(4), len(payload)
    assert size < 65536, "a length in eight bytes was never needed"
    head = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    key = (mask * (size // 4 + 1))[:size]
    hidden = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return bytes([0x80 | opcode]) + head + mask + hidden.to_bytes(size, "big")


GOODBYE = masked((1000).to_bytes(2, "big"), _CLOSE)


class Caller:
    """One client, from its dialling to the end of its connection. Times are of `time.perf_counter`."""

    def __init__(self, port: int, talk: Talk) -> None:
        self.talk = talk
        self.reached = 0
        self.frames = 0
        self.dialled_at = time.perf_counter()
        self.opened_at = self.said_at = self.created_at = self.done_at = 0.0
        """The first event came; the messages went out; the answer began; it ended."""
        self._goal = 0
        self._heard = bytearray()
        """All that came."""
        self._looked = 0
        """Up to where that was looked at."""
        self.connected = False
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Where the server's queue is full a connection comes about a second later: nobody else must wait.
        self.socket.setblocking(False)
        self.socket.connect_ex((HOST, port))

    def connect(self) -> None:
        """The connection has come about."""
        self.connected = True
        self.socket.send(self.talk.request)

    def aim(self, goal: Goal) -> None:
        """Goes on from where it is."""
        self._goal = goal
        if self.reached == Goal.OPENED < goal:
            self._say()
        elif self.reached == Goal.ANSWERED < goal:
            self.socket.send(GOODBYE)

    @property
    def there(self) -> bool:
        return self.reached >= self._goal

    def read(self) -> None:
        """Takes what there is to read; looks for what is waited for, and leaves the rest for afterwards."""
        data = self.socket.recv(READ)
        assert data, f"the server hung up after {len(self._heard)} bytes"
        self._heard += data
        if not self.reached and self._whole(_OPENED) and self._heard.startswith(b"HTTP/1.1 101"):
            self.opened_at = time.perf_counter()
            self.reached = Goal.OPENED
            if self._goal > Goal.OPENED:
                self._say()
        if self.reached == Goal.OPENED:
            if not self.created_at and self._heard.find(_CREATED) >= 0:
                self.created_at = time.perf_counter()
            if self._whole(_DONE):
                self.done_at = time.perf_counter()
                self.reached = Goal.ANSWERED
                if self._goal > Goal.ANSWERED:
                    self.socket.send(GOODBYE)
        elif self.reached == Goal.ANSWERED and self._heard[-4:-2] == b"\x88\x02":
            self.reached = Goal.OVER
            self.socket.close()

    def _whole(self, begins: bytes) -> bool:
        """Whether a frame that begins so has come to its end: it is the last for now, and not a short one."""
        at = self._heard.find(begins, self._looked)
        self._looked = max(self._looked, at if at >= 0 else len(self._heard) - len(begins))
        if at < 0:
            return False
        if self._heard[at - 3] == 126:
            size = int.from_bytes(self._heard[at - 2 : at], "big")
        else:
            size = int.from_bytes(self._heard[at - 8 : at], "big")
        return len(self._heard) >= at + size

    def checked(self) -> Caller:
        """It was sent what it should be: so many frames."""
        data, at, count = self._heard, self._heard.index(b"\r\n\r\n") + 4, 0
        while at < len(data):
            size, head = data[at + 1], at + 2
            if size == 126:
                head = at + 4
                size = int.from_bytes(data[at + 2 : head], "big")
            elif size == 127:
                head = at + 10
                size = int.from_bytes(data[at + 2 : head], "big")
            count += data[at] & 15 != _CLOSE
            at = head + size
        self.frames = count
        assert self.reached < Goal.ANSWERED or count == self.talk.frames, (
            f"{count} frames, not {self.talk.frames}"
        )
        return self

    def _say(self) -> None:
        self.said_at = time.perf_counter()
        self.socket.send(self.talk.messages)


def call(server: Server, talks: Iterable[Talk], at_once: int = 1, goal: Goal = Goal.OVER) -> list[Caller]:
    """A session each, so many at a time: where one has got there the next one dials."""
    return _attended((Caller(server.port, talk) for talk in talks), at_once, goal)


def further(callers: Iterable[Caller], goal: Goal) -> None:
    """The same sessions, all at once, up to another goal."""
    found = list(callers)
    _attended(iter(found), len(found), goal)


def _attended(new: Iterator[Caller], at_once: int, goal: Goal) -> list[Caller]:
    going: dict[int, Caller] = {}
    there: list[Caller] = []
    with select.epoll() as epoll:
        while True:
            while len(going) < at_once and (caller := next(new, None)) is not None:
                going[caller.socket.fileno()] = caller
                epoll.register(caller.socket, select.EPOLLIN if caller.connected else select.EPOLLOUT)
                caller.aim(goal)
            if not going:
                return [caller.checked() for caller in there]
            ready = epoll.poll(PATIENCE)
            assert ready, f"{len(going)} sessions hear nothing more"
            for number, _ in ready:
                caller = going[number]
                if not caller.connected:
                    caller.connect()
                    epoll.modify(number, select.EPOLLIN)
                    continue
                caller.read()
                if caller.there:
                    there.append(going.pop(number))
                    if caller.reached < Goal.OVER:  # a closed socket has left by itself
                        epoll.unregister(number)
