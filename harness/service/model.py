"""The model of the service: one session, its state, and what it sends when.

Sans-I/O and on a virtual clock: frames go in with `receive`, events come out
with `pop`, each with its time; nothing here sleeps, and the same seed and the
same frames give the same events. The tables judge a client event as it stands
on the wire, so a refusal names the field the client wrote, and nothing changes;
only then is it translated, and `rules` say what it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.audio import format_of
from harness.dialects import Dialect, Refusal
from harness.exceptions import MessageFault
from harness.faults import FaultLine
from harness.messages import MAX_DEPTH, MISSING, Json, Side, get_path
from harness.redaction import cut
from harness.scenario import Answer, Cut, Failure, Text
from harness.service.agenda import Queued
from harness.service.answers import answer_events
from harness.service.conversation import Conversation
from harness.service.durations import LATENCY, STEP
from harness.service.effective import initial_session, merged_session
from harness.service.errors import Refused, error_event
from harness.service.exchange import Origin
from harness.service.ids import IdMint
from harness.service.input_audio import InputAudio
from harness.service.outgoing import Outgoing
from harness.service.reading import canonical_of, read_frame
from harness.service.responding import cut_response, start_response
from harness.service.rules import EXPIRY, after_response, obey, start_expiry, transcribed
from harness.service.running import Running
from harness.service.sender import MAX_SHOWN, Sender
from harness.service.speech import Detector, EnergyDetector
from harness.service.supply import Delta, ResponseRequest, Supplied, Supplier, Supply

_SHOWN_BYTES = 16

__all__ = ["MAX_SHOWN", "STOCK_ANSWER", "Outgoing", "Service"]

_HAIR = 1e-6
"""Seconds: just before."""

_ADDING = ("response.output_item.added", "conversation.item.added")

STOCK_ANSWER = Text("This answer was made by the service model.")


class Service(Sender):
    """One session of the service.

    `supplier` is asked first for each answer; without one, `answers` are given
    in turn, and after the last a stock answer. `heard` is what the user says, in
    turn; a Failure where it could not be transcribed. `transcription`: the session
    was opened with `intent=transcription` and only hears. `settings` (canonical)
    are what the session is opened with, as those of an ephemeral key. `faults`
    misbehave on purpose; one line of them may serve several connections of a case.
    `mint` makes the ids, where not one of `seed` and `unix_time`.
    """

    nesting = MAX_DEPTH
    """Levels of JSON that a client's event may have; the shell around the service may allow fewer."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        seed: int,
        unix_time: int,
        model: str | None = None,
        answers: Iterable[Answer] = (),
        heard: Iterable[str | Failure] = (),
        supplier: Supplier | None = None,
        transcription: bool = False,
        settings: Json | None = None,
        faults: FaultLine | None = None,
        mint: IdMint | None = None,
    ) -> None:
        super().__init__(dialect, mint or IdMint(seed, unix_time), faults)
        self.conversation = Conversation()
        self.session = initial_session(
            dialect, self.mint.mint("sess"), unix_time, model, transcription=transcription
        )
        self._settings = settings
        self.conversation_id = self.mint.mint("conv")
        self.exchange.session = self.session
        self._answers = iter(answers)
        self.heard = iter(heard)
        self._supplier = supplier
        self.running: dict[str, Running] = {}
        self.active: str | None = None
        """The response of the conversation that runs; others run out of band."""
        self._waiting_items: list[tuple[Json, str | None, Origin]] = []
        """Items the client created when of a response only its end was still to come: told of after that."""
        self.turn_unanswered = False
        """A turn ended while the response that it had cut short was not yet done."""
        self.asked_meanwhile: Json | None = None
        """The overrides of a response asked for while the one before was being cut short."""
        self.input = InputAudio(self.session)
        self.detector: Detector | None = None

    def open(self, origin: Origin = Origin.MODELLED) -> None:
        """The connection is open: the service speaks first."""
        if self._settings:
            self.session = merged_session(self.dialect, self.session, self._settings)
            self.exchange.session = self.session
        self.input.heard_in(self.session)
        self.detector = self.new_detector()
        start_expiry(self)
        if not self.joins_call:
            self.emit({"type": "session.created", "session": self.session}, origin=origin)

    def start(self) -> None:
        """What the server does when a connection is open."""
        self.open()

    @property
    def joins_call(self) -> bool:
        """Whether the socket joins a call, whose session has begun before it: then nobody is greeted."""
        asked = dict(self.exchange.handshake.query) if self.exchange.handshake else {}
        return any(rule.means == "call" and rule.name in asked for rule in self.dialect.handshake.query)

    @property
    def idle(self) -> bool:
        """Nothing is queued and no response is active."""
        return self.quiet and (self._stalled or not self.running)

    @property
    def at_rest(self) -> bool:
        """Whatever comes next, but for the end of the session, the client must do."""
        return self.idle and not self._waiting_items and self.agenda.timers <= {EXPIRY}

    @property
    def holding(self) -> bool:
        """Nothing is queued, and an answer is held until the user barges in or cancels it."""
        return self.quiet and any(run.hold for run in self.running.values())

    @property
    def only_hears(self) -> bool:
        """Whether this is a transcription session: it has no answers."""
        return bool(self.session.get("type") == "transcription")

    # Receiving.

    def receive(self, frame: str | bytes) -> None:
        """Takes one frame of the client; what it leads to comes out of `pop`."""
        try:
            read = read_frame(self.dialect, frame, self.nesting)
        except MessageFault as fault:
            error = "invalid_event" if "'type'" in fault.problem else "invalid_json"
            self.log(Side.CLIENT, None, raw=_shown(frame), refused_by_state=error, problem=fault.problem)
            self.refuse(Refused(error, fault.problem), {"event_id": fault.event_id})
            return
        event, refusals, canonical = read.event, read.refusals, read.canonical
        waived = self.faults.lenient and event["type"] in ("session.update", "response.create")
        if waived and refusals:
            canonical = canonical_of(self.dialect, _without(event, refusals))
        lenience = next((str(one) for one in self.faults.faults if one.lenient), None)
        number = self.log(
            Side.CLIENT,
            event,
            canonical=(canonical,),
            refusals=refusals,
            unproven=read.unproven,
            fault=lenience if waived and refusals else None,
        )
        recorded = self.recorded_refusal(event)
        if recorded is not None:
            self.emit(recorded, origin=Origin.RECORDED)
            return
        if refusals and not waived:
            self.refuse(refusals[0], event)
            self.refused(canonical)
            return
        try:
            obey(self, canonical)
        except Refused as refusal:
            self.mark_refused(number, refusal.error)
            self.refuse(refusal, event)

    def refused(self, event: Json) -> None:
        """An event was refused by the tables. The service does nothing more; playback may."""

    def complain(self, refusal: Refused, event: Json) -> None:
        """Answers the event now being obeyed with an error, and goes on with it."""
        self.mark_refused(len(self.exchange.entries) - 1, refusal.error)
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

    def sent(self, number: int, count: int) -> None:
        """So many frames, from that place in the log on, have gone to the client."""

    def created(self, item: Json) -> None:
        """The client created an item."""

    def committed(self, ms: float) -> None:
        """That much audio became an item: the client committed it, or a turn of speech ended."""

    def new_detector(self) -> Detector | None:
        """What listens for speech under the session's turn detection; None where nothing does.

        Asked when the session opens and whenever its turn detection or input format changes.
        """
        detection = self.turn_detection
        if detection is None:
            return None
        return EnergyDetector(detection, format_of(self.session, "input"), self.input.clock_ms)

    @property
    def turn_detection(self) -> Json | None:
        """The session's turn detection; None where the client ends the turns."""
        detection = get_path(self.session, "audio.input.turn_detection")
        return None if detection is MISSING else detection

    # The conversation.

    def create_item(self, item: Json, after: str | None, origin: Origin) -> None:
        """Adds an item the client made, as `emit_item`; where an answer is at its end, after that."""
        run = self.running.get(self.active or "")
        if run is None or run.hold or not run.items or not all(made.done for made in run.items.values()):
            self.emit_item(item, after, origin)
            return
        waiting = {item["id"] for item, *_ in self._waiting_items}
        if after and after != "root" and after not in waiting and self.conversation.position(after) is None:
            raise KeyError(after)
        self._waiting_items.append((item, after, origin))

    def release_items(self) -> None:
        """Tells of the items that wait for the end of an answer: it has come, or one of them is asked for."""
        waiting, self._waiting_items = self._waiting_items, []
        for item, after, origin in waiting:
            gone = after != "root" and self.conversation.position(after or "") is None
            self.emit_item(item, None if gone else after, origin)

    def emit_item(self, item: Json, after: str | None, origin: Origin) -> None:
        """Adds an item that is not the model's and tells of it; an unknown `after` raises KeyError."""
        twice = self.conversation.position(item["id"]) is not None
        body = {"previous_item_id": item["id"] if twice else self.conversation.add(item, after), "item": item}
        delay = self.before_next_item
        self.emit({"type": "conversation.item.added", **body}, origin=origin, delay=delay)
        self.emit({"type": "conversation.item.done", **body}, origin=origin, delay=delay)

    @property
    def before_next_item(self) -> float:
        """In how many seconds an item is told of that was added now: before any that the model adds later."""
        if not self.running:
            return LATENCY
        opening = self.agenda.earliest(_adds)
        return LATENCY if opening is None else min(opening - self.t - _HAIR, LATENCY)

    def completed(self, event: Json) -> Json:
        type_ = event["type"]
        given = event.get("event_id") or self.mint.mint("event")
        result: Json = {"type": type_, "event_id": given, **event}
        result["event_id"] = given
        if type_ == "conversation.item.added" and "previous_item_id" in event:
            item = event["item"]
            if not self.conversation.holds(item["id"]):
                result["previous_item_id"] = self.conversation.add_answer(item)
        elif type_ == "conversation.item.done" and any(
            event["item"]["id"] in run.items for run in self.running.values()
        ):
            result["previous_item_id"] = self.conversation.before_done(
                event["item"],
                event.get("previous_item_id"),
                null_for_second=self.dialect.service.null_previous_on_done,
            )
        return result

    def settle(self, queued: Queued, event: Json) -> None:
        run = self.running.get(queued.response_id or "")
        if run is not None:
            before = run.audio_ms
            run.sent(event)
            spoken = event["type"] == "response.content_part.added" and event["part"].get("type") == "audio"
            if (spoken or run.audio_ms > before) and not run.outside:
                self.conversation.made_audio(event["item_id"], run.audio_ms - before)
        if event["type"] == "conversation.item.done" and run is not None:
            self.conversation.replace(event["item"])
        elif event["type"] == "conversation.item.deleted":
            self.conversation.forget(event["item_id"])
        elif event["type"] == "response.done" and run is not None:
            self._response_done(run)
            after_response(self, run, event["response"])

    def settle_delta(self, queued: Queued, delta: Delta) -> None:
        run = self.running.get(queued.response_id or "")
        if run is not None:
            ms = run.sent_delta(delta)
            if ms and not run.outside:
                self.conversation.made_audio(delta.item_id, ms)

    def _response_done(self, run: Running) -> None:
        self.running.pop(run.id, None)
        if self.active == run.id:
            self.active = None
            self.release_items()
            asked, by_service = self.asked_meanwhile, self.turn_unanswered
            self.asked_meanwhile, self.turn_unanswered = None, False
            if asked is not None:
                self.respond(asked, refused=False)
            elif by_service:
                self.respond({}, refused=False, by_service=True)

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

    def end_response(self, response_id: str | None, status: str, details: Json) -> None:
        struck = self.active if response_id is None else response_id
        if struck in self.running:
            cut_response(self, struck, status, details, Origin.FAULT)

    def modelled(self, answer: Answer, request: ResponseRequest, why: str | None = None) -> Supply:
        """A scripted answer as the events of a response."""
        events = list(answer_events(answer, request.frame, self.mint))
        timed = tuple(Supplied(index * STEP, event) for index, event in enumerate(events))
        if isinstance(answer, Cut):
            timed = tuple(supplied for supplied in timed[:-1] if supplied.t <= answer.after)
        return Supply(timed, Origin.MODELLED, why, hold=isinstance(answer, Cut))

    def response_created(self, response_id: str, entry: int) -> None:
        run = self.running.get(response_id)
        if run is not None and not run.created:
            items = self.conversation.context(run.given)
            self.exchange.responses.append(replace(run.start, entry=entry, items=items))


def _adds(queued: Queued) -> bool:
    """Whether the model adds an item with it."""
    return bool(queued.response_id and queued.event and queued.event["type"] in _ADDING)


def _shown(frame: str | bytes) -> str:
    """A frame that is no event, as it goes into the log: as text where it is some: secrets are text."""
    if isinstance(frame, str):
        return cut(frame, MAX_SHOWN)
    try:
        text = cut(frame.decode(), MAX_SHOWN)
    except UnicodeDecodeError:
        text = frame[:_SHOWN_BYTES].hex(" ")
    return f"{len(frame)} bytes: {text}"


def _without(event: Json, refusals: tuple[Refusal, ...]) -> Json:
    """The event without the fields that would be refused (top level of its object)."""
    refused = {tuple(refusal.path.split(".")[:2]) for refusal in refusals}
    result = dict(event)
    for holder, *rest in refused:
        inner = result.get(holder)
        if rest and isinstance(inner, dict):
            result[holder] = {key: value for key, value in inner.items() if key != rest[0].split("[")[0]}
    return result
