"""One HTTP request on a connection, whatever is not a GET: read whole, answered once.

`h11` speaks the protocol; this moves the bytes. After its answer a connection
that is kept alive goes back to the door, for its next request may be anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import h11

from harness.server.head import MAX_HEAD, Head

MAX_BODY = 1024 * 1024
"""Bytes of a request. What is sent by HTTP is a session's settings, at most a few dozen kilobytes."""

_LINGERING_SECONDS = 2.0
"""How long we read on after our last answer: a connection closed on unread bytes would take it back."""


@dataclass(frozen=True)
class Request:
    """A request as it came: the target with its query, and names of headers in lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What a request is answered with."""

    status: int
    phrase: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class HttpRequest(asyncio.Protocol):
    """Reads one request and answers it.

    `answer` makes a reply of it; `broken` one of a status and what is wrong
    with a request that cannot be read. `again` is given the connection, what
    already came of its next request, and whether the client has yet to read its
    answers, where it is kept alive; `halfway` is called when the request never came
    whole, and `over` when the connection is gone.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        deadline: asyncio.TimerHandle,
        answer: Callable[[Request], Reply],
        broken: Callable[[int, str, Request | None], Reply],
        *,
        again: Callable[[HttpRequest, bytes, bool], None],
        halfway: Callable[[asyncio.TimerHandle], None],
        over: Callable[[HttpRequest], None],
    ) -> None:
        self.transport = transport
        self._deadline = deadline
        self._answer = answer
        self._broken = broken
        self._again = again
        self._halfway = halfway
        self._gone = over
        self._bytes = Head()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._head: Request | None = None
        self._body = bytearray()
        self._over = False
        self._full = False
        """The client does not read what it is answered."""

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._bytes.take(data)
        try:
            self._http.receive_data(data)
            self._read()
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint, str(error))

    def _read(self) -> None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                fields = tuple((name.decode("latin-1"), _text(value)) for name, value in event.headers)
                self._head = Request(event.method.decode("latin-1"), _text(event.target), fields)
                if self._bytes.too_long:  # h11 minds the size of one that is incomplete alone
                    self._refuse(431, f"a request line and headers of more than {MAX_HEAD} bytes")
                    return
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY:
                    self._refuse(413, f"a body of more than {MAX_BODY} bytes")
                    return
            elif isinstance(event, h11.EndOfMessage):
                assert self._head is not None
                head = self._head
                self._send(self._answer(Request(head.method, head.target, head.headers, bytes(self._body))))
                return
            else:  # more is to come, or nothing ever will
                if event is h11.NEED_DATA and self._http.they_are_waiting_for_100_continue:
                    self._write(h11.InformationalResponse(status_code=100, headers=[]))
                return

    def _refuse(self, status: int, problem: str) -> None:
        self._send(self._broken(status, problem, self._head), keep=False)

    def _send(self, reply: Reply, *, keep: bool = True) -> None:
        self._deadline.cancel()
        headers = [*reply.headers, ("Content-Length", str(len(reply.body)))]
        if not keep:
            headers.append(("Connection", "close"))
        self._write(h11.Response(status_code=reply.status, reason=reply.phrase, headers=headers))
        head = self._head is not None and self._head.method == "HEAD"
        if reply.body and not head:
            self._write(h11.Data(data=reply.body))
        if self._http.our_state is h11.SEND_BODY:
            self._write(h11.EndOfMessage())
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._over = True
            self._again(self, self._http.trailing_data[0], self._full)
        else:
            self._linger()

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def _linger(self) -> None:
        """Ends our half, and the whole soon after."""
        self._over = True
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._deadline = asyncio.get_running_loop().call_later(_LINGERING_SECONDS, self.transport.abort)
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def eof_received(self) -> None:
        """A client may end its half once it has asked; the other half ends with the answer."""
        if not self._over:
            self.data_received(b"")  # as h11 is told of the end

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        if not self._over:
            self._halfway(self._deadline)
        self._gone(self)

    def shut(self) -> None:
        """The house closes."""
        self.transport.abort()


def _text(value: bytes) -> str:
    """Bytes of a header; other bytes than UTF-8 come in lone surrogates, as `websockets` gives them."""
    return value.decode("utf-8", "surrogateescape")
