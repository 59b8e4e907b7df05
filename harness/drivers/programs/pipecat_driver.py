"""The driver for Pipecat: a voice bot without a transport, around the realtime service under test.

Written for pipecat-ai 1.1.0, and to work with 1.14 too. The pipeline is what a
bot has, with two taps where its transport's ends would be:

    user aggregator - user's side - the service - bot's side - assistant aggregator

Without a factory the service is Pipecat's own `AzureRealtimeLLMService`.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from importlib.metadata import version
from typing import Any

from driver_runtime import Driver, Notices, Start, Tool, load_factory, run, watch_handled_exceptions
from loguru import logger
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.audio.utils import create_file_resampler
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMMessagesAppendFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat_session import RATE, build_service, inexpressible, tools_schema

FRAME_SECONDS = 0.02
READY_SECONDS = 2.0
ANSWER_SECONDS = 4.0
FOLLOW_UP_SECONDS = 1.5
"""Quiet after which an answer to a tool's result is not waited for any longer."""
ERROR_SECONDS = 0.3
DEAF_SECONDS = 0.5
"""Quiet after which nothing more surfaces of what was read before the service stopped reading."""
END_SECONDS = 2.5
CANCEL_SECONDS = 1.5


class Turn:
    """What has surfaced since the last intent: enough to tell when its answer is over."""

    def __init__(self) -> None:
        self.answers_ended = 0
        self.tools_called = 0
        self.failed = False
        self.last_sign = time.monotonic()

    def sign(self) -> None:
        self.last_sign = time.monotonic()

    def over(self) -> bool:
        quiet = time.monotonic() - self.last_sign
        if self.failed and quiet >= ERROR_SECONDS:
            return True
        # An answer that calls a tool ends too, and is followed by one that uses the result. Several
        # tools may share a follow-up, so that it cannot be counted upon.
        if self.answers_ended > self.tools_called:
            return True
        return self.answers_ended > 0 and quiet >= FOLLOW_UP_SECONDS


class Surface:
    """Turns frames into observations, whichever tap they come by."""

    def __init__(self, notices: Notices) -> None:
        self.notices = notices
        self.turn = Turn()
        self.context_given = False
        self._errors_seen: set[int] = set()

    def heard_from_bot(self, frame: Frame) -> None:
        if isinstance(frame, LLMFullResponseEndFrame):
            self.turn.answers_ended += 1
        elif isinstance(frame, InterruptionFrame):
            self.notices.observe("interruption")
        elif isinstance(frame, TTSAudioRawFrame):
            self.notices.audio(frame.audio, frame.sample_rate)
        elif isinstance(frame, TTSTextFrame):
            self.notices.observe("transcript", text=frame.text)
        elif isinstance(frame, LLMTextFrame):
            # For spoken answers each TTSTextFrame has a twin for RTVI, which stays out of the context.
            if getattr(frame, "append_to_context", True):
                self.notices.observe("text", text=frame.text)
        else:
            return
        self.turn.sign()

    def error(self, frame: ErrorFrame) -> None:
        """An error from below the service passes both taps on its way up."""
        if frame.id not in self._errors_seen:
            self._errors_seen.add(frame.id)
            self.notices.observe("error", message=str(frame.error), code=None)
            self.turn.failed = True
            self.turn.sign()


class UserSide(FrameProcessor):  # type: ignore[misc]  # untyped where Pipecat is not installed
    """Between the user's aggregator and the service: what the service sends up passes here."""

    def __init__(self, surface: Surface) -> None:
        super().__init__()
        self.surface = surface

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, ErrorFrame):
            self.surface.error(frame)
        elif isinstance(frame, LLMContextFrame):
            self.surface.context_given = True
        elif isinstance(frame, TranscriptionFrame):
            self.surface.notices.observe("user_transcript", text=frame.text)
            # Pipecat's bots open the conversation: that hands the service its context. Where the user
            # speaks first, the aggregator would do so with this transcript, and the service would
            # take it for a typed message and answer a second time.
            if not self.surface.context_given:
                return
        await self.push_frame(frame, direction)


