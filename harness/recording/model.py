"""A cassette as what the service said, in lanes.

Lanes: the session; the items that the client made; turns of speech; what was
heard in them; answers, each with a barrier, and beside them the answers out of
band; refusals; the end. Nothing in here is tied to a place in the recording.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from harness.cassette import Close
from harness.messages import Json
from harness.recording.frames import Template
from harness.recording.passages import RecordedPassage, stretches

AUDIO_SHARE = 0.8
"""How much of the recorded input audio must have come: clients cut silence and drop part chunks."""


@dataclass(frozen=True)
class Line:
    """One recorded event of the service.

    `event` is canonical; `wire` is as recorded, and None where the wire has no
    event of its own for it. `t` counts from the beginning of what it is part of.
    """

    t: float
    event: Json
    wire: Json | None


@dataclass(frozen=True)
class Barrier:
    """What must have happened since the last answer before this one is due."""

    user_items: int
    outputs: tuple[str, ...]
    """Recorded call ids whose results must be in."""
    audio_ms: int
    """How much audio the client must have committed by hand."""
    turns: int = 0
    """Turns of speech that the service heard end."""
    spoken_ms: int = 0
    """How much audio those turns had; a client that commits by hand says as much that way."""
    by_service: bool = False
    """Nobody asked for the answer: a turn of speech or the user's silence led to it."""

    @property
    def of_silence(self) -> bool:
        """It is the user's silence that leads to the answer."""
        return self.by_service and not (self.turns or self.audio_ms)

    def __str__(self) -> str:
        needs = [] if self.by_service else ["response.create"]
        if self.user_items:
            needs.append(f"{self.user_items} item(s) of the user")
        if self.turns:
            needs.append(f"{self.turns} turn(s) of speech")
        if self.audio_ms:
            needs.append(f"{self.audio_ms} ms of committed audio")
        if self.outputs:
            needs.append(f"the result of {len(self.outputs)} call(s)")
        return ", ".join(needs) or "the user's silence"


@dataclass(frozen=True)
class Waiting:
    """A recorded event that never came to be sent, and what it waits for.

    `needed` are the recorded client's events since the answer before, canonical
    and without ids, that this client has not sent; audio is one append without
    its sound. `met` are those that it has; `holds` names the event that is held back.
    """

    what: str
    needed: tuple[Json, ...]
    holds: str
    met: tuple[Json, ...] = ()

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True)
class RecordedAnswer:
    """One recorded response, with its times from `response.created` on."""

    barrier: Barrier
    lines: tuple[Line, ...]
    needed: tuple[Json, ...] = ()
    """What the client sent for it, canonical, without ids."""
    floats: tuple[Line, ...] = ()
    """What is bound to it and floats: rate limits, the output audio buffer."""
    outside: bool = False
    """Out of band (`conversation: none`)."""

    @cached_property
    def events(self) -> tuple[tuple[float, Json], ...]:
        """Its events in canonical form."""
        return tuple((line.t, line.event) for line in self.lines)

    @property
    def response(self) -> Json:
        """The response object of `response.created`."""
        return self.lines[0].event["response"]  # type: ignore[no-any-return]

    @cached_property
    def ended(self) -> Json | None:
        """The response object of `response.done`; None where the recording breaks off before."""
        last = self.lines[-1].event
        return last["response"] if last["type"] == "response.done" else None

    @property
    def metadata(self) -> Json | None:
        return self.response.get("metadata")

    @property
    def cut(self) -> bool:
        """It was cut short: cancelled, or the recording breaks off in it."""
        return self.ended is None or self.ended.get("status") == "cancelled"

    @cached_property
    def spoken(self) -> tuple[Line, ...]:
        """What was said before the answer was cut, without what closed it; else all of it."""
        if not self.cut:
            return self.lines
        whole = {
            item.get("id")
            for item in (self.ended or {}).get("output") or ()
            if isinstance(item, dict) and item.get("status") == "completed"
        }
        last = max(n for n, line in enumerate(self.lines) if not _closes(line.event))
        return tuple(line for n, line in enumerate(self.lines) if n <= last or _item_id(line.event) in whole)

    @cached_property
    def ids(self) -> frozenset[str]:
        """Every id that is this answer's own: its response, its conversation, its items, its calls."""
        found = {self.response.get("id"), self.response.get("conversation_id")}
        for line in self.lines:
            item = line.event.get("item")
            if isinstance(item, dict):
                found |= {item.get("id"), item.get("call_id")}
        return frozenset(id_ for id_ in found if isinstance(id_, str))

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        """A template for each line; made once, however many clients it is played to."""
        return tuple(Template(line.event, line.wire, self.ids) for line in self.lines)

    @cached_property
    def places(self) -> tuple[int, ...]:
        """The lines that are said, by their places."""
        kept = {id(line) for line in self.spoken}
        return tuple(place for place, line in enumerate(self.lines) if id(line) in kept)

    @cached_property
    def stretches(self) -> tuple[int | RecordedPassage, ...]:
        """The lines that are said, by their places; deltas that follow each other in one."""
        return tuple(stretches(self.places, self.events, self.templates))

    @cached_property
    def float_templates(self) -> tuple[Template, ...]:
        return tuple(Template(line.event, line.wire, self.ids) for line in self.floats)


