"""The recorded input audio: what was appended, the turns of speech in it, and what was heard in them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.audio import PCM, format_of
from harness.messages import Json
from harness.recording.model import Line, Transcription, Turn
from harness.recording.sound import FRAME_MS, Loudness, Onset

_HOLDS = 0.9
"""The part of a turn's time that the audio must hold, or its publisher cut it."""


@dataclass
class _Speech:
    start_ms: float
    end_ms: float | None = None
    bytes: int = 0
    appends: int = 0
    held_ms: float = 0.0


class Hearing:
    """Reads the lane of input audio."""

    def __init__(self) -> None:
        self._stream = bytearray()
        self._loudness = Loudness()
        self._format = PCM
        self._frames: list[bool] = []
        self._ms = 0.0
        self._uncommitted_ms = 0.0
        self._appends = 0
        self._speech: list[_Speech] = []
        self._pending = 0
        """Commits of the client that were not acknowledged yet."""
        self.by_hand = 0
        self.timeouts = 0
        self._silent: set[str] = set()
        """Items that are the user's silence."""
        self._committed: list[tuple[str, float]] = []
        self._heard: dict[str, list[Line]] = {}

    # The client.

    def append(self, audio: bytes, session: Json) -> None:
        format_ = format_of(session, "input")
        if format_ != self._format:
            self._format, self._loudness = format_, Loudness(format_)
        self._stream += audio
        self._frames += self._loudness.feed(audio)
        ms = len(audio) / self._loudness.bytes_per_ms
        self._ms += ms
        self._uncommitted_ms += ms
        self._appends += 1

    def commit(self) -> float:
        """The client commits; how much audio that is."""
        self._pending += 1
        self.by_hand += 1
        ms, self._uncommitted_ms = self._uncommitted_ms, 0.0
        return ms

    def clear(self) -> None:
        self._uncommitted_ms = 0.0

    # The service.

    def server(self, line: Line) -> float | None:
        """Takes an event of the input audio; how long a turn of speech was, where one was committed."""
        event = line.event
        type_ = event["type"]
        if type_ == "input_audio_buffer.speech_started":
            self._speech.append(_Speech(float(event["audio_start_ms"])))
        elif type_ == "input_audio_buffer.speech_stopped" and self._speech:
            last = self._speech[-1]
            last.end_ms = float(event["audio_end_ms"])
            last.bytes, last.appends, last.held_ms = len(self._stream), self._appends, self._ms
        elif type_ == "input_audio_buffer.timeout_triggered":
            self.timeouts += 1
            self._silent.add(_text(event["item_id"]))
        elif type_ == "input_audio_buffer.committed" and event["item_id"] not in self._silent:
            self._committed.append((_text(event["item_id"]), line.t))
            if self._pending:
                self._pending -= 1
                return None
            self._uncommitted_ms = 0.0
            last = self._speech[-1] if self._speech else _Speech(0.0)
            return 0.0 if last.end_ms is None else max(last.end_ms - last.start_ms, 0.0)
        return None

    def heard(self, line: Line) -> None:
        self._heard.setdefault(_text(line.event["item_id"]), []).append(line)

    # What it comes to.

    def transcriptions(self) -> tuple[Transcription | None, ...]:
        return tuple(self._transcription(item_id, t) for item_id, t in self._committed)

    def _transcription(self, item_id: str, t: float) -> Transcription | None:
        lines = self._heard.get(item_id)
        if not lines:
            return None
        return Transcription(
            item_id, tuple(Line(max(line.t - t, 0.0), line.event, line.wire) for line in lines)
        )

    def turns(self) -> tuple[Turn, ...]:
        """The turns that ended; one that the recording breaks off in is none."""
        found: list[Turn] = []
        before = 0.0
        for speech in self._speech:
            if speech.end_ms is None:
                continue
            if speech.held_ms < speech.end_ms * _HOLDS:
                sound = bytes(self._stream[: speech.bytes])
                turn = Turn(speech.start_ms, speech.end_ms, None, 0.0, False, sound, speech.appends)
            else:
                end = min(speech.end_ms, speech.held_ms)
                turn = self._turn(speech.start_ms, end, before, first=not found)
            found.append(turn)
            before = turn.end_ms
        return tuple(found)

    def _turn(self, start: float, end: float, before: float, *, first: bool) -> Turn:
        gap = not first
        onset = self._onset(before, end, after_quiet=gap)
        if onset is None and gap:
            gap, onset = False, self._onset(before, end, after_quiet=False)
        frames = self._frames[: int(-(-end // FRAME_MS))]
        last_loud = max((n for n, loud in enumerate(frames) if loud), default=-1)
        quiet = max(end - (last_loud + 1) * FRAME_MS, 0.0)
        return Turn(start, end, onset, min(quiet, end), gap)

    def _onset(self, begin: float, end: float, *, after_quiet: bool) -> float | None:
        first = int(begin // FRAME_MS)
        quiet = next((n for n, loud in enumerate(reversed(self._frames[:first])) if loud), first)
        finder = Onset(after_quiet=after_quiet, quiet=quiet)
        for number, loud in enumerate(self._frames[first : int(end // FRAME_MS)], first):
            found = finder.take(loud, number * FRAME_MS)
            if found is not None:
                return found
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("an item_id that is no text")
    return value
