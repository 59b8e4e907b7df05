"""Reads scripted answers, and the audio in them, out of a YAML document.

A scenario has them under `answers`; a script for a server of its own
(`serve --model`) has them under its own rules. Both mean the same, so there is
one schema: `$defs/answer` of `scenario.schema.json`.
"""

from __future__ import annotations

import io
import json
import math
import wave
from array import array
from pathlib import Path
from typing import Any, NoReturn, cast

from harness.documents import Document
from harness.exceptions import ScenarioFault
from harness.scenario.model import RATE, Answer, Audio, Call, Cut, Failure, Incomplete, Several, Speech, Text

MAX_AUDIO_SECONDS = 60

_LOUDNESS = 8000
"""The peak of a tone: a quarter of full scale, loud enough for any detector of speech."""


class AnswerReader:
    """Reads what the schema let pass; audio files stand beside the document, in `folder`."""

    def __init__(self, document: Document, folder: Path) -> None:
        self.document = document
        self.folder = folder

    def answer(self, raw: Any, at: str) -> Answer:
        """The answer that stands at the pointer `at`; raises ScenarioFault for audio that is not there."""
        if isinstance(raw, list):
            return Several(tuple(self._item(one, f"{at}/{index}") for index, one in enumerate(raw)))
        if "failure" in raw:
            failure = raw["failure"]
            return Failure(failure.get("type", "server_error"), failure.get("code"), failure["message"])
        if "refusal" in raw:
            return Incomplete(Text(raw["refusal"]), "content_filter")
        if "incomplete" in raw:
            broken = raw["incomplete"]
            words = self._words(broken, f"{at}/incomplete")
            return Incomplete(words, broken["reason"])
        if "cut_after" in raw:
            return Cut(self._words(raw, at), raw["cut_after"])
        return self._item(raw, at)

    def _item(self, raw: Any, at: str) -> Speech | Text | Call:
        if "call" in raw:
            return Call(raw["call"]["name"], json.dumps(raw["call"]["arguments"]))
        return self._words(raw, at)

    def _words(self, raw: Any, at: str) -> Speech | Text:
        if "text" in raw:
            return Text(raw["text"])
        speech = raw["speech"]
        return Speech(speech["transcript"], self.audio(speech["audio"], f"{at}/speech/audio"))

    def audio(self, raw: Any, at: str) -> Audio:
        """The audio that stands at `at`: the name of a WAV file, or a tone."""
        if isinstance(raw, dict):
            return tone(raw["tone"], raw["seconds"])
        return self._file(cast(str, raw), at)

    def _file(self, name: str, at: str) -> Audio:
        if "\0" in name:
            self._fail(at, f"{name!r} is no file name")
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            self._fail(at, f"{name!r} is outside the scenario's folder", "a file beside the scenario")
        try:
            data = path.read_bytes()
            if not data:
                self._fail(at, f"{name!r} is an empty file", f"WAV, {RATE} Hz, mono, 16 bit")
            with wave.open(io.BytesIO(data)) as wav:
                if (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) != (RATE, 1, 2):
                    found = f"{wav.getframerate()} Hz, {wav.getnchannels()} ch, {8 * wav.getsampwidth()} bit"
                    self._fail(at, f"{name!r} has {found}", f"{RATE} Hz, 1 channel, 16 bit")
                if wav.getnframes() > MAX_AUDIO_SECONDS * RATE:
                    self._fail(at, f"{name!r} is longer than {MAX_AUDIO_SECONDS} s")
                pcm = wav.readframes(wav.getnframes())
                if not pcm and not wav.getnframes():
                    self._fail(at, f"{name!r} holds no audio", "some sound, be it silence")
                if len(pcm) != 2 * wav.getnframes():
                    whole = 2 * wav.getnframes()
                    self._fail(at, f"{name!r} holds {len(pcm)} bytes of audio, its header says {whole}")
                return Audio(name, pcm)
        except OSError as error:
            self._fail(
                at, f"{name!r} cannot be read: {error.strerror or error}", "a WAV file beside the scenario"
            )
        except (wave.Error, EOFError) as error:
            why = str(error) or "it breaks off"
            self._fail(at, f"{name!r} is no WAV file: {why}", f"WAV, {RATE} Hz, mono, 16 bit")

    def _fail(self, pointer: str, problem: str, expected: str | None = None) -> NoReturn:
        raise ScenarioFault(
            self.document.path, problem, line=self.document.line(pointer), pointer=pointer, expected=expected
        )


def tone(hertz: float, seconds: float) -> Audio:
    """A sine tone, of 0 Hz silence; it fades in and out in 10 ms, so that it does not click."""
    count = round(seconds * RATE)
    fade = RATE // 100
    samples = array(
        "h",
        (
            round(
                _LOUDNESS
                * min(1.0, index / fade, (count - index) / fade)
                * math.sin(2 * math.pi * hertz * index / RATE)
            )
            for index in range(count)
        ),
    )
    return Audio(f"{hertz:g} Hz", samples.tobytes())
