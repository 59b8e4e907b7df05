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
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import openai
from driver_runtime import Driver, Endpoint, Json, Start, Tool, run
from openai import AsyncAzureOpenAI, AsyncOpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus

PATIENCE = 4.0
"""Seconds without an event after which a turn is taken to be over."""
TRANSCRIPT_PATIENCE = 1.0


class Namespace(Protocol):
    """What the two namespaces of the package differ in."""

    transcript: str
    audio: str
    text: str
    items: tuple[str, ...]

    def session(self, wanted: Json) -> Json: ...

    def detection(self, session: Any) -> Any: ...

    def transcription(self, session: Any) -> Any: ...


def attribute(value: Any, *names: str) -> Any:
    """A nested attribute; the package's types make every step of the way optional."""
    for name in names:
        value = getattr(value, name, None)
    return value


class Current:
    """`client.realtime`: GA."""

    transcript = "response.output_audio_transcript.delta"
    audio = "response.output_audio.delta"
    text = "response.output_text.delta"
    items: tuple[str, ...] = ("conversation.item.done",)

    def session(self, wanted: Json) -> Json:
        session = dict(wanted, type="realtime")
        session.pop("temperature", None)
        return session

    def detection(self, session: Any) -> Any:
        return attribute(session, "audio", "input", "turn_detection")

    def transcription(self, session: Any) -> Any:
        return attribute(session, "audio", "input", "transcription")


class Beta:
    """`client.beta.realtime`: the preview."""

    transcript = "response.audio_transcript.delta"
    audio = "response.audio.delta"
    text = "response.text.delta"
    items: tuple[str, ...] = ("conversation.item.created", "response.output_item.done")

    def session(self, wanted: Json) -> Json:
        session: Json = {}
        for name in ("instructions", "tools", "tool_choice", "temperature"):
            if name in wanted:
                session[name] = wanted[name]
        if "output_modalities" in wanted:
            session["modalities"] = ["text"] if wanted["output_modalities"] == ["text"] else ["text", "audio"]
        if "max_output_tokens" in wanted:
            session["max_response_output_tokens"] = wanted["max_output_tokens"]
        audio = wanted.get("audio") or {}
        session.update(self._heard(audio.get("input") or {}))
        session.update(self._spoken(audio.get("output") or {}))
        return session

    def _heard(self, audio: Json) -> Json:
        session: Json = {}
        if "format" in audio:
            session["input_audio_format"] = self._format(audio["format"])
        if "transcription" in audio:
            session["input_audio_transcription"] = audio["transcription"]
        if "noise_reduction" in audio:
            session["input_audio_noise_reduction"] = audio["noise_reduction"]
        if "turn_detection" in audio:
            session["turn_detection"] = self._detection(audio["turn_detection"])
        return session

    def _spoken(self, audio: Json) -> Json:
        session: Json = {}
        if "format" in audio:
            session["output_audio_format"] = self._format(audio["format"])
        if "voice" in audio:
            session["voice"] = audio["voice"]
        if "speed" in audio:
            session["speed"] = audio["speed"]
        return session

    def _detection(self, wanted: Json | None) -> Json | None:
        """`idle_timeout_ms` came with GA."""
        if wanted is None:
            return None
        return {name: value for name, value in wanted.items() if name != "idle_timeout_ms"}

    def _format(self, wanted: Json) -> str:
        return {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}[wanted["type"]]

    def detection(self, session: Any) -> Any:
        return attribute(session, "turn_detection")

    def transcription(self, session: Any) -> Any:
        return attribute(session, "input_audio_transcription")


def connection_manager(endpoint: Endpoint) -> Any:
    """The package's own way to the endpoint; it appends `/realtime` to a base URL itself."""
    base = endpoint.origin + endpoint.path.removesuffix("/realtime")
    query = dict(endpoint.query)
    options: Any = {}
    if endpoint.ca_file:
        options["ssl"] = ssl.create_default_context(cafile=endpoint.ca_file)
    if "api-version" not in query:
        client = AsyncOpenAI(api_key=endpoint.key, base_url=base)
        model = query.pop("model", "")
        return client.realtime.connect(model=model, extra_query=query, websocket_connection_options=options)
    azure = AsyncAzureOpenAI(
        api_key=endpoint.key,
        api_version=query.pop("api-version"),
        azure_endpoint=endpoint.origin,
        # Given only an endpoint, the package insists on TLS.
        websocket_base_url=base.replace("http", "ws", 1),
    )
    deployment = query.pop("deployment", None) or query.pop("model", "")
    return azure.beta.realtime.connect(
        model=deployment, extra_query=query, websocket_connection_options=options
    )


