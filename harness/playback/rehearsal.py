"""Sessions whose clients say what others said before them: they are given the same, ids aside.

The service is deterministic: with the same seed, the same messages get the same
answers. So what it says to a conversation that was had twice is remembered,
with slots for the ids, and further clients get it without a service behind
them. What was said to whom is known by a seed and the client's messages; the
service is called in, and told all that has happened, as soon as a client says
something else, or anybody asks for the wire log or the state. So nobody can
tell the difference but by the time it takes.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from harness.cassette import Cassette
from harness.dialects import Dialect
from harness.faults import FaultLine
from harness.messages import Json
from harness.playback.moments import SOME_TIME, START, Moment, NotingMint, Said, made_moment
from harness.playback.playback import Playback
from harness.service import Burst, Ending, Exchange, IdMint, Outgoing
from harness.service.ids import clock_text
from harness.service.supply import Parts

_TWICE = 2
"""How often something must have been said before it is remembered: most say it once and never again."""

_MOST_MOMENTS = 1000
_MOST_SAID = 8192
"""What is remembered of one cassette: so many moments, none with messages of more characters."""

_MOST_WAYS = 32
"""In which sessions are opened: models, and the settings of minted keys."""

_MOST_GIVEN = 262_144
"""Bytes that are given by heart, as they are made at once; a long answer is made as it is taken."""


class Stage:
    """Where one cassette is played to any number of clients."""

    def __init__(
        self, dialect: Dialect, cassette: Cassette, session: type[RehearsedPlayback] | None = None
    ) -> None:
        """`session` is the class of what plays to a client, where that is one of its own."""
        self.dialect = dialect
        self.cassette = cassette
        self._session = session or RehearsedPlayback
        self._before: OrderedDict[str, Moment] = OrderedDict()
        """What comes before anything is said, by how a session is opened; those seen last."""
        self._remembered = 0

    def enter(
        self, *, seed: int, unix_time: int, faults: FaultLine | None = None, **options: Any
    ) -> RehearsedPlayback:
        """A session for one more client; as `Playback`."""
        return self._session(self, seed, unix_time, faults or FaultLine(), options)

    def before(self, options: Json) -> Moment:
        """The beginning of all sessions that are opened in this way."""
        text = json.dumps(options, sort_keys=True)
        if len(text) > _MOST_SAID:
            return Moment(START)
        if text not in self._before:
            self._before[text] = Moment(START)
            while len(self._before) > _MOST_WAYS:
                _, gone = self._before.popitem(last=False)
                self._remembered -= _count(gone)
        self._before.move_to_end(text)
        return self._before[text]

    def next(self, past: Sequence[Moment], messages: Said, options: Json) -> Moment | None:
        """What is said to messages after those of the past; None where that is not known, or not yet."""
        last = past[-1]
        known = last.after.get(messages)
        if known is not None or sum(map(len, messages)) > _MOST_SAID:
            return known
        if len(last.heard) < _MOST_MOMENTS:
            last.heard[messages] = last.heard.get(messages, 0) + 1
        if last.heard.get(messages) != _TWICE or self._remembered >= _MOST_MOMENTS:
            return None
        moment = self._rehearsed([*(one.messages for one in past[1:]), messages], options)
        if moment is not None and len(moment.text) <= _MOST_GIVEN:
            self._remembered += 1
            last.after[messages] = moment
            return moment
        return None

    def _rehearsed(self, steps: Sequence[Said], options: Json) -> Moment | None:
        """Says it to a service that nobody listens to; the last moment, if all of them end in quiet."""
        mint = NotingMint()
        playback = Playback(self.dialect, self.cassette, seed=0, unix_time=SOME_TIME, mint=mint, **options)
        mint.of = playback
        moment = None
        for messages in steps:
            first, began = (0 if messages == START else len(mint.noted)), playback.t
            if messages == START:
                playback.start()
            for message in messages:
                playback.receive(message)
            said = list(iter(playback.pop, None))
            if playback.ending is not None or not playback.at_rest or mint.irregular:
                return None
            moment = made_moment(messages, said, mint, (first, began))
        return moment


def _count(moment: Moment) -> int:
    """How many are remembered after it."""
    number, left = 0, [moment]
    while left:
        after = left.pop().after.values()
        number += len(after)
        left += after
    return number


_SHELLS = ("handshake", "close_code", "close_by", "close_reason")
"""What the shell notes in a wire log."""


class _Later(Exchange):
    """A wire log that is written when somebody asks for it."""

    playback: RehearsedPlayback

    def __init__(self, playback: RehearsedPlayback) -> None:
        self.playback = playback
        self.handshake = None
        self.close_code = None
        self.close_by = None
        self.close_reason = ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.playback.live:
            raise AttributeError(name)
        self.playback._call_in()
        return getattr(self, name)


def _heads(minted: Sequence[tuple[bytes, float]], began: float, unix_time: int) -> list[bytes]:
    """How ids begin that are minted so many seconds after `began`."""
    if minted and int(began) == int(began + minted[-1][1]):
        clock = clock_text(unix_time + int(began))
        return [prefix if prefix == b"call_" else prefix + clock for prefix, _ in minted]
    return [
        prefix if prefix == b"call_" else prefix + clock_text(unix_time + int(began + later))
        for prefix, later in minted
    ]


class RehearsedPlayback(Playback):
    """A playback to a client that may say what others said; until it does not, the service is not there."""

    live = False
    """Whether the service is there."""
    ending: Ending | None = None

    def __init__(self, stage: Stage, seed: int, unix_time: int, faults: FaultLine, options: Json) -> None:
        self._stage = stage
        self._given = (seed, unix_time, faults, options)
        self._before = stage.before(options)
        self.exchange = _Later(self)
        self._ids_of = IdMint(seed, unix_time)
        self._past: list[tuple[float, Moment]] = []
        """What the client has said, each with what the clock was advanced to before it."""
        self._clock = self._advanced_to = 0.0
        self._values = [b'"expires_at":%d' % (unix_time + stage.dialect.service.session_seconds)]
        """What is put into frames: when the session ends, then its ids in the order of their minting."""
        self._coming: list[bytes] = []
        self._said = 0
        """How many of those that come were said."""
        self._heard: list[str] = []
        """Messages to which nothing was said yet."""

    def __getattr__(self, name: str) -> Any:
        # Whoever asks for what only the service has gets it; the service is called in for that.
        if name.startswith("__") or self.live:
            raise AttributeError(name)
        self._call_in()
        return getattr(self, name)

    def _call_in(self) -> None:
        """The service takes over, and is told all that has happened."""
        if self.live:
            return
        self.live = True
        seed, unix_time, faults, options = self._given
        log, unsaid = self.exchange, len(self._coming) - self._said
        kept = {name: getattr(log, name) for name in _SHELLS}
        mint = IdMint(seed, unix_time)
        mint.given.extend(id_.decode() for id_ in self._values[1:])
        stage = self._stage
        super().__init__(
            stage.dialect,
            stage.cassette,
            seed=seed,
            unix_time=unix_time,
            faults=faults,
            mint=mint,
            **options,
        )
        vars(log).update(vars(self.exchange) | kept)
        self.exchange = log
        for place, (t, moment) in enumerate(self._past, 1):
            super().advance(t)
            if moment.messages == START:
                super().start()
            for message in moment.messages:
                super().receive(message)
            if place < len(self._past) or not unsaid:
                while super().pop() is not None:  # also what the wire has no event for
                    pass
            else:
                for _ in range(len(moment.frames) - unsaid):
                    super().pop()
        mint.given.clear()  # what was not said may have other ids
        super().advance(self._advanced_to)
        for message in self._heard:
            super().receive(message)
        self._past, self._values, self._coming, self._heard = [], [], [], []

    def _answer(self) -> None:
        """Finds what to say to the messages to which nothing was said yet."""
        if self._heard and not self.live:
            if self._take(tuple(self._heard)):
                self._heard = []
            else:
                self._call_in()

    def _take(self, messages: Said) -> bool:
        """Says what others were told; False where that is not known."""
        _, unix_time, faults, options = self._given
        past = [self._before, *(moment for _, moment in self._past)]
        if faults.faults or self.nesting != Playback.nesting or (messages == START) is not (len(past) == 1):
            return False
        moment = self._stage.next(past, messages, options)
        if moment is None:
            return False
        self._past.append((self._advanced_to, moment))
        began = max(self._clock, self._advanced_to)
        self._clock = began + moment.lasts
        tails = self._ids_of.characters(16 * len(moment.minted)).encode()
        heads = _heads(moment.minted, began, unix_time)
        values = self._values
        values += [
            head + tails[at : at + 16] for head, at in zip(heads, range(0, len(tails), 16), strict=True)
        ]
        text = moment.text % tuple([values[value] for value in moment.values])
        ends = tuple(accumulate(moment.frames, initial=0))
        self._coming = [text[begin:end] for begin, end in pairwise(ends)]
        self._said = 0
        return True

    # What the shell asks for.

    def start(self) -> None:
        if self.live or self._asks_to_join or not self._take(START):
            self._call_in()
            super().start()

    @property
    def _asks_to_join(self) -> bool:
        """Whether the socket joins a call: then it is not greeted."""
        asked = dict(self.exchange.handshake.query) if self.exchange.handshake else {}
        rules = self._stage.dialect.handshake.query
        return any(rule.means == "call" and rule.name in asked for rule in rules)

    def receive(self, frame: str | bytes) -> None:
        if self.live or not isinstance(frame, str) or self._said < len(self._coming):
            self._call_in()
            super().receive(frame)
        else:
            self._heard.append(frame)

    def advance(self, t: float) -> None:
        timer = None if self.live else self.next_timer
        if timer is not None and t >= timer:
            self._call_in()
        if self.live:
            super().advance(t)
        else:
            self._advanced_to = max(self._advanced_to, t)

    def burst(self, until: float | None, room: int, *, pauses: bool) -> Burst | None:
        if until is not None:
            self._call_in()
        self._answer()
        if self.live:
            return super().burst(until, room, pauses=pauses)
        first, coming = self._said, self._coming
        thinking = self._past[-1][1].thinking if pauses and self._past else None
        if thinking is None and not first and sum(map(len, coming)) <= room:
            self._said = len(coming)
        while room > 0 and self._said < len(coming):
            room -= len(coming[self._said])
            self._said += 1
            if thinking == self._said - 1:
                break
        if self._said == first:
            return None
        logged = sum(len(moment.messages) + len(moment.frames) for _, moment in self._past)
        number = logged - len(coming) + first
        parts: list[Parts] = [(frame,) for frame in coming[first : self._said]]
        return Burst(parts, number, thinking == self._said - 1)

    def pop(self, until: float | None = None) -> Outgoing | None:
        self._answer()
        if self._said < len(self._coming):
            self._call_in()
        return super().pop(until) if self.live else None

    @property
    def next_at(self) -> float | None:
        self._answer()
        if self.live:
            return super().next_at
        return self._clock if self._said < len(self._coming) else None

    @property
    def next_timer(self) -> float | None:
        if self.live:
            return super().next_timer
        return self._past[-1][1].timer if self._past else None

    @property
    def unsaid(self) -> int:
        self._answer()
        return super().unsaid if self.live else len(self._coming) - self._said

    @property
    def idle(self) -> bool:
        self._answer()
        return super().idle if self.live else self._said == len(self._coming)
