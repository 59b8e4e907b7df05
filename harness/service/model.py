"""The model of the service: one session, its state, and what it sends when.

Sans-I/O and on a virtual clock: frames go in with `receive`, events come out
with `pop`, each with its time; nothing here sleeps, and the same seed and the
same frames give the same events. The tables judge a client event as it stands
on the wire, so a refusal names the field the client wrote, and nothing changes;
only then is it translated, and `rules` say what it does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from harness.dialects import Dialect, Refusal, Unproven, judge_client_event
from harness.exceptions import MessageFault
from harness.messages import Json, Side, decode_audio, parse_event
from harness.scenario import Answer, Text
from harness.service.answers import STEP, ResponseFrame, answer_events
from harness.service.conversation import Conversation
from harness.service.effective import effective_session, initial_session
from harness.service.errors import error_event
from harness.service.exchange import Entry, Exchange, Origin, ResponseStart
from harness.service.ids import IdMint
from harness.service.rules import BYTES_PER_MS, LATENCY, Refused, obey
from harness.translation import Translator

THINKING = 0.25
"""Seconds from `response.create` to the first event of the answer."""

MAX_SHOWN = 65_536
"""Characters kept of a frame that is no event; a report shows its beginning."""

STOCK_ANSWER = Text("This answer was made by the service model.")


@dataclass(frozen=True)
class Outgoing:
    """One event to send. After one marked `thinking` the service takes its time."""

    t: float
    event: Json
    canonical: tuple[Json, ...]
    origin: Origin
    thinking: bool = False


@dataclass(frozen=True)
class ResponseRequest:
    """What a response was asked for with, for whoever supplies its answer."""

    frame: ResponseFrame
    refused: bool


@dataclass(frozen=True)
class Supply:
    """An answer's events, canonical, with their times from its start; and why they are what they are."""

    events: tuple[tuple[float, Json], ...]
    origin: Origin
    why_modelled: str | None = None


Supplier = Callable[[ResponseRequest], Supply | None]


