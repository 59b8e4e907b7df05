"""What is known about one wire surface of the Realtime API, as frozen values.

Rules of this module: a dialect is data read from a file; nothing here or above
asks for a dialect by name; every fact carries its evidence and its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.messages import MISSING

if TYPE_CHECKING:
    from harness.dialects.keys import KeyRules
    from harness.dialects.opening import Handshake

DEPLOYMENT = "gpt-realtime"
"""The deployment that scenarios are played with; on Azure its name is the customer's choice."""


class Evidence(StrEnum):
    """How well an expectation is known, best first."""

    RECORDED = "recorded"
    """Stands in a capture of real traffic in this dialect."""
    DOCUMENTED = "documented"
    """The service's documents or published types say it."""
    REPORTED = "reported"
    """Somebody saw it live and wrote it down in public."""
    ANALOGOUS = "analogous"
    """Known of a neighbouring dialect."""
    ASSUMED = "assumed"
    """Our guess; fails nobody."""

    @property
    def can_fail(self) -> bool:
        return self is not Evidence.ASSUMED


class Acceptance(StrEnum):
    """What the service does with a field, a value or an event."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fact:
    """Where a statement comes from."""

    evidence: Evidence
    source: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Unlisted:
    """What happens to names a shape does not list; `error` is a catalogue name."""

    acceptance: Acceptance
    error: str | None
    fact: Fact


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a shape.

    `kinds` are JSON types, `any`, or shape names; `of` the kinds of an array's
    elements. `values`, `sets` (arrays read as sets), `least` and `most` are what
    is known to be accepted: `outside` says what becomes of anything else, except
    below `least` where `beyond` does. `closed` marks sets that the service itself
    never leaves. `unproven` kinds and values are reported both ways. `instead` names what to
    write in place of a refused or doubtful field. `since` is when the field was
    first documented (`YYYY-MM`), `absent` whether it may be left out where it is
    not required, `default` what the service takes where it is
    left out (MISSING: not known), `content` how a string is encoded.
    """

    name: str
    kinds: tuple[str, ...]
    of: tuple[str, ...]
    fact: Fact
    acceptance: Acceptance = Acceptance.ACCEPTED
    required: bool = False
    values: tuple[Any, ...] = ()
    sets: tuple[frozenset[str], ...] = ()
    outside: Acceptance = Acceptance.UNKNOWN
    closed: bool = False
    error: str | None = None
    unproven: tuple[str, ...] = ()
    instead: str | None = None
    since: str | None = None
    default: Any = MISSING
    least: float | None = None
    most: float | None = None
    beyond: Acceptance = Acceptance.UNKNOWN
    absent: Acceptance = Acceptance.ACCEPTED
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A JSON object: its fields, or its variants by the value of the field `by`.

    `by_required`: it is known that the service insists on that field (`by_fact`
    says how). An object without it, or with another value, is read as the
    variant `otherwise`, where there is one.
    """

    name: str
    fields: Mapping[str, Field]
    unlisted: Unlisted
    by: str | None = None
    variants: Mapping[str, str] | None = None
    by_required: bool = False
    by_fact: Fact | None = None
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class EventSpec:
    """One event type of one side. `has_id`: the service gives it an `event_id`."""

    type: str
    shape: str
    acceptance: Acceptance
    fact: Fact
    since: str | None = None
    has_id: bool = True


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All that one side may say: event types, and the shapes they are made of."""

    events: Mapping[str, EventSpec]
    shapes: Mapping[str, Shape]
    unlisted_event: Unlisted


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """A refusal of the catalogue; `message` and `param` are templates.

    `event_id` says what stands in `error.event_id`: the client's own id
    (`client`), `null`, or no such key (`absent`). `verbatim`: the sentence was
    seen as it stands. `harmless`: nothing is lost by the refusal but the event.
    `when` is the condition that raises it; `raised_by` says whether that is an
    event of the `client`, the `handshake`, or `time`.
    """

    name: str
    type: str
    code: str | None
    message: str
    param: str | None
    event_id: str
    verbatim: bool
    fact: Fact
    harmless: bool = False
    when: str = ""
    raised_by: str = "client"