def _closes(event: Json) -> bool:
    """Whether an event ends something, and so may be there only because the answer was cut."""
    return bool(event["type"].endswith(".done"))


def _item_id(event: Json) -> object:
    item = event.get("item")
    return item.get("id") if isinstance(item, dict) else event.get("item_id")


@dataclass(frozen=True)
class Turn:
    """One turn of speech as the service heard it, in ms of all audio appended until then.

    `onset_ms` is where the sound begins in the recorded audio, None where that
    is silent; `quiet_ms` is the silence before the end. `sound` is the audio up
    to the end of the turn where its publisher cut it, so that its bytes say
    nothing of its time; `appends` is how many events carried it.
    """

    start_ms: float
    end_ms: float
    onset_ms: float | None
    quiet_ms: float
    gap: bool
    """There is silence between the turn before and this one."""
    sound: bytes | None = None
    appends: int = 0


@dataclass(frozen=True)
class Transcription:
    """What was told of one committed stretch of audio, with times from the commit on."""

    item_id: str
    lines: tuple[Line, ...]

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        return tuple(Template(line.event, line.wire, frozenset({self.item_id})) for line in self.lines)


@dataclass(frozen=True)
class RecordedRefusal:
    """A client event that was refused (canonical, without ids), and the recorded `error`, canonical."""

    event: Json
    error: Json
    echoes: bool | None
    """The error's `event_id` is the client's; None where nothing tells, as the client gave none."""


OF_ONE_CLIENT = ("id", "expires_at", "model")
"""What two sessions never share, by its names in every dialect."""


@dataclass(frozen=True)
class Session:
    """What the service said the session was, canonical and on the wire.

    `update` is the client's, `before` the session before it: what a model makes
    of the two may be less than what the service made of them.
    """

    event: Json
    wire: Json
    update: Json | None = None
    before: Json | None = None

    @property
    def session(self) -> Json:
        return self.event["session"]  # type: ignore[no-any-return]

    @cached_property
    def template(self) -> Template:
        """The event for any client whose session is such a one."""
        own = {"event_id", *(f"session.{name}" for name in OF_ONE_CLIENT)}
        return Template(self.event, self.wire, frozenset(), own)

    def is_of(self, session: Json) -> bool:
        """Whether it says of a session what that is, but for what every client has of its own."""
        mine = self.session
        return mine.keys() == session.keys() and all(
            mine[name] == value for name, value in session.items() if name not in OF_ONE_CLIENT
        )


@dataclass(frozen=True)
class Recording:
    """A cassette as the service's side of the conversation."""

    created: Session | None
    updated: tuple[Session, ...]
    user_contents: tuple[Json, ...]
    """The items the recorded client created, canonical, without ids."""
    answers: tuple[RecordedAnswer, ...]
    outside: tuple[RecordedAnswer, ...] = ()
    turns: tuple[Turn, ...] = ()
    transcriptions: tuple[Transcription | None, ...] = ()
    """For each committed stretch of audio, in turn."""
    commits: int = 0
    """How often the client committed by hand."""
    refusals: tuple[RecordedRefusal, ...] = ()
    told: tuple[str, ...] = ()
    """What the service told of edits that the client asked for: the types, in turn."""
    errors: tuple[Json, ...] = ()
    """Every `error`, without the client event's id in it."""
    parting: tuple[Line, ...] = ()
    """Errors that answer nothing the client sent, such as the last word before the end."""
    close: Close = field(default=Close("nobody", None))
    before_close: tuple[Barrier, tuple[Json, ...]] = (Barrier(0, (), 0, by_service=True), ())
    """What the client did after the last answer, before the connection ended."""
    timeouts: int = 0
    """How often the service lost its patience with a silent user."""
    left_unanswered: bool = False
    """The client asked for an answer that never began."""
    sideband: bool = False
    """A socket that joined a call: it gets no `session.created`."""


_OF_THE_SERVICE = ("id", "status", "object")


def without_ids(item: Json) -> Json:
    """An item without what the service gives it: its id, status and object; ids of calls stay."""
    return {key: value for key, value in item.items() if key not in _OF_THE_SERVICE}


_OF_ONE_SESSION = ("event_id", "previous_item_id", "item_id", "response_id", "call_id")


def without_event_ids(event: Json) -> Json:
    """A client event without ids, its item's and its call's included: what it says."""
    bare = {key: value for key, value in event.items() if key not in _OF_ONE_SESSION}
    item = bare.get("item")
    if isinstance(item, dict):
        bare["item"] = {key: value for key, value in without_ids(item).items() if key not in _OF_ONE_SESSION}
    return bare


def never_played(recording: Recording) -> list[Waiting]:
    """What waits in a recording that no client ever came to."""
    total = len(recording.answers)
    return [
        Waiting(str(answer.barrier), answer.needed, f"response.created of answer {number} of {total}")
        for number, answer in enumerate(recording.answers, 1)
    ]


def missing_of(needed: Iterable[Json], sent: Iterable[Json]) -> tuple[Json, ...]:
    """Those of `needed` that have no counterpart in `sent`, each counted once."""
    left = list(sent)
    missing: list[Json] = []
    for event in needed:
        if event in left:
            left.remove(event)
        else:
            missing.append(event)
    return tuple(missing)
