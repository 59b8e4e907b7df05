"""One origin for one dialect: WebSockets, each with a service of its own, and plain HTTP, on one port.

No compression; `realtime` as subprotocol only where the client offers it. What
is served, a cassette or the model, is the factory's to say.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from websockets.http11 import Request

from harness.dialects import Dialect
from harness.dialects.opening import LateRefusal
from harness.exceptions import UsageFault
from harness.faults import FaultLine
from harness.faults.steps import HandshakeFault
from harness.server import http
from harness.server.certificate import everywhere
from harness.server.connection import Connection
from harness.server.door import Door
from harness.server.handshake import judge_handshake, split_target
from harness.server.keys import EphemeralKey, Keyring
from harness.server.limits import OF_THIS_SERVER, Limits
from harness.server.opening import Opening, phrase, refusal_body
from harness.server.rest import HEALTH_PATH, Asked, Rest, evidence_header
from harness.server.session import PARTING_SECONDS, Session
from harness.server.socket import CLOSING_SECONDS, Socket
from harness.service import Service
from harness.service.pace import AT_ONCE, Pace

LOOPBACK = "127.0.0.1"

LOOK_SECONDS = 0.002
"""How often it is looked whether all have left."""

_BACKLOG = 1024
"""Connections that may wait to be taken: a load test opens hundreds in one moment."""

_KEPT = 200
"""Requests and strangers that are remembered for whoever tells of them."""

NewService = Callable[[Opening], Service]


class RealtimeServer:
    """Serves one dialect on a port, a free one of the loopback unless told otherwise.

    An async context manager.
    `new_service` is told each accepted handshake. `faults` are those at
    handshakes; the service is given its own by the factory. With `tls` all of
    it is `https` and `wss`.
    """

    def __init__(
        self,
        dialect: Dialect,
        key: str,
        new_service: NewService,
        *,
        pace: Pace = AT_ONCE,
        faults: FaultLine | None = None,
        host: str = LOOPBACK,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.dialect = dialect
        self.keys = Keyring(key)
        self.pace = pace
        self.faults = faults or FaultLine()
        self.tls = tls
        self.limits = limits or Limits()
        self.connections: list[Connection] = []
        self.asked: deque[Asked] = deque(maxlen=_KEPT)
        """Requests by plain HTTP, for whoever tells of them."""
        self.strangers: deque[str] = deque(maxlen=_KEPT)
        """Why connections ended that never became a request."""
        self._new_service = new_service
        if not host:
            raise UsageFault("no address to listen on", hint=f"{LOOPBACK}, or 0.0.0.0 for everybody")
        self._host = host
        self._asked_port = port
        self._server: asyncio.Server | None = None
        self._rest = Rest(self)
        self._attempts = 0
        self._opened = 0
        self._present: set[Door | Socket | http.HttpRequest] = set()
        self._delayed: dict[Socket, tuple[asyncio.TimerHandle, Connection]] = {}
        """Handshakes that a fault holds up."""

    @property
    def key(self) -> str:
        return self.keys.key

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`, or `https://`; where it listens on all addresses, by the loopback."""
        host = self._host
        if everywhere(host):  # asyncio listens by version 6 alone where it is told to by its address
            host = "::1" if ":" in host else LOOPBACK
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def sessions(self) -> int:
        """How many are open."""
        return sum(isinstance(one, Socket) and one.listener is not None for one in self._present)

    async def __aenter__(self) -> RealtimeServer:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Door(self), self._host, self._asked_port, backlog=_BACKLOG
            )
        except (OSError, OverflowError) as error:
            where = f"port {self._asked_port} of {self._host}" if self._asked_port else self._host
            other = "port, or none" if self._asked_port else f"address, such as {LOOPBACK}"
            raise UsageFault(f"{where} cannot be had: {error}", hint=f"name another {other}") from None
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        loop = asyncio.get_running_loop()
        self._server.close()
        for socket, (_timer, connection) in tuple(self._delayed.items()):
            connection.handshake = replace(connection.handshake, status=503)
            socket.refuse(*_refused(503, "the server goes down"))
        for one in tuple(self._present):
            if isinstance(one, Socket) and one.open:
                one.close(1001)
            else:
                one.shut()
        until = loop.time() + CLOSING_SECONDS
        while self._present and loop.time() < until:
            await asyncio.sleep(LOOK_SECONDS)
        for one in tuple(self._present):
            one.shut()
        while self._present:
            await asyncio.sleep(LOOK_SECONDS)
        await self._server.wait_closed()

    def forget(self, connection: Connection) -> None:
        """Keeps nothing of a connection that is over."""
        self.connections = [one for one in self.connections if one is not connection]

    # The door.

    def enter_websocket(
        self, transport: asyncio.Transport, deadline: asyncio.TimerHandle
    ) -> asyncio.Protocol:
        socket = Socket(
            transport,
            self.limits.message_bytes,
            deadline,
            asked=self._asked_for_websocket,
            broken=self._broken,
            halfway=self._left_halfway,
            over=self._over,
        )
        self._present.add(socket)
        return socket

    def enter_http(self, transport: asyncio.Transport, deadline: asyncio.TimerHandle) -> asyncio.Protocol:
        request = http.HttpRequest(
            transport,
            deadline,
            self._rest.answer,
            self._rest.broken,
            again=self._again,
            halfway=self._left_halfway,
            over=self._present.discard,
        )
        self._present.add(request)
        return request

    def _again(self, request: http.HttpRequest, come: bytes, full: bool) -> None:
        """A connection that is kept alive comes to the door once more."""
        self._present.discard(request)
        Door(self).reopen(request.transport, come, full=full)

    def _broken(self, status: int, problem: str) -> tuple[int, str, tuple[tuple[str, str], ...], bytes]:
        """What is no request is answered as where it is none by plain HTTP."""
        reply = self._rest.broken(status, problem, None)
        return reply.status, reply.phrase, reply.headers, reply.body

    def _left_halfway(self, deadline: asyncio.TimerHandle) -> None:
        """A connection ended before its request was whole, and it was not we who ended it."""
        assert self._server is not None
        if self._server.is_serving() and asyncio.get_running_loop().time() < deadline.when():
            self.turned_away("it ended its request half-way")

    def came(self, door: Door) -> None:
        self._present.add(door)

    def left(self, door: Door) -> None:
        self._present.discard(door)

    def turned_away(self, why: str) -> None:
        self.strangers.append(why)

    def note(self, asked: Asked) -> None:
        self.asked.append(asked)

    def _over(self, socket: Socket) -> None:
        """A connection is gone, perhaps before its handshake was answered."""
        self._present.discard(socket)
        if socket in self._delayed:
            timer, connection = self._delayed.pop(socket)
            timer.cancel()
            connection.end()

    # The handshake.

    def _asked_for_websocket(self, socket: Socket, request: Request) -> None:
        headers = list(request.headers.raw_items())
        upgrade = request.headers.get_all("Upgrade")
        page = not upgrade or (HEALTH_PATH in request.path and split_target(request.path)[0] == HEALTH_PATH)
        if page:  # that is asked for, and no handshake
            fields = tuple((name.lower(), value) for name, value in headers)
            reply = self._rest.answer(http.Request("GET", request.path, fields))
            socket.refuse(reply.status, reply.phrase, reply.headers, reply.body)
            return
        judged = judge_handshake(self.dialect, request.path, headers, self.keys)
        connection = Connection(judged.handshake)
        self.connections.append(connection)
        if (
            judged.refusal is None
            and self.limits.sessions is not None
            and self.sessions + len(self._delayed) >= self.limits.sessions
        ):
            full = f"sessions={self.limits.sessions}, {OF_THIS_SERVER}"
            connection.handshake = replace(judged.handshake, limit=full)
            self._refuse(socket, connection, HandshakeFault(full, 429, (("Retry-After", "1"),)))
            return
        if isinstance(judged.refusal, LateRefusal):
            self._refuse_late(socket, connection, judged.refusal)
            return
        if judged.refusal is not None:
            connection.end()
            socket.refuse(
                *_refused(judged.refusal.status, judged.body, evidence_header(judged.refusal.body_evidence))
            )
            return
        self._attempts += 1
        fault = self.faults.handshake(self._attempts)
        if fault is not None:
            connection.handshake = replace(judged.handshake, fault=fault.fault)
            if fault.delay:
                connection.touch(fault.delay)
                loop = asyncio.get_running_loop()
                timer = loop.call_later(fault.delay, self._go_on, socket, connection, fault, judged.ephemeral)
                self._delayed[socket] = timer, connection
                return
        self._go_on(socket, connection, fault, judged.ephemeral)

    def _go_on(
        self, socket: Socket, connection: Connection, fault: HandshakeFault | None, key: EphemeralKey | None
    ) -> None:
        """After the pause that a fault makes, where one does."""
        self._delayed.pop(socket, None)
        if fault is not None and fault.status is not None:
            self._refuse(socket, connection, fault)
        else:
            self._accept(socket, connection, key)

    def _refuse(self, socket: Socket, connection: Connection, fault: HandshakeFault) -> None:
        """Refuses with the best-known body for the status of a fault, or of a limit of ours."""
        assert fault.status is not None
        body, evidence = refusal_body(self.dialect, fault)
        connection.handshake = replace(
            connection.handshake, status=fault.status, body_evidence=evidence, body=body
        )
        connection.end()
        socket.refuse(*_refused(fault.status, body, (*fault.headers, *evidence_header(evidence))))

    def _refuse_late(self, socket: Socket, connection: Connection, refusal: LateRefusal) -> None:
        """Opens the WebSocket to refuse it there, as some services do."""
        connection.end()
        status = socket.accept(evidence_header(connection.handshake.body_evidence))
        if status != 101:
            connection.handshake = replace(connection.handshake, status=status, refusal=None)
            return
        socket.put(connection.handshake.body.encode())
        socket.flush()
        reason = f"{self.dialect.errors[refusal.error].type}.{self.dialect.errors[refusal.error].code}"
        asyncio.get_running_loop().call_later(PARTING_SECONDS, socket.close, refusal.close, reason)

    def _accept(self, socket: Socket, connection: Connection, key: EphemeralKey | None) -> None:
        status = socket.accept()
        if status != 101:  # right but for the rules of HTTP or WebSocket
            connection.handshake = replace(connection.handshake, status=status)
            connection.end()
            return
        self._opened += 1
        try:
            service = self._new_service(Opening(self._opened, self.dialect, connection.handshake, key))
        except Exception as error:  # noqa: BLE001 - as what breaks in a session
            connection.failure = error
            connection.end()
            socket.close(1011, "the harness failed")
            return
        service.nesting = self.limits.nesting
        service.exchange.handshake = connection.handshake
        connection.service = service
        session = Session(socket, connection, service, self.pace, self.limits)
        socket.listener = session
        session.begin()
        socket.flush()


def _refused(
    status: int, body: str, headers: tuple[tuple[str, str], ...] = ()
) -> tuple[int, str, tuple[tuple[str, str], ...], bytes]:
    return (
        status,
        phrase(status),
        (("Content-Type", _content_type(body)), *headers),
        body.encode(errors="replace"),
    )


def _content_type(body: str) -> str:
    return "application/json" if body[:1] in ("{", "[") else "text/plain; charset=utf-8"
