"""The `openai` package as an independent witness, in both of its namespaces.

An endpoint with an `api-version` is dialled by `AsyncAzureOpenAI` through
`beta.realtime`, any other by `AsyncOpenAI` through `realtime`. What is sent is
written by hand for each, and shares nothing with the harness or with the plain
client; what is surfaced is read from the package's own typed events.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import openai
from driver_runtime import Driver, Json, Said, Start, Tool, run
from openai_namespaces import Beta, Current, Namespace, attribute, connection_manager
from websockets.exceptions import ConnectionClosed, InvalidStatus

PATIENCE = 4.0
"""Seconds without an event after which a turn is taken to be over."""
TRANSCRIPT_PATIENCE = 1.0
EDITED = (".retrieved", ".deleted", ".truncated")


class Waiting:
    """What the driver waits for; each is set when it has come."""

    def __init__(self) -> None:
        self.created = asyncio.Event()
        self.configured = asyncio.Event()
        self.committed = asyncio.Event()
        self.transcribed = asyncio.Event()
        self.turn_over = asyncio.Event()
        self.item_came = asyncio.Event()
        self.edited = asyncio.Event()


class History:
    """The items the service told of, in their order, and who said what in them, as far as it is words."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.said: dict[str, tuple[str, str]] = {}

    def note(self, item: Any) -> None:
        if item.id not in self.ids:
            self.ids.append(item.id)
        self.complete(item)

    def complete(self, item: Any) -> None:
        """Puts in what an item says in the end; one that is not of the conversation stays out."""
        if item.type != "message" or item.id not in self.ids:
            return
        parts = item.content or []
        words = "".join(attribute(part, "text") or attribute(part, "transcript") or "" for part in parts)
        if words:
            self.said[item.id] = (item.role, words)

    def words(self) -> list[tuple[str, str]]:
        return [self.said[item_id] for item_id in self.ids if item_id in self.said]


class Loudspeaker:
    """Plays one answer in real time, as far as it came."""

    def __init__(self, item_id: str, part: int) -> None:
        self.item_id, self.part = item_id, part
        self.began, self.received = time.monotonic(), 0.0

    @property
    def played_ms(self) -> int:
        return int(min(time.monotonic() - self.began, self.received) * 1000)


