"""The reference: the plain client, with nothing done to it. Right on both generations."""

from __future__ import annotations

from importlib.metadata import version

from driver_runtime import Driver, Json, Said, Start, run
from realtime_client import RealtimeClient


def session_with_tools(start: Start) -> Json:
    """The wanted session; it may leave the declaration of the tools to the plan's own list."""
    if not start.tools or "tools" in start.session:
        return start.session
    return {**start.session, "tools": [tool.definition for tool in start.tools]}


class ReferenceDriver(Driver):
    name = "reference"
    version = f"websockets {version('websockets')}"
    intents = (
        "say",
        "speak",
        "update",
        "interrupt",
        "seed",
        "edit",
        "respond",
        "reconnect",
        "read_history",
        "close",
    )
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
        "history",
    )
    client_class: type[RealtimeClient] = RealtimeClient
    client: RealtimeClient

    async def start(self, start: Start) -> None:
        self.client = self.client_class(start.endpoint, start.tools, self.notices.observe)
        await self.client.connect()
        session = session_with_tools(start)
        if session:
            await self.client.configure(session)

    async def say(self, text: str) -> None:
        await self.client.say(text)

    async def speak(self, pcm: bytes, rate: int, end: str) -> None:
        await self.client.speak(pcm, rate, commit=end == "commit")

    async def update(self, session: Json) -> None:
        await self.client.configure(session)

    async def interrupt(self, pcm: bytes, rate: int) -> None:
        await self.client.interrupt(pcm, rate)

    async def seed(self, messages: list[Json]) -> None:
        await self.client.seed([(message["role"], message["text"]) for message in messages])

    async def edit(self, action: str, item: int, audio_end_ms: int | None = None, words: Said = None) -> None:
        place = item if words is None else self.client.conversation.place_of(words, item)
        await self.client.edit(action, place, audio_end_ms)

    async def respond(self, response: Json) -> None:
        await self.client.respond(response)

    async def reconnect(self) -> None:
        await self.client.reconnect()

    async def read_history(self) -> None:
        self.notices.observe("history", items=list(self.client.items.values()))

    async def close(self) -> None:
        await self.client.close()


if __name__ == "__main__":
    run(ReferenceDriver())
