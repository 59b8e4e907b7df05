"""Miniatures for the checks that none of the bundled ones trips: `more_miniatures.py NAME`.

Like those, each is the reference client with exactly one fault. `NAME` may also
be one of the `fine-…` clients, which do what nobody has seen refused and must
not be blamed for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[3] / "harness" / "drivers" / "programs"))

from dialling import dial
from driver_runtime import Json, Start, run
from realtime_client import GA, RealtimeClient
from reference_driver import ReferenceDriver


def sends(**extra: Any) -> type[RealtimeClient]:
    """A client whose session holds one field more; nested for GA, as it is for the preview."""

    class Sends(RealtimeClient):
        def session_on_wire(self, session: Json) -> Json:
            return {**super().session_on_wire(session), **extra}

    return Sends


class QueryOfTheOther(RealtimeClient):
    def url(self) -> str:
        parts = urlsplit(super().url())
        on_ga = "model=" in parts.query
        query = f"{parts.query}&api-version=2024-10-01-preview" if on_ga else "deployment=gpt-realtime"
        return parts._replace(query=query).geturl()


class CancelsNothing(RealtimeClient):
    async def configure(self, session: Json) -> None:
        await super().configure(session)
        await self.send({"type": "response.cancel"})


class SendsNoJson(RealtimeClient):
    async def configure(self, session: Json) -> None:
        await super().configure(session)
        assert self._socket is not None
        await self._socket.send('{"type": "response.cre')


class OtherWords(RealtimeClient):
    async def add_message(self, role: str, text: str) -> None:
        await super().add_message(role, text.upper())


class AsksFirst(RealtimeClient):
    async def say(self, text: str) -> None:
        self._turn_over.clear()
        await self.create_response()
        await self.add_message("user", text)
        await self._reached(self._turn_over)


class AnswersTwice(RealtimeClient):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.once = True

    async def answer(self, calls: Any) -> None:
        await super().answer(calls)

    async def _on_response_done(self, response: Json) -> None:
        await super()._on_response_done(response)
        if self.once:
            self.once = False
            await self.create_response()


class NumberForInstructions(RealtimeClient):
    def session_on_wire(self, session: Json) -> Json:
        return {**super().session_on_wire(session), "instructions": 7}


class RefusedAndSilent(RealtimeClient):
    def session_on_wire(self, session: Json) -> Json:
        return {**super().session_on_wire(session), "voise": "alloy"}

    def surface(self, kind: str, **fields: Any) -> None:
        if kind != "error":
            super().surface(kind, **fields)


class OddRole(RealtimeClient):
    async def configure(self, session: Json) -> None:
        await super().configure(session)
        part = {"type": "input_text", "text": "Be nice."}
        item = {"type": "message", "role": "developer", "content": [part]}
        await self.send({"type": "conversation.item.create", "item": item})


class NullThreshold(RealtimeClient):
    def session_on_wire(self, session: Json) -> Json:
        detection = {"type": "server_vad", "threshold": None}
        if self.generation is GA:
            audio = session.get("audio", {})
            session = {**session, "audio": {**audio, "input": {"turn_detection": detection}}}
            return super().session_on_wire(session)
        return {**super().session_on_wire(session), "turn_detection": detection}


class NullItem(RealtimeClient):
    async def configure(self, session: Json) -> None:
        await super().configure(session)
        await self.send({"type": "conversation.item.create", "item": None})


class HalfACharacter(RealtimeClient):
    """Half of a surrogate pair, which JSON can carry and UTF-8 cannot."""

    async def configure(self, session: Json) -> None:
        await super().configure(session)
        await self.add_message("user", "\ud83d")


class Standby(RealtimeClient):
    """Holds a second connection in reserve, and does no more on it than configure it."""

    standby: Any = None

    async def configure(self, session: Json) -> None:
        await super().configure(session)
        if self.standby is None:
            self.standby = await dial(self.url(), self.headers(), self.endpoint.ca_file)
            update = {"type": "session.update", "session": self.session_on_wire(session)}
            await self.standby.send(json.dumps(update))

    async def close(self) -> None:
        await self.standby.close()
        await super().close()


class ReadsSlowly(RealtimeClient):
    async def _hear(self, event: Json) -> None:
        await asyncio.sleep(0.2)
        await super()._hear(event)


class OtherRuntime(ReferenceDriver):
    """What is wrong with the program rather than with its client."""

    fault = ""

    async def start(self, start: Start) -> None:
        await super().start(start)
        if self.fault == "complains":
            self.notices.log("WARNING", "shim", "Unknown server event type: response.created")
        elif self.fault == "swallows":
            where = f"{__file__}:1"
            self.notices.observe("exception", message="KeyError: 'delta'", where=where, handled=True)
        elif self.fault == "fails-in-silence":
            self.notices.log("ERROR", "shim.receive", "task crashed: KeyError: 'delta'")
        elif self.fault == "prints":
            self.notices._out.write("hello from a print\n")
            self.notices._out.flush()
        elif self.fault == "rate-zero":
            self.notices.observe("audio", audio="AAAA", rate=0)


class Greets(ReferenceDriver):
    """Has the service speak first, which nobody asked for; what follows stands one place later."""

    async def start(self, start: Start) -> None:
        await super().start(start)
        await self.client.respond({})


class NeverReady(ReferenceDriver):
    async def start(self, start: Start) -> None:
        time.sleep(600)


class CannotSay(ReferenceDriver):
    intents = ("speak", "close")


class CannotVoice(ReferenceDriver):
    cannot = (("session.audio.output.voice", "the framework has no voices"),)

    async def start(self, start: Start) -> None:
        output = dict(start.session.get("audio", {}).get("output", {}))
        output.pop("voice", None)
        audio = {**start.session.get("audio", {}), "output": output}
        session = {**start.session, "audio": audio}
        await super().start(Start(start.endpoint, start.dialect, session, start.tools, start.factory))


class CannotTimeOut(ReferenceDriver):
    cannot = (("session.audio.input.turn_detection.idle_timeout_ms", "the framework has no such field"),)


class LosesLater(RealtimeClient):
    async def answer(self, calls: list[Any]) -> None:
        lost = {"instructions": "Be a parrot.", "output_modalities": ["text"]}
        await self.send(
            {"type": "session.update", "session": self.session_on_wire({"type": "realtime", **lost})}
        )
        await super().answer(calls)


class NullResult(RealtimeClient):
    def _result(self, call: Any) -> str:
        return "null"


class OddItem(RealtimeClient):
    async def configure(self, session: Json) -> None:
        await super().configure(session)
        for content in (["a"], "abc"):
            await self.send({"type": "conversation.item.create", "item": {"type": "odd", "content": content}})


class KeyInAnEvent(RealtimeClient):
    def session_on_wire(self, session: Json) -> Json:
        return {**super().session_on_wire(session), "api_token": self.endpoint.key}


class SeesNothing(ReferenceDriver):
    observes = ()


CLIENTS: dict[str, type[RealtimeClient]] = {
    "query-of-the-other-generation": QueryOfTheOther,
    "cancels-nothing": CancelsNothing,
    "sends-no-json": SendsNoJson,
    "other-words": OtherWords,
    "asks-first": AsksFirst,
    "asks-once-more": AnswersTwice,
    "number-for-instructions": NumberForInstructions,
    "refused-and-silent": RefusedAndSilent,
    "null-item": NullItem,
    "loses-later": LosesLater,
    "null-result": NullResult,
    "odd-item": OddItem,
    "key-in-an-event": KeyInAnEvent,
    "fine-unproven-field": sends(parallel_tool_calls=True),
    "fine-unproven-field-preview": sends(speed=1.0),
    "fine-odd-role": OddRole,
    "fine-null-threshold": NullThreshold,
    "fine-half-a-character": HalfACharacter,
    "fine-standby": Standby,
    "fine-slow": ReadsSlowly,
}

DRIVERS: dict[str, type[ReferenceDriver]] = {
    "never-ready": NeverReady,
    "greets": Greets,
    "cannot-say": CannotSay,
    "sees-nothing": SeesNothing,
    "cannot-voice": CannotVoice,
    "cannot-time-out": CannotTimeOut,
}


def main() -> None:
    name = sys.argv[1]
    driver = DRIVERS.get(name, OtherRuntime)()
    driver.name = f"more-{name}"
    if isinstance(driver, OtherRuntime):
        driver.fault = name
    driver.client_class = CLIENTS.get(name, RealtimeClient)
    if name == "mute-program":
        sys.stdin.read()
        os._exit(0)
    if name == "echoes-its-environment":
        print(json.dumps(dict(os.environ)), file=sys.stderr)
    run(driver)


if __name__ == "__main__":
    main()
