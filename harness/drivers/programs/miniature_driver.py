"""Deliberately faulty miniatures: each is the reference with exactly one fault.

`miniature_driver.py --fault NAME` runs one of them, `--list` names them all. A
harness that lets one of them pass, or blames it for something else, is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import driver_runtime
from driver_runtime import Driver, Json, Start
from miniature_clients import (
    AssistantPartOfTheOther,
    BetaHeader,
    DropsResults,
    ForgetsTheHistory,
    ForgetsTheSession,
    HalfTheAudio,
    LosesTheLastDelta,
    MangledArguments,
    MisspeltEvent,
    ModalitiesOfTheOther,
    Mute,
    NeverAnswers,
    NeverChanges,
    NoKey,
    OtherGenerationEvent,
    ResultBeforeCall,
    SendsSilence,
    SessionOfTheOther,
    SessionType,
    SilentAboutFailures,
    TalksOn,
    TwoResponses,
    UnknownParameter,
    WrongKey,
    WrongPath,
    asks_without,
    deaf_to,
    edits,
    loses,
    silent_about,
    truncates,
)
from realtime_client import RealtimeClient
from reference_driver import ReferenceDriver

FOREVER = 600.0
"""Seconds: longer than any harness waits, yet nothing is left behind for good."""


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
        "talks-on": Fault("hands on audio of an answer after it was interrupted", TalksOn),
        "deaf-to-interruption": Fault("never tells of an interruption", deaf_to("interruption")),
        "never-truncates": Fault(
            "never says how much of an interrupted answer was heard", truncates(lambda _: None)
        ),
        "truncates-past-the-end": Fault(
            "says that more of an interrupted answer was heard than there was",
            truncates(lambda event: {**event, "audio_end_ms": event["audio_end_ms"] + 60_000}),
        ),
        "sends-silence": Fault("sends silence in place of the user's speech", SendsSilence),
        "silent-about-failures": Fault("takes a failed response for an empty one", SilentAboutFailures),
        "silent-about-lost-connections": Fault(
            "never tells of a lost connection", silent_about("the connection was lost")
        ),
        "silent-about-refused-handshakes": Fault(
            "never tells of a refused handshake", silent_about("the handshake was refused")
        ),
        "keeps-deleted-items": Fault(
            "never deletes an item", edits(lambda edit: None if edit[0] == "delete" else edit)
        ),
        "reads-nothing-back": Fault(
            "never reads an item back", edits(lambda edit: None if edit[0] == "retrieve" else edit)
        ),
        "reads-another-item-back": Fault(
            "reads the first item back, whichever is meant",
            edits(lambda edit: ("retrieve", 0, None) if edit[0] == "retrieve" else edit),
        ),
        "cuts-items-elsewhere": Fault(
            "cuts an item at 100 ms, wherever it is to be cut",
            edits(lambda edit: (*edit[:2], 100) if edit[0] == "truncate" else edit),
        ),
        "never-changes": Fault("keeps every later change of the session to itself", NeverChanges),
        "asks-in-the-conversation": Fault(
            "asks in the conversation for what is wanted outside it", asks_without("conversation")
        ),
        "metadata-lost": Fault("loses the metadata of an answer outside the turn", asks_without("metadata")),
        "forgets-the-session": Fault("connects again without instructions and tools", ForgetsTheSession),
        "forgets-the-history": Fault("connects again without what was said", ForgetsTheHistory),
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