class OpenAIDriver(Driver):
    name = "openai"
    version = openai.__version__
    intents = ("say", "speak", "update", "interrupt", "seed", "edit", "respond", "reconnect", "close")
    observes = (
        "text",
        "audio",
        "transcript",
        "user_transcript",
        "tool_call",
        "interruption",
        "error",
        "exception",
        "item",
        "event",
    )
    cannot = tuple(
        (f"session.audio.{direction}.format: {law}", "the package leaves coding G.711 to its user")
        for direction in ("input", "output")
        for law in ("pcmu", "pcma")
    )

    def __init__(self) -> None:
        self.namespace: Namespace = Current()
        self.connection: Any = None
        self.reading: asyncio.Task[None] | None = None
        self.session: Any = None
        self.wanted: Json = {}
        """What the session was asked to be, as far as it was granted."""
        self.asked: Json = {}
        self.history = History()
        self.playing: Loudspeaker | None = None
        self.tools: tuple[Tool, ...] = ()
        self.calls: list[Any] = []
        self.seen: set[str] = set()
        self.heard_at = 0.0
        self.hanging_up = False

    async def start(self, start: Start) -> None:
        self.waiting = Waiting()
        self.endpoint = start.endpoint
        self.tools = start.tools
        self.namespace = Beta() if "api-version" in start.endpoint.query else Current()
        if not await self._connect():
            return
        wanted = dict(start.session)
        if start.tools and "tools" not in wanted:
            wanted["tools"] = [tool.definition for tool in start.tools]
        if wanted:
            await self.update(wanted)

    async def _connect(self) -> bool:
        try:
            self.connection = await connection_manager(self.endpoint).enter()
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            message = f"the handshake was refused: HTTP {status}"
            self.notices.observe("error", message=message, code=str(status))
            return False
        except (OSError, openai.OpenAIError) as failure:
            self.notices.observe("error", message=f"cannot connect: {failure}", code=None)
            return False
        self.reading = asyncio.create_task(self._read())
        await self._reached(self.waiting.created)
        return True

    async def reconnect(self) -> None:
        """What a user of the package writes: it has nothing of its own that comes back."""
        said = self.history.words()
        if self.reading is not None:
            await asyncio.wait({self.reading}, timeout=PATIENCE)
        self.waiting, self.history = Waiting(), History()
        self.calls, self.playing, self.connection = [], None, None
        if await self._connect():
            if self.wanted:
                await self.update(self.wanted)
            await self.seed([{"role": role, "text": text} for role, text in said])

    async def update(self, session: Json) -> None:
        self.waiting.configured.clear()
        self.asked = session
        await self._sent(lambda connection: self.namespace.configure(connection, session))
        await self._reached(self.waiting.configured)

    async def seed(self, messages: list[Json]) -> None:
        for message in messages:
            self.waiting.item_came.clear()
            await self._write(message["role"], message["text"])
            await self._reached(self.waiting.item_came)

    async def _write(self, role: str, text: str) -> None:
        part = {"type": self.namespace.said if role == "assistant" else "input_text", "text": text}
        item = {"type": "message", "role": role, "content": [part]}
        await self._sent(lambda connection: connection.conversation.item.create(item=item))

    async def edit(self, action: str, item: int, audio_end_ms: int | None = None, words: Said = None) -> None:
        item_id = self.history.ids[item]  # it adds nothing by itself, so the place is enough
        self.waiting.edited.clear()
        if action == "retrieve":
            await self._sent(lambda connection: connection.conversation.item.retrieve(item_id=item_id))
        elif action == "delete":
            await self._sent(lambda connection: connection.conversation.item.delete(item_id=item_id))
        else:
            await self._truncate(item_id, 0, audio_end_ms or 0)
        await self._reached(self.waiting.edited)

    async def _truncate(self, item_id: str, part: int, ms: int) -> None:
        await self._sent(
            lambda connection: connection.conversation.item.truncate(
                item_id=item_id, content_index=part, audio_end_ms=ms
            )
        )

    async def respond(self, response: Json) -> None:
        self.waiting.turn_over.clear()
        wanted: Json = {"response": self.namespace.response(response)} if response else {}
        await self._sent(lambda connection: connection.response.create(**wanted))
        await self._reached(self.waiting.turn_over)

    async def interrupt(self, pcm: bytes, rate: int) -> None:
        self.waiting.turn_over.clear()
        await self._append(pcm + bytes(rate * 2), rate)
        await self._reached(self.waiting.turn_over)

    async def say(self, text: str) -> None:
        self.waiting.turn_over.clear()
        await self._write("user", text)
        await self._sent(lambda connection: connection.response.create())
        await self._reached(self.waiting.turn_over)

    async def speak(self, pcm: bytes, rate: int, end: str) -> None:
        for event in (self.waiting.turn_over, self.waiting.committed, self.waiting.transcribed):
            event.clear()
        await self._append(pcm if end == "commit" else pcm + bytes(rate * 2), rate)
        if end == "commit":
            await self._sent(lambda connection: connection.input_audio_buffer.commit())
        if self.wanted.get("type") == "transcription":
            await self._reached(self.waiting.transcribed)
            return
        if end == "commit" or not self._service_answers_by_itself():
            await self._reached(self.waiting.committed)
            await self._sent(lambda connection: connection.response.create())
        await self._reached(self.waiting.turn_over)
        if self.namespace.transcription(self.session) is not None:
            await self._reached(self.waiting.transcribed, TRANSCRIPT_PATIENCE)

    async def close(self) -> None:
        self.hanging_up = True
        if self.connection is not None:
            await self.connection.close()
        if self.reading is not None:
            await self.reading

    async def _append(self, pcm: bytes, rate: int) -> None:
        size = rate // 10 * 2
        for start in range(0, len(pcm), size):
            audio = base64.b64encode(pcm[start : start + size]).decode("ascii")
            await self._sent(partial(self._append_chunk, audio))

    async def _append_chunk(self, audio: str, connection: Any) -> None:
        await connection.input_audio_buffer.append(audio=audio)

    async def _sent(self, send: Callable[[Any], Any]) -> None:
        # A connection that is gone was surfaced by the reading task already.
        if self.connection is not None:
            with contextlib.suppress(ConnectionClosed):
                await send(self.connection)

    def _service_answers_by_itself(self) -> bool:
        detection = self.namespace.detection(self.session)
        return detection is not None and detection.create_response is not False

    async def _reached(self, event: asyncio.Event, patience: float = PATIENCE) -> None:
        """Waits for `event`, as long as the service keeps talking."""
        loop = asyncio.get_running_loop()
        waiting = asyncio.ensure_future(event.wait())
        self.heard_at = loop.time()
        while self.reading is not None and not self.reading.done() and not waiting.done():
            left = self.heard_at + patience - loop.time()
            if left <= 0:
                break
            await asyncio.wait({waiting, self.reading}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    async def _read(self) -> None:
        try:
            async for event in self.connection:
                self.heard_at = asyncio.get_running_loop().time()
                self._name(event)
                await self._hear(event)
            # Of a close that is no failure the package tells by the end of its events alone.
            if not self.hanging_up:
                self.notices.observe("error", message="the connection was closed", code=None)
        except ConnectionClosed as closed:
            if not self.hanging_up:
                code = str(closed.rcvd.code) if closed.rcvd else None
                self.notices.observe("error", message=f"the connection was lost: {closed}", code=code)
        except Exception as failure:  # a typed event may lack what its type promises
            trace = failure.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
            message = f"{type(failure).__name__}: {failure}"
            self.notices.observe("exception", message=message, where=where, handled=False)

    def _name(self, event: Any) -> None:
        if event.type not in self.seen:
            self.seen.add(event.type)
            self.notices.observe("event", event_type=event.type, parsed_as=type(event).__name__)

    async def _hear(self, event: Any) -> None:
        if event.type in self.namespace.items and event.item.status != "in_progress":
            self.notices.observe("item", item=event.item.to_dict(mode="json"))
        if event.type == self.namespace.added:
            self.history.note(event.item)
            self.waiting.item_came.set()
        if event.type == self.namespace.text:
            self.notices.observe("text", text=event.delta)
        elif event.type == self.namespace.transcript:
            self.notices.observe("transcript", text=event.delta)
        elif event.type == self.namespace.audio:
            self._play(event)
        elif event.type == "input_audio_buffer.speech_started":
            await self._on_speech()
        elif event.type == "conversation.item.input_audio_transcription.completed":
            self.notices.observe("user_transcript", text=event.transcript)
            self.history.said[event.item_id] = ("user", event.transcript)
            self.waiting.transcribed.set()
        elif event.type == "response.output_item.done":
            self._on_output(event.item)
        elif event.type == "response.done":
            await self._on_response(event.response)
        elif event.type == "error":
            self.notices.observe("error", message=event.error.message, code=event.error.code)
            for waited in (self.waiting.configured, self.waiting.item_came, self.waiting.edited):
                waited.set()
        else:
            self._on_state(event)

    def _play(self, event: Any) -> None:
        pcm = base64.b64decode(event.delta)
        if self.playing is None or self.playing.item_id != event.item_id:
            self.playing = Loudspeaker(event.item_id, event.content_index)
        self.playing.received += len(pcm) / 48000
        self.notices.audio(pcm, 24000)

    async def _on_speech(self) -> None:
        """The user speaks: what of the answer was not played yet is thrown away, and the service told."""
        playing, self.playing = self.playing, None
        if playing is not None:
            await self._truncate(playing.item_id, playing.part, playing.played_ms)

    def _on_state(self, event: Any) -> None:
        if event.type in ("session.created", "transcription_session.created"):
            self.session = event.session
            self.waiting.created.set()
        elif event.type in ("session.updated", "transcription_session.updated"):
            self.session = event.session
            self.wanted, self.asked = _merged(self.wanted, self.asked), {}
            self.waiting.configured.set()
        elif event.type == "input_audio_buffer.committed":
            self.waiting.committed.set()
        elif event.type == "conversation.item.input_audio_transcription.failed":
            self.waiting.transcribed.set()
        elif event.type.startswith("conversation.item.") and event.type.endswith(EDITED):
            self.waiting.edited.set()
            if event.type == "conversation.item.deleted":
                self.history.said.pop(event.item_id, None)

    def _on_output(self, item: Any) -> None:
        self.history.complete(item)
        if item.type == "function_call" and item.status != "incomplete":
            self.calls.append(item)
            self.notices.observe("tool_call", name=item.name, arguments=item.arguments)

    async def _on_response(self, response: Any) -> None:
        calls, self.calls = self.calls, []
        if response.status == "failed":
            error = response.status_details.error if response.status_details else None
            message = getattr(error, "message", None) or "the response failed"
            self.notices.observe("error", message=message, code=getattr(error, "code", None))
        if self.playing is not None and response.status == "completed":
            self.playing = (
                None  # this loudspeaker is done at once: a replayed conversation has no pauses for it
            )
        if response.status == "cancelled":
            self.notices.observe("interruption")
        elif calls:
            await self._answer(calls)
        else:
            self.waiting.turn_over.set()

    async def _answer(self, calls: list[Any]) -> None:
        results = {tool.name: tool.result for tool in self.tools}
        for call in calls:
            result = results.get(call.name, {"error": "no such tool"})
            output = result if isinstance(result, str) else json.dumps(result)
            item = {"type": "function_call_output", "call_id": call.call_id, "output": output}
            await self.connection.conversation.item.create(item=item)
        await self.connection.response.create()


def _merged(session: Json, update: Json) -> Json:
    """A session with an update over it; objects are merged, all else replaced."""
    both = {
        name: _merged(session[name], value)
        if isinstance(value, dict) and isinstance(session.get(name), dict)
        else value
        for name, value in update.items()
    }
    return {**session, **both}


if __name__ == "__main__":
    run(OpenAIDriver())
