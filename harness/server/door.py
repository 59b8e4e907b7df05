"""What a new connection is: TLS first where that is asked for, then a WebSocket or plain HTTP.

One port for both: the first line of a request tells them apart. A GET opens a
WebSocket, or is answered by that side of the house; any other method is HTTP.
Whoever says nothing, or no HTTP, is shown out, and it is told why.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol as Typed

OPENING_SECONDS = 10.0
"""How long a client may take for TLS, and for its part of a request."""

FIRST_LINE_BYTES = 16_384
"""No request line is longer; `websockets` and `h11` end theirs earlier, with an answer."""

_TLS_HELLO = 0x16
"""The first byte of a TLS handshake (RFC 8446 5.1)."""


class House(Typed):
    """What is behind the door."""

    tls: ssl.SSLContext | None

    def enter_websocket(
        self, transport: asyncio.Transport, deadline: asyncio.TimerHandle
    ) -> asyncio.Protocol:
        """Who speaks WebSocket on the transport from now on; the deadline is for its request."""

    def enter_http(self, transport: asyncio.Transport, deadline: asyncio.TimerHandle) -> asyncio.Protocol:
        """Who speaks HTTP on it."""

    def came(self, door: Door) -> None:
        """Somebody is at the door."""

    def left(self, door: Door) -> None:
        """The connection is gone before anybody knew what it was."""

    def turned_away(self, why: str) -> None:
        """A connection ended that never became a request."""


class Door(asyncio.Protocol):
    """One connection until it is known what it is."""

    def __init__(self, house: House) -> None:
        self.transport: asyncio.Transport | None = None
        self._house = house
        self._come = bytearray()
        self._loop = asyncio.get_running_loop()
        self._deadline: asyncio.TimerHandle | None = None
        self._securing: asyncio.Task[None] | None = None
        self._known = False
        """It is known what the connection is; somebody else speaks on it."""
        self._kept = False
        """A request was answered on it before."""
        self._full = False
        """The client has not yet read those answers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._house.came(self)
        if self._house.tls is not None:
            transport.pause_reading()  # its first bytes belong to TLS
            self._securing = self._loop.create_task(self._secure(transport, self._house.tls))
        else:
            self._open()

    async def _secure(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        """The TLS handshake; one that fails would otherwise leave no trace but the client's own message."""
        self._securing = asyncio.current_task()
        try:
            secured = await self._loop.start_tls(
                transport, self, tls, server_side=True, ssl_handshake_timeout=OPENING_SECONDS
            )
        except (OSError, asyncio.CancelledError) as error:
            self._house.left(self)
            if not isinstance(error, asyncio.CancelledError):
                self._house.turned_away(_of_tls(error))
            transport.abort()
            return
        if secured is None or secured.is_closing():  # gone in this very moment
            self._house.left(self)
            return
        self.transport = secured
        self._open()
        self._look()  # what came with the end of the handshake

    def reopen(self, transport: asyncio.Transport, come: bytes, *, full: bool) -> None:
        """The connection comes back for another request, of which so much came already.

        It is looked at when the others had their turn: a client may send thousands at once, and no more
        is read meanwhile. One that is `full`, for it does not read what it is answered, waits until it does.
        """
        self.transport = transport
        self._kept, self._full = True, full
        self._come += come
        transport.set_protocol(self)
        self._house.came(self)
        self._open()
        if full or come:
            transport.pause_reading()
        if come and not full:
            self._loop.call_soon(self._look)

    def _open(self) -> None:
        self._deadline = self._loop.call_later(OPENING_SECONDS, self._too_late)

    def data_received(self, data: bytes) -> None:
        self._come += data
        if not self._full:
            self._look()

    def resume_writing(self) -> None:
        if self._full:
            self._full = False
            self._look()

    def _look(self) -> None:
        if self._known or self._deadline is None:
            return  # somebody else's, or TLS is not yet told to be done with it
        assert self.transport is not None
        if self.transport.is_closing():
            return
        if self._kept:
            self.transport.resume_reading()
        self._come = self._come.lstrip(b"\r\n")  # empty lines before a request are passed over
        if not self._come:
            return
        end = self._come.find(b"\n")
        if end < 0 and len(self._come) <= FIRST_LINE_BYTES and self._come[0] != _TLS_HELLO:
            return
        if self._come[0] == _TLS_HELLO:
            self._show_out("it speaks TLS, and this port does not: dial ws:// and http://, or serve with TLS")
            return
        self._enter()

    def _enter(self) -> None:
        assert self.transport is not None
        assert self._deadline is not None
        come, self._come = bytes(self._come), bytearray()
        self._known = True
        self._house.left(self)
        get = come.startswith(b"GET ")
        enter = self._house.enter_websocket if get else self._house.enter_http
        inside = enter(self.transport, self._deadline)
        self.transport.set_protocol(inside)
        inside.data_received(come)

    def eof_received(self) -> None:
        if self._come:
            self._house.turned_away("it ended its first line half-way")
            self._come.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._house.left(self)

    def _too_late(self) -> None:
        if self._full:
            self._show_out("it does not read what it is answered")
        elif self._kept and not self._known and not self._come:
            self.shut()  # it has nothing more to ask
        else:
            part = "whole request" if self._known else "request line"
            self._show_out(f"it sent no {part} within {OPENING_SECONDS:g} s")

    def _show_out(self, why: str) -> None:
        self._house.turned_away(why)
        if self.transport is not None:
            self.transport.abort()

    def shut(self) -> None:
        """The house closes."""
        if self._securing is not None:
            self._securing.cancel()
        if self.transport is not None:
            self.transport.abort()


def _of_tls(error: OSError) -> str:
    """What went wrong in a TLS handshake, and what can be done about it."""
    text = str(error)
    if "HTTP_REQUEST" in text or "WRONG_VERSION_NUMBER" in text:
        return "it speaks no TLS, and this port does: dial wss:// and https://"
    if "UNKNOWN_CA" in text or "ALERT_BAD_CERTIFICATE" in text or "CERTIFICATE_UNKNOWN" in text:
        return (
            "it does not trust the certificate: give it the CA file, by SSL_CERT_FILE or NODE_EXTRA_CA_CERTS"
        )
    reason = getattr(error, "reason", None)
    if reason is None:  # it said nothing: so do Node and Python's own libraries
        return (
            "it broke off the TLS handshake. Most do that where they do not trust the certificate: "
            "give it the CA file, by SSL_CERT_FILE or NODE_EXTRA_CA_CERTS"
        )
    return f"its TLS handshake failed: {reason}"