class Service:
    """One session of the service.

    `supplier` is asked first for each answer; without one, `answers` are given
    in turn, and after the last a stock answer. `lenient` is the fault
    `accept-any-session`: configuration is never refused, what the dialect does
    not have is ignored. `transcription`: the session was opened with
    `intent=transcription` and only hears.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        seed: int,
        unix_time: int,
        model: str | None = None,
        answers: Iterable[Answer] = (),
        heard: Iterable[str] = (),
        supplier: Supplier | None = None,
        lenient: bool = False,
        transcription: bool = False,
    ) -> None:
        self.dialect = dialect
        self.mint = IdMint(seed, unix_time)
        self._unix_start = unix_time
        self.exchange = Exchange()
        self.conversation = Conversation()
        self.translator = Translator(dialect)
        self.lenient = lenient
        self.session = initial_session(
            dialect, self.mint.mint("sess"), unix_time, model, transcription=transcription
        )
        self.conversation_id = self.mint.mint("conv")
        self.exchange.session = self.session
        self._answers = iter(answers)
        self.heard = iter(heard)
        self._supplier = supplier
        self._queue: list[tuple[float, int, Json, Origin, bool]] = []
        self._order = 0
        self.t = 0.0
        self.active: str | None = None
        self.active_until = 0.0
        self.buffer = bytearray()
        self._starts: dict[str, ResponseStart] = {}
        self._frame: ResponseFrame | None = None
        """Of the active response."""
        self._made: frozenset[str] = frozenset()
        """The items the active response makes."""

    def open(self, origin: Origin = Origin.MODELLED) -> None:
        """The connection is open: the service speaks first."""
        self.emit({"type": "session.created", "session": self.session}, origin=origin, delay=LATENCY)

    # Sending.

    def emit(
        self,
        event: Json,
        *,
        origin: Origin = Origin.MODELLED,
        delay: float = LATENCY,
        thinking: bool = False,
    ) -> None:
        """Queues one canonical event `delay` seconds from now."""
        self._order += 1
        heapq.heappush(self._queue, (self.t + delay, self._order, event, origin, thinking))

    def advance(self, t: float) -> None:
        """Moves the virtual clock on to `t`; it never goes back."""
        self.t = max(self.t, t)

    def pop(self) -> Outgoing | None:
        """The next event to send, or None; the virtual clock moves to its time."""
        while self._queue:
            t, _, canonical, origin, thinking = heapq.heappop(self._queue)
            self.t = max(self.t, t)
            self.mint.unix_time = self._unix_start + int(self.t)
            canonical = self._completed(canonical)
            self._settle(canonical)
            wire = self.translator.to_wire(Side.SERVER, canonical)
            if not wire.events:
                continue
            (event,) = wire.events
            self._log(Side.SERVER, event, canonical=(canonical,), origin=origin)
            if canonical["type"] == "response.created":
                self._note_start(canonical["response"]["id"])
            return Outgoing(self.t, event, (canonical,), origin, thinking)
        return None

    @property
    def idle(self) -> bool:
        """Nothing is queued and no response is active."""
        return not self._queue and self.active is None

    def _completed(self, event: Json) -> Json:
        """An event with its own id first after the type, and the previous id as things stand now."""
        event = dict(event)
        type_ = event.pop("type")
        given = event.pop("event_id", None) or self.mint.mint("event")
        result = {"type": type_, "event_id": given, **event}
        if type_ == "conversation.item.added" and "previous_item_id" in event:
            item = event["item"]
            if self.conversation.position(item["id"]) is None:
                result["previous_item_id"] = self.conversation.add(item, None)
        elif type_ == "conversation.item.done" and event["item"].get("role") != "user":
            result["previous_item_id"] = self._previous_on_done(event["item"], event.get("previous_item_id"))
        return result

    def _previous_on_done(self, item: Json, given: str | None) -> str | None:
        position = self.conversation.position(item["id"])
        if position is None:
            return given
        of_model = item.get("role") == "assistant" or item.get("type") == "function_call"
        if position == 0 or (position == 1 and of_model and self.dialect.service.null_previous_on_done):
            return None
        return str(self.conversation.items[position - 1]["id"])

    def _settle(self, event: Json) -> None:
        """What sending an event does to the state."""
        if event["type"] == "conversation.item.done":
            self.conversation.replace(event["item"])
        elif event["type"] == "response.output_audio.delta":
            pcm = decode_audio(event.get("delta")) or b""
            made = self.conversation.audio_ms
            made[event["item_id"]] = made.get(event["item_id"], 0) + len(pcm) // BYTES_PER_MS
        elif event["type"] == "response.done":
            self.active = None

    # Receiving.

    def receive(self, frame: str | bytes) -> None:
        """Takes one frame of the client; what it leads to comes out of `pop`."""
        try:
            event = parse_event(frame)
        except MessageFault as fault:
            shown = (frame if isinstance(frame, str) else repr(frame))[:MAX_SHOWN]
            error = "invalid_event" if "'type'" in fault.problem else "invalid_json"
            self._log(Side.CLIENT, None, raw=shown, refused_by_state=error)
            self.refuse(Refused(error, fault.problem), {})
            return
        judged = judge_client_event(self.dialect, event)
        refusals = tuple(item for item in judged if isinstance(item, Refusal) and item.fact.evidence.can_fail)
        unproven = tuple(item for item in judged if isinstance(item, Unproven))
        waived = self.lenient and event["type"] in ("session.update", "response.create")
        accepted = _without(event, refusals) if waived else event
        canonical = self.translator.to_canonical(Side.CLIENT, accepted).events
        number = self._log(Side.CLIENT, event, canonical=canonical, refusals=refusals, unproven=unproven)
        if refusals and not waived:
            self.refuse(refusals[0], event)
            self.refused(canonical[0])
            return
        try:
            obey(self, canonical[0])
        except Refused as refusal:
            self._mark_refused(number, refusal.error)
            self.refuse(refusal, event)

    def refused(self, event: Json) -> None:
        """An event was refused by the tables. The service does nothing more; playback may."""

    def complain(self, refusal: Refused, event: Json) -> None:
        """Answers the event now being obeyed with an error, and goes on with it."""
        self._mark_refused(len(self.exchange.entries) - 1, refusal.error)
        self.refuse(refusal, event)

    def refuse(self, refusal: Refused | Refusal, event: Json) -> None:
        spec = self.dialect.errors[refusal.error]
        self.emit(error_event(spec, refusal, event.get("event_id")))

    # What is of interest to whoever holds the session, such as a playback.

    def acknowledgement(self, event: Json) -> Origin:
        """Where the acknowledgement of a client event comes from."""
        return Origin.MODELLED

    def created(self, item: Json) -> None:
        """The client created an item."""

    def committed(self, ms: float) -> None:
        """The client committed that much audio."""

    def emit_item(self, item: Json, previous: str | None, origin: Origin, delay: float = LATENCY) -> None:
        body = {"previous_item_id": previous, "item": item}
        self.emit({"type": "conversation.item.added", **body}, origin=origin, delay=delay)
        self.emit({"type": "conversation.item.done", **body}, origin=origin, delay=delay)

    # Responses.

    def respond(self, overrides: Json, *, refused: bool) -> None:
        """Starts a response; `refused` where the service would not have started it."""
        outside = overrides.get("conversation") == "none"
        frame = ResponseFrame(
            self.mint.mint("resp"),
            None if outside else self.conversation_id,
            effective_session(self.session, overrides),
            overrides.get("metadata"),
        )
        request = ResponseRequest(frame, refused)
        supply = self._supplier(request) if self._supplier else None
        if supply is None:
            supply = self.modelled(next(self._answers, STOCK_ANSWER), request)
        if outside:
            kept = tuple(e for e in supply.events if not e[1]["type"].startswith("conversation.item."))
            supply = replace(supply, events=kept)
        if not supply.events:
            return
        self.active, self._frame = frame.response_id, frame
        self._made = frozenset(
            event["item"]["id"] for _, event in supply.events if event["type"] == "response.output_item.added"
        )
        self.active_until = self.t + THINKING + supply.events[-1][0]
        self._starts[frame.response_id] = ResponseStart(
            0, frame.session, tuple(self.conversation.snapshot()), supply.origin, supply.why_modelled
        )
        for index, (t, event) in enumerate(supply.events):
            self.emit(event, origin=supply.origin, delay=THINKING + t, thinking=index == 0)

    def cancel_response(self, reason: str) -> None:
        """Ends the active response; what it had not yet said is never said."""
        assert self.active is not None
        assert self._frame is not None
        cancelled = self.active
        self._queue = [e for e in self._queue if not _belongs(e[2], cancelled, self._made) or _opens(e[2])]
        heapq.heapify(self._queue)
        self.active_until = self.t
        response = self._frame.response("cancelled", [], None)
        response["status_details"] = {"type": "cancelled", "reason": reason}
        opening = max((t - self.t for t, _, event, *_ in self._queue if _opens(event)), default=LATENCY)
        self.emit({"type": "response.done", "response": response}, delay=max(opening, LATENCY))

    def modelled(self, answer: Answer, request: ResponseRequest, why: str | None = None) -> Supply:
        """A scripted answer as the events of a response."""
        events = answer_events(answer, request.frame, self.mint)
        timed = tuple((index * STEP, event) for index, event in enumerate(events))
        return Supply(timed, Origin.MODELLED, why)

    def _note_start(self, response_id: str) -> None:
        start = self._starts.get(response_id)
        if start is not None:
            entry = len(self.exchange.entries) - 1
            self.exchange.responses.append(
                ResponseStart(entry, start.session, start.items, start.origin, start.why_modelled)
            )

    # The log.

    def _log(self, side: Side, event: Json | None, **fields: Any) -> int:
        number = len(self.exchange.entries)
        self.exchange.entries.append(Entry(number, self.t, side, event, **fields))
        return number

    def _mark_refused(self, number: int, error: str) -> None:
        entry = self.exchange.entries[number]
        self.exchange.entries[number] = Entry(
            entry.number,
            entry.t,
            entry.side,
            entry.event,
            entry.canonical,
            unproven=entry.unproven,
            refused_by_state=error,
        )


def _belongs(event: Json, response_id: str, items: frozenset[str]) -> bool:
    """Whether an event is part of a response: its own, and those of the items it makes."""
    response, item = event.get("response"), event.get("item")
    return (
        event.get("response_id") == response_id
        or (isinstance(response, dict) and response.get("id") == response_id)
        or (isinstance(item, dict) and item.get("id") in items)
    )


def _opens(event: Json) -> bool:
    """`response.created` is sent even of a response that is cancelled at once."""
    return bool(event["type"] == "response.created")


def _without(event: Json, refusals: tuple[Refusal, ...]) -> Json:
    """The event without the fields that would be refused (top level of its object)."""
    refused = {tuple(refusal.path.split(".")[:2]) for refusal in refusals}
    result = dict(event)
    for holder, *rest in refused:
        inner = result.get(holder)
        if rest and isinstance(inner, dict):
            result[holder] = {key: value for key, value in inner.items() if key != rest[0].split("[")[0]}
    return result
