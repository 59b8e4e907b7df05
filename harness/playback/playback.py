"""Replays one cassette to one client.

Rules of this module:
1. Nothing is tied to a global index. Acknowledgements answer the client that
   is there; a recorded answer is released when its barrier holds.
2. What the cassette cannot answer comes from the service model and is marked
   `modelled`.
3. A refused configuration does not end the case: what the cassette says next is
   sent all the same, marked `counterfactual`, to see what else goes wrong.
4. Ids are minted afresh and bound; what the client made up (item ids, response
   metadata) comes back as the client made it.
5. A refusal is replayed only for what the client said and never for the moment
   it said it: whether a response is active is this session's affair.
6. Recorded silence takes the time that the service's patience takes, at any
   pace: played at once, a client that is about to speak would never be heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from harness.audio import format_of
from harness.cassette import Cassette
from harness.dialects import Dialect
from harness.faults import FaultLine
from harness.messages import Json, Side, get_path
from harness.playback.answers import BoundAnswer, likest
from harness.playback.bound import Filled, Rebased, SaidSession
from harness.playback.hearing import Hearing
from harness.playback.progress import Progress, waiting
from harness.playback.refusals import repeated, without_client
from harness.recording import (
    RecordedAnswer,
    Session,
    Waiting,
    recording_of,
    replaced,
    without_event_ids,
    without_ids,
)
from harness.service import Origin, Outgoing, ResponseRequest, Service, Supplied, Supply
from harness.service.agenda import Queued
from harness.service.durations import LATENCY
from harness.service.effective import merged_session
from harness.service.model import STOCK_ANSWER
from harness.service.speech import Detector, padding_ms
from harness.translation import Translator

_CONFIGURATION = ("session.update", "response.create")

_OF_THE_SESSION = frozenset({"id", "expires_at", "client_secret"})

_VOLATILE = _OF_THE_SESSION | {"model"}


class Playback(Service):
    """The service as a cassette remembers it, for one session."""

    def __init__(
        self,
        dialect: Dialect,
        cassette: Cassette,
        *,
        seed: int,
        unix_time: int,
        model: str | None = None,
        faults: FaultLine | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            dialect,
            seed=seed,
            unix_time=unix_time,
            model=model,
            supplier=self._supply,
            faults=faults,
            **options,
        )
        self.recording = recording_of(cassette, dialect)
        self.played: list[RecordedAnswer] = []
        self.counterfactual: str | None = None
        """Why the service would not have gone on as recorded, from then on."""
        self._ids: dict[str, str] = {}
        """Recorded ids to the ones of this session."""
        self._scratch = Translator(dialect)
        """For events that need no history."""
        self._done_since = Progress()
        self._outside = list(self.recording.outside)
        self._cut: dict[str, BoundAnswer] = {}
        self._hearing = Hearing(self.recording.turns)
        self._commits = 0
        self._transcribed = Origin.MODELLED
        self._updated = False
        self._in_vain = False
        """An answer was asked for that the recorded service did not live to give."""
        self._own_model = model is not None
        self._parted = False
        self._settling: str | None = None
        self._of_recording: set[str] = set()
        """The responses that are answers of the recording."""
        self._told = list(self.recording.told)
        self._contents = list(self.recording.user_contents)
        self._commits_left = self.recording.commits
        """Each is acknowledged as recorded once; what comes beyond that nobody recorded."""
        self._timeouts = 0
        self._idled = False
        self._take_recorded_session()
        self.exchange.still_to_play.append(self._waiting)

    def _take_recorded_session(self) -> None:
        recording = self.recording
        said = recording.created or (recording.updated[0] if self.joins_call and recording.updated else None)
        if said is None:
            return
        own = {key for key in self.session if key in _OF_THE_SESSION or (key == "model" and self._own_model)}
        session = {key: self.session[key] if key in own else value for key, value in said.session.items()}
        self.session.clear()
        self.session.update({**session, "id": session.get("id") or self.mint.mint("sess")})

    @property
    def joins_call(self) -> bool:
        return self.recording.sideband or (self.recording.created is None and super().joins_call)

    def start(self) -> None:
        """The connection is open; the recorded first event comes first."""
        self.open(Origin.RECORDED if self.recording.created is not None else Origin.MODELLED)

    @property
    def remaining(self) -> tuple[RecordedAnswer, ...]:
        """The recorded answers not yet asked for, those out of band apart."""
        return self.recording.answers[sum(not answer.outside for answer in self.played) :]

    # What the client does, towards the next barrier.

    def created(self, item: Json) -> None:
        self._done_since.created(item)

    def committed(self, ms: float) -> None:
        self._done_since.heard(ms, spoken=self._hearing.take_end())

    def refused(self, event: Json) -> None:
        if event["type"] in _CONFIGURATION:
            self.counterfactual = f"{event['type']} was refused"
        if event["type"] == "response.create" and self.active is None:
            self.respond({}, refused=True)

    def acknowledgement(self, event: Json) -> Origin:
        """Recorded where the cassette holds the same acknowledgement once more, else modelled."""
        type_ = event["type"]
        if type_ == "conversation.item.create":
            backwards = {new: old for old, new in self._ids.items()}
            same = replaced(without_ids(event["item"]), backwards)
            if same in self._contents:
                self._contents.remove(same)
                return Origin.RECORDED
        elif type_ == "input_audio_buffer.commit" and self._commits_left:
            self._commits_left -= 1
            return Origin.RECORDED
        return Origin.MODELLED

    def recorded_refusal(self, event: Json) -> Json | None:
        if not self.recording.refusals or self.exchange.entries[-1].refusals:
            return None  # the tables' own refusal stands
        (canonical,) = self._scratch.to_canonical(Side.CLIENT, event).events
        said = without_event_ids(canonical)
        found = next((one for one in self.recording.refusals if one.event == said), None)
        return None if found is None else repeated(found, event.get("event_id"), self.dialect)

    # The session.

    def emit(self, event: Json, **how: Any) -> None:
        if how.get("prepared") is not None:  # as it stands in the recording
            super().emit(event, **how)
            return
        type_ = event["type"]
        if type_ == "rate_limits.updated" and self._settling in self._of_recording:
            return  # the recording says by itself whether it tells of them
        if type_ == "session.created" and self.recording.created is not None:
            how["prepared"] = self._rebased(self.recording.created)
        elif type_ == "session.updated":
            self._updated = True
            found = self._recorded_session()
            how["origin"] = Origin.MODELLED if found is None else Origin.RECORDED
            if found is not None:
                kept = {key: value for key, value in self.session.items() if key in _OF_THE_SESSION}
                model = {"model": self.session["model"]} if "model" in self.session else {}
                self.session = {**found.session, **kept, **model}
                self.exchange.session = self.session
                event = {**event, "session": self.session}
                how["prepared"] = self._rebased(found)
        elif self._was_told(event):
            how["origin"] = Origin.RECORDED
        elif how.get("response_id") in self._cut and how.get("prepared") is None:
            closing = self._cut[how["response_id"]].closing(event)
            if closing is not None:
                event = closing.event
                how.update(origin=Origin.RECORDED, prepared=closing.prepared)
        super().emit(event, **how)

    def _was_told(self, event: Json) -> bool:
        """Whether the recorded service confirmed such an edit, or complained in these words."""
        type_ = event["type"]
        if type_ in self._told:
            self._told.remove(type_)
            return True
        error = event.get("error") if type_ == "error" else None
        return error is not None and without_client(error) in self.recording.errors

    def settle(self, queued: Queued, event: Json) -> None:
        self._settling = queued.response_id
        super().settle(queued, event)
        self._settling = None

    def counts(self, queued: Queued) -> bool:
        return queued.response_id in self._of_recording

    def _rebased(self, said: Session) -> SaidSession:
        return SaidSession(said, Rebased(self._scratch, said.event, said.wire, self._ids))

    def _recorded_session(self) -> Session | None:
        """The recorded session that this one has become: by its own words, or by the model's rules.

        What a service makes of an update may be more than the model knows of.
        """
        now = _lasting(self.session)
        for one in reversed(self.recording.updated):
            if now == _lasting(one.session):
                return one
        for one in reversed(self.recording.updated):
            if one.update is None or not one.before:
                continue
            if now == _lasting(merged_session(self.dialect, one.before, one.update)):
                return one
        return None

    # Speech.

    def new_detector(self) -> Detector | None:
        other = super().new_detector()
        detection = get_path(self.session, "audio.input.turn_detection")
        if not self.recording.turns or not isinstance(detection, dict):
            return other
        format_ = format_of(self.session, "input")
        self._hearing.listen(format_, self.input.clock_ms, other, padding_ms(detection))
        return self._hearing

    def speech_origin(self, type_: str) -> Origin:
        if type_.startswith("conversation.item.input_audio_transcription."):
            return self._transcribed
        if type_ == "input_audio_buffer.timeout_triggered":
            self._timeouts += 1
            self._idled = True
        elif type_ == "input_audio_buffer.speech_started":
            self._idled = False
        if self._idled:
            return Origin.RECORDED if self._timeouts <= self.recording.timeouts else Origin.MODELLED
        return Origin.RECORDED if self._hearing.replaying else Origin.MODELLED

    def transcription(self, item_id: str, ms: float) -> Iterable[Supplied]:
        """The recorded one of the same stretch of audio, where this session asks for any."""
        number, self._commits = self._commits, self._commits + 1
        recorded = self.recording.transcriptions[number : number + 1]
        if not recorded or recorded[0] is None or not get_path(self.session, "audio.input.transcription"):
            self._transcribed = Origin.MODELLED
            return super().transcription(item_id, ms)
        self._transcribed = Origin.RECORDED
        ids = {recorded[0].item_id: item_id}
        return [
            Supplied(line.t + LATENCY, template.places.bound(ids), Filled(template, ids))
            for line, template in zip(recorded[0].lines, recorded[0].templates, strict=True)
        ]

    # Answers.

    def _supply(self, request: ResponseRequest) -> Supply | None:
        if request.outside:
            return self._supply_outside(request)
        progress, self._done_since = self._done_since, Progress()
        if not self.remaining:
            barrier, _ = self.recording.before_close
            in_vain = self.recording.close.by == "server" and self.recording.left_unanswered
            if in_vain and not progress.unmet(barrier, self._ids, by_service=True):
                self._done_since, self._in_vain = progress, True
                return Supply((), Origin.RECORDED)
            return self._modelled(request, "the cassette has no further answer")
        answer = self.remaining[0]
        unmet = progress.unmet(answer.barrier, self._ids, by_service=request.by_service)
        if unmet:
            self._done_since = progress
            return self._modelled(request, f"the recorded answer waits for {unmet}")
        return self._recorded(answer, request)

    def _supply_outside(self, request: ResponseRequest) -> Supply | None:
        """Out of band: the answer that was recorded for what the metadata says."""
        answer = likest(self._outside, request.frame.metadata)
        if answer is None:
            what = "answer out of band with this metadata" if self._outside else "further answer out of band"
            return self._modelled(request, f"the cassette has no {what}")
        self._outside.remove(answer)
        return self._recorded(answer, request)

    def _recorded(self, answer: RecordedAnswer, request: ResponseRequest) -> Supply:
        self.played.append(answer)
        self._of_recording.add(request.frame.response_id)
        wanted = answer.response.get("output_modalities")
        fits = wanted is None or wanted == request.frame.session.get("output_modalities")
        if not fits and self.counterfactual is None:
            self.counterfactual = "the session's modalities are not those of the recording"
        counterfactual = self.counterfactual is not None or request.refused
        origin = Origin.COUNTERFACTUAL if counterfactual else Origin.RECORDED
        bound = BoundAnswer(answer, request, self._ids, self.mint.mint, self._scratch, keep_settings=not fits)
        if answer.cut:
            self._cut[request.frame.response_id] = bound
        events = tuple(bound.events(passages=not self.faults.on_events))
        return Supply(events, origin, hold=answer.cut)

    def _modelled(self, request: ResponseRequest, why: str) -> Supply | None:
        if request.refused:
            return Supply((), Origin.MODELLED, why)
        return self.modelled(STOCK_ANSWER, request, why)

    # The end.

    def pop(self, until: float | None = None) -> Outgoing | None:
        outgoing = super().pop(until)
        if outgoing is None and self._parts():
            self._parted = True
            for line in self.recording.parting:
                self.emit(
                    {key: value for key, value in line.event.items() if key != "event_id"},
                    origin=Origin.RECORDED,
                )
            self.end(self.recording.close.code, self.recording.close.reason)
            outgoing = super().pop(until)
        return outgoing

    def _parts(self) -> bool:
        """Whether the recorded service ended the connection now: all before it was said and heard."""
        if self.recording.close.by != "server" or self._parted or self.ending is not None:
            return False
        broken_off = all(id_ in self._cut and self._cut[id_].answer.ended is None for id_ in self.running)
        if self.remaining or self._outside or not self.agenda.empty or not broken_off:
            return False
        if self.recording.updated and not self._updated:
            return False
        if self.recording.left_unanswered and not self._in_vain:
            return False
        barrier, _ = self.recording.before_close
        return self._done_since.unmet(barrier, self._ids, by_service=True) is None

    # What never came.

    def _waiting(self) -> Iterator[Waiting]:
        for id_, bound in self._cut.items():
            if id_ in self.running and bound.answer.ended is not None and not self.running[id_].ending:
                number = self.played.index(bound.answer) + 1
                yield Waiting(
                    "response.cancel, or the user's speech over the answer",
                    ({"type": "response.cancel"},),
                    f"response.done of answer {number}",
                )
        yield from waiting(self.recording, self.remaining, self._outside, self._done_since)
        if self.recording.close.by == "server" and not self._parted and not self.remaining:
            barrier, needed = self.recording.before_close
            if needed and self._done_since.unmet(barrier, self._ids, by_service=True):
                yield self._done_since.waiting(barrier, needed, f"close {self.recording.close.code}")


def _lasting(session: Json) -> Json:
    return {key: value for key, value in session.items() if key not in _VOLATILE}
