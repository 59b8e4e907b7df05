"""The order of a log's server events, in lanes: each response, item, part and stretch of speech by itself.

Works on canonical events, so one set of rules holds for every dialect; which
rules there are, and on what evidence, stands in the dialect's `orders`. A log
may begin and end anywhere: what it does not show is no fault, and where bodies
were left out the rules that count are silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.dialects import Dialect
from harness.findings import Basis, Finding, Severity
from harness.messages import Json

_DELTAS = {
    "response.output_text.delta": ("text", "response.output_text.done", "text"),
    "response.output_audio_transcript.delta": (
        "transcript",
        "response.output_audio_transcript.done",
        "transcript",
    ),
    "response.function_call_arguments.delta": (
        "arguments",
        "response.function_call_arguments.done",
        "arguments",
    ),
    "response.output_audio.delta": ("audio", "response.output_audio.done", None),
}
_SPEECH = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
)
_DONES = {done: (kind, key) for kind, done, key in _DELTAS.values()}


@dataclass
class _Response:
    conversation: str | None
    created: bool
    done: bool = False
    outputs: list[str] = field(default_factory=list)
    suspected: list[Finding] = field(default_factory=list)
    """What only a completed response owes: one that was cut off may break off anywhere."""


@dataclass
class _Item:
    announced: bool = False
    """By `response.output_item.added`."""
    added: bool = False
    done: bool = False
    finished: bool = False
    """By `response.output_item.done`."""


@dataclass
class _Stream:
    """The deltas of one kind in one part."""

    joined: str = ""
    deltas: int = 0
    done: bool = False


class OrderJudge:
    """Takes one session's canonical server events, in order, with their lines."""

    def __init__(self, dialect: Dialect, *, gaps: bool, parts_shown: bool) -> None:
        """`gaps`: the log leaves bodies out; `parts_shown`: it has content parts (a WebRTC filter drops them)."""
        self.dialect = dialect
        self.gaps = gaps
        self.parts_shown = parts_shown
        self.events = 0
        self.opened = False
        self.updates = 0
        self.updated = 0
        self.responses: dict[str, _Response] = {}
        self.items: dict[str, _Item] = {}
        self.parts: dict[tuple[str, int], bool] = {}
        """Open parts are True, closed ones False."""
        self.streams: dict[tuple[str, str, int], _Stream] = {}
        self.speech: dict[str, list[str]] = {}

    def update_sent(self) -> None:
        """The client sent a `session.update`."""
        self.updates += 1

    def take(self, event: Json, line: int) -> Iterator[Finding]:
        """What is out of order with one event."""
        type_: str = event["type"]
        yield from self._session(type_, line)
        self.events += 1
        if type_.startswith("response."):
            yield from self._of_response(event, type_, line)
        elif type_.startswith("conversation.item.") and isinstance(event.get("item"), dict):
            yield from self._item(event, type_, line)
        elif type_ in _SPEECH:
            yield from self._speech(event, type_, line)

    def _finding(
        self, rule: str, line: int, path: str, message: str, expected: str, actual: object
    ) -> Iterator[Finding]:
        known = self.dialect.orders.get(rule)
        if known is None:
            return
        fails = known.fails and known.fact.evidence.can_fail
        yield Finding(
            code=f"order.{rule}",
            severity=Severity.FAIL if fails else Severity.DEVIATION,
            path=path,
            message=message,
            expected=expected,
            actual=actual,
            basis=(Basis(known.fact.evidence, known.fact.source),),
            mend="see whether the log was put together by hand, or what stands between it and the service",
            at=line,
        )

    # The session.

    def _session(self, type_: str, line: int) -> Iterator[Finding]:
        if type_ == "session.created":
            if self.opened or self.events:
                yield from self._finding(
                    "session-first",
                    line,
                    "session.created",
                    "session.created comes "
                    + ("a second time." if self.opened else f"after {self.events} others."),
                    "session.created before everything else",
                    type_,
                )
            self.opened = True
        elif type_ == "session.updated":
            self.updated += 1
            if self.updates and self.updated > self.updates:
                yield from self._finding(
                    "update-answered",
                    line,
                    "session.updated",
                    f"session.updated comes {self.updated} times, session.update was sent {self.updates} times.",
                    "one session.updated for each session.update",
                    self.updated,
                )

    # Responses.

    def _of_response(self, event: Json, type_: str, line: int) -> Iterator[Finding]:
        body = event.get("response")
        response_id = body.get("id") if isinstance(body, dict) else event.get("response_id")
        if not isinstance(response_id, str):
            return
        known = self.responses.get(response_id)
        if type_ == "response.created":
            yield from self._created(response_id, body if isinstance(body, dict) else {}, line)
            return
        if known is None:
            if self.opened and not self.gaps:
                yield from self._frame(line, response_id, f"{type_} comes before response.created.")
            known = self.responses[response_id] = _Response(None, created=False)
        elif known.done:
            yield from self._frame(line, response_id, f"{type_} comes after response.done.")
        if type_ == "response.done":
            known.done = True
            if isinstance(body, dict) and body.get("status") == "completed":
                yield from known.suspected
            yield from self._listed(known, body if isinstance(body, dict) else {}, line)
            return
        yield from self._of_item(event, type_, known, line)

    def _created(self, response_id: str, body: Json, line: int) -> Iterator[Finding]:
        if response_id in self.responses:
            yield from self._frame(line, response_id, "response.created comes twice.")
            return
        conversation = body.get("conversation_id")
        for other, active in self.responses.items():
            # A response outside the conversation may run beside the one in it.
            if active.created and not active.done and conversation and active.conversation == conversation:
                yield from self._frame(line, response_id, f"response.created comes while {other} is active.")
        self.responses[response_id] = _Response(conversation, created=True)

    def _frame(self, line: int, response_id: str, message: str) -> Iterator[Finding]:
        yield from self._finding(
            "response-frame",
            line,
            response_id,
            message,
            "response.created, its events, response.done",
            message,
        )

    def _listed(self, known: _Response, body: Json, line: int) -> Iterator[Finding]:
        output = body.get("output")
        if (
            self.gaps
            or not known.created
            or body.get("status") != "completed"
            or not isinstance(output, list)
        ):
            return
        listed = [str(item.get("id")) for item in output if isinstance(item, dict)]
        if listed != known.outputs:
            yield from self._finding(
                "output-listed",
                line,
                "response.output",
                "response.done lists other items than were done.",
                str(known.outputs),
                listed,
            )

    # Items, in and out of responses.

    def _of_item(self, event: Json, type_: str, response: _Response, line: int) -> Iterator[Finding]:
        item = event.get("item")
        item_id = item.get("id") if isinstance(item, dict) else event.get("item_id")
        if not isinstance(item_id, str):
            return
        known = self.items.setdefault(item_id, _Item())
        if type_ == "response.output_item.added":
            if known.added and not self.gaps:
                yield from self._finding(
                    "item-added",
                    line,
                    item_id,
                    "conversation.item.added comes before response.output_item.added.",
                    "response.output_item.added first",
                    type_,
                )
            known.announced = True
        elif type_ == "response.output_item.done":
            known.finished = True
            response.outputs.append(item_id)
            if known.announced and known.added and not known.done and not self.gaps:
                response.suspected += self._finding(
                    "item-done",
                    line,
                    item_id,
                    "response.output_item.done comes without conversation.item.done before it.",
                    "conversation.item.done, then response.output_item.done",
                    type_,
                )
        else:
            yield from self._part(event, type_, item_id, known, response, line)

    def _item(self, event: Json, type_: str, line: int) -> Iterator[Finding]:
        item_id = event["item"].get("id")
        if not isinstance(item_id, str):
            return
        known = self.items.setdefault(item_id, _Item())
        if type_ == "conversation.item.added":
            known.added = True
            stages = self.speech.get(item_id)
            if stages and "input_audio_buffer.committed" not in stages:
                yield from self._out_of_speech(
                    line, item_id, "the item is added before input_audio_buffer.committed."
                )
        elif type_ == "conversation.item.done":
            if known.done:
                yield from self._item_done(line, item_id, "conversation.item.done comes twice for one item.")
            elif not known.added and self.opened and not self.gaps:
                yield from self._item_done(
                    line, item_id, "conversation.item.done comes before the item is added."
                )
            known.done = True

    def _item_done(self, line: int, item_id: str, message: str) -> Iterator[Finding]:
        yield from self._finding(
            "item-done", line, item_id, message, "conversation.item.added, then .done once", message
        )

    # Parts and their deltas.

    def _part(
        self, event: Json, type_: str, item_id: str, item: _Item, response: _Response, line: int
    ) -> Iterator[Finding]:
        index = event.get("content_index", 0)
        place = (item_id, index if isinstance(index, int) else 0)
        at = f"{item_id}[{place[1]}]"
        if not item.announced and self.opened and not self.gaps and self.parts_shown:
            yield from self._part_frame(line, at, f"{type_} comes before its item is added.")
            item.announced = True
        if type_ == "response.content_part.added":
            self.parts[place] = True
        elif type_ == "response.content_part.done":
            if not self.parts.get(place, not self.opened) and not self.gaps:
                yield from self._part_frame(
                    line, at, "response.content_part.done comes for a part that is not open."
                )
            self.parts[place] = False
        elif type_ in _DELTAS:
            yield from self._delta(event, type_, place, at, line)
        elif type_ in _DONES:
            yield from self._done(event, type_, place, at, response, line)

    def _part_frame(self, line: int, at: str, message: str) -> Iterator[Finding]:
        yield from self._finding(
            "part-frame", line, at, message, "part added, deltas, done, part done", message
        )

    def _delta(
        self, event: Json, type_: str, place: tuple[str, int], at: str, line: int
    ) -> Iterator[Finding]:
        kind = _DELTAS[type_][0]
        stream = self.streams.setdefault((kind, *place), _Stream())
        shown = self.parts_shown and self.opened and not self.gaps
        if stream.done:
            yield from self._part_frame(line, at, f"{type_} comes after its done.")
        elif kind != "arguments" and shown and self.parts.get(place) is not True:
            yield from self._part_frame(line, at, f"{type_} comes for a part that is not open.")
            self.parts[place] = True
        if kind == "audio" and not stream.deltas and ("transcript", *place) not in self.streams and shown:
            yield from self._finding(
                "transcript-first", line, at, "audio comes before the first word of its transcript.",
                "a transcript delta first", type_,
            )  # fmt: skip
        stream.deltas += 1
        stream.joined += str(event.get("delta", "")) if kind != "audio" else ""

    def _done(
        self, event: Json, type_: str, place: tuple[str, int], at: str, response: _Response, line: int
    ) -> Iterator[Finding]:
        kind, key = _DONES[type_]
        stream = self.streams.setdefault((kind, *place), _Stream())
        if stream.done:
            yield from self._part_frame(line, at, f"{type_} comes twice.")
        stream.done = True
        whole = event.get(key) if key else None
        if not isinstance(whole, str) or not stream.deltas or not self.opened or self.gaps:
            return
        if stream.joined != whole:
            message = f"the deltas, joined, are not what {type_} says."
            response.suspected += self._finding("deltas-joined", line, at, message, whole, stream.joined)

    # Speech.

    def _speech(self, event: Json, type_: str, line: int) -> Iterator[Finding]:
        item_id = event.get("item_id")
        if not isinstance(item_id, str):
            return
        stages = self.speech.setdefault(item_id, [])
        started, stopped, committed = _SPEECH
        if committed in stages or (type_ == started and stages == [stopped]):
            yield from self._out_of_speech(line, item_id, f"{type_} comes after {stages[-1]} for one item.")
        stages.append(type_)

    def _out_of_speech(self, line: int, item_id: str, message: str) -> Iterator[Finding]:
        yield from self._finding(
            "speech", line, item_id, message, "speech_started, speech_stopped, committed, item added", message
        )
