"""The canonical session in Pipecat's words, and what Pipecat has no words for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from driver_runtime import Json, Tool
from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import AdapterType, ToolsSchema
from pipecat.services.azure.realtime.llm import AzureRealtimeLLMService
from pipecat.services.llm_service import LLMService
from pipecat.services.openai.realtime import events

RATE = 24_000
"""The one rate of PCM that Pipecat's realtime services take and give."""


def _wanted_turn_detection(audio_input: Json) -> Any:
    """None leaves it to the service; False is how Pipecat writes null."""
    if "turn_detection" not in audio_input:
        return None
    wanted = audio_input["turn_detection"]
    if wanted is None:
        return False
    if wanted["type"] == "semantic_vad":
        return events.SemanticTurnDetection(**_known(events.SemanticTurnDetection, wanted))
    # What is not wanted explicitly must not be sent: Pipecat has defaults of its own.
    unset = dict.fromkeys(("threshold", "prefix_padding_ms", "silence_duration_ms"))
    return events.TurnDetection(**{**unset, **_known(events.TurnDetection, wanted)})


def _known(model: Any, wanted: Json) -> Json:
    return {name: value for name, value in wanted.items() if name in model.model_fields}


def _wanted_format(wanted: Json | None) -> Any:
    pcm = wanted is not None and wanted["type"] == "audio/pcm" and wanted.get("rate", RATE) == RATE
    return events.PCMAudioFormat() if pcm else None


def _wanted_input(wanted: Json) -> Any:
    transcription, noise = wanted.get("transcription"), wanted.get("noise_reduction")
    return events.AudioInput(
        format=_wanted_format(wanted.get("format")),
        transcription=transcription
        and events.InputAudioTranscription(**_known(events.InputAudioTranscription, transcription)),
        noise_reduction=noise and events.InputAudioNoiseReduction(type=noise["type"]),
        turn_detection=_wanted_turn_detection(wanted),
    )


def _wanted_output(wanted: Json) -> Any:
    voice = wanted.get("voice")
    return events.AudioOutput(
        format=_wanted_format(wanted.get("format")),
        voice=voice if isinstance(voice, str) else None,
        speed=wanted.get("speed"),
    )


def session_properties(session: Json, tools: ToolsSchema | None) -> Any:
    """The canonical session in Pipecat's words. What it has none for is named in `cannot`."""
    audio = session.get("audio") or {}
    plain = ("output_modalities", "max_output_tokens", "tracing", "prompt", "include", "reasoning")
    choice = session.get("tool_choice")
    return events.SessionProperties(
        audio=events.AudioConfiguration(
            input=_wanted_input(audio["input"]) if audio.get("input") else None,
            output=_wanted_output(audio["output"]) if audio.get("output") else None,
        )
        if audio
        else None,
        tools=tools,
        tool_choice=choice if isinstance(choice, str) else None,
        **_known(events.SessionProperties, {name: session[name] for name in plain if name in session}),
    )


def tools_schema(tools: tuple[Tool, ...]) -> ToolsSchema | None:
    """Pipecat's own schema keeps properties and what is required; one that says more goes as it is."""
    if not tools:
        return None
    ours = [tool for tool in tools if set(tool.parameters) <= {"type", "properties", "required"}]
    return ToolsSchema(
        standard_tools=[
            FunctionSchema(
                name=tool.name,
                description=tool.description,
                properties=tool.parameters.get("properties", {}),
                required=tool.parameters.get("required", []),
            )
            for tool in ours
        ],
        custom_tools={AdapterType.OPENAI: [tool.definition for tool in tools if tool not in ours]},
    )


def build_service(*, url: str, api_key: str, session: Json, tools: ToolsSchema | None) -> LLMService:
    """What a user of Pipecat's own Azure service writes."""
    settings = AzureRealtimeLLMService.Settings(session_properties=session_properties(session, tools))
    if "instructions" in session:
        settings.system_instruction = session["instructions"]
    if "model" in session:
        settings.model = session["model"]
    return AzureRealtimeLLMService(api_key=api_key, base_url=url, settings=settings)


def inexpressible() -> Iterator[tuple[str, str]]:
    """What this version of Pipecat has no words for, as its own models tell it."""
    detection = "session.audio.input.turn_detection"
    for prefix, model, names in (
        ("session", events.SessionProperties, ("temperature", "truncation", "reasoning")),
        (detection, events.TurnDetection, ("create_response", "interrupt_response", "idle_timeout_ms")),
    ):
        for name in names:
            if name not in model.model_fields:
                yield f"{prefix}.{name}", f"{model.__name__} has no field for it"
    for name in ("transcription", "noise_reduction"):
        yield f"session.audio.input.{name}: null", "Pipecat leaves out every null but turn detection's"
    for way in ("input", "output"):
        for law in ("pcmu", "pcma"):
            yield f"session.audio.{way}.format: {law}", "Pipecat sends and hands out the bytes as 24 kHz PCM"
