"""A recorded answer as one client gets it: ids bound, its own settings in it, cut where it was cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from harness.messages import MISSING, Json
from harness.playback.bound import Filled, Rebased
from harness.playback.passage import BoundPassage
from harness.recording import Line, RecordedAnswer, Template
from harness.service import Passage, ResponseRequest, Supplied
from harness.service.effective import response_fields
from harness.translation import Translator


def likest(answers: Iterable[RecordedAnswer], metadata: Json | None) -> RecordedAnswer | None:
    """The answer that was recorded for such metadata; None where all were asked for with other."""
    ranked = [(_likeness(answer.metadata, metadata), answer) for answer in answers]
    likeness, answer = max(ranked, key=lambda one: one[0], default=(0, None))
    return answer if likeness else None


def _likeness(recorded: object, asked: object) -> int:
    """How well the metadata of an answer fits what was asked for; 0 where it was asked for something else.

    A client may add names of its own, and one whose metadata got lost still asked for it.
    """
    if recorded == asked:
        return 3
    if not (isinstance(recorded, dict) and isinstance(asked, dict) and recorded and asked):
        return 1
    return 2 * all(asked.get(name, MISSING) == value for name, value in recorded.items())


class BoundAnswer:
    """One recorded answer for one request; `ids` are all the session's, for later answers name them."""

    def __init__(
        self,
        answer: RecordedAnswer,
        request: ResponseRequest,
        ids: dict[str, str],
        mint: Callable[[str], str],
        translator: Translator,
        *,
        keep_settings: bool,
    ) -> None:
        self.answer = answer
        self._frame = request.frame
        self._ids = ids
        self._translator = translator
        self._settings = {} if keep_settings else response_fields(request.frame.session)
        self._bind(mint)

    def _bind(self, mint: Callable[[str], str]) -> None:
        response = self.answer.response
        self._ids[response["id"]] = self._frame.response_id
        conversation = response.get("conversation_id")
        if isinstance(conversation, str) and self._frame.conversation_id is not None:
            self._ids[conversation] = self._frame.conversation_id
        for _, event in self.answer.events:
            if event["type"] == "response.output_item.added":
                item = event["item"]
                self._ids.setdefault(item["id"], mint("item"))
                if "call_id" in item:
                    self._ids.setdefault(item["call_id"], mint("call"))

    def events(self, *, passages: bool) -> Iterator[Supplied | Passage]:
        """What is said, in the order of its times; where the answer was cut, up to the cut.

        With `passages`, deltas that follow each other come in one.
        """
        answer = self.answer
        last = answer.spoken[-1].t if answer.spoken else 0.0
        for stretch in answer.stretches if passages else answer.places:
            if isinstance(stretch, int):
                yield self._supplied(answer.lines[stretch], answer.templates[stretch])
            else:
                yield BoundPassage(stretch, self._ids)
        for line, template in zip(answer.floats, answer.float_templates, strict=True):
            if not answer.cut or line.t <= last:
                yield self._supplied(line, template)

    def closing(self, event: Json) -> Supplied | None:
        """The recorded event that closes the answer as `event` does, where it fits what was really sent."""
        kept = {id(line) for line in self.answer.spoken}
        for line, template in zip(self.answer.lines, self.answer.templates, strict=True):
            if id(line) in kept or line.event["type"] != event["type"]:
                continue
            found = self._supplied(line, template)
            if event["type"] == "response.done":
                return self._ended(found, event)
            if _said(found.event) == _said(event):
                return found
        return None

    def _ended(self, found: Supplied, event: Json) -> Supplied | None:
        mine, recorded = event["response"], found.event["response"]
        same = all(mine.get(key) == recorded.get(key) for key in ("status", "output"))
        reasons = [(one.get("status_details") or {}).get("reason") for one in (mine, recorded)]
        if not same or reasons[0] != reasons[1]:
            return None
        return found

    def _as_recorded(self, response: Json) -> bool:
        """Whether a recorded response object says of this session what it said of its own, ids aside."""
        frame = self._frame
        return (
            response.get("metadata") == frame.metadata
            and (response.get("conversation_id") is None) is (frame.conversation_id is None)
            and all(response[key] == value for key, value in self._settings.items() if key in response)
        )

    def _supplied(self, line: Line, template: Template) -> Supplied:
        event = template.places.bound(self._ids)
        event.pop("event_id", None)
        response = event.get("response")
        if not isinstance(response, dict) or self._as_recorded(line.event["response"]):
            prepared = None if template.wire is None else Filled(template, self._ids)
            return Supplied(line.t, event, prepared)
        response = {**response, **{key: value for key, value in self._settings.items() if key in response}}
        if "conversation_id" in response:
            response["conversation_id"] = self._frame.conversation_id
        response["metadata"] = self._frame.metadata
        event["response"] = response
        rebased = Rebased(self._translator, line.event, line.wire or line.event, self._ids)
        return Supplied(line.t, event, rebased if line.wire is not None else None)


def _said(event: Json) -> Json:
    return {key: value for key, value in event.items() if key not in ("event_id", "previous_item_id")}
