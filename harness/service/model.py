"""The model of the service: one session, its state, and what it sends when.

Sans-I/O and on a virtual clock: frames go in with `receive`, events come out
with `pop`, each with its time; nothing here sleeps, and the same seed and the
same frames give the same events. The tables judge a client event as it stands
on the wire, so a refusal names the field the client wrote, and nothing changes;
only then is it translated, and `rules` say what it does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from harness.dialects import Dialect, Refusal, Unproven, judge_client_event
from harness.exceptions import MessageFault
from harness.faults import End, EndResponse, FaultLine, Frame, Pause, Stall, Step
from harness.messages import Json, Side, decode_audio, parse_event, render_event
from harness.scenario import Answer, Text
from harness.service.agenda import Agenda, Queued
from harness.service.answers import STEP, answer_events
from harness.service.conversation import Conversation
from harness.service.effective import initial_session
from harness.service.errors import error_event
from harness.service.exchange import Ending, Entry, Exchange, Origin
from harness.service.ids import IdMint
from harness.service.responding import cut_response, start_response
from harness.service.rules import BYTES_PER_MS, LATENCY, Refused, obey, transcribed
from harness.service.running import Running
from harness.service.speech import Detector
from harness.service.supply import Prepared, ResponseRequest, Supplied, Supplier, Supply
from harness.translation import Translator

MAX_SHOWN = 65_536
"""Characters kept of a frame that is no event; a report shows its beginning."""

STOCK_ANSWER = Text("This answer was made by the service model.")


@dataclass(frozen=True)
class Outgoing:
    """One frame to send, `pause` seconds of real time after the one before.

    `event` is None where the frame is no event. After one marked `thinking` the
    service takes its time.
    """

    t: float
    event: Json | None
    canonical: tuple[Json, ...]
    origin: Origin
    frame: str
    thinking: bool = False
    pause: float = 0.0


class Service:
    """One session of the service.

    `supplier` is asked first for each answer; without one, `answers` are given
    in turn, and after the last a stock answer. `transcription`: the session was
    opened with `intent=transcription` and only hears. `faults` misbehave on
    purpose; one line of them may serve several connections of a case.
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
        transcription: bool = False,
        faults: FaultLine | None = None,
    ) -> None:
        self.dialect = dialect
        self.mint = IdMint(seed, unix_time)
        self._unix_start = unix_time
        self.exchange = Exchange()
        self.conversation = Conversation()
        self.translator = Translator(dialect)
        self.session = initial_session(
            dialect, self.mint.mint("sess"), unix_time, model, transcription=transcription
        )
        self.conversation_id = self.mint.mint("conv")
        self.exchange.session = self.session
        self._answers = iter(answers)
        self.heard = iter(heard)
        self._supplier = supplier
        self.faults = faults or FaultLine(())
        self.t = 0.0
        self.agenda = Agenda()
        self._ready: deque[Outgoing] = deque()
        self._pause = 0.0
        self._stalled = False
        self.ending: Ending | None = None
        """How the connection ends, once everything before it was popped."""
        self.running: dict[str, Running] = {}
        self.active: str | None = None
        """The response of the conversation that runs; others run out of band."""
        self._waiting_items: list[tuple[Json, str | None, Origin]] = []
        """Items the client created while a response was active: told of after its end."""
        self.buffer = bytearray()
        self.detector: Detector | None = None

    def open(self, origin: Origin = Origin.MODELLED) -> None:
        """The connection is open: the service speaks first."""
        self.detector = self.new_detector()
        self.emit({"type": "session.created", "session": self.session}, origin=origin, delay=LATENCY)

    def start(self) -> None:
        """What the server does when a connection is open."""
        self.open()

    # Sending.

    def emit(
        self,
        event: Json,
        *,
        origin: Origin = Origin.MODELLED,
        delay: float = LATENCY,
        thinking: bool = False,
        response_id: str | None = None,
        prepared: Prepared | None = None,
    ) -> None:
        """Queues one canonical event `delay` seconds from now."""
        self.agenda.push(Queued(self.t + delay, event, origin, thinking, response_id, prepared))

    def end(self, code: int | None, reason: str = "", delay: float = LATENCY) -> None:
        """Queues the end of the connection."""
        self.agenda.push(Queued(self.t + delay, None, Origin.MODELLED, ending=Ending(code, reason)))

    def advance(self, t: float) -> None:
        """Moves the virtual clock on to `t`, it never goes back; timers on the way fire at their times."""
        while (due := self.agenda.due_timer(t)) is not None:
            self.t = max(self.t, due[0])
            due[1]()
        self.t = max(self.t, t)

    def pop(self, until: float | None = None) -> Outgoing | None:
        """The next frame to send, or None; the virtual clock moves to its time.

        Without `until` whatever is queued counts as due.
        """
        while not self._ready:
            if self._stalled or self.ending is not None:
                return None
            queued = self.agenda.take(until)
            if queued is None:
                return None
            self.t = max(self.t, queued.t)
            self.mint.unix_time = self._unix_start + int(self.t)
            if queued.event is None:
                self.ending = queued.ending
                return None
            self._send(queued, queued.event)
            # An item's two events are one moment: nothing comes or is cancelled in between.
            while not self._stalled and (partner := self.agenda.take_partner(queued)) is not None:
                self._send(partner, partner.event or {})
        return self._ready.popleft()

    @property
    def next_at(self) -> float | None:
        """When the next queued event is due; None where none is, or will ever be sent."""
        if self._ready:
            return self.t
        return None if self._stalled or self.ending is not None else self.agenda.next_at

    @property
    def next_timer(self) -> float | None:
        """When the service's patience ends next: idle timeout, session expiry."""
        return self.agenda.next_timer

    @property
    def idle(self) -> bool:
        """Nothing is queued and no response is active."""
        return self._stalled or (not self._ready and self.agenda.empty and not self.running)

    @property
    def holding(self) -> bool:
        """Nothing is queued, and an answer is held until the user barges in or cancels it."""
        return self.agenda.empty and not self._ready and any(run.hold for run in self.running.values())

    def _send(self, queued: Queued, event: Json) -> None:
        canonical = self._completed(event)
        if queued.prepared is not None:
            wire, frame = queued.prepared.ready(canonical)
        else:
            translated = self.translator.to_wire(Side.SERVER, canonical).events
            if not translated:
                self._settle(queued, canonical)
                return
            (wire,) = translated
            frame = render_event(wire)
        steps = self.faults.pass_on(wire, canonical, frame)
        for step in steps:
            self._step(step, queued)
        self._settle(queued, canonical)
        for step in steps:
            if isinstance(step, EndResponse) and self.active is not None:
                cut_response(self, self.active, step.status, step.details, Origin.FAULT)

    def _step(self, step: Step, queued: Queued) -> None:
        if isinstance(step, Frame):
            own = step.fault is None
            origin = queued.origin if own else Origin.FAULT
            raw = step.text[:MAX_SHOWN] if step.event is None else None
            shown = step.canonical
            self._log(Side.SERVER, step.event, canonical=shown, origin=origin, raw=raw, fault=step.fault)
            if shown and shown[0]["type"] == "response.created":
                self._note_start(shown[0]["response"]["id"])
            thinking = queued.thinking and own
            self._ready.append(Outgoing(self.t, step.event, shown, origin, step.text, thinking, self._pause))
            self._pause = 0.0
        elif isinstance(step, Pause):
            self._pause += step.seconds
        elif isinstance(step, End):
            self.agenda.drop(lambda _: True)
            self.end(step.code, step.reason, delay=0.0)
        elif isinstance(step, Stall):
            self._stalled = True

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

    def _settle(self, queued: Queued, event: Json) -> None:
        """What sending an event does to the state."""
        run = self.running.get(queued.response_id or "")
        if run is not None:
            run.sent(event)
        if event["type"] == "conversation.item.done":
            self.conversation.replace(event["item"])
        elif event["type"] == "response.output_audio.delta":
            pcm = decode_audio(event.get("delta")) or b""
            made = self.conversation.audio_ms
            made[event["item_id"]] = made.get(event["item_id"], 0) + len(pcm) // BYTES_PER_MS
        elif event["type"] == "response.done":
            self._response_done(event["response"]["id"])

    def _response_done(self, response_id: str) -> None:
        self.running.pop(response_id, None)
        if self.active == response_id:
            self.active = None
            waiting, self._waiting_items = self._waiting_items, []
            for item, after, origin in waiting:
                gone = after != "root" and self.conversation.position(after or "") is None
                self.emit_item(item, None if gone else after, origin)

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
        waived = self.faults.lenient and event["type"] in ("session.update", "response.create")
        accepted = _without(event, refusals) if waived else event
        canonical = self.translator.to_canonical(Side.CLIENT, accepted).events
        number = self._log(Side.CLIENT, event, canonical=canonical, refusals=refusals, unproven=unproven)
        recorded = self.recorded_refusal(event)
        if recorded is not None:
            self.emit(recorded, origin=Origin.RECORDED)
            return
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

    def recorded_refusal(self, event: Json) -> Json | None:
        """The `error` event to answer a client event (as on the wire) with, before the tables judge it."""
        return None

    def speech_origin(self, type_: str) -> Origin:
        """Where what comes of the input audio comes from: speech marks, the turn's item, its transcription.

        `type_` is the canonical name of the event.
        """
        return Origin.MODELLED

    def transcription(self, item_id: str, ms: float) -> Iterable[Supplied]:
        """The events that tell what was said in committed audio, `t` seconds after the commit."""
        return transcribed(self, item_id, ms)

    def created(self, item: Json) -> None:
        """The client created an item."""

    def committed(self, ms: float) -> None:
        """That much audio became an item: the client committed it, or a turn of speech ended."""

    def new_detector(self) -> Detector | None:
        """What listens for speech under the session's turn detection; None where nothing does.

        Asked when the session opens and whenever its turn detection or input format changes.
        """
        return None

    def emit_item(self, item: Json, after: str | None, origin: Origin) -> None:
        """Adds an item the client made and tells of it; while a response is active, after its end.

        Captures: 2 of 2 tool results sent before `response.done` are told of after it, and every
        item is said to follow the one told of before it. An unknown `after` raises KeyError.
        """
        if self.active is not None:
            waiting = {item["id"] for item, *_ in self._waiting_items}
            if (
                after
                and after != "root"
                and after not in waiting
                and self.conversation.position(after) is None
            ):
                raise KeyError(after)
            self._waiting_items.append((item, after, origin))
            return
        body = {"previous_item_id": self.conversation.add(item, after), "item": item}
        self.emit({"type": "conversation.item.added", **body}, origin=origin)
        self.emit({"type": "conversation.item.done", **body}, origin=origin)

    # Responses.

    def respond(self, overrides: Json, *, refused: bool, by_service: bool = False) -> None:
        """Starts a response; `refused` where the service would not have started it."""
        start_response(self, overrides, refused=refused, by_service=by_service)

    def supply(self, request: ResponseRequest) -> Supply:
        """The answer to a request: the supplier's, else the next scripted one."""
        supply = self._supplier(request) if self._supplier else None
        return supply or self.modelled(next(self._answers, STOCK_ANSWER), request)

    def cancel_response(self, response_id: str, reason: str) -> None:
        """Cancels a running response: `turn_detected` or `client_cancelled`."""
        cut_response(self, response_id, "cancelled", {"type": "cancelled", "reason": reason})

    def modelled(self, answer: Answer, request: ResponseRequest, why: str | None = None) -> Supply:
        """A scripted answer as the events of a response."""
        events = answer_events(answer, request.frame, self.mint)
        timed = tuple(Supplied(index * STEP, event) for index, event in enumerate(events))
        return Supply(timed, Origin.MODELLED, why)

    def _note_start(self, response_id: str) -> None:
        run = self.running.get(response_id)
        if run is not None and not run.created:
            entry = len(self.exchange.entries) - 1
            self.exchange.responses.append(replace(run.start, entry=entry))

    # The log.

    def _log(self, side: Side, event: Json | None, **fields: Any) -> int:
        number = len(self.exchange.entries)
        self.exchange.entries.append(Entry(number, self.t, side, event, **fields))
        return number

    def _mark_refused(self, number: int, error: str) -> None:
        entry = self.exchange.entries[number]
        self.exchange.entries[number] = replace(entry, refused_by_state=error)


def _without(event: Json, refusals: tuple[Refusal, ...]) -> Json:
    """The event without the fields that would be refused (top level of its object)."""
    refused = {tuple(refusal.path.split(".")[:2]) for refusal in refusals}
    result = dict(event)
    for holder, *rest in refused:
        inner = result.get(holder)
        if rest and isinstance(inner, dict):
            result[holder] = {key: value for key, value in inner.items() if key != rest[0].split("[")[0]}
    return result
