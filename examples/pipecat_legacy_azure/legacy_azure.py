"""Azure OpenAI Realtime for deployments that only have api-version 2024-10-01-preview.

We are pinned to pipecat-ai 1.1.0, whose realtime services speak the generally available (GA)
protocol. Azure's preview speaks the older one. This service stands between the two: client events
are put into the preview's words as they leave, server events into Pipecat's as they arrive.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from pipecat.services.azure.realtime.llm import AzureRealtimeLLMService
from pipecat.services.openai.realtime import events

SERVER_EVENT_NAMES = {
    "conversation.item.created": "conversation.item.added",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}

UNKNOWN_TO_PREVIEW = ("type", "audio")


def to_preview(event: dict[str, Any]) -> dict[str, Any]:
    """Rewrites a client event for the preview."""
    if event["type"] == "session.update":
        for field in UNKNOWN_TO_PREVIEW:
            event["session"].pop(field, None)
    elif event["type"] == "response.create" and "response" in event:
        response = event["response"]
        modalities = response.pop("output_modalities", None)
        if modalities:
            # The preview has no audio without its transcript.
            response["modalities"] = ["audio", "text"] if modalities == ["audio"] else modalities
    return event


def from_preview(raw: str | bytes) -> str | bytes:
    """Gives a server event the name that Pipecat knows it by."""
    try:
        message = json.loads(raw)
        name = SERVER_EVENT_NAMES.get(message["type"])
        if name is not None:
            message["type"] = name
            return json.dumps(message)
    except Exception:
        pass
    return raw


class TranslatingWebSocket:
    """A WebSocket whose incoming messages are translated; everything else is passed through."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket

    def __getattr__(self, name: str) -> Any:
        return getattr(self._websocket, name)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        async for raw in self._websocket:
            yield from_preview(raw)


class LegacyAzureRealtimeLLMService(AzureRealtimeLLMService):  # type: ignore[misc]
    """Pipecat's Azure realtime service, for the preview protocol."""

    _websocket: Any

    async def _connect(self) -> None:
        if self._websocket:
            return
        await super()._connect()
        # The task that receives is created by now but has not run yet.
        if self._websocket:
            self._websocket = TranslatingWebSocket(self._websocket)

    async def send_client_event(self, event: events.ClientEvent) -> None:
        await self._ws_send(to_preview(event.model_dump(exclude_none=True)))


def turn_detection(wanted: dict[str, Any]) -> Any:
    """Pipecat takes None as "not given" and False as null."""
    detection = wanted.get("turn_detection", ...)
    return None if detection is ... else detection or False


def build_service(*, url: str, api_key: str, session: dict[str, Any]) -> LegacyAzureRealtimeLLMService:
    """Builds the service for a session described in the GA form."""
    audio = session.get("audio", {})
    wanted_input, wanted_output = audio.get("input", {}), audio.get("output", {})
    transcription = wanted_input.get("transcription")
    properties = events.SessionProperties(
        # Audio is the default, and the only other choice is text.
        output_modalities=["text"] if session.get("output_modalities") == ["text"] else None,
        instructions=session.get("instructions"),
        audio=events.AudioConfiguration(
            input=events.AudioInput(
                transcription=transcription
                and events.InputAudioTranscription(model=transcription.get("model")),
                turn_detection=turn_detection(wanted_input),
            ),
            output=events.AudioOutput(voice=wanted_output.get("voice")),
        ),
        tools=session.get("tools"),
    )
    settings = LegacyAzureRealtimeLLMService.Settings(session_properties=properties)
    return LegacyAzureRealtimeLLMService(api_key=api_key, base_url=url, settings=settings)