class Waiting:
    """What the driver waits for; each is set when it has come."""

    def __init__(self) -> None:
        self.created = asyncio.Event()
        self.configured = asyncio.Event()
        self.committed = asyncio.Event()
        self.transcribed = asyncio.Event()
        self.turn_over = asyncio.Event()


class OpenAIDriver(Driver):
    name = "openai"
    version = openai.__version__
    intents = ("say", "speak", "update", "close")
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
        self.tools: tuple[Tool, ...] = ()
        self.calls: list[Any] = []
        self.seen: set[str] = set()
        self.heard_at = 0.0
        self.hanging_up = False

    async def start(self, start: Start) -> None:
        self.waiting = Waiting()
        self.tools = start.tools
        self.namespace = Beta() if "api-version" in start.endpoint.query else Current()
        try:
            self.connection = await connection_manager(start.endpoint).enter()
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            message = f"the handshake was refused: HTTP {status}"
            self.notices.observe("error", message=message, code=str(status))
            return
        except (OSError, openai.OpenAIError) as failure:
            self.notices.observe("error", message=f"cannot connect: {failure}", code=None)
            return
        self.reading = asyncio.create_task(self._read())
        await self._reached(self.waiting.created)
        wanted = dict(start.session)
        if start.tools and "tools" not in wanted:
            wanted["tools"] = [tool.definition for tool in start.tools]
        if wanted:
            await self.update(wanted)

    async def update(self, session: Json) -> None:
        self.waiting.configured.clear()
        await self._sent(
            lambda connection: connection.session.update(session=self.namespace.session(session))
        )
        await self._reached(self.waiting.configured)

    async def say(self, text: str) -> None:
        self.waiting.turn_over.clear()
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self._sent(lambda connection: connection.conversation.item.create(item=item))
        await self._sent(lambda connection: connection.response.create())
        await self._reached(self.waiting.turn_over)

    async def speak(self, pcm: bytes, rate: int, end: str) -> None:
        for event in (self.waiting.turn_over, self.waiting.committed, self.waiting.transcribed):
            event.clear()
        await self._append(pcm if end == "commit" else pcm + bytes(rate * 2), rate)
        if end == "commit":
            await self._sent(lambda connection: connection.input_audio_buffer.commit())
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
        if event.type == self.namespace.text:
            self.notices.observe("text", text=event.delta)
        elif event.type == self.namespace.transcript:
            self.notices.observe("transcript", text=event.delta)
        elif event.type == self.namespace.audio:
            self.notices.audio(base64.b64decode(event.delta), 24000)
        elif event.type == "conversation.item.input_audio_transcription.completed":
            self.notices.observe("user_transcript", text=event.transcript)
            self.waiting.transcribed.set()
        elif event.type == "response.output_item.done":
            self._on_output(event.item)
        elif event.type == "response.done":
            await self._on_response(event.response)
        elif event.type == "error":
            self.notices.observe("error", message=event.error.message, code=event.error.code)
            self.waiting.configured.set()
        else:
            self._on_state(event)

    def _on_state(self, event: Any) -> None:
        if event.type == "session.created":
            self.session = event.session
            self.waiting.created.set()
        elif event.type == "session.updated":
            self.session = event.session
            self.waiting.configured.set()
        elif event.type == "input_audio_buffer.committed":
            self.waiting.committed.set()
        elif event.type == "conversation.item.input_audio_transcription.failed":
            self.waiting.transcribed.set()

    def _on_output(self, item: Any) -> None:
        if item.type == "function_call" and item.status != "incomplete":
            self.calls.append(item)
            self.notices.observe("tool_call", name=item.name, arguments=item.arguments)

    async def _on_response(self, response: Any) -> None:
        calls, self.calls = self.calls, []
        if response.status == "failed":
            error = response.status_details.error if response.status_details else None
            message = getattr(error, "message", None) or "the response failed"
            self.notices.observe("error", message=message, code=getattr(error, "code", None))
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


if __name__ == "__main__":
    run(OpenAIDriver())
