"""The input audio buffer, and the clock of all audio that was appended in the session."""

from __future__ import annotations

from dataclasses import dataclass

from harness.audio import PCM_BYTES_PER_MS, bytes_per_ms, format_of
from harness.dialects import Evidence
from harness.messages import Json
from harness.service.registry import TYPES, rule

KEPT_BYTES = 15 * 1024 * 1024
"""As much as one append may hold; of a buffer that grows beyond it the beginning is forgotten."""


@dataclass
class Turn:
    """The user's speech from its start on: the item it becomes, and where its audio begins."""

    item_id: str
    start_ms: int


@rule(
    "audio.memory",
    "the newest 15 MiB of the buffer are kept to be retrieved; of what is older only the length is known",
    evidence=Evidence.ASSUMED,
    source="ours: the service's limit is 15 MiB an append, of the buffer none is published",
)
@rule(
    "audio.clock",
    "times count from the beginning of all audio appended in the session, committed and cleared too",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: InputAudioBufferSpeechStartedEvent.audio_start_ms",
)
class InputAudio:
    """Audio the client appended. Lengths are counted in 48ths of a millisecond, so that nothing is lost."""

    def __init__(self, session: Json) -> None:
        self._format = format_of(session, "input")
        self._appended = 0
        self._begins = 0
        """Where on the clock the buffer begins."""
        self._kept = bytearray()
        self.turn: Turn | None = None
        """The speech going on."""

    @property
    def clock_ms(self) -> float:
        return self._appended / PCM_BYTES_PER_MS

    @property
    def held_ms(self) -> float:
        """How much audio a commit would take."""
        return (self._appended - self._begins) / PCM_BYTES_PER_MS

    def append(self, audio: bytes) -> None:
        self._appended += len(audio) * self._unit
        self._kept += audio
        if len(self._kept) > KEPT_BYTES:
            del self._kept[: len(self._kept) - KEPT_BYTES]

    def take(self, start_ms: float | None = None, end_ms: float | None = None) -> bytes:
        """The buffer's audio, or what of it lies between two times; it then begins after that."""
        end = self._appended if end_ms is None else min(round(end_ms * PCM_BYTES_PER_MS), self._appended)
        start = self._begins if start_ms is None else max(round(start_ms * PCM_BYTES_PER_MS), self._begins)
        taken = bytes(self._kept[self._index(start) : self._index(end)])
        del self._kept[: self._index(end)]
        self._begins, self.turn = max(end, self._begins), None
        return taken

    def heard_in(self, session: Json) -> bool:
        """Goes on in a session's input format and says whether that is another; the old audio is lost."""
        format_ = format_of(session, "input")
        if format_ == self._format:
            return False
        self._format = format_
        self._kept.clear()
        return True

    @property
    def _unit(self) -> int:
        """48ths of a millisecond in a byte."""
        return PCM_BYTES_PER_MS // bytes_per_ms(self._format)

    def _index(self, at: int) -> int:
        """Where in the kept audio a time is."""
        return max(0, len(self._kept) - (self._appended - at) // self._unit)
