"""What the faulty miniatures get wrong on the wire and towards their user: each a client with one fault."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from driver_runtime import Json
from generations import GA, PREVIEW, Generation
from realtime_client import Call, RealtimeClient


def other(generation: Generation) -> Generation:
    return PREVIEW if generation is GA else GA


# What goes out wrong.


def loses(*path: str) -> type[RealtimeClient]:
    """A client that forgets one field of the wanted session."""

    class Loses(RealtimeClient):
        def session_on_wire(self, session: Json) -> Json:
            return super().session_on_wire(_without(session, path))

    return Loses


def _without(session: Json, path: tuple[str, ...]) -> Json:
    name, rest = path[0], path[1:]
    if name not in session:
        return session
    if rest:
        return {**session, name: _without(session[name], rest)}
    return {key: value for key, value in session.items() if key != name}


class ModalitiesOfTheOther(RealtimeClient):
    def session_on_wire(self, session: Json) -> Json:
        if self.generation is GA:
            return {**super().session_on_wire(session), "output_modalities": ["audio", "text"]}
        return {**super().session_on_wire(session), "modalities": ["audio"]}


class SessionOfTheOther(RealtimeClient):
    def session_on_wire(self, session: Json) -> Json:
        return other(self.generation).session(session)


class SessionType(RealtimeClient):
    def session_on_wire(self, session: Json) -> Json:
        if self.generation is GA:
            return _without(super().session_on_wire(session), ("type",))
        return {**super().session_on_wire(session), "type": "realtime"}


class UnknownParameter(RealtimeClient):
    def session_on_wire(self, session: Json) -> Json:
        return {**super().session_on_wire(session), "voise": "alloy"}


class MisspeltEvent(RealtimeClient):
    async def create_response(self) -> None:
        await self.send({"type": "response.creat"})
        await super().create_response()


class OtherGenerationEvent(RealtimeClient):
    async def configure(self, session: Json) -> None:
        await super().configure(session)
        # GA has no event that the preview is known to refuse, so the preview gets one of nobody's.
        kind = "transcription_session.update" if self.generation is GA else "session.refresh"
        await self.send({"type": kind, "session": {}})


class AssistantPartOfTheOther(RealtimeClient):
    async def configure(self, session: Json) -> None:
        await super().configure(session)
        part = {"type": other(self.generation).assistant_part, "text": "Hello, how can I help you?"}
        item = {"type": "message", "role": "assistant", "content": [part]}
        await self.send({"type": "conversation.item.create", "item": item})


class TwoResponses(RealtimeClient):
    async def create_response(self) -> None:
        await super().create_response()
        await super().create_response()


class Mute(RealtimeClient):
    async def send(self, event: Json) -> None:
        if event["type"] == "session.update":
            await super().send(event)


# What is done wrong about tools.


class NeverAnswers(RealtimeClient):
    async def answer(self, calls: list[Call]) -> None:
        """Leaves the calls where they are, and the model waiting."""


class DropsResults(RealtimeClient):
    async def answer(self, calls: list[Call]) -> None:
        await self.create_response()


class ResultBeforeCall(RealtimeClient):
    async def configure(self, session: Json) -> None:
        await super().configure(session)
        item = {"type": "function_call_output", "call_id": "call_invented", "output": "done"}
        await self.send({"type": "conversation.item.create", "item": item})


class MangledArguments(RealtimeClient):
    def surface(self, kind: str, **fields: Any) -> None:
        if kind == "tool_call":
            fields["arguments"] = fields["arguments"][: len(fields["arguments"]) // 2]
        super().surface(kind, **fields)


# What does not reach the user.


def deaf_to(deaf: str) -> type[RealtimeClient]:
    """A client that never surfaces one kind of observation."""

    class Deaf(RealtimeClient):
        def surface(self, kind: str, **fields: Any) -> None:
            if kind != deaf:
                super().surface(kind, **fields)

    return Deaf


class HalfTheAudio(RealtimeClient):
    def surface(self, kind: str, **fields: Any) -> None:
        if kind == "audio":
            pcm = base64.b64decode(fields["audio"])
            fields["audio"] = base64.b64encode(pcm[: len(pcm) // 4 * 2]).decode("ascii")
        super().surface(kind, **fields)


class LosesTheLastDelta(RealtimeClient):
    held: str | None = None

    def surface(self, kind: str, **fields: Any) -> None:
        if kind != "text":
            super().surface(kind, **fields)
            return
        if self.held is not None:
            super().surface("text", text=self.held)
        self.held = fields["text"]

    def incoming(self, event: Json) -> Json:
        if event["type"] == "response.done":
            self.held = None
        return event


class TalksOn(RealtimeClient):
    """Hands on the audio of an answer when that is over, also of one the user has spoken over."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.queued: list[Json] = []

    def surface(self, kind: str, **fields: Any) -> None:
        if kind == "audio":
            self.queued.append(fields)
        else:
            super().surface(kind, **fields)

    async def _on_response_done(self, response: Json) -> None:
        await super()._on_response_done(response)
        queued, self.queued = self.queued, []
        for fields in queued:
            super().surface("audio", **fields)


