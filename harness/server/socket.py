"""One WebSocket on a transport: bytes in, messages out, and the other way round.

`websockets` speaks the protocol (its Sans-I/O half); this moves the bytes. No
task waits for a connection: what comes is handed on as it comes, so a session
costs no more than its state. Frames that are put one after another leave in one
write, and who puts them is told when the peer no longer takes them.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable
from typing import Protocol as Typed

from websockets.datastructures import Headers
from websockets.exceptions import PayloadTooBig, SecurityError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from harness.server.head import MAX_HEAD, Head

CLOSING_SECONDS = 3.0
"""How long a client may hold up the end of its connection: one that never reads would do it for ever."""

LEAST_REST = 0.001
"""Seconds; a clock that is a hair early must not make the loop spin."""

_PONG = 0x80 | Opcode.PONG

_SHORT, _MEDIUM = 126, 65_536
"""Up to these lengths a frame has one byte, or three, of length (RFC 6455 5.2)."""


Refused = tuple[int, str, tuple[tuple[str, str], ...], bytes]
"""An answer that opens no WebSocket: status, phrase, headers and body."""


class Listener(Typed):
    """Whoever is at our end of an open socket."""

    def heard(self, message: str | bytes) -> None:
        """A message came."""

    def speak(self) -> None:
        """All that came together was handed on, or the peer takes messages again."""

    def lost(self) -> None:
        """The connection is gone."""


class Socket(asyncio.Protocol):
    """A WebSocket from its handshake on.

    `asked` is called with the request, which is to come before the `deadline`,
    and answers it; `broken` makes an answer to one that cannot be read, of a
    status and what is wrong with it; `halfway` is called when it never came whole,
    and `over` when the connection is gone.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        max_size: int,
        deadline: asyncio.TimerHandle,
        *,
        asked: Callable[[Socket, Request], None],
        broken: Callable[[int, str], Refused],
        halfway: Callable[[asyncio.TimerHandle], None],
        over: Callable[[Socket], None],
    ) -> None:
        self.transport = transport
        # What the kernel does not take at once is enough for now: more would be copied over and over.
        transport.set_write_buffer_limits(high=1, low=0)  # nought never ends with TLS (asyncio, 3.11)
        self.protocol = ServerProtocol(max_size=max_size, select_subprotocol=_select_subprotocol)
        self.listener: Listener | None = None
        self.full = False
        """The peer does not take what it is sent as fast as that comes."""
        self.gone = False
        self._asked = asked
        self._broken = broken
        self._halfway = halfway
        self._over = over
        self._request: Request | None = None
        self._head = Head()
        self._answered = False
        self._early = bytearray()
        """What came after the request and before its answer, which a fault may hold up."""
        self._pieces = bytearray()
        """Of a message that comes in several frames."""
        self._of_text = True
        self._handed_on = False
        """Whether messages came to which nothing was said yet."""
        self._failed = False
        """A message was none; what comes after it is heard no more."""
        self._pong: bytes | None = None
        """The last answer to a ping that the peer has no room for."""
        self._out: list[bytes] = []
        self._opening: asyncio.TimerHandle = deadline
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self.protocol.state is State.OPEN

    @property
    def too_big(self) -> PayloadTooBig | None:
        """What broke the protocol, where that was a message larger than is taken."""
        broken = self.protocol.parser_exc
        return broken if isinstance(broken, PayloadTooBig) else None

    # The handshake.

    def accept(self, fields: Iterable[tuple[str, str]] = ()) -> int:
        """Answers the request with what HTTP and RFC 6455 say; returns the status, 101 where it is open."""
        assert self._request is not None
        self._answered = True
        early, self._early = bytes(self._early), bytearray()
        if early:  # whoever is to hear it is there by then
            self.transport.resume_reading()
            asyncio.get_running_loop().call_soon(self.data_received, early)
        response = self.protocol.accept(self._request)
        for name, value in fields:
            response.headers[name] = value
        self.protocol.send_response(response)
        if self.open:
            self._out += self.protocol.data_to_send()  # it leaves with what is said first
        else:
            self._flush_protocol()
            self._end_soon()
        return response.status_code

    def refuse(self, status: int, phrase: str, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        """Answers the request with a response of ours."""
        self._answered = True
        if self._early:  # what still comes is read, and passed over
            self._early.clear()
            self.transport.resume_reading()
        self.protocol.send_response(_response(status, phrase, headers, body))
        self._flush_protocol()
        self._end_soon()

    def _refuse_broken(self, error: BaseException) -> None:
        """Answers what is no request; what `websockets` would say differs from version to version."""
        self._opening.cancel()
        self.protocol.data_to_send()
        too_long = self._head.too_long or isinstance(error, SecurityError)
        refused = self._broken(431 if too_long else 400, str(error) or type(error).__name__)
        self._send(_response(*refused).serialize())
        self._send_eof()
        self._end_soon()

    # Sending.

    def put(self, text: bytes) -> None:
        """Adds a message to what is sent at the next flush."""
        self._out += (frame_start(len(text)), text)

    def put_all(self, texts: Iterable[tuple[bytes, ...]]) -> int:
        """Adds messages, each in parts, to what is sent next; returns how many bytes they are."""
        out, starts, size = self._out, _STARTS, 0
        for parts in texts:
            length = sum(map(len, parts)) if len(parts) > 1 else len(parts[0])
            out.append(starts[length] if length < _COMMON else frame_start(length))
            out += parts
            size += length
        return size

    def flush(self) -> bool:
        """Sends what was put, in one write; says whether there was anything."""
        if not self._out:
            return False
        out, self._out = self._out, []
        if self.open and not self.gone:
            self.transport.write(b"".join(out))
        return True

    def close(self, code: int | None, reason: str = "") -> None:
        """Begins the closing handshake; None is a close frame without a code."""
        self.flush()
        if self.open:
            self.protocol.send_close(code, reason)
            self._flush_protocol()
        self._end_soon()

    def shut(self) -> None:
        """Drops the connection without a word."""
        self.transport.abort()

    def lose(self, seconds: float) -> None:
        """Drops it once what was sent has left this process, for which the peer has so long to read it."""
        loop = asyncio.get_running_loop()
        if not self.transport.can_write_eof():
            self.transport.close()  # TLS has a buffer beneath it, which only its end waits for
            if not self.gone:
                loop.call_later(seconds, self.transport.abort)
        elif self.transport.get_write_buffer_size() and seconds > 0:
            loop.call_later(LEAST_REST, self.lose, seconds - LEAST_REST)
        else:
            self.shut()

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        if self._request is None:
            if self.protocol.handshake_exc is not None:
                return  # no request, and answered as that
            data = self._read_head(data)
        if self._request is not None and not self._answered:
            self._early += data
            if len(self._early) > MAX_HEAD:
                self.transport.pause_reading()
            return
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        self._flush_protocol()
        if self._handed_on and self.listener is not None and self.open:
            self._handed_on = False
            self.listener.speak()

    def _read_head(self, data: bytes) -> bytes:
        """Reads the request and no further; returns what comes after it.

        Frames that came with it are read once it is answered: their answers must not go before that.
        """
        head = self._head.take(data)
        self.protocol.receive_data(head)
        for event in self.protocol.events_received():
            if isinstance(event, Request) and not self._head.too_long:
                self._request = event
                self._opening.cancel()
                self._asked(self, event)
        error = self.protocol.handshake_exc
        if self._request is None and error is not None:
            self._refuse_broken(error.__cause__ or error)
        elif self._request is None and self._head.too_long:
            self.protocol.handshake_exc = SecurityError(f"a request of more than {MAX_HEAD} bytes")
            self._refuse_broken(self.protocol.handshake_exc)
        return data[len(head) :]

    def eof_received(self) -> None:
        if self._request is not None and not self._answered:
            return  # who hangs up before the answer gets none
        if self._request is None and self.protocol.handshake_exc is None:
            self._halfway(self._opening)
        self.protocol.receive_eof()
        self._flush_protocol()
        self._end_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if self._request is None and self.protocol.handshake_exc is None:
            self._halfway(self._opening)
        self.protocol.receive_eof()
        self._opening.cancel()
        if self._deadline is not None:
            self._deadline.cancel()
        if self.listener is not None:
            self.listener.lost()
            self.listener = None
        self._over(self)

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        pong, self._pong = self._pong, None
        if pong is not None and self.open:
            self._send(pong)
        if self.listener is not None:
            self.listener.speak()

    # Frames.

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE) or self.listener is None:
            return  # the protocol answers pings and closes by itself
        if self._failed:
            return
        if frame.opcode is not Opcode.CONT:
            self._of_text = frame.opcode is Opcode.TEXT
            if frame.fin:
                self._hand_on(bytes(frame.data))
                return
        self._pieces += frame.data
        if frame.fin:
            pieces, self._pieces = self._pieces, bytearray()
            self._hand_on(bytes(pieces))

    def _hand_on(self, data: bytes) -> None:
        assert self.listener is not None
        self._handed_on = True
        if not self._of_text:
            self.listener.heard(data)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            self._failed = True
            if self.open:
                self.protocol.fail(1007, f"{error.reason} at position {error.start}")
            return
        self.listener.heard(text)

    def _flush_protocol(self) -> None:
        """Sends what the protocol has to say by itself: responses, pongs, closes."""
        for data in self.protocol.data_to_send():
            if not data:
                self._send_eof()
            elif self.full and data[0] == _PONG:
                self._pong = data  # RFC 6455 5.5.3: the last ping alone need be answered
            else:
                self._send(data)
        if self.protocol.state is not State.CONNECTING and self.protocol.close_expected():
            self._end_soon()

    def _send(self, data: bytes) -> None:
        if not self.gone:
            self.transport.write(data)

    def _send_eof(self) -> None:
        if self.gone:
            return
        if self.protocol.close_rcvd is None and self.transport.can_write_eof():
            # What the peer still sends is read: a connection closed on it would take back our last word.
            self.transport.write_eof()
        else:  # both have said that it is over, or TLS, which cannot be closed by half
            self.transport.close()

    def _end_soon(self) -> None:
        """The connection is to end; a peer that holds this up loses it."""
        if self._deadline is None and not self.gone:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(CLOSING_SECONDS, self.transport.abort)


def frame_start(length: int) -> bytes:
    """The first bytes of a text frame of the server: final, not masked (RFC 6455 5.2)."""
    if length < _SHORT:
        return bytes((0x81, length))
    if length < _MEDIUM:
        return struct.pack("!BBH", 0x81, 126, length)
    return struct.pack("!BBQ", 0x81, 127, length)


_COMMON = 1024
_STARTS = tuple(map(frame_start, range(_COMMON)))
"""Those of most events, made beforehand."""


def _response(status: int, phrase: str, headers: tuple[tuple[str, str], ...], body: bytes) -> Response:
    fields = Headers([("Connection", "close"), ("Content-Length", str(len(body)))])
    for name, value in headers:
        fields[name] = value
    return Response(status, phrase, fields, body)


def _select_subprotocol(protocol: ServerProtocol, offered: object) -> Subprotocol | None:  # noqa: ARG001
    """`realtime` where it is offered; none otherwise, which refuses nobody."""
    names = list(offered) if isinstance(offered, (list, tuple)) else []
    return Subprotocol("realtime") if "realtime" in names else None
