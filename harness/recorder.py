"""Records a cassette: plays a scenario over a real socket against any server.

What is received goes to the disk as it comes, redacted first; the file carries
`.part` until the session is whole, so that an interrupted recording is neither
lost nor mistaken for a cassette.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from harness import __version__
from harness.cassette import (
    Cassette,
    Close,
    Header,
    Interaction,
    Provenance,
    load_cassette,
    render_footer,
    render_line,
)
from harness.dialects import Dialect
from harness.exceptions import MessageFault, RecordingFault
from harness.logs import host_class, known_query
from harness.messages import MAX_FRAME, Json, Side, parse_event, render_event
from harness.redaction import Redactor
from harness.scenario import Scenario
from harness.script import ScriptedClient

CONNECT_SECONDS = 15.0
IDLE_SECONDS = 20.0
"""Seconds without a message after which the server is taken for silent."""
TOTAL_SECONDS = 300.0
SETTLE_SECONDS = 0.5
"""Seconds without a message after which an expectation that may end has ended."""


@dataclass(frozen=True)
class Target:
    """What to record: the whole URL, the key, and the dialect spoken there."""

    url: str
    key: str
    dialect: Dialect

    @property
    def host_class(self) -> str:
        """What kind of server it is; its name never reaches the disk."""
        return host_class(self.url) or "other"


def websocket_url(url: str) -> str:
    """The URL with a WebSocket scheme; `https` becomes `wss`, `http` becomes `ws`."""
    split = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(split.scheme, split.scheme)
    return urlunsplit(split._replace(scheme=scheme))


class _File:
    """The cassette as it grows."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self._redactor = redactor
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self.interactions = 0

    def header(self, header: Header) -> None:
        self._file.write(render_line(self._redactor.value(header.to_json())) + "\n")

    def add(self, interaction: Interaction) -> None:
        self._file.write(render_line(self._redactor.value(interaction.to_json())) + "\n")
        self.interactions += 1

    def finish(self, close: Close) -> None:
        self._file.write(self._redactor.text(render_footer(self.interactions, close)) + "\n")

    def close(self) -> None:
        self._file.close()


async def record(
    scenario: Scenario, target: Target, path: Path, progress: Callable[[Side, str], None] | None = None
) -> Cassette:
    """Records one session and returns it; raises RecordingFault, leaving `path.part` behind."""
    redactor = Redactor((target.key,))
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _File(part, redactor)
    try:
        file.header(_header(scenario, target))
        close = await _session(scenario, target, file, progress or (lambda *_: None))
        file.finish(close)
    except RecordingFault as fault:
        kept = f"what was recorded until then: {part}"
        raise RecordingFault(redactor.text(fault.problem), f"{redactor.text(fault.script)}\n{kept}") from None
    finally:
        file.close()
    part.replace(path)
    return load_cassette(path)


def _header(scenario: Scenario, target: Target) -> Header:
    return Header(
        dialect=target.dialect.name,
        api_version=target.dialect.api_version,
        path=urlsplit(target.url).path,
        query=known_query(target.url, target.dialect),
        scenario=scenario.name,
        provenance=Provenance.RECORDED,
        origin=(("date", datetime.now(UTC).date().isoformat()), ("host_class", target.host_class)),
        tool=f"realtime-harness {__version__}",
    )


async def _session(
    scenario: Scenario, target: Target, file: _File, progress: Callable[[Side, str], None]
) -> Close:
    client = ScriptedClient(scenario, target.dialect)
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            async with connect(
                websocket_url(target.url),
                additional_headers={"api-key": target.key},
                compression=None,
                max_size=MAX_FRAME,
                open_timeout=CONNECT_SECONDS,
            ) as websocket:
                began = time.monotonic()

                def note(side: Side, event: Json | None, raw: str = "") -> None:
                    file.add(Interaction(time.monotonic() - began, side, event, None if event else raw))
                    progress(side, event["type"] if event else "(no event)")

                await _converse(client, websocket, note)
            return Close("client", 1000)
    except InvalidStatus as error:
        body = (error.response.body or b"").decode("utf-8", "replace")[:500]
        problem = f"the server refused the handshake: HTTP {error.response.status_code} {body}"
        raise RecordingFault(problem, client.script()) from None
    except (InvalidHandshake, InvalidURI, OSError) as error:
        raise RecordingFault(f"cannot connect: {error}", client.script()) from None
    except ConnectionClosed as error:
        raise RecordingFault(f"the server closed the session: {error}", client.script()) from None
    except TimeoutError:
        raise RecordingFault(f"no end after {TOTAL_SECONDS:g} s", client.script()) from None


async def _converse(
    client: ScriptedClient, websocket: ClientConnection, note: Callable[[Side, Json | None, str], None]
) -> None:
    quiet = 0.0
    while not client.finished:
        for event in client.sends():
            note(Side.CLIENT, event, "")
            await websocket.send(render_event(event))
        if client.finished:
            break
        frame: str | bytes | None = None
        with contextlib.suppress(TimeoutError):
            frame = await asyncio.wait_for(websocket.recv(), SETTLE_SECONDS)
        if frame is None:
            client.quiet()
            quiet += SETTLE_SECONDS
            if quiet >= IDLE_SECONDS:
                raise RecordingFault(f"nothing came for {IDLE_SECONDS:g} s", client.script())
            continue
        quiet = 0.0
        try:
            received = parse_event(frame)
        except MessageFault as fault:
            note(Side.SERVER, None, frame if isinstance(frame, str) else repr(frame))
            raise RecordingFault(f"the server sent no event: {fault}", client.script()) from None
        note(Side.SERVER, received, "")
        client.receive(received)
