"""What the two namespaces of the `openai` package differ in, and how each is dialled."""

from __future__ import annotations

from typing import Any, Protocol

from driver_runtime import Endpoint, Json
from openai import AsyncAzureOpenAI, AsyncOpenAI


class Namespace(Protocol):
    """What the two namespaces of the package differ in."""

    transcript: str
    audio: str
    text: str
    items: tuple[str, ...]
    added: str
    """The event that tells of a new item."""
    said: str
    """The content part in which the assistant wrote something."""

    def session(self, wanted: Json) -> Json: ...

    def response(self, wanted: Json) -> Json: ...

    async def configure(self, connection: Any, wanted: Json) -> None: ...

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
    added = "conversation.item.added"
    said = "output_text"

    def session(self, wanted: Json) -> Json:
        session = {"type": "realtime", **wanted}
        session.pop("temperature", None)
        return session

    def response(self, wanted: Json) -> Json:
        return wanted

    async def configure(self, connection: Any, wanted: Json) -> None:
        await connection.session.update(session=self.session(wanted))

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
    added = "conversation.item.created"
    said = "text"

    def response(self, wanted: Json) -> Json:
        kept = ("conversation", "input", "metadata")
        return {**self.session(wanted), **{name: wanted[name] for name in kept if name in wanted}}

    async def configure(self, connection: Any, wanted: Json) -> None:
        if wanted.get("type") == "transcription":
            await connection.transcription_session.update(session=self._heard(wanted["audio"]["input"]))
        else:
            await connection.session.update(session=self.session(wanted))

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
    """The package's own way to the endpoint; it appends `/realtime` to a base URL itself.

    What to trust for TLS it is told by SSL_CERT_FILE, as its users tell it.
    """
    base = endpoint.origin + endpoint.path.removesuffix("/realtime")
    query = dict(endpoint.query)
    if "api-version" not in query:
        client = AsyncOpenAI(api_key=endpoint.key, base_url=base)
        model = query.pop("model", "")
        return client.realtime.connect(model=model, extra_query=query)
    # Given only an endpoint, as most give it, the package insists on TLS, and on the path of Azure OpenAI.
    alone = base.startswith("https:") and endpoint.path == "/openai/realtime"
    azure = AsyncAzureOpenAI(
        api_key=endpoint.key,
        api_version=query.pop("api-version"),
        azure_endpoint=endpoint.origin,
        websocket_base_url=None if alone else base.replace("http", "ws", 1),
    )
    deployment = query.pop("deployment", None) or query.pop("model", "")
    return azure.beta.realtime.connect(model=deployment, extra_query=query)
