"""Hears the recorded turns of speech in what this client says, on the clock of its own audio.

The recording says how far a turn's marks lie from where the sound began; the
client's sound is looked for with the same measure. So leading silence is free,
and so is how the audio is cut into events. A turn ends when the client's speech
is as long as the recorded one; a client that cuts or resamples may come with
less, if it is silent then. Marks never lie beyond what was served, and depend on
the audio alone: each has the time at which all that it needs was heard, as far as
the whole frames before that time tell.

Over noise that is never silent the measure cannot tell where the next turn
begins; then the model's own detector is asked, which takes more for silence.

Where the publisher of a recording cut its audio, no time can be told from it.
There a turn is over when the same bytes have come, or as many appends; or when
the model's own detector hears it end, for a client that really speaks. That
detector also hears what the recording has no turns for.
"""

from __future__ import annotations

import math
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
        self._heard: list[Mark] = []
        """What that one heard since the last whole frame."""
        self._padding = 0.0
        self._loudness = Loudness()
        self._clock = 0.0
        """How much audio had come before it began to listen."""
        self._bytes_heard = 0
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

    def listen(self, format_: str, clock_ms: float, other: Detector | None, padding_ms: float = 0.0) -> None:
        """Goes on in an input format, with another detector for what the recording does not tell.

        `padding_ms` of audio before its sound belong to a turn.
        """
        self._loudness = Loudness(format_)
        self._frames_ms = self._clock = clock_ms
        self._bytes_heard = 0
        if self._speaking:
            self._end(clock_ms)
        self._other, self._other_speaking, self._padding = other, False, padding_ms
        self._heard.clear()

    @property
    def _served(self) -> float:
        return self._clock + self._bytes_heard / self._loudness.bytes_per_ms

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
        self._bytes += audio[: self._longest - len(self._bytes)]
        turn = self._turn
        if turn is None or turn.sound is not None:
            self._bytes_heard += len(audio)
            heard = self._other.feed(audio) if self._other else []
            if turn is None:
                return self._of_other(heard)
            self._count(turn, heard, marks)
            return marks
        for piece in self._loudness.cut(audio):
            self._bytes_heard += len(piece)
            self._heard += self._other.feed(piece) if self._other else []
            self._step(marks)
            for loud in self._loudness.feed(piece):
                self._hear(loud)
                self._step(marks)
            if self._turn is None:
                marks += self._of_other(self._heard)
                self._heard.clear()
        return marks

    def clear(self) -> None:
        """The buffer was committed or cleared by the client: a turn that is open is over."""
        if self._other:
            self._other.clear()
        self._other_speaking = False
        self._heard.clear()
        if self._speaking:
            self._end(self._served)

    # Turns with their times.

    def _hear(self, loud: bool) -> None:
        """Takes a whole frame, at its end."""
        at, self._frames_ms = self._frames_ms, self._frames_ms + FRAME_MS
        if loud:
            self._quiet_since = self._frames_ms
        if self._turn is None:
            return
        if self._began is None and self._frames_ms > self._floor:
            self._began = self._onset.take(loud, at)
            if self._onset.waits:
                started = (mark.ms for mark in self._heard if mark.started)
                self._began = next((min(ms + self._padding, at) for ms in started), None)
        self._heard.clear()

    def _step(self, marks: list[Mark]) -> None:
        """Starts and stops turns whose time has come."""
        while (turn := self._turn) is not None and turn.sound is None:
            # What a frame tells is known at its end, and not before.
            at = max(self._over_at(turn) if self._speaking else self._start_at(turn), self._frames_ms)
            if at > self._served:
                return
            if self._speaking:
                marks.append(Mark(False, int(min(self._origin(turn) + turn.end_ms, at))))
                self._end(at)
                continue
            self._speaking, self.replaying = True, True
            if self._began is None or turn.onset_ms is None:
                self._began = self._start_at(turn)
            start = self._origin(turn) + turn.start_ms
            if turn.onset_ms is not None and turn.start_ms <= self._end_before:
                # The recorded one had no room for its padding; this one may have.
                start = min(start, self._began - self._padding)
            marks.append(Mark(True, int(max(start, self._floor))))

    @property
    def _end_before(self) -> float:
        """Where in the recording the turn before this one ended."""
        return self._turns[self._index - 1].end_ms if self._index else 0.0

    def _origin(self, turn: Turn) -> float:
        """Where in this client's audio the recorded audio begins, by this turn."""
        return (self._began or 0.0) - (turn.start_ms if turn.onset_ms is None else turn.onset_ms)

    def _start_at(self, turn: Turn) -> float:
        """When the turn counts as started; never, as long as its sound did not begin."""
        if turn.onset_ms is None:
            return self._floor + max(turn.start_ms - self._end_before, 0.0)
        return math.inf if self._began is None else self._origin(turn) + turn.start_ms

    def _over_at(self, turn: Turn) -> float:
        """When the turn counts as over, if no further sound comes."""
        origin = turn.start_ms if turn.onset_ms is None else turn.onset_ms
        length, began, quiet = turn.end_ms - origin, self._began or 0.0, self._quiet_since
        if turn.onset_ms is None:
            return began + length
        fallen_silent = quiet + min(turn.quiet_ms, length) * (1 - AUDIO_SHARE)
        whole = max(began + length, min(fallen_silent, began + length * _SLACK))
        if turn.quiet_ms <= 0:
            return whole
        return min(whole, max(began + length * AUDIO_SHARE, quiet + turn.quiet_ms))

    def _end(self, at: float) -> None:
        self._speaking, self._began, self._floor = False, None, at
        self._index += 1
        quiet = int((self._frames_ms - self._quiet_since) // FRAME_MS)
        self._onset = Onset(after_quiet=self._turn is not None and self._turn.gap, quiet=quiet)

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
            self._end(self._served)
            return
        for mark in heard:
            if mark.started or self._speaking:
                self._speaking, self.replaying = mark.started, True
                marks.append(mark)
                if not mark.started:
                    self._end(self._served)

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
