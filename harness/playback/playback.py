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
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from harness.cassette import Cassette
from harness.dialects import Dialect
from harness.faults import FaultLine
from harness.messages import Json
from harness.recording import Barrier, RecordedAnswer, read_recording, without_ids
from harness.service import Origin, ResponseRequest, Service, Supplied, Supply
from harness.service.effective import response_fields
from harness.service.model import STOCK_ANSWER

_CONFIGURATION = ("session.update", "response.create")

_VOLATILE = frozenset({"id", "expires_at", "model", "client_secret"})


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
    ) -> None:
        super().__init__(
            dialect,
            seed=seed,
            unix_time=unix_time,
            model=model,
            supplier=self._supply,
            faults=faults,
        )
        self.recording = read_recording(cassette, dialect)
        self.played: list[RecordedAnswer] = []
        self.counterfactual: str | None = None
        """Why the service would not have gone on as recorded, from then on."""
        self._bound: dict[str, str] = {}
        """Recorded ids to the ones of this session."""
        self._done_since = _Progress()
        self._take_recorded_session()
        self._note_unplayed()

    def _take_recorded_session(self) -> None:
        recorded = self.recording.session_created
        if recorded is not None:
            for key, value in recorded.items():
                if key not in _VOLATILE:
                    self.session[key] = copy.deepcopy(value)

    def start(self) -> None:
        """The connection is open; the recorded first event comes first."""
        self.open(Origin.RECORDED if self.recording.session_created is not None else Origin.MODELLED)

    @property
    def remaining(self) -> tuple[RecordedAnswer, ...]:
        """The recorded answers not yet asked for."""
        return self.recording.answers[len(self.played) :]

    # What the client does, towards the next barrier.

    def created(self, item: Json) -> None:
        if item["type"] == "function_call_output":
            self._done_since.outputs.add(item["call_id"])
        else:
            self._done_since.user_items += 1

    def committed(self, ms: float) -> None:
        self._done_since.audio_ms += ms

    def refused(self, event: Json) -> None:
        if event["type"] in _CONFIGURATION:
            self.counterfactual = f"{event['type']} was refused"
        if event["type"] == "response.create" and self.active is None:
            self.respond({}, refused=True)

    def acknowledgement(self, event: Json) -> Origin:
        """Recorded where the cassette holds the same acknowledgement, else modelled."""
        type_ = event["type"]
        if type_ == "session.update":
            return Origin.RECORDED if self._recorded_session() else Origin.MODELLED
        if type_ == "conversation.item.create":
            same = without_ids(event["item"])
            same = self._with_recorded_ids(same)
            return Origin.RECORDED if same in self.recording.user_contents else Origin.MODELLED
        if type_ == "input_audio_buffer.commit":
            return (
                Origin.RECORDED
                if any(a.barrier.audio_ms for a in self.recording.answers)
                else Origin.MODELLED
            )
        return Origin.MODELLED

    def _recorded_session(self) -> bool:
        """Whether the session is now as a recorded `session.updated` said."""
        now = {key: value for key, value in self.session.items() if key not in _VOLATILE}
        return any(
            now == {key: value for key, value in recorded.items() if key not in _VOLATILE}
            for recorded in self.recording.sessions_updated
        )

    def _with_recorded_ids(self, value: Json) -> Json:
        backwards = {new: old for old, new in self._bound.items()}
        return _replaced(value, backwards)  # type: ignore[no-any-return]

    # Answers.

    def _supply(self, request: ResponseRequest) -> Supply | None:
        progress, self._done_since = self._done_since, _Progress()
        if not self.remaining:
            return self._modelled(request, "the cassette has no further answer")
        answer = self.remaining[0]
        unmet = self._unmet(answer.barrier, progress)
        if unmet:
            self._done_since = progress
            return self._modelled(request, f"the recorded answer waits for {unmet}")
        self.played.append(answer)
        self._note_unplayed()
        fits = answer.response.get("output_modalities") == request.frame.session.get("output_modalities")
        if not fits and self.counterfactual is None:
            self.counterfactual = "the session's modalities are not those of the recording"
        counterfactual = self.counterfactual is not None or request.refused
        origin = Origin.COUNTERFACTUAL if counterfactual else Origin.RECORDED
        return Supply(tuple(self._bind(answer, request, keep_settings=not fits)), origin)

    def _modelled(self, request: ResponseRequest, why: str) -> Supply | None:
        if request.refused:
            return Supply((), Origin.MODELLED, why)
        return self.modelled(STOCK_ANSWER, request, why)

    def _unmet(self, barrier: Barrier, progress: _Progress) -> str | None:
        if progress.user_items < barrier.user_items:
            return f"{barrier.user_items - progress.user_items} more item(s) of the user"
        if progress.audio_ms < barrier.audio_ms:
            return f"{barrier.audio_ms - progress.audio_ms:.0f} ms more of committed audio"
        missing = [call for call in barrier.outputs if self._bound.get(call, call) not in progress.outputs]
        return f"the result of {len(missing)} call(s)" if missing else None

    def _bind(
        self, answer: RecordedAnswer, request: ResponseRequest, *, keep_settings: bool
    ) -> Iterable[Supplied]:
        """The recorded events with this session's ids and, in the response objects, its settings."""
        self._bound[answer.response["id"]] = request.frame.response_id
        for _, event in answer.events:
            if event["type"] == "response.output_item.added":
                item = event["item"]
                self._bound.setdefault(item["id"], self.mint.mint("item"))
                if "call_id" in item:
                    self._bound.setdefault(item["call_id"], self.mint.mint("call"))
        settings = {} if keep_settings else response_fields(request.frame.session)
        for t, recorded in answer.events:
            event = _replaced(recorded, self._bound)
            event.pop("event_id", None)
            if "response" in event:
                response = event["response"]
                response.update({key: value for key, value in settings.items() if key in response})
                response["conversation_id"] = request.frame.conversation_id
                response["metadata"] = request.frame.metadata
            yield Supplied(t, event)

    def _note_unplayed(self) -> None:
        self.exchange.unplayed = [str(answer.barrier) for answer in self.remaining]


class _Progress:
    """What the client did since the last answer."""

    def __init__(self) -> None:
        self.user_items = 0
        self.outputs: set[str] = set()
        self.audio_ms = 0.0


def _replaced(value: Any, ids: dict[str, str]) -> Any:
    """A copy with every string that is a known id replaced."""
    if isinstance(value, str):
        return ids.get(value, value)
    if isinstance(value, dict):
        return {key: _replaced(inner, ids) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, ids) for inner in value]
    return value