class SilentAboutFailures(RealtimeClient):
    async def _on_response_done(self, response: Json) -> None:
        failed = response.get("status") == "failed"
        await super()._on_response_done({**response, "status": "completed"} if failed else response)


def silent_about(words: str) -> type[RealtimeClient]:
    """A client that keeps the errors to itself whose message begins so."""

    class Silent(RealtimeClient):
        def surface(self, kind: str, **fields: Any) -> None:
            if kind != "error" or not fields["message"].startswith(words):
                super().surface(kind, **fields)

    return Silent


# What is done wrong about the user's turn, the history, and answers outside the conversation.


class SendsSilence(RealtimeClient):
    async def _append(self, pcm: bytes, rate: int) -> None:
        await super()._append(bytes(len(pcm)), rate)


def truncates(change: Callable[[Json], Json | None]) -> type[RealtimeClient]:
    """A client that sends another conversation.item.truncate than is right, or none."""

    class Truncates(RealtimeClient):
        async def send(self, event: Json) -> None:
            changed = change(event) if event["type"] == "conversation.item.truncate" else event
            if changed is not None:
                await super().send(changed)

    return Truncates


Edit = tuple[str, int, "int | None"]
"""What is done, the item's place, and where it is cut."""


def edits(change: Callable[[Edit], Edit | None]) -> type[RealtimeClient]:
    """A client that edits an item otherwise than it is asked to, or not at all."""

    class Edits(RealtimeClient):
        async def edit(self, action: str, place: int, audio_end_ms: int | None = None) -> None:
            changed = change((action, place, audio_end_ms))
            if changed is not None:
                await super().edit(*changed)

    return Edits


def asks_without(field: str) -> type[RealtimeClient]:
    """A client that loses a field of an answer that is wanted outside the turn."""

    class Asks(RealtimeClient):
        async def respond(self, response: Json) -> None:
            await super().respond(_without(response, (field,)))

    return Asks


class NeverChanges(RealtimeClient):
    """Keeps every later change of the session to itself."""

    async def configure(self, session: Json) -> None:
        if not self._wanted:
            await super().configure(session)


class ForgetsTheSession(RealtimeClient):
    async def reconnect(self) -> None:
        self._wanted = _without(_without(self._wanted, ("instructions",)), ("tools",))
        await super().reconnect()


class ForgetsTheHistory(RealtimeClient):
    async def seed(self, messages: list[tuple[str, str]]) -> None:
        await super().seed([] if self._restoring else messages)


# What is wrong about the connection.


class WrongPath(RealtimeClient):
    def url(self) -> str:
        parts = urlsplit(super().url())
        query = "&".join(part for part in parts.query.split("&") if not part.startswith("api-version="))
        return parts._replace(path="/v1/realtime", query=query).geturl()


class NoKey(RealtimeClient):
    def headers(self) -> dict[str, str]:
        return {}


class WrongKey(RealtimeClient):
    def headers(self) -> dict[str, str]:
        return {"api-key": "not-the-key"}


class BetaHeader(RealtimeClient):
    def headers(self) -> dict[str, str]:
        return {**super().headers(), "OpenAI-Beta": "realtime=v1"}
