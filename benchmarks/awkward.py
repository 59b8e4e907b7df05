"""Clients that are slow, or half there: a process of its own keeps them until it is ended."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from benchmarks.client import HOST, Talk

WINDOW = 4096
"""Bytes that the kernel takes in for them, about: what they do not read stays with the server."""

FIRST_BITE = 16_384
"""Bytes of an answer that one reads before it stops."""

BITE, REST = 4096, 0.05
"""A slow one reads so many bytes at a time, and rests so many seconds in between."""

START_SECONDS = 60.0


class _Event(Protocol):
    def set(self) -> None: ...


@contextmanager
def awkward_clients(port: int, long: Talk, of_each: int) -> Iterator[None]:
    """So many of each kind: silent on TCP, silent after the handshake, fallen asleep in an answer, slow.

    The last two ask for the long answer.
    """
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    process = spawn.Process(target=_be_awkward, args=(port, long, of_each, ready), daemon=True)
    process.start()
    try:
        assert ready.wait(START_SECONDS), "the awkward clients never got that far"
        yield
    finally:
        process.terminate()
        process.join()


def _be_awkward(port: int, long: Talk, of_each: int, ready: _Event) -> None:
    kept: list[socket.socket] = [_dialled(port) for _ in range(of_each)]
    kept += [_opened(port, long) for _ in range(of_each)]
    slow: list[socket.socket] = []
    for number in range(of_each * 2):
        client = _opened(port, long)
        _read(client, 1)
        client.sendall(long.messages)
        if number % 2:
            _read(client, FIRST_BITE)
            kept.append(client)
        else:
            client.setblocking(False)
            slow.append(client)
    ready.set()
    while True:
        for client in slow:
            try:
                client.recv(BITE)
            except BlockingIOError:
                continue
            except ConnectionError:
                return
        time.sleep(REST)


def _dialled(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    client.settimeout(START_SECONDS)
    client.connect((HOST, port))
    return client


def _opened(port: int, talk: Talk) -> socket.socket:
    client = _dialled(port)
    client.sendall(talk.request)
    return client


def _read(client: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(client.recv(BITE))
