"""A small plain client of the Realtime API that speaks both of its generations.

It is a witness, so it shares no code with the harness: what it knows of the
two generations is written down by hand in `generations`. The generation is
what the service says it is: `session.created` names a `session.type` in GA and
none in the preview. Sessions come in the canonical form (GA, nested).

Needs `websockets` 13.1 or newer and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from audio_format import audio_format
from driver_runtime import Endpoint, Json, Tool
from generations import GA, PREVIEW, Generation, effective
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

PATIENCE = 4.0
"""Seconds without a word from the service after which a wait is given up."""
TRANSCRIPT_PATIENCE = 1.0
"""The same for a user's transcript, which floats and may never come."""
TRAILING_SILENCE = 1.0
"""Seconds of silence that end a spoken turn; the longest default of the service is 0.5."""


@dataclass(frozen=True)
class Call:
    """A call of a tool, as the model made it: `arguments` is JSON text."""

    name: str
    call_id: str
    arguments: str


class Surface(Protocol):
    """How the client hands something to its user."""

    def __call__(self, kind: str, **fields: Any) -> None: ...


class RealtimeClient:
    """One conversation. A task of its own reads the socket, so nothing waits for the next turn."""

    def __init__(self, endpoint: Endpoint, tools: tuple[Tool, ...], surface: Surface) -> None:
        self.endpoint = endpoint
        self.tools = tools
        self.generation = GA  # a socket that joins a call gets no session.created, and is GA
        self.items: dict[str, Json] = {}
        self._surface = surface
        self._surfaced_items: set[str] = set()
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._session: Json = {}
        self._calls: list[Call] = []
        self._heard_at = 0.0
        self._hanging_up = False
        self._created = asyncio.Event()
        self._configured = asyncio.Event()
        self._committed = asyncio.Event()
        self._transcribed = asyncio.Event()
        self._turn_over = asyncio.Event()
        self._handlers: dict[str, Callable[[Json], None]] = {
            "created": self._on_created,
            "updated": self._on_updated,
            "error": self._on_error,
            "committed": lambda _: self._committed.set(),
            "user_transcript": self._on_user_transcript,
            "transcription_failed": lambda _: self._transcribed.set(),
            "item": self._on_item,
            "output_item": self._on_output_item,
            "text": lambda event: self.surface("text", text=event["delta"]),
            "transcript": lambda event: self.surface("transcript", text=event["delta"]),
            "audio": self._on_audio,
        }

    # What a faulty client gets wrong is what a subclass overrides here.

    def url(self) -> str:
        return self.endpoint.url

    def headers(self) -> dict[str, str]:
        return {"api-key": self.endpoint.key}

    def surface(self, kind: str, **fields: Any) -> None:
        self._surface(kind, **fields)

    def incoming(self, event: Json) -> Json:
        return event

    def generation_of(self, session: Json) -> Generation:
        return GA if "type" in session else PREVIEW

    def session_on_wire(self, session: Json) -> Json:
        return self.generation.session(session)

    async def send(self, event: Json) -> None:
        # A connection that is gone was surfaced by the reading task already.
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(json.dumps(event))

    async def create_response(self) -> None:
        await self.send({"type": "response.create"})

    async def answer(self, calls: list[Call]) -> None:
        for call in calls:
            output = self._result(call)
            item = {"type": "function_call_output", "call_id": call.call_id, "output": output}
            await self.send({"type": "conversation.item.create", "item": item})
        await self.create_response()

    # What its user calls.

    async def connect(self) -> None:
        options: Json = {"ssl": self._tls()} if self.endpoint.ca_file else {}
        try:
            self._socket = await connect(
                self.url(),
                additional_headers=self.headers(),
                max_size=None,
                compression=None,
                close_timeout=PATIENCE,
                **options,
            )
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            self.surface("error", message=f"the handshake was refused: HTTP {status}", code=str(status))
            return
        except (OSError, TimeoutError, asyncio.TimeoutError, InvalidHandshake) as failure:  # noqa: UP041
            self.surface("error", message=f"cannot connect: {failure}", code=None)
            return
        self._reading = asyncio.create_task(self._read(self._socket))
        await self._reached(self._created)

    async def configure(self, session: Json) -> None:
        self._configured.clear()
        await self.send({"type": "session.update", "session": self.session_on_wire(session)})
        await self._reached(self._configured)

    async def add_message(self, role: str, text: str) -> None:
        part = self.generation.assistant_part if role == "assistant" else "input_text"
        item = {"type": "message", "role": role, "content": [{"type": part, "text": text}]}
        await self.send({"type": "conversation.item.create", "item": item})

    async def say(self, text: str) -> None:
        self._turn_over.clear()
        await self.add_message("user", text)
        await self.create_response()
        await self._reached(self._turn_over)

    async def speak(self, pcm: bytes, rate: int, *, commit: bool) -> None:
        for waited in (self._turn_over, self._committed, self._transcribed):
            waited.clear()
        silence = b"" if commit else bytes(int(rate * TRAILING_SILENCE) * 2)
        wire = audio_format(self._session, "input")
        for chunk in wire.chunks(wire.from_pcm(pcm + silence, rate)):
            audio = base64.b64encode(chunk).decode("ascii")
            await self.send({"type": "input_audio_buffer.append", "audio": audio})
        if commit:
            await self.send({"type": "input_audio_buffer.commit"})
        if commit or not self._service_answers_by_itself():
            await self._reached(self._committed)
            await self.create_response()
        await self._reached(self._turn_over)
        if effective(self._session, ("audio", "input", "transcription")):
            await self._reached(self._transcribed, TRANSCRIPT_PATIENCE)

    async def close(self) -> None:
        self._hanging_up = True
        if self._socket is not None:
            await self._socket.close()
        if self._reading is not None:
            await self._reading

    # The rest is its own business.

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.endpoint.ca_file)

    def _service_answers_by_itself(self) -> bool:
        detection = effective(self._session, ("audio", "input", "turn_detection"))
        return isinstance(detection, dict) and detection.get("create_response") is not False

    async def _reached(self, event: asyncio.Event, patience: float = PATIENCE) -> None:
        """Waits for `event`, as long as the service keeps talking."""
        loop = asyncio.get_running_loop()
        waiting = asyncio.ensure_future(event.wait())
        self._heard_at = loop.time()
        while self._reading is not None and not self._reading.done() and not waiting.done():
            left = self._heard_at + patience - loop.time()
            if left <= 0:
                break
            await asyncio.wait({waiting, self._reading}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                event = self.incoming(json.loads(await socket.recv()))
                self._heard_at = asyncio.get_running_loop().time()
                await self._hear(event)
        except ConnectionClosed:
            if not self._hanging_up and socket.close_code != 1000:
                message = f"the connection was lost: {socket.close_code} {socket.close_reason}"
                self.surface("error", message=message, code=str(socket.close_code))
        except Exception as failure:  # whatever it is, the user has to hear of it
            trace = failure.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
            message = f"{type(failure).__name__}: {failure}"
            self.surface("exception", message=message, where=where, handled=False)

    async def _hear(self, event: Json) -> None:
        if event["type"] == "session.created":
            self.generation = self.generation_of(event["session"])
        meaning = self.generation.events.get(event["type"])
        if meaning == "response_done":
            await self._on_response_done(event["response"])
        elif meaning is not None:
            self._handlers[meaning](event)

    def _on_created(self, event: Json) -> None:
        self._session = event["session"]
        self._created.set()

    def _on_updated(self, event: Json) -> None:
        self._session = event["session"]
        self._configured.set()

    def _on_error(self, event: Json) -> None:
        error = event["error"]
        self.surface("error", message=error["message"], code=error.get("code"))
        self._configured.set()

    def _on_user_transcript(self, event: Json) -> None:
        # Only the whole text: its pieces do not join to it exactly, and not every model sends them.
        self.surface("user_transcript", text=event["transcript"])
        self._transcribed.set()

    def _on_audio(self, event: Json) -> None:
        wire = audio_format(self._session, "output")
        pcm = wire.to_pcm(base64.b64decode(event["delta"]))
        self.surface("audio", audio=base64.b64encode(pcm).decode("ascii"), rate=wire.rate)

    def _on_item(self, event: Json) -> None:
        """An item is shown once, when it is complete; what the model makes arrives empty at first."""
        item = event["item"]
        self.items[item["id"]] = item
        if item.get("status") != "in_progress" and item["id"] not in self._surfaced_items:
            self._surfaced_items.add(item["id"])
            self.surface("item", item=item)

    def _on_output_item(self, event: Json) -> None:
        self._on_item(event)
        item = event["item"]
        if item["type"] == "function_call" and item.get("status") != "incomplete":
            self._calls.append(Call(item["name"], item["call_id"], item["arguments"]))
            self.surface("tool_call", name=item["name"], arguments=item["arguments"])

    async def _on_response_done(self, response: Json) -> None:
        calls, self._calls = self._calls, []
        if response.get("status") == "failed":
            error = (response.get("status_details") or {}).get("error") or {}
            message = error.get("message") or "the response failed"
            self.surface("error", message=message, code=error.get("code"))
        if response.get("status") == "cancelled":
            self.surface("interruption")  # the user spoke on, so another response follows
        elif calls:
            await self.answer(calls)
        else:
            self._turn_over.set()

    def _result(self, call: Call) -> str:
        for tool in self.tools:
            if tool.name == call.name:
                return tool.result if isinstance(tool.result, str) else json.dumps(tool.result)
        return json.dumps({"error": f"there is no tool {call.name!r}"})
