"""A WebSocket server that replays one cassette to whoever connects.

Loopback only, a free port, no compression, `realtime` as subprotocol only
where the client offers it. Each connection has a playback of its own; the
cassette is shared and never changed.
"""

from __future__ import annotations

import asyncio
import http
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from harness.dialects import Dialect
from harness.messages import MAX_FRAME
from harness.playback import Playback
from harness.server.handshake import judge_handshake
from harness.service import Exchange, Handshake

THINKING_SECONDS = 0.01
"""The pause after `response.created`: long enough for a client that sends twice to be caught at it."""


@dataclass
class Connection:
    """One attempt to connect, and what came of it."""

    handshake: Handshake
    playback: Playback | None = None
    last_activity: float = field(default_factory=time.monotonic)

    @property
    def exchange(self) -> Exchange | None:
        return self.playback.exchange if self.playback else None


class ReplayServer:
    """Serves one cassette in one dialect on a free port of 127.0.0.1; an async context manager."""

    def __init__(self, dialect: Dialect, key: str, new_playback: Callable[[], Playback]) -> None:
        self.dialect = dialect
        self.key = key
        self.connections: list[Connection] = []
        self._new_playback = new_playback
        self._server: Server | None = None
        self._opening: dict[ServerConnection, Connection] = {}

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`."""
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def __aenter__(self) -> ReplayServer:
        self._server = await serve(
            self._serve,
            host="127.0.0.1",
            port=0,
            compression=None,
            max_size=MAX_FRAME,
            process_request=self._process_request,
            select_subprotocol=_select_subprotocol,
            ping_interval=None,
            close_timeout=2,
            server_header=None,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _process_request(self, websocket: ServerConnection, request: Request) -> Response | None:
        headers = list(request.headers.raw_items())
        handshake, refusal, body = judge_handshake(self.dialect, request.path, headers, self.key)
        connection = Connection(handshake)
        self.connections.append(connection)
        if refusal is None:
            self._opening[websocket] = connection
            return None
        content = body.encode()
        fields = Headers({"Content-Type": "application/json", "Content-Length": str(len(content))})
        return Response(refusal.status, http.HTTPStatus(refusal.status).phrase, fields, content)

    async def _serve(self, websocket: ServerConnection) -> None:
        connection = self._opening.pop(websocket)
        playback = connection.playback = self._new_playback()
        playback.exchange.handshake = connection.handshake
        began = time.monotonic()
        arrived = asyncio.Event()

        async def pump() -> None:
            while True:
                while (outgoing := playback.pop()) is not None:
                    await websocket.send(outgoing.frame)
                    connection.last_activity = time.monotonic()
                    # A send that needs no wait never yields, and the reader must get its turn.
                    await asyncio.sleep(THINKING_SECONDS if outgoing.thinking else 0)
                arrived.clear()
                await arrived.wait()

        playback.start()
        pumping = asyncio.create_task(pump())
        try:
            async for frame in websocket:
                connection.last_activity = time.monotonic()
                playback.advance(time.monotonic() - began)
                playback.receive(frame)
                arrived.set()
        except ConnectionClosed:
            pass
        finally:
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)
            _note_close(websocket, playback.exchange)
            connection.last_activity = time.monotonic()


def _note_close(websocket: ServerConnection, exchange: Exchange) -> None:
    exchange.close_code = websocket.protocol.close_code
    by_client = websocket.protocol.close_rcvd_then_sent
    if websocket.protocol.close_rcvd is None and websocket.protocol.close_sent is None:
        exchange.close_by = "nobody"
    else:
        exchange.close_by = "client" if by_client else "server"


def _select_subprotocol(websocket: ServerConnection, offered: object) -> Subprotocol | None:  # noqa: ARG001
    """`realtime` where it is offered; none otherwise, which refuses nobody."""
    names = list(offered) if isinstance(offered, (list, tuple)) else []
    return Subprotocol("realtime") if "realtime" in names else None
