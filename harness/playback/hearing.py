"""Hears the recorded turns of speech in what this client says, on the clock of its own audio.

The recording says how far a turn's marks lie from where the sound began; the
client's sound is looked for with the same measure. So leading silence is free,
and so is how the audio is cut into events. A turn ends when the client's speech
is as long as the recorded one; a client that cuts or resamples may come with
less, if it is silent then. Marks never lie beyond what was served.

Where the publisher of a recording cut its audio, no time can be told from it.
There a turn is over when the same bytes have come, or as many appends; or when
the model's own detector hears it end, for a client that really speaks. That
detector also hears what the recording has no turns for.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.recording import AUDIO_SHARE, FRAME_MS, Loudness, Onset, Turn
from harness.service.speech import Detector, Mark

_SLACK = 1.25
"""Times a turn's length: so long a client may go on speaking before the turn is ended all the same."""


class Hearing:
    """A detector that replays turns; `other` hears what they do not tell."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = tuple(turns)
        self._index = 0
        self._other: Detector | None = None
        self._other_speaking = False
        self._loudness = Loudness()
        self._served = 0.0
        self._frames_ms = 0.0
        """The clock at the end of the last whole frame."""
        self._bytes = bytearray()
        """The beginning of all audio, as long as any turn's sound is; of more only the length counts."""
        self._longest = int(max((len(turn.sound or b"") for turn in turns), default=0) * _SLACK) + 1
        self._appends = 0
        self._floor = 0.0
        """Where the last turn ended."""
        self._onset = Onset(after_quiet=False)
        self._began: float | None = None
        """Where the sound of the turn begins that is coming or going on."""
        self._speaking = False
        self._quiet_since = 0.0
        self.replaying = False
        """The last mark was of a recorded turn."""
        self._ends = 0
        """Turns that ended and were not committed yet."""

    def listen(self, format_: str, clock_ms: float, other: Detector | None) -> None:
        """Goes on in an input format, with another detector for what the recording does not tell."""
        self._loudness = Loudness(format_)
        self._frames_ms = self._served = clock_ms
        if self._speaking:
            self._end()
        self._other, self._other_speaking = other, False

    @property
    def left(self) -> int:
        """Recorded turns that were not heard yet."""
        return len(self._turns) - self._index

    @property
    def _turn(self) -> Turn | None:
        return self._turns[self._index] if self._index < len(self._turns) else None

    def take_end(self) -> bool:
        """Whether it was the end of a turn that made the audio an item."""
        if self._ends:
            self._ends -= 1
            return True
        return False

    def feed(self, audio: bytes) -> list[Mark]:
        """The marks this append brings."""
        marks = self._marks(audio)
        self._ends += sum(not mark.started for mark in marks)
        return marks

    def _marks(self, audio: bytes) -> list[Mark]:
        marks: list[Mark] = []
        self._appends += 1
        self._served += len(audio) / self._loudness.bytes_per_ms
        heard = self._other.feed(audio) if self._other else []
        turn = self._turn
        if turn is not None and turn.sound is not None:
            self._bytes += audio[: self._longest - len(self._bytes)]
            self._count(turn, heard, marks)
            return marks
        if turn is None:
            return self._of_other(heard)
        for loud in self._loudness.feed(audio):
            self._hear(loud, marks)
        self._step(self._served, marks)
        return marks

    def clear(self) -> None:
        """The buffer was committed or cleared by the client: a turn that is open is over."""
        if self._other:
            self._other.clear()
        self._other_speaking = False
        if self._speaking:
            self._end()

    # Turns with their times.

    def _hear(self, loud: bool, marks: list[Mark]) -> None:
        at, self._frames_ms = self._frames_ms, self._frames_ms + FRAME_MS
        if loud:
            self._quiet_since = self._frames_ms
        if self._began is None:
            self._began = self._onset.take(loud, at)
        self._step(self._frames_ms, marks)

    def _step(self, now: float, marks: list[Mark]) -> None:
        """Starts or stops the turn where its time has come."""
        turn = self._turn
        if turn is None:
            return
        if not self._speaking:
            began = self._start_of(turn, now)
            if began is not None:
                self._speaking, self.replaying = True, True
                if self._began is None or turn.onset_ms is None:
                    self._began = began
                start = (
                    began + turn.start_ms - (turn.onset_ms if turn.onset_ms is not None else turn.start_ms)
                )
                marks.append(Mark(True, int(min(max(start, self._floor), self._served))))
        if self._speaking and self._is_over(turn, now):
            origin = turn.start_ms if turn.onset_ms is None else turn.onset_ms
            end = (self._began or 0.0) + turn.end_ms - origin
            marks.append(Mark(False, int(min(end, now, self._served))))
            self._end()

    def _start_of(self, turn: Turn, now: float) -> float | None:
        """Where the turn's sound began in this client's audio, once it counts as started."""
        if turn.onset_ms is None:
            before = self._turns[self._index - 1].end_ms if self._index else 0.0
            start = self._floor + max(turn.start_ms - before, 0.0)
            return start if now >= start else None
        if self._began is None or now < self._began + turn.start_ms - turn.onset_ms:
            return None
        return self._began

    def _is_over(self, turn: Turn, now: float) -> bool:
        origin = turn.start_ms if turn.onset_ms is None else turn.onset_ms
        length, said = turn.end_ms - origin, now - (self._began or 0.0)
        if turn.onset_ms is None:
            return said >= length
        quiet = now - self._quiet_since
        if said >= length:
            return quiet >= min(turn.quiet_ms, length) * (1 - AUDIO_SHARE) or said >= length * _SLACK
        return said >= length * AUDIO_SHARE and turn.quiet_ms > 0 and quiet >= turn.quiet_ms

    def _end(self) -> None:
        self._speaking, self._began = False, None
        self._floor = self._served if self._turn and self._turn.sound is not None else self._frames_ms
        self._index += 1
        self._onset = Onset(after_quiet=self._turn is not None and self._turn.gap)

    # Turns without.

    def _count(self, turn: Turn, heard: list[Mark], marks: list[Mark]) -> None:
        assert turn.sound is not None
        same = self._bytes.startswith(turn.sound)
        as_many = self._appends >= turn.appends and (
            len(self._bytes) <= len(turn.sound) * _SLACK or self._served >= turn.end_ms
        )
        if same or (as_many and not self._speaking):
            end = min(turn.end_ms, self._served)
            if not self._speaking:
                start = max(end * turn.start_ms / turn.end_ms, self._floor) if turn.end_ms else end
                marks.append(Mark(True, int(min(start, end))))
            self.replaying = True
            marks.append(Mark(False, int(end)))
            self._end()
            return
        for mark in heard:
            if mark.started or self._speaking:
                self._speaking, self.replaying = mark.started, True
                marks.append(mark)
                if not mark.started:
                    self._end()

    def _of_other(self, heard: list[Mark]) -> list[Mark]:
        """What the model's detector hears, from the first start on."""
        marks: list[Mark] = []
        for mark in heard:
            if mark.started or self._other_speaking:
                self._other_speaking, self.replaying = mark.started, False
                if mark.ms >= self._floor or not mark.started:
                    marks.append(mark)
                else:
                    marks.append(Mark(True, int(self._floor)))
        return marks
