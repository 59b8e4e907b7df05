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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from audio_format import audio_format
from conversation import Conversation, Playing
from dialling import dial
from driver_runtime import Endpoint, Json, Tool
from generations import GA, PREVIEW, Generation, effective
from websockets.asyncio.client import ClientConnection
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
        self.conversation = Conversation()
        self._surface = surface
        self._surfaced_items: set[str] = set()
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._session: Json = {}
        self._wanted: Json = {}
        """What the session was asked to be, canonical, as far as it was granted."""
        self._asked: Json = {}
        self._restoring = False
        self._playing: Playing | None = None
        self._calls: list[Call] = []
        self._heard_at = 0.0
        self._hanging_up = False
        self._created = asyncio.Event()
        self._configured = asyncio.Event()
        self._committed = asyncio.Event()
        self._transcribed = asyncio.Event()
        self._turn_over = asyncio.Event()
        self._edited = asyncio.Event()
        self._item_came = asyncio.Event()
        self._handlers: dict[str, Callable[[Json], None]] = {
            "created": self._on_created,
            "updated": self._on_updated,
            "error": self._on_error,
            "committed": lambda _: self._committed.set(),
            "user_transcript": self._on_user_transcript,
            "transcription_failed": lambda _: self._transcribed.set(),
            "item": self._on_item,
            "edited": lambda _: self._edited.set(),
            "deleted": self._on_deleted,
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

    @property
    def items(self) -> dict[str, Json]:
        return self.conversation.items

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
        try:
            self._socket = await dial(self.url(), self.headers(), self.endpoint.ca_file)
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
        self._asked = session
        hears = session.get("type") == "transcription"
        name = self.generation.transcription_update if hears else "session.update"
        await self.send({"type": name, "session": self.session_on_wire(session)})
        await self._reached(self._configured)

    async def reconnect(self) -> None:
        """Goes on where the last connection broke off: the session, its tools, and what was said."""
        said, self.conversation = self.conversation.words(), Conversation()
        if self._socket is not None and self._reading is not None:
            await self._socket.close()
            await self._reading
        for waited in (self._created, self._configured):
            waited.clear()
        self._calls, self._playing, self._restoring = [], None, True
        await self.connect()
        if self._wanted:
            await self.configure(self._wanted)
        await self.seed(said)
        self._restoring = False

    async def add_message(self, role: str, text: str) -> None:
        part = self.generation.assistant_part if role == "assistant" else "input_text"
        item = {"type": "message", "role": role, "content": [{"type": part, "text": text}]}
        await self.send({"type": "conversation.item.create", "item": item})

    async def seed(self, messages: list[tuple[str, str]]) -> None:
        for role, text in messages:
            known = len(self.conversation)
            self._item_came.clear()
            await self.add_message(role, text)
            if len(self.conversation) == known:
                await self._reached(self._item_came)

    async def say(self, text: str) -> None:
        self._turn_over.clear()
        await self.add_message("user", text)
        await self.create_response()
        await self._reached(self._turn_over)

    async def respond(self, response: Json) -> None:
        """An answer outside the turn; what it is asked for with comes in canonical form."""
        self._turn_over.clear()
        event: Json = {"type": "response.create"}
        if response:
            event["response"] = self.generation.response(response)
        await self.send(event)
        await self._reached(self._turn_over)

    async def edit(self, action: str, place: int, audio_end_ms: int | None = None) -> None:
        item_id = self.conversation.at(place)
        if item_id is None:
            self.surface("error", message=f"the conversation has no item {place}", code=None)
            return
        self._edited.clear()
        event: Json = {"type": f"conversation.item.{action}", "item_id": item_id}
        if audio_end_ms is not None:
            event.update({"content_index": 0, "audio_end_ms": audio_end_ms})
        await self.send(event)
        await self._reached(self._edited)

    async def speak(self, pcm: bytes, rate: int, *, commit: bool) -> None:
        for waited in (self._turn_over, self._committed, self._transcribed):
            waited.clear()
        await self._append(pcm if commit else pcm + _silence(rate), rate)
        if commit:
            await self.send({"type": "input_audio_buffer.commit"})
        hears = self._only_hears()
        if hears or commit or not self._service_answers_by_itself():
            await self._reached(self._committed)
        if not hears and (commit or not self._service_answers_by_itself()):
            await self.create_response()
        if not hears:
            await self._reached(self._turn_over)
        if effective(self._session, ("audio", "input", "transcription")):
            await self._reached(self._transcribed, PATIENCE if hears else TRANSCRIPT_PATIENCE)

    async def interrupt(self, pcm: bytes, rate: int) -> None:
        """The user speaks into the answer; the service hears it, and answers that in its place."""
        self._turn_over.clear()
        await self._append(pcm + _silence(rate), rate)
        await self._reached(self._turn_over)

    async def close(self) -> None:
        self._hanging_up = True
        if self._socket is not None:
            await self._socket.close()
        if self._reading is not None:
            await self._reading

    # The rest is its own business.

    async def _append(self, pcm: bytes, rate: int) -> None:
        wire = audio_format(self._session, "input")
        for chunk in wire.chunks(wire.from_pcm(pcm, rate)):
            audio = base64.b64encode(chunk).decode("ascii")
            await self.send({"type": "input_audio_buffer.append", "audio": audio})

    def _only_hears(self) -> bool:
        return self._wanted.get("type") == "transcription"

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
        except ConnectionClosed as closed:
            # Without a close frame it is 1006 by RFC 6455 7.1.5.
            code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
            if not self._hanging_up and code != 1000:
                message = f"the connection was lost: {code} {reason}".rstrip()
                self.surface("error", message=message, code=str(code))
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
        elif event["type"] == "transcription_session.created":
            self.generation = PREVIEW  # the nested one keeps the name and says the type
        meaning = self.generation.events.get(event["type"])
        if meaning == "response_done":
            await self._on_response_done(event["response"])
        elif meaning == "speech_started":
            await self._on_speech_started()
        elif meaning is not None:
            self._handlers[meaning](event)

    def _on_created(self, event: Json) -> None:
        self._session = event["session"]
        self._created.set()

    def _on_updated(self, event: Json) -> None:
        self._session = event["session"]
        self._wanted, self._asked = _merged(self._wanted, self._asked), {}
        self._configured.set()

    def _on_error(self, event: Json) -> None:
        error = event["error"]
        self.surface("error", message=error["message"], code=error.get("code"))
        for waited in (self._configured, self._edited, self._item_came):
            waited.set()

    async def _on_speech_started(self) -> None:
        """The user speaks into the answer: the service is told how much of it was heard."""
        playing, self._playing = self._playing, None
        if playing is not None:
            event = {"type": "conversation.item.truncate", "item_id": playing.item_id}
            await self.send({**event, "content_index": playing.part, "audio_end_ms": playing.played_ms})

    def _on_user_transcript(self, event: Json) -> None:
        self.conversation.heard(event["item_id"], event["content_index"], event["transcript"])
        # Only the whole text: its pieces do not join to it exactly, and not every model sends them.
        self.surface("user_transcript", text=event["transcript"])
        self._transcribed.set()

    def _on_audio(self, event: Json) -> None:
        wire = audio_format(self._session, "output")
        pcm = wire.to_pcm(base64.b64decode(event["delta"]))
        if self._playing is None or self._playing.item_id != event["item_id"]:
            self._playing = Playing(event["item_id"], event["content_index"])
        self._playing.received_ms += len(pcm) / 2 / wire.rate * 1000
        self.surface("audio", audio=base64.b64encode(pcm).decode("ascii"), rate=wire.rate)

    def _on_item(self, event: Json) -> None:
        """An item is shown once, when it is complete; what the model makes arrives empty at first."""
        item = event["item"]
        self.conversation.note(item)
        self._item_came.set()
        if self._restoring:
            self._surfaced_items.add(item["id"])  # the user knows it
        if item.get("status") != "in_progress" and item["id"] not in self._surfaced_items:
            self._surfaced_items.add(item["id"])
            self.surface("item", item=item)

    def _on_deleted(self, event: Json) -> None:
        self.conversation.forget(event["item_id"])
        self._edited.set()

    def _on_output_item(self, event: Json) -> None:
        self._on_item(event)
        item = event["item"]
        if item["type"] == "function_call" and item.get("status") != "incomplete":
            self._calls.append(Call(item["name"], item["call_id"], item["arguments"]))
            self.surface("tool_call", name=item["name"], arguments=item["arguments"])

    async def _on_response_done(self, response: Json) -> None:
        calls, self._calls = self._calls, []
        self._playing = None  # between two turns a user has the time to hear an answer out
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


def _silence(rate: int) -> bytes:
    return bytes(int(rate * TRAILING_SILENCE) * 2)


def _merged(session: Json, update: Json) -> Json:
    both = {
        name: _merged(session[name], value)
        if isinstance(session.get(name), dict) and isinstance(value, dict)
        else value
        for name, value in update.items()
    }
    return {**session, **both}
