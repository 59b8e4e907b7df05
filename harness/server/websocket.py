"""A WebSocket server with a service of its own for whoever connects.

Loopback only, no compression, `realtime` as subprotocol only where the client
offers it. What is served, a cassette or the model, is the factory's to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from harness.dialects import Dialect
from harness.exceptions import UsageFault
from harness.faults import FaultLine
from harness.messages import MAX_FRAME
from harness.server.connection import Connection
from harness.server.handshake import judge_handshake
from harness.server.opening import Opening, phrase, refusal_body
from harness.server.session import CLOSING_SECONDS, Session, hang_up
from harness.service import Service
from harness.service.pace import AT_ONCE, Pace

HOST = "127.0.0.1"

OPENING_SECONDS = 10.0
"""How long a client may take for its part of the handshake."""

NewService = Callable[[Opening], Service]


class RealtimeServer:
    """Serves one dialect on a port of 127.0.0.1, a free one unless told otherwise; an async context manager.

    `new_service` is told each accepted handshake. `faults` are those at
    handshakes; the service is given its own by the factory.
    """

    def __init__(
        self,
        dialect: Dialect,
        key: str,
        new_service: NewService,
        *,
        pace: Pace = AT_ONCE,
        faults: FaultLine | None = None,
        port: int = 0,
    ) -> None:
        self.dialect = dialect
        self.key = key
        self.pace = pace
        self.faults = faults or FaultLine()
        self.connections: list[Connection] = []
        self._new_service = new_service
        self._port = port
        self._server: Server | None = None
        self._closing = asyncio.Event()
        self._attempts = 0
        self._opened = 0
        self._opening: WeakKeyDictionary[ServerConnection, Connection] = WeakKeyDictionary()
        """Handshakes that were accepted; a client may be gone before its connection is open."""
        self._open: set[ServerConnection] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{HOST}:{self.port}"

    async def __aenter__(self) -> RealtimeServer:
        try:
            self._server = await serve(
                self._serve,
                host=HOST,
                port=self._port,
                compression=None,
                max_size=MAX_FRAME,
                process_request=self._process_request,
                process_response=self._process_response,
                select_subprotocol=_select_subprotocol,
                open_timeout=OPENING_SECONDS + self.faults.longest_handshake,
                ping_interval=None,
                close_timeout=2,
                server_header=None,
            )
        except (OSError, OverflowError) as error:
            raise UsageFault(
                f"port {self._port} of {HOST} cannot be had: {error}", hint="name another one, or none"
            ) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._closing.set()
        self._server.close()
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._server.wait_closed()
        except TimeoutError:
            for websocket in self._open:
                websocket.transport.abort()
            await self._server.wait_closed()

    def forget(self, connection: Connection) -> None:
        """Keeps nothing of a connection that is over."""
        self.connections = [one for one in self.connections if one is not connection]

    async def _process_request(self, websocket: ServerConnection, request: Request) -> Response | None:
        headers = list(request.headers.raw_items())
        handshake, refusal, body = judge_handshake(self.dialect, request.path, headers, self.key)
        connection = Connection(handshake)
        self.connections.append(connection)
        if refusal is not None:
            connection.handshake = replace(handshake, body=body)
            return _refused(refusal.status, body)
        self._attempts += 1
        fault = self.faults.handshake(self._attempts)
        if fault is not None:
            connection.handshake = replace(handshake, fault=fault.fault)
            if fault.delay:
                connection.touch(fault.delay)
                await self._pause(fault.delay)
            if fault.status is not None:
                body, evidence = refusal_body(self.dialect, fault)
                connection.handshake = replace(
                    connection.handshake, status=fault.status, body_evidence=evidence, body=body
                )
                return _refused(fault.status, body, fault.headers)
        self._opening[websocket] = connection
        websocket.connection_lost_waiter.add_done_callback(lambda _: self._lost(websocket))
        return None

    def _lost(self, websocket: ServerConnection) -> None:
        """The client went away before its connection was open; otherwise somebody else has taken it over."""
        connection = self._opening.pop(websocket, None)
        if connection is not None:
            connection.end()

    def _process_response(self, websocket: ServerConnection, _: Request, response: Response) -> None:
        """Notes what came of a handshake that is right but for the rules of HTTP or WebSocket."""
        if response.status_code != http.HTTPStatus.SWITCHING_PROTOCOLS and websocket in self._opening:
            connection = self._opening.pop(websocket)
            connection.handshake = replace(connection.handshake, status=response.status_code)
            connection.end()

    async def _pause(self, seconds: float) -> None:
        """Waits, but not longer than the server is up."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def _serve(self, websocket: ServerConnection) -> None:
        connection = self._opening.pop(websocket)
        self._opened += 1
        try:
            service = self._new_service(Opening(self._opened, self.dialect, connection.handshake))
        except Exception as error:  # noqa: BLE001 - as what breaks in a session
            connection.failure = error
            connection.end()
            await hang_up(websocket, 1011, "the harness failed")
            return
        service.exchange.handshake = connection.handshake
        connection.service = service
        self._open.add(websocket)
        try:
            await Session(websocket, connection, service, self.pace).run()
        finally:
            self._open.discard(websocket)


def _refused(status: int, body: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    content = body.encode(errors="replace")
    fields = Headers({"Content-Type": _content_type(body), "Content-Length": str(len(content))})
    for name, value in headers:
        fields[name] = value
    return Response(status, phrase(status), fields, content)


def _content_type(body: str) -> str:
    return "application/json" if body[:1] in ("{", "[") else "text/plain; charset=utf-8"


def _select_subprotocol(websocket: ServerConnection, offered: object) -> Subprotocol | None:  # noqa: ARG001
    """`realtime` where it is offered; none otherwise, which refuses nobody."""
    names = list(offered) if isinstance(offered, (list, tuple)) else []
    return Subprotocol("realtime") if "realtime" in names else None
