"""Hears where speech starts and stops in the stream of input audio.

Not a model of speech: what is loud enough is speech. Its frames are 32 ms long,
as the service's own: every captured `audio_end_ms` is a multiple of that. Marks
depend on the audio alone, never on how the client cut it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.audio import bytes_per_ms, loudness
from harness.dialects import Evidence
from harness.messages import Json
from harness.service.registry import CAPTURES, TYPES, rule

FRAME_MS = 32

_FULL = 1000.0
"""The loudness that a threshold of 1 stands for; 0.5 is about -36 dB below full scale."""

_HUSH = 16.0
"""What is as soft as this is silence whatever the threshold; the silence of A-law has 8."""

_PATIENCE_MS = {"low": 8000, "medium": 4000, "auto": 4000, "high": 2000}


@dataclass(frozen=True)
class Mark:
    """Speech started or stopped, `ms` after the beginning of all audio that was appended."""

    started: bool
    ms: int


class Detector(Protocol):
    """Told every append in turn, in the session's input format."""

    def feed(self, audio: bytes) -> list[Mark]:
        """The marks this append brings."""
        ...

    def clear(self) -> None:
        """The buffer was committed or cleared by the client: a turn that is open is over."""
        ...


@rule(
    "speech.semantic",
    "`semantic_vad` has no model of meaning here: a turn ends after the longest silence that its "
    "eagerness allows, 8 s for low, 4 s for medium and auto, 2 s for high",
    evidence=Evidence.ASSUMED,
    source=f"{TYPES}: SemanticVad.eagerness documents them as the longest; livekit/agents#6871 (2026-08) "
    "reports that Azure GA takes semantic_vad and tells of no speech",
)
def patience_ms(detection: Json) -> int:
    """How much silence ends a turn."""
    if detection.get("type") == "semantic_vad":
        return _PATIENCE_MS.get(str(detection.get("eagerness")), _PATIENCE_MS["auto"])
    return int(_number(detection, "silence_duration_ms", 200))


def padding_ms(detection: Json) -> int:
    """How much of the audio before it belongs to a turn."""
    return int(_number(detection, "prefix_padding_ms", 300))


@rule(
    "speech.frames",
    "voice is looked for in frames of 32 ms",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES} and OpenAI beta captures: 7 of 7 audio_end_ms are multiples of 32",
)
@rule(
    "speech.start",
    "speech starts where audio is louder than `threshold`; `audio_start_ms` is `prefix_padding_ms` before",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: InputAudioBufferSpeechStartedEvent.audio_start_ms",
)
@rule(
    "speech.stop",
    "speech stops after `silence_duration_ms` of silence, which `audio_end_ms` includes",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: InputAudioBufferSpeechStoppedEvent.audio_end_ms",
)
@rule(
    "speech.loudness",
    "a threshold of 1 is a mean amplitude of 1000 of 32768; digital silence is never speech",
    evidence=Evidence.ASSUMED,
    source="the service's own detector is a model nobody has published",
)
class EnergyDetector:
    """Takes for speech what is loud. `start_ms`: how much audio was appended before it."""

    def __init__(self, detection: Json, format_: str, start_ms: float) -> None:
        self._threshold = max(_number(detection, "threshold", 0.5) * _FULL, _HUSH)
        self._prefix = padding_ms(detection)
        self._patience = patience_ms(detection)
        self._loudness = loudness(format_)
        self._frame = FRAME_MS * bytes_per_ms(format_)
        self._bytes_per_ms = bytes_per_ms(format_)
        self._rest = b""
        self._forgotten = 0
        """How many bytes of the frame that is coming were committed or cleared."""
        self._ms = round(start_ms)
        """The clock at the end of the last whole frame."""
        self._floor = self._ms
        """Where the audio of a turn may begin: not in the turn before."""
        self._quiet_since: int | None = None
        """Where the last loud frame of the open turn ended; None while nobody speaks."""

    def feed(self, audio: bytes) -> list[Mark]:
        marks: list[Mark] = []
        data = self._rest + audio
        whole = len(data) // self._frame * self._frame
        for at in range(0, whole, self._frame):
            piece = data[at + self._forgotten : at + self._frame]
            self._forgotten = 0
            self._hear(bool(piece) and self._loudness(piece) > self._threshold, marks)
        self._rest = data[whole:]
        return marks

    def _hear(self, loud: bool, marks: list[Mark]) -> None:
        began, self._ms = self._ms, self._ms + FRAME_MS
        if loud:
            if self._quiet_since is None:
                marks.append(Mark(True, max(began - self._prefix, self._floor)))
            self._quiet_since = self._ms
        elif self._quiet_since is not None and self._ms - self._quiet_since >= self._patience:
            marks.append(Mark(False, self._ms))
            self._quiet_since, self._floor = None, self._ms

    def clear(self) -> None:
        self._forgotten = len(self._rest) + len(self._rest) % 2  # whole samples
        self._quiet_since = None
        self._floor = self._ms + len(self._rest) // self._bytes_per_ms


def _number(detection: Json, name: str, stock: float) -> float:
    value = detection.get(name)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else stock
