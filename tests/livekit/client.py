"""A user of LiveKit's realtime model, headless; runs where LiveKit is installed, prints what surfaced.

client.py http://127.0.0.1:PORT [API_VERSION]
"""

import asyncio
import json
import math
import os
import struct
import sys
from collections.abc import Coroutine
from typing import Any

from livekit import rtc
from livekit.agents import function_tool, llm
from livekit.plugins import openai
from openai.types.beta.realtime.session import TurnDetection

TALKING = b"".join(struct.pack("<h", int(8000 * math.sin(at / 8))) for at in range(24_000))
QUIET = bytes(48_000)


@function_tool
async def look(city: str) -> str:
    """Looks at the sky."""
    return city


class User:
    def __init__(self, session: Any) -> None:
        self.session = session
        self.done: asyncio.Queue[str] = asyncio.Queue()
        self.surfaced: dict[str, Any] = {"answers": [], "heard": [], "errors": [], "audio": 0}
        self.calls: list[Any] = []
        self.sounding = asyncio.Event()
        self.heard = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        session.on("generation_created", lambda event: self.begin(self.listen(event)))
        session.on("error", lambda event: self.surfaced["errors"].append(repr(event.error)))
        session.on(
            "input_audio_transcription_completed",
            self.transcribed,
        )

    def transcribed(self, event: Any) -> None:
        """LiveKit tells of what is heard so far, too."""
        if event.is_final:
            self.surfaced["heard"].append(event.transcript)
            self.heard.set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def listen(self, generation: Any) -> None:
        words = ""

        async def messages() -> None:
            nonlocal words
            async for message in generation.message_stream:

                async def sound(message: Any = message) -> None:
                    async for frame in message.audio_stream:
                        self.surfaced["audio"] += len(bytes(frame.data))
                        self.sounding.set()

                playing = asyncio.create_task(sound())
                async for text in message.text_stream:
                    words += str(text)
                await playing

        async def calls() -> None:
            async for call in generation.function_stream:
                self.calls.append(call)

        await asyncio.gather(messages(), calls())
        self.surfaced["answers"].append(words)
        self.done.put_nowait(words)

    async def says(self, *items: Any) -> None:
        context = self.session.chat_ctx.copy()
        context.items.extend(items)
        await self.session.update_chat_ctx(context)
        await self.session.generate_reply()

    async def speaks(self) -> None:
        audio = TALKING + QUIET
        for at in range(0, len(audio), 4800):
            self.session.push_audio(rtc.AudioFrame(audio[at : at + 4800], 24_000, 1, 2400))
            await asyncio.sleep(0.02)


async def main(url: str, version: str | None) -> None:
    dated = {"api_version": version} if version else {}
    model = openai.realtime.RealtimeModel.with_azure(
        azure_deployment="gpt-realtime",
        azure_endpoint=url,
        api_key=os.environ["REALTIME_HARNESS_KEY"],
        turn_detection=TurnDetection(type="server_vad", silence_duration_ms=400, create_response=True),
        **dated,
    )
    session = model.session()
    user = User(session)
    async with asyncio.timeout(30):
        await session.update_instructions("Be brief.")
        await session.update_tools([look])
        await user.says(llm.ChatMessage(role="user", content=["Hello."]))
        await user.done.get()
        await user.says(llm.ChatMessage(role="user", content=["The weather?"]))
        await user.done.get()
        (call,) = user.calls
        await user.says(
            llm.FunctionCallOutput(call_id=call.call_id, name=call.name, output="wet", is_error=False)
        )
        await user.done.get()
        user.sounding.clear()
        await user.says(llm.ChatMessage(role="user", content=["A story."]))
        await user.sounding.wait()
        await user.speaks()
        await user.done.get()
        await user.done.get()
        await user.heard.wait()  # it may take longer than a short answer
        await session.aclose()
    print(json.dumps(user.surfaced))
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