class BotSide(FrameProcessor):  # type: ignore[misc]  # untyped where Pipecat is not installed
    """Between the service and the assistant's aggregator, in the place of the bot's loudspeaker."""

    def __init__(self, surface: Surface) -> None:
        super().__init__()
        self.surface = surface

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, ErrorFrame):
            self.surface.error(frame)
        elif direction == FrameDirection.DOWNSTREAM:
            self.surface.heard_from_bot(frame)
        await self.push_frame(frame, direction)
        # A service that never hears of the end of playback would truncate answers long over. This
        # loudspeaker plays in no time, because a replayed conversation has no pauses for it.
        if isinstance(frame, TTSStartedFrame):
            await self._tell(BotStartedSpeakingFrame)
        elif isinstance(frame, TTSStoppedFrame):
            await self._tell(BotStoppedSpeakingFrame)

    async def _tell(self, frame: type[Frame]) -> None:
        await self.push_frame(frame(), FrameDirection.DOWNSTREAM)
        await self.push_frame(frame(), FrameDirection.UPSTREAM)


class PipecatDriver(Driver):
    name = "pipecat"
    version = version("pipecat-ai")
    parts = "canonical"  # its events are typed with the GA names
    intents = ("say", "speak", "interrupt", "close")
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
    )
    cannot = (("session.type: transcription", "its service opens realtime sessions"), *inexpressible())

    surface: Surface
    service: LLMService
    task: PipelineTask
    running: asyncio.Task[None]

    async def start(self, start: Start) -> None:
        self._forward_logs()
        self.surface = Surface(self.notices)
        self.output_modalities = start.session.get("output_modalities") or ["audio"]
        tools = tools_schema(start.tools)
        self.service = self._build(start, tools)
        for tool in start.tools:
            self._register(tool)
        self._watch_items()
        self.task = self._pipeline(LLMContext(tools=tools) if tools else LLMContext())
        self.running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(self.task))
        await self._configured()

    def _forward_logs(self) -> None:
        def forward(message: Any) -> None:
            record = message.record
            self.notices.log(record["level"].name, record["name"] or "", str(message).rstrip())

        logger.remove()
        # `diagnose` would print the values of variables, keys among them.
        logger.add(forward, level="WARNING", format="{message}", diagnose=False)

    def _build(self, start: Start, tools: ToolsSchema | None) -> LLMService:
        url, key = start.endpoint.url, start.endpoint.key
        if start.factory is None:
            return build_service(url=url, api_key=key, session=start.session, tools=tools)
        watch_handled_exceptions(start.factory.rpartition(":")[0], self.notices)
        session = dict(start.session)
        if start.tools:
            session.setdefault("tools", [tool.definition for tool in start.tools])
        return load_factory(start.factory)(url=url, api_key=key, session=session)

    def _register(self, tool: Tool) -> None:
        async def call(params: FunctionCallParams) -> None:
            self.surface.turn.tools_called += 1
            self.surface.turn.sign()
            self.notices.observe("tool_call", name=tool.name, arguments=dict(params.arguments))
            await params.result_callback(tool.result)

        self.service.register_function(tool.name, call)

    def _watch_items(self) -> None:
        async def observe(_service: LLMService, _item_id: str, item: Any) -> None:
            if item is not None:
                self.notices.observe("item", item=item.model_dump(exclude_none=True))

        if isinstance(self.service, OpenAIRealtimeLLMService):
            self.service.add_event_handler("on_conversation_item_created", observe)
            self.service.add_event_handler("on_conversation_item_updated", observe)

    def _pipeline(self, context: LLMContext) -> PipelineTask:
        # The service tells itself when the user speaks; Pipecat's default would run its own model on it.
        user_params = LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies())
        aggregators = LLMContextAggregatorPair(context, user_params=user_params)
        processors = [
            aggregators.user(),
            UserSide(self.surface),
            self.service,
            BotSide(self.surface),
            aggregators.assistant(),
        ]
        options: dict[str, Any] = {}
        if "enable_rtvi" in inspect.signature(PipelineTask.__init__).parameters:
            options["enable_rtvi"] = False  # a protocol for front ends; it only adds frames
        params = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
        return PipelineTask(Pipeline(processors), params=params, **options)

    async def _configured(self) -> None:
        """Waits until the service has its session, as nobody speaks in the millisecond before.

        Pipecat has no event for it. Where the flag is gone, or the session is refused, the
        conversation begins regardless.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and not self.surface.turn.failed and not self.running.done():
            if getattr(self.service, "_api_session_ready", True):
                return
            await asyncio.sleep(0.01)

    async def say(self, text: str) -> None:
        self.surface.turn = Turn()
        realtime = isinstance(self.service, OpenAIRealtimeLLMService)
        later = self.surface.context_given and realtime
        message = {"role": "user", "content": text}
        await self.task.queue_frame(LLMMessagesAppendFrame([message], run_llm=not later))
        if later:
            await self._send_later_message(text)
        await self._answered()

    async def _send_later_message(self, text: str) -> None:
        """Pipecat's realtime services take typed messages from their first context only.

        From then on a context only brings them tool results, so a bot that lets its user type sends
        the events itself, by the service's public method.
        """
        content = [events.ItemContent(type="input_text", text=text)]
        item = events.ConversationItem(type="message", role="user", content=content)
        await self.service.send_client_event(events.ConversationItemCreateEvent(item=item))
        response = events.ResponseProperties(output_modalities=self.output_modalities)
        await self.service.send_client_event(events.ResponseCreateEvent(response=response))

    async def speak(self, pcm: bytes, rate: int, end: str) -> None:
        self.surface.turn = Turn()
        if rate != RATE:
            pcm = await create_file_resampler().resample(pcm, rate, RATE)
        if end == "commit":
            # With turn detection off, the end of the user's speech is what makes the service commit.
            await self.task.queue_frame(UserStartedSpeakingFrame())
            await self._stream(pcm)
            await self.task.queue_frame(UserStoppedSpeakingFrame())
        else:
            await self._stream(pcm + bytes(RATE * 2))
        await self._answered()

    async def _stream(self, pcm: bytes) -> None:
        size = int(RATE * FRAME_SECONDS) * 2
        for offset in range(0, len(pcm), size):
            chunk = pcm[offset : offset + size]
            await self.task.queue_frame(InputAudioRawFrame(audio=chunk, sample_rate=RATE, num_channels=1))
            # Faster than speech, but the pipeline and the socket must keep up.
            await asyncio.sleep(0.001)

    async def interrupt(self, pcm: bytes, rate: int) -> None:
        await self.speak(pcm, rate, "silence")

    async def _answered(self) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline and not self.surface.turn.over() and not self.running.done():
            if self._deaf() and time.monotonic() - self.surface.turn.last_sign >= DEAF_SECONDS:
                return
            await asyncio.sleep(0.01)

    def _deaf(self) -> bool:
        """Whether the service reads no more: after an error, and where the socket closed."""
        reading = getattr(self.service, "_receive_task", None)
        return reading is not None and reading.done()

    async def close(self) -> None:
        await self.task.queue_frame(EndFrame())
        await asyncio.wait({self.running}, timeout=END_SECONDS)
        if not self.running.done():
            # `wait` and not `wait_for`, which would wait for the cancellation too.
            cancelling = asyncio.create_task(self.task.cancel())
            await asyncio.wait({cancelling, self.running}, timeout=CANCEL_SECONDS)


if __name__ == "__main__":
    run(PipecatDriver())
