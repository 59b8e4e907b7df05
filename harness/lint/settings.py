"""Whether the service does what its session says: answers in the modalities asked for, and hears speech.

Works on canonical events. What a response says of itself comes before what the
session says; where the client asked for something else for one response and
nobody repeats it, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.audio import format_of
from harness.findings import Finding, Severity
from harness.lint.parts import Report
from harness.lint.shown import CREATED, PART_ADDED
from harness.logs.model import Extent, LogEntry
from harness.messages import Json, decode_audio, get_path
from harness.service.speech import EnergyDetector

_HEARD = ("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped")

_KINDS = {"text": "text", "output_text": "text", "audio": "audio", "output_audio": "audio"}
"""What the parts of an answer are, by their types: some servers confuse those of parts and items."""

_PLAIN = {"threshold": 1.0, "silence_duration_ms": 1000}
"""Sound that any detector takes for some: -30 dB below full scale, then a second of silence."""

_LEAST_MS = 500
"""So long it must last, with the second of silence after it."""


class SettingsJudge:
    """Told of every event of one session. `report` makes the findings."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._session: Json = {}
        self._asked: Json = {}
        """What the client asked for and the service has not yet answered."""
        self._responses: dict[str, Any] = {}
        """The modalities of each response, as `response.created` says them."""
        self._overridden = False
        """Some response was asked for in modalities of its own."""
        self._detector: EnergyDetector | None = None
        self._deaf = True
        """No speech was ever told of."""
        self._since: int | None = None
        self._spoken: int | None = None
        """The append with which a whole turn had come that nothing was said of."""

    def asked(self, event: Json) -> None:
        """By a client's update, which holds once the service answers, or for one response."""
        session, response = event.get("session"), event.get("response")
        if isinstance(session, dict):
            self._asked = {**self._asked, **session}
        if isinstance(response, dict):
            self._overridden = self._overridden or response.get("output_modalities") is not None

    def told(self, session: Json) -> None:
        """By `session.created` or `session.updated`."""
        self._session = {**self._session, **self._asked, **session}
        self._asked = {}
        on = get_path(self._session, "audio.input.turn_detection.type") == "server_vad"
        self._detector = EnergyDetector(_PLAIN, format_of(self._session, "input"), 0.0) if on else None
        self._since = None

    def appended(self, entry: LogEntry) -> None:
        """The client appended audio; from what a publisher cut nothing can be heard."""
        sound = decode_audio((entry.event or {}).get("audio"))
        if self._detector is None or entry.extent is not Extent.WHOLE or sound is None:
            return
        for mark in self._detector.feed(sound):
            if mark.started:
                self._since = mark.ms
            elif self._since is not None and mark.ms - self._since >= _LEAST_MS + 1000:
                self._spoken = self._spoken or entry.line

    def take(self, event: Json, line: int) -> Iterator[Finding]:
        """What is wrong with one event of the service."""
        type_ = event["type"]
        self._deaf = self._deaf and type_ not in _HEARD
        if type_ == CREATED and isinstance(event.get("response"), dict):
            response = event["response"]
            self._responses[str(response.get("id"))] = response.get("output_modalities")
        elif type_ == PART_ADDED:
            yield from self._part(event, line)
        if self._spoken is not None and self._deaf:
            yield from self._unheard(self._spoken)
            self._detector = self._spoken = None  # told once

    def _part(self, event: Json, line: int) -> Iterator[Finding]:
        part, wanted = event.get("part"), self._responses.get(str(event.get("response_id")))
        if wanted is None and not self._overridden:
            wanted = self._session.get("output_modalities")
        kind = _KINDS.get(str(part.get("type"))) if isinstance(part, dict) else None
        if kind is None or not isinstance(wanted, list) or len(wanted) != 1 or kind in wanted:
            return
        said = f"the answer is {kind}, where {wanted[0]} was asked for."
        yield from self._report("modality-kept", line, "part.type", said, expected=wanted[0], actual=kind)

    def _unheard(self, line: int) -> Iterator[Finding]:
        said = "half a second of loud sound and a second of silence came, and no speech was ever told of."
        for found in self._report("speech-heard", line, "audio", said):
            # What is loud may be no voice: a tone is none to the service.
            yield replace(found, severity=Severity.NOTE)