@dataclass(frozen=True, slots=True)
class Failure:
    """What goes wrong inside an event other than `error`: its code and sentence, and when."""

    name: str
    event: str
    type: str | None
    code: str | None
    message: str | None
    when: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class CloseRule:
    """One way a session ends: who closes (`client`, `service`), with which code and reason.

    `cause` is what the service model knows it by (`session_expired`); `error` the
    catalogue's name of an error event that comes first.
    """

    code: int
    by: str
    reason: str | None
    when: str
    fact: Fact
    cause: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class OrderRule:
    """What is known of the order of server events. `fails`: a departure is more than a note."""

    name: str
    says: str
    fails: bool
    fact: Fact


@dataclass(frozen=True, slots=True)
class Known:
    """A value with where it is known from."""

    name: str
    value: Any
    fact: Fact


@dataclass(frozen=True, slots=True)
class MapRow:
    """One row of an object map, dotted paths on both sides; None where a side has no such place.

    `values` pairs the two spellings of a value; `fixed` is what canonical form
    says where the wire says nothing.
    """

    wire: str | None
    canonical: str | None
    values: tuple[tuple[Any, Any], ...] = ()
    fixed: Any = None


@dataclass(frozen=True, slots=True)
class TranslationTable:
    """How the wire names differ from the canonical ones.

    `events` are names of the service, `client_events` of the client.
    `item_done` is `separate` where the wire has `conversation.item.done`, `made`
    where one event of the wire stands for both, and `committed` where the wire
    has it for the audio items that voice detection committed and no others.
    `transcription` maps the session of a transcription session.
    """

    events: Mapping[str, str]
    client_events: Mapping[str, str]
    item_done: str
    parts: Mapping[str, str]
    session: tuple[MapRow, ...]
    response: tuple[MapRow, ...]
    transcription: tuple[MapRow, ...]


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What the service fills in by itself.

    `session` is its default session in canonical form; `item_object` the
    `object` of items; `content_part_copy` a second key that repeats `part`;
    `obfuscation` pads text-like deltas to sixteen characters;
    `null_previous_on_done` is the service's null for the second item;
    `transcription_usage`: a finished transcription says what it cost; `fill`
    what it adds to an object given in part, by dotted path; `no_turn_detection`
    are transcription models that take none; `rate_limits` the limits it tells of
    after a response. `facts` say where these are known from.
    """

    session: Mapping[str, Any]
    transcription_session: Mapping[str, Any]
    fill: Mapping[str, Mapping[str, Any]]
    session_seconds: int
    item_object: str | None
    content_part_copy: str | None
    obfuscation: bool
    null_previous_on_done: bool
    transcription_usage: bool
    no_turn_detection: tuple[str, ...]
    rate_limits: tuple[str, ...]
    facts: tuple[Known, ...]


@dataclass(frozen=True, eq=False)
class Dialect:
    """One wire surface of the Realtime API. Compared and hashed by identity, so that tables can be cached."""

    name: str
    title: str
    api_version: str
    since: str
    """When it was first served, `YYYY-MM`."""
    as_of: str
    """The date of the documents it is judged by: what is newer is unknown."""
    status: str
    by_default: bool
    """Whether scenarios are played in it unasked: cassettes for it are bundled."""
    sources: Mapping[str, str]
    handshake: Handshake
    keys: KeyRules | None
    """None where no way is known to mint a key for browsers."""
    service: ServiceFacts
    client: Vocabulary
    server: Vocabulary
    errors: Mapping[str, ErrorSpec]
    failures: tuple[Failure, ...]
    closes: tuple[CloseRule, ...]
    limits: tuple[Known, ...]
    orders: Mapping[str, OrderRule]
    translation: TranslationTable

    @cached_property
    def canonical_server_events(self) -> frozenset[str]:
        """The server events of this dialect under their canonical names, those made of others included."""
        made = set() if self.translation.item_done == "separate" else {"conversation.item.done"}
        return frozenset({self.translation.events.get(name, name) for name in self.server.events} | made)
