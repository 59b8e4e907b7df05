"""Reads a cassette as what the service said, in lanes: session, items, speech, one answer after another.

A recorded answer is not tied to a place in the recording but to a barrier: what
the client had done since the answer before it. The barrier is a predicate over
the session's state, so a client may get there in its own way. Whatever stands
in a cassette, reading it raises CassetteFault and nothing else.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from harness.cassette import Cassette
from harness.dialects import Dialect
from harness.exceptions import CassetteFault
from harness.messages import Json, Side, decode_audio
from harness.recording.hearing import Hearing
from harness.recording.lanes import OpenAnswer, Since, part_of, whole, whole_session
from harness.recording.model import (
    Barrier,
    Line,
    RecordedRefusal,
    Recording,
    Session,
    without_event_ids,
    without_ids,
)
from harness.recording.refusals import Unanswered, says_why
from harness.translation import Translator

_ANSWER_FLOATS = ("rate_limits.updated", "output_audio_buffer.")

_HEARD = "conversation.item.input_audio_transcription."

_BODIES = {
    "session.created": "session",
    "session.updated": "session",
    "conversation.item.added": "item",
    "conversation.item.done": "item",
    "response.created": "response",
    "response.output_item.added": "item",
    "response.output_item.done": "item",
    "response.done": "response",
}
"""What a lane cannot do without."""

EDITS = frozenset(
    {
        "conversation.item.retrieved",
        "conversation.item.deleted",
        "conversation.item.truncated",
        "input_audio_buffer.cleared",
    }
)
"""What confirms an edit: said to the client that is there, with its own values."""

_read: dict[tuple[int, int], tuple[weakref.ref[Cassette], Dialect, Recording]] = {}


def recording_of(cassette: Cassette, dialect: Dialect) -> Recording:
    """The recording of a cassette, read once however many sessions replay it."""
    key = (id(cassette), id(dialect))
    known = _read.get(key)
    if known is None or known[0]() is not cassette or known[1] is not dialect:
        gone = weakref.ref(cassette, lambda _: _read.pop(key, None))
        known = _read[key] = (gone, dialect, read_recording(cassette, dialect))
    return known[2]


def read_recording(cassette: Cassette, dialect: Dialect) -> Recording:
    """Reads the lanes of a cassette; raises CassetteFault where an event lacks what its lane needs."""
    reader = _Reader(dialect)
    for line, interaction in enumerate(cassette.interactions, 2):
        if interaction.event is None:
            continue
        try:
            reader.take(interaction.t, interaction.side, interaction.event)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
            if interaction.side is Side.CLIENT:
                continue  # what a client sent may be wrong, and then nothing came of it
            # A cassette is a file like any other: what a lane cannot do without may be missing in it.
            raise CassetteFault(
                cassette.path,
                f"a {interaction.event['type']} that cannot be read: {error}",
                line=line,
                pointer="/event",
                expected=f"an event as {dialect.name} has it",
            ) from None
    return reader.recording(cassette)


class _Reader:
    def __init__(self, dialect: Dialect) -> None:
        self._names = dialect.translation.events
        self._translator = Translator(dialect)
        self._session: Json = {}
        self._created: Session | None = None
        self._updated: list[Session] = []
        self._since = Since()
        self._asked: list[tuple[Json, Since]] = []
        """What was asked for and not yet begun, with what the client had done before it asked."""
        self._answers: list[OpenAnswer] = []
        self._last: OpenAnswer | None = None
        self._hearing = Hearing()
        self._unanswered = Unanswered()
        self._refusals: list[RecordedRefusal] = []
        self._accepted: list[Json] = []
        """What the client sent and was not refused, without ids; it cannot be refused for what it says."""
        self._told: list[str] = []
        self._errors: list[Json] = []
        self._parting: list[Line] = []
        self._items: list[Json] = []

    def recording(self, cassette: Cassette) -> Recording:
        answers = [answer.close() for answer in self._answers]
        since = self._since
        for _, before in reversed(self._asked):
            since = before if before is since else before.followed_by(since)
        return Recording(
            created=self._created,
            updated=tuple(self._updated),
            user_contents=tuple(without_ids(item) for item in self._items),
            answers=tuple(answer for answer in answers if not answer.outside),
            outside=tuple(answer for answer in answers if answer.outside),
            turns=self._hearing.turns(),
            transcriptions=self._hearing.transcriptions(),
            commits=self._hearing.by_hand,
            refusals=tuple(one for one in self._refusals if one.event not in self._accepted),
            told=tuple(self._told),
            errors=tuple(self._errors),
            parting=tuple(self._parting),
            close=cassette.close,
            before_close=(since.barrier(by_service=True), since.needed()),
            timeouts=self._hearing.timeouts,
            left_unanswered=bool(self._asked),
            sideband=self._created is None and "call_id" in dict(cassette.header.query),
        )

    def take(self, t: float, side: Side, wire: Json) -> None:
        events = self._translator.to_canonical(side, wire).events
        for event in events:
            if side is Side.CLIENT:
                self._client(event)
            else:
                own = len(events) == 1 or event["type"] == self._names.get(wire["type"], wire["type"])
                self._server(Line(t, event, wire if own else None))

    # The client.

    def _client(self, event: Json) -> None:
        type_ = event["type"]
        if type_ == "input_audio_buffer.append":
            self._hearing.append(decode_audio(event.get("audio")) or b"", self._session)
            self._since.appended = True
            return
        if type_ == "conversation.item.create":
            item = event["item"]
            if item["type"] == "function_call_output":
                hash(item["call_id"])
            self._items.append(item)
        elif type_ == "input_audio_buffer.commit":
            self._since.audio_ms += self._hearing.commit()
        elif type_ == "input_audio_buffer.clear":
            self._hearing.clear()
        self._unanswered.sent(event)
        self._accepted.append(without_event_ids(event))
        self._since.events.append(event)
        if type_ == "response.create":
            self._asked.append((event, self._since))
            if not _outside(event):
                self._since = Since()

    # The service.

    def _server(self, line: Line) -> None:
        event = line.event
        type_ = event["type"]
        body = _BODIES.get(type_)
        if body is not None and not isinstance(event.get(body), dict):
            raise KeyError(body)
        answered = self._unanswered.answered(event)
        if type_ in EDITS:
            self._told.append(type_)
        if type_ == "session.created":
            self._created = self._said(line)
        elif type_ == "session.updated":
            self._updated.append(self._said(line, answered))
        elif type_.startswith("input_audio_buffer."):
            self._heard(line)
        elif type_.startswith(_HEARD):
            self._hearing.heard(line)
        elif type_.startswith(_ANSWER_FLOATS):
            self._float(line)
        elif type_ == "response.created":
            self._begin(line)
        elif type_ == "error":
            self._refused(line)
        else:
            answer = next((a for a in reversed(self._answers) if part_of(a, event)), None)
            if answer is not None:
                answer.lines.append(whole(line))

    def _said(self, line: Line, answered: Json | None = None) -> Session:
        before, self._session = self._session, whole_session(line.event["session"])
        update = (answered or {}).get("session")
        update = update if isinstance(update, dict) else None
        return Session(line.event, line.wire or line.event, update, before)

    def _heard(self, line: Line) -> None:
        spoken = self._hearing.server(line)
        if spoken is not None:
            self._since.turns += 1
            self._since.spoken_ms += spoken

    def _float(self, line: Line) -> None:
        named = line.event.get("response_id")
        answer = next((a for a in self._answers if named is not None and a.id == named), self._last)
        if answer is not None:
            answer.floats.append(line)

    def _begin(self, line: Line) -> None:
        response = line.event["response"]
        if not isinstance(response.get("id"), str):
            raise KeyError("response.id")
        place = next(self._asked_for(response), None)
        event, since = (None, self._since) if place is None else self._asked.pop(place)
        if place is None:
            self._since = Since()
        outside = event is not None and _outside(event)
        barrier = Barrier(0, (), 0) if outside else since.barrier(by_service=event is None)
        needed = (without_event_ids(event),) if outside and event else since.needed()
        self._last = OpenAnswer(response["id"], barrier, needed, outside, [line])
        self._answers.append(self._last)

    def _asked_for(self, response: Json) -> Iterator[int]:
        """What was asked for and may have led to this response, the likeliest first."""
        alone = "conversation_id" in response and response["conversation_id"] is None
        metadata = response.get("metadata")
        for number, (event, _) in enumerate(self._asked):
            if metadata is not None and (event.get("response") or {}).get("metadata") == metadata:
                yield number
        for number, (event, _) in enumerate(self._asked):
            if _outside(event) == alone:
                yield number
        if not alone and "conversation_id" not in response:
            yield from range(len(self._asked))

    def _refused(self, line: Line) -> None:
        error = line.event.get("error")
        if not isinstance(error, dict):
            raise KeyError("error")
        self._errors.append({key: value for key, value in error.items() if key != "event_id"})
        event = self._unanswered.refused(error)
        if event is None:
            self._parting.append(line)
            return
        echoes = None if event.get("event_id") is None else error.get("event_id") == event["event_id"]
        said = without_event_ids(event)
        self._accepted.remove(said)
        if says_why(event, error):
            self._refusals.append(RecordedRefusal(said, line.event, echoes))
        self._items = [item for item in self._items if item is not event.get("item")]
        asked = [pair for pair in self._asked if pair[0] is event]
        self._asked = [pair for pair in self._asked if pair[0] is not event]
        for _, since in asked:
            if since is not self._since:
                self._since = since.followed_by(self._since)
        for since in (self._since, *(pair[1] for pair in self._asked)):
            since.events = [one for one in since.events if one is not event]


def _outside(event: Json) -> bool:
    response: Any = event.get("response")
    return isinstance(response, dict) and response.get("conversation") == "none"
