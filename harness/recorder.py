"""Records a cassette: plays a scenario over a real socket against any server.

What is received goes to the disk as it comes, redacted first; the file carries
`.part` until the session is whole, so that an interrupted recording is neither
lost nor mistaken for a cassette.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.uri import parse_uri

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
from harness.exceptions import FileFault, MessageFault, RecordingFault
from harness.logs import host_class, known_query
from harness.messages import MAX_FRAME, Json, Side, parse_event, render_event
from harness.redaction import Redactor
from harness.scenario import ExpectClose, Scenario, Wait
from harness.script import ScriptedClient

CONNECT_SECONDS = 15.0
IDLE_SECONDS = 20.0
"""Seconds without a message after which the server is taken for silent."""
TOTAL_SECONDS = 300.0
LONGEST_SESSION = 7200.0
"""Seconds after which a service that should end the session by itself is given up."""
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


class _Dialling(connect):
    """Goes nowhere else: the key is for the server that was named, not for one that this one names."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class _File:
    """The cassette as it grows; raises FileFault where it cannot be written."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self._path = path
        self._redactor = redactor
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8", buffering=1)
        self.interactions = 0

    def header(self, header: Header) -> None:
        self._write(render_line(self._redactor.value(header.to_json())))

    def add(self, interaction: Interaction) -> None:
        self._write(render_line(self._redactor.value(interaction.to_json())))
        self.interactions += 1

    def finish(self, close: Close) -> None:
        self._write(self._redactor.text(render_footer(self.interactions, close)))

    def close(self) -> None:
        with self._writing():
            self._file.close()

    def _write(self, line: str) -> None:
        with self._writing():
            self._file.write(line + "\n")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FileFault(str(self._path), f"cannot be written: {error.strerror or error}") from None


async def record(
    scenario: Scenario, target: Target, path: Path, progress: Callable[[Side, str], None] | None = None
) -> tuple[Cassette, ...]:
    """Records a session and returns it, one cassette a connection; `path` is the first one's.

    Raises RecordingFault, leaving what was recorded until then in `.part` files.
    """
    redactor = Redactor((target.key,))
    client = ScriptedClient(scenario, target.dialect)
    _check_url(target.url, redactor)
    if scenario.of_transcription:
        target = replace(target, url=with_intent(target.url))
    paths = cassette_paths(scenario, path)
    parts = [path.with_name(path.name + ".part") for path in paths]
    part = parts[0]
    try:
        for part in parts:
            if client.awaits_connection:
                client.reconnected()
            file = _File(part, redactor)
            try:
                file.header(_header(scenario, target))
                file.finish(await _session(client, target, file, progress or (lambda *_: None)))
            finally:
                file.close()
    except RecordingFault as fault:
        kept = f"what was recorded until then: {part}"
        raise RecordingFault(redactor.text(fault.problem), f"{redactor.text(fault.script)}\n{kept}") from None
    for part, whole in zip(parts, paths, strict=True):
        part.replace(whole)
    return tuple(map(load_cassette, paths))


def cassette_paths(scenario: Scenario, first: Path) -> tuple[Path, ...]:
    """The files of a scenario's cassettes, one a connection, beside the first."""
    ends = (name.removeprefix(scenario.name) for name in scenario.cassette_names[1:])
    return (first, *(first.with_name(first.stem + end) for end in ends))


def with_intent(url: str) -> str:
    """The URL of a transcription session."""
    split = urlsplit(url)
    if "intent=" in split.query:
        return url
    return urlunsplit(split._replace(query="&".join(filter(None, (split.query, "intent=transcription")))))


def _check_url(url: str, redactor: Redactor) -> None:
    """Raises RecordingFault for what is no URL of a server; nothing is written or dialled for it."""
    try:
        websocket_url(url).encode("ascii")
        parse_uri(websocket_url(url))
    except (InvalidURI, ValueError) as error:
        problem = redactor.text(f"that is no URL to dial: {error}")
        raise RecordingFault(problem, "  (nothing was sent)") from None


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
    client: ScriptedClient, target: Target, file: _File, progress: Callable[[Side, str], None]
) -> Close:
    """One connection, until the script is over or wants the next one."""
    allowed = TOTAL_SECONDS + _patience(client.scenario)
    try:
        async with asyncio.timeout(allowed):
            async with _Dialling(
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

                return await _converse(client, websocket, note)
    except InvalidStatus as error:
        body = (error.response.body or b"").decode("utf-8", "replace")[:500]
        problem = f"the server refused the handshake: HTTP {error.response.status_code} {body}"
        raise RecordingFault(problem, client.script()) from None
    except TimeoutError as error:  # without words it is our own, of the whole session
        problem = f"cannot connect: {error}" if str(error) else f"no end after {allowed:g} s"
        raise RecordingFault(problem, client.script()) from None
    except (InvalidHandshake, OSError) as error:
        raise RecordingFault(f"cannot connect: {error}", client.script()) from None


def _patience(scenario: Scenario) -> float:
    """Seconds a session takes because its script waits, or waits for the service to end it."""
    waited = sum(step.seconds for step in scenario.steps if isinstance(step, Wait))
    ended = any(isinstance(step, ExpectClose) for step in scenario.steps)
    return waited + (LONGEST_SESSION if ended else 0.0)


async def _converse(
    client: ScriptedClient, websocket: ClientConnection, note: Callable[[Side, Json | None, str], None]
) -> Close:
    heard = time.monotonic()
    waiting_since: float | None = None
    try:
        while True:
            for event in client.sends():
                note(Side.CLIENT, event, "")
                await websocket.send(render_event(event))
            if client.finished or client.awaits_connection:
                return Close("client", 1000)
            now = time.monotonic()
            patience = SETTLE_SECONDS
            if client.waits is None:
                waiting_since = None
            else:
                waiting_since = waiting_since or now
                patience = min(patience, max(waiting_since + client.waits - now, 0.0))
            frame: str | bytes | None = None
            with contextlib.suppress(TimeoutError):
                frame = await asyncio.wait_for(websocket.recv(), patience)
            now = time.monotonic()
            if frame is not None:
                heard = now
                client.receive(_received(frame, client, note))
            elif waiting_since is not None:
                heard = now
                if now - waiting_since >= (client.waits or 0.0):
                    client.waited()
                    waiting_since = None
            elif not client.quiet() and not client.awaits_close and now - heard >= IDLE_SECONDS:
                raise RecordingFault(f"nothing came for {IDLE_SECONDS:g} s", client.script())
    except ConnectionClosed as error:
        code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (None, "")
        client.closed(code, reason)
        return Close("server" if error.rcvd else "nobody", code, reason)


def _received(
    frame: str | bytes, client: ScriptedClient, note: Callable[[Side, Json | None, str], None]
) -> Json:
    try:
        received = parse_event(frame)
    except MessageFault as fault:
        note(Side.SERVER, None, frame if isinstance(frame, str) else repr(frame))
        raise RecordingFault(f"the server sent no event: {fault}", client.script()) from None
    note(Side.SERVER, received, "")
    return received
