"""Deliberately faulty miniatures: each is the reference with exactly one fault.

`miniature_driver.py --fault NAME` runs one of them, `--list` names them all. A
harness that lets one of them pass, or blames it for something else, is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import driver_runtime
from driver_runtime import Driver, Json, Start
from generations import GA, PREVIEW, Generation
from realtime_client import Call, RealtimeClient
from reference_driver import ReferenceDriver

FOREVER = 600.0
"""Seconds: longer than any harness waits, yet nothing is left behind for good."""


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


# What is wrong about the program.


class Crashes(ReferenceDriver):
    async def say(self, text: str) -> None:
        try:
            raise RuntimeError("the miniature crashes, as it was told to")
        except RuntimeError:
            traceback.print_exc()
            raise SystemExit(3) from None

    async def speak(self, pcm: bytes, rate: int, end: str) -> None:
        await self.say("")


class Hangs(ReferenceDriver):
    async def say(self, text: str) -> None:
        time.sleep(FOREVER)  # and not asyncio.sleep: the socket must not be read either

    async def speak(self, pcm: bytes, rate: int, end: str) -> None:
        await self.say("")


class NeverConnects(ReferenceDriver):
    async def start(self, start: Start) -> None:
        self.client = self.client_class(start.endpoint, start.tools, self.notices.observe)

    async def say(self, text: str) -> None:
        """Nobody is listening."""

    async def speak(self, pcm: bytes, rate: int, end: str) -> None:
        """Nobody is listening."""

    async def update(self, session: Json) -> None:
        """Nobody is listening."""


class LeaksKey(ReferenceDriver):
    async def start(self, start: Start) -> None:
        await super().start(start)
        self.notices.log("INFO", "miniature", f"connected with the key {start.endpoint.key}")
        print(f"connected with the key {start.endpoint.key}", file=sys.stderr)


class NeverCloses(ReferenceDriver):
    async def close(self) -> None:
        await asyncio.sleep(FOREVER)


class SpawnsChild(ReferenceDriver):
    async def start(self, start: Start) -> None:
        subprocess.Popen(["sleep", str(int(FOREVER))])
        await super().start(start)


def print_garbage(_driver: Driver) -> None:
    """Answers the start, and every line after it, with what is neither JSON nor UTF-8."""
    garbage = b"\x00\xff\xfe{not json\x80\n"
    os.write(1, garbage)
    while sys.stdin.readline():
        os.write(1, garbage)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a miniature, and the part of the reference that is replaced for it."""

    what: str
    client: type[RealtimeClient] = RealtimeClient
    driver: type[ReferenceDriver] = ReferenceDriver
    run: Callable[[Driver], None] = driver_runtime.run


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "modalities-audio-only": Fault(
            "asks for the modalities the generation refuses: audio alone on the preview, both on GA",
            ModalitiesOfTheOther,
        ),
        "session-of-the-other-generation": Fault(
            "sends its session.update in the other generation's shape", SessionOfTheOther
        ),
        "session-type-missing": Fault(
            "leaves session.type out on GA, and sends it on the preview, which has none", SessionType
        ),
        "voice-lost": Fault("never asks for the wanted voice", loses("audio", "output", "voice")),
        "instructions-lost": Fault("never sends the instructions", loses("instructions")),
        "transcription-lost": Fault(
            "never asks for a transcript of the user", loses("audio", "input", "transcription")
        ),
        "turn-detection-lost": Fault(
            "never sends the wanted turn detection", loses("audio", "input", "turn_detection")
        ),
        "tools-lost": Fault("never declares the tools", loses("tools")),
        "text-mode-lost": Fault("never asks for text output", loses("output_modalities")),
        "unknown-parameter": Fault("sends a misspelt field, session.voise", UnknownParameter),
        "misspelt-event": Fault("sends response.creat before each response.create", MisspeltEvent),
        "other-generation-event": Fault(
            "sends transcription_session.update on GA, and an event nobody knows on the preview",
            OtherGenerationEvent,
        ),
        "assistant-part-of-the-other-generation": Fault(
            "adds assistant history before the first turn, as text on GA and output_text on the preview",
            AssistantPartOfTheOther,
        ),
        "deaf-to-text": Fault("never surfaces text", deaf_to("text")),
        "deaf-to-audio": Fault("never surfaces audio", deaf_to("audio")),
        "deaf-to-transcript": Fault("never surfaces the transcript of an answer", deaf_to("transcript")),
        "deaf-to-user-transcript": Fault(
            "never surfaces the transcript of the user", deaf_to("user_transcript")
        ),
        "audio-truncated": Fault("surfaces the first half of each piece of audio only", HalfTheAudio),
        "text-mangled": Fault("drops the last piece of a text answer", LosesTheLastDelta),
        "tool-never-answered": Fault("never answers a tool call", NeverAnswers),
        "tool-arguments-mangled": Fault("hands the tool half of its arguments", MangledArguments),
        "tool-result-dropped": Fault("asks for the next response without the tool's result", DropsResults),
        "tool-result-before-call": Fault(
            "sends the result of an invented call before the first turn", ResultBeforeCall
        ),
        "swallows-errors": Fault("never surfaces an error of the service", deaf_to("error")),
        "response-while-active": Fault("sends each response.create twice at once", TwoResponses),
        "mute": Fault("connects and configures, then never sends another event", Mute),
        "wrong-path": Fault("connects to /v1/realtime, with no api-version", WrongPath),
        "no-key": Fault("connects without a key", NoKey),
        "wrong-key": Fault("connects with another key", WrongKey),
        "beta-header": Fault("sends OpenAI-Beta: realtime=v1", BetaHeader),
        "crashes": Fault("ends with a traceback in its first turn", driver=Crashes),
        "hangs": Fault("neither reads nor answers from the first turn on", driver=Hangs),
        "prints-garbage": Fault("writes binary garbage in place of the protocol", run=print_garbage),
        "never-connects": Fault("says ready and never opens a socket", driver=NeverConnects),
        "leaks-key": Fault("writes the key to its log and to standard error", driver=LeaksKey),
        "never-closes": Fault("ignores close", driver=NeverCloses),
        "spawns-child": Fault("starts a child process and leaves it behind", driver=SpawnsChild),
    }
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--fault", choices=FAULTS, metavar="NAME", help="run the miniature with this fault")
    what.add_argument("--list", action="store_true", help="name the faults, one per line")
    options = parser.parse_args()
    if options.list:
        for name, fault in FAULTS.items():
            print(f"{name}: {fault.what}")
        return
    fault = FAULTS[options.fault]
    driver = fault.driver()
    driver.name = f"miniature-{options.fault}"
    driver.client_class = fault.client
    fault.run(driver)


if __name__ == "__main__":
    main()
