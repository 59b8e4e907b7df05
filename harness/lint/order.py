"""The order of a log's server events, in lanes: each response, item, part and stretch of speech by itself.

Works on canonical events, so one set of rules holds for every dialect; which
rules there are, and on what evidence, stands in the dialect's `orders`. A log
may begin and end anywhere: what it does not show is no fault. Items of MCP
tools are left alone, for nobody has published a session with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from harness.dialects import Dialect
from harness.findings import Basis, Finding, Severity
from harness.lint.parts import PART_EVENTS, PartJudge
from harness.lint.shown import ADDED, COMMITTED, CREATED, DONE, FINISHED, ITEM_ADDED, ITEM_DONE, Shown
from harness.messages import Json

_STARTED, _STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
_SPEECH = (_STARTED, _STOPPED, COMMITTED)
_UPDATED = "session.updated"
_FRAMED = PART_EVENTS | {FINISHED, ITEM_ADDED, ITEM_DONE}
_KNOWN_ITEMS = ("message", "function_call", "function_call_output")


@dataclass
class _Response:
    conversation: str | None
    created: int | None
    """How many events came before `response.created`; None where the log does not show it."""
    done: bool = False
    outputs: list[tuple[object, str]] = field(default_factory=list)
    """The items of `response.output_item.done`, with their index."""
    items: list[str] = field(default_factory=list)
    """The items of `response.output_item.added`."""
    foreign: bool = False
    """Holds an item of a kind whose order nobody knows."""
    outside: bool = False
    """Outside the conversation: its items are not added to it."""
    owed: list[Finding] = field(default_factory=list)
    """What only a completed response owes: one that was cut off may break off anywhere."""


@dataclass
class _Item:
    announced: bool = False
    """By `response.output_item.added`."""
    added: int | None = None
    """How many events came before it was added to the conversation."""
    line: int = 0
    done: bool = False
    known: bool = True
    """Of a kind whose order is known."""


class OrderJudge:
    """Takes one session's canonical server events, in order, with their lines."""

    def __init__(self, dialect: Dialect, shown: Shown) -> None:
        self.dialect = dialect
        self.shown = shown
        self.separate = dialect.translation.item_done == "separate"
        """Elsewhere `conversation.item.done` is made by the translation, and would judge our own making."""
        self.events = 0
        self.opened = False
        self.unanswered = 0
        self.updated = False
        self.outside = False
        self.sessions: list[tuple[str, str | None]] = []
        """Id and end of every session that was told of."""
        self.early: tuple[Finding, frozenset[str]] | None = None
        """A session.created that may belong to what came before it: told once an id of before comes again."""
        self.responses: dict[str, _Response] = {}
        self.items: dict[str, _Item] = {}
        self.speech: dict[str, list[str]] = {}
        self.parts = PartJudge(shown, self.finding)

    @property
    def sure(self) -> bool:
        """Whether what did not come would have been seen."""
        return self.opened and self.shown.whole

    def sent(self, event: Json, *, refused: bool) -> None:
        """The client sent an event in wire form; one that the service refuses is answered with an error."""
        if event["type"] in ("session.update", "transcription_session.update"):
            self.unanswered += not refused
            self.updated = True
        elif event["type"] == "response.create":
            asked = event.get("response")  # which of the responses it is, a log need not tell
            self.outside = self.outside or (isinstance(asked, dict) and asked.get("conversation") == "none")

    def take(self, event: Json, line: int) -> Iterator[Finding]:
        """What is out of order with one event."""
        type_: str = event["type"]
        if type_ == "session.created":
            yield from self._opening(event, line)
        elif type_ == _UPDATED:
            yield from self._answer(event, line)
        elif self.early is not None:
            yield from self._carried_on(event)
        self.events += 1
        if type_.startswith("response."):
            yield from self._of_response(event, type_, line)
        elif type_ in (ADDED, DONE):
            yield from self._item(event, type_, line)
        elif type_ == "conversation.item.deleted":
            self.items.pop(str(event.get("item_id")), None)
        elif type_ in _SPEECH:
            yield from self._speech(event, type_, line)

    def finding(
        self, rule: str, line: int, path: str, message: str, *, expected: object = None, actual: object = None
    ) -> list[Finding]:
        known = self.dialect.orders.get(rule)
        if known is None:
            return []
        fails = known.fails and known.fact.evidence.can_fail
        return [
            Finding(
                code=f"order.{rule}",
                severity=Severity.FAIL if fails else Severity.DEVIATION,
                path=path,
                message=message,
                expected=known.says if expected is None else expected,
                actual=message if actual is None else actual,
                basis=(Basis(known.fact.evidence, known.fact.source),),
                mend="see what stands between the service and this log, or who put it together",
                at=line,
            )
        ]

    # The session. One file may hold several, one after another.

    def _opening(self, event: Json, line: int) -> Iterator[Finding]:
        session = _session(event)
        late = any(_same_session(session, known) for known in self.sessions)
        message = "session.created comes " + (
            "a second time." if self.opened and late else "after other events of its session."
        )
        found = self.finding("session-first", line, "type", message)
        if late:
            yield from found
        elif not self.opened and self.events and found:
            self.early = (found[0], frozenset({*self.responses, *self.items, *self.speech}))
        if not late:
            self._forget()
        self.sessions.append(session)
        self.opened = True

    def _forget(self) -> None:
        """Another session begins: nobody will finish what the one before left open."""
        for item in self.items.values():
            item.known = False
        for response in self.responses.values():
            response.conversation = None

    def _carried_on(self, event: Json) -> Iterator[Finding]:
        assert self.early is not None
        found, before = self.early
        if before & {id_ for id_ in (_response_id(event), _item_id(event)) if id_ is not None}:
            self.early = None
            yield found

    def _answer(self, event: Json, line: int) -> Iterator[Finding]:
        self.sessions.append(_session(event))
        if self.unanswered:
            self.unanswered -= 1
        elif self.updated and self.opened:
            yield from self.finding(
                "update-answered",
                line,
                "type",
                "session.updated comes without a session.update that it could answer.",
            )

    # Responses.

    def _of_response(self, event: Json, type_: str, line: int) -> Iterator[Finding]:
        response_id = _response_id(event)
        if response_id is None:
            return
        known = self.responses.get(response_id)
        body = event.get("response")
        if type_ == CREATED:
            yield from self._created(response_id, body if isinstance(body, dict) else {}, line)
            return
        if known is None:
            if self.sure:
                yield from self._frame(line, f"{type_} comes before response.created.")
            known = self.responses[response_id] = _Response(None, None)
        elif known.done and type_ in _FRAMED and not known.foreign and _known_kind(event):
            yield from self._frame(line, f"{type_} comes after response.done.")
        if type_ == FINISHED:
            yield from self._finished(known, body if isinstance(body, dict) else {}, line)
        elif type_ in (ITEM_ADDED, ITEM_DONE):
            yield from self._output(event, type_, known, line)
        elif type_ in PART_EVENTS:
            yield from self._part(event, type_, known, line)

    def _created(self, response_id: str, body: Json, line: int) -> Iterator[Finding]:
        if response_id in self.responses:
            yield from self._frame(line, "response.created comes twice for one response.")
            return
        conversation = body.get("conversation_id")
        if isinstance(conversation, str) and self.shown.whole and FINISHED in self.shown.types:
            for other in self.responses.values():
                # A response outside the conversation may run beside the one in it.
                if other.created is not None and not other.done and other.conversation == conversation:
                    yield from self._frame(line, "response.created comes while another response is active.")
        self.responses[response_id] = _Response(
            conversation if isinstance(conversation, str) else None,
            self.events,
            outside=self.outside or ("conversation_id" in body and conversation is None),
        )

    def _frame(self, line: int, message: str) -> list[Finding]:
        return self.finding("response-frame", line, "type", message)

    def _finished(self, known: _Response, body: Json, line: int) -> Iterator[Finding]:
        known.done = True
        if self.sure and self.separate:
            yield from self._left_open(known, line)
        if body.get("status") != "completed":
            return
        yield from known.owed
        if known.outputs and not _counted(body.get("usage")):
            yield from self.finding(
                "usage-counted",
                line,
                "response.usage",
                "a completed response with items in it counts no tokens.",
                actual=body.get("usage"),
            )
        if self.sure:
            yield from self.parts.left_open(known.items, line)
        output = body.get("output")
        if (
            known.created is None
            or known.foreign
            or not self.shown.whole
            or (ITEM_DONE not in self.shown.types and not (self.sure and ITEM_ADDED in self.shown.types))
            or not isinstance(output, list)
        ):
            return
        listed = [str(item.get("id")) for item in output if isinstance(item, dict)]
        done = [id_ for _, id_ in known.outputs]
        by_index = [id_ for _, id_ in sorted(known.outputs, key=lambda pair: _number(pair[0]))]
        if listed not in (done, by_index):
            yield from self.finding(
                "output-listed",
                line,
                "response.output",
                "response.done lists other items than those of response.output_item.done.",
                expected=done,
                actual=listed,
            )

    def _left_open(self, response: _Response, line: int) -> Iterator[Finding]:
        """Items that nobody makes any more, as they were added before the response began."""
        for item in self.items.values():
            before = item.added is not None and response.created is not None and item.added < response.created
            if before and not item.announced and not item.done and item.known:
                item.done = True  # told once
                yield from self._item_done(
                    item.line, f"an item is added and never done, until the response of line {line}."
                )

    # Items, in and out of responses.

    def _output(self, event: Json, type_: str, response: _Response, line: int) -> Iterator[Finding]:
        item_id = _item_id(event)
        if item_id is None:
            return
        known = self.items.setdefault(item_id, _Item())
        known.known = known.known and _known_kind(event)
        response.foreign = response.foreign or not known.known
        if type_ == ITEM_ADDED:
            if known.added is not None and not known.announced and known.known and not self.shown.gaps:
                yield from self.finding(
                    "item-added",
                    line,
                    "item.id",
                    "an item is added to the conversation before response.output_item.added.",
                )
            elif known.announced and known.known:
                yield from self.finding("item-added", line, "type", "response.output_item.added comes twice.")
            known.announced = True
            response.items.append(item_id)
            return
        response.outputs.append((event.get("output_index"), item_id))
        owes = self.sure and known.known and known.announced
        if owes and known.added is None and not response.outside and ADDED in self.shown.types:
            message = "an item of a response is done and was never added to the conversation."
            response.owed += self.finding("item-added", line, "item.id", message)
        if owes and self.separate and known.added is not None and not known.done:
            response.owed += self._item_done(
                line, "response.output_item.done comes before conversation.item.done."
            )

    def _item(self, event: Json, type_: str, line: int) -> Iterator[Finding]:
        item_id = _item_id(event)
        if item_id is None:
            return
        known = self.items.setdefault(item_id, _Item())
        known.known = known.known and _known_kind(event)
        if type_ == ADDED:
            # An item that the client made may be made again under its id, once it is done.
            if (
                known.added is not None
                and known.known
                and (known.announced or (self.separate and not known.done))
            ):
                yield from self.finding("item-added", line, "type", "an item is added twice.")
            known.added, known.line, known.done = self.events, line, False
            stages = self.speech.get(item_id, [])
            if stages and COMMITTED not in stages and COMMITTED in self.shown.types and self.shown.whole:
                # The two are told of as of one moment, so their order alone is no proof of a fault.
                for found in self._out_of_speech(line, f"the item is added before {COMMITTED}."):
                    yield replace(found, severity=Severity.DEVIATION)
        elif self.separate and known.known:
            if known.done:
                yield from self._item_done(line, "conversation.item.done comes twice for one item.")
            elif known.added is None and self.sure:
                yield from self._item_done(line, "conversation.item.done comes before the item is added.")
            known.done = True

    def _item_done(self, line: int, message: str) -> list[Finding]:
        return self.finding("item-done", line, "type", message)

    def _part(self, event: Json, type_: str, response: _Response, line: int) -> Iterator[Finding]:
        item_id = _item_id(event)
        if item_id is None:
            return
        item = self.items.setdefault(item_id, _Item())
        if not item.announced and self.sure:
            yield from self.parts.out_of_frame(line, f"{type_} comes before its item is added.")
            item.announced = True  # told once
        yield from self.parts.take(event, item_id, line, sure=self.sure, owed=response.owed)

    # Speech.

    def _speech(self, event: Json, type_: str, line: int) -> Iterator[Finding]:
        item_id = _item_id(event)
        if item_id is None:
            return
        stages = self.speech.setdefault(item_id, [])
        backwards = type_ == _STARTED and stages == [_STOPPED] and self.sure
        if COMMITTED in stages or backwards:
            yield from self._out_of_speech(line, f"{type_} comes after {stages[-1]} for one item.")
        stages.append(type_)

    def _out_of_speech(self, line: int, message: str) -> list[Finding]:
        return self.finding("speech", line, "item_id", message)


def _session(event: Json) -> tuple[str, str | None]:
    session = event.get("session")
    body = session if isinstance(session, dict) else {}
    end = body.get("expires_at")
    return str(body.get("id")), None if end is None else str(end)


def _same_session(one: tuple[str, str | None], other: tuple[str, str | None]) -> bool:
    """By id, unless they end at different times: a publisher may have blotted out all ids alike."""
    return one[0] == other[0] and (one[1] == other[1] or None in (one[1], other[1]))


def _response_id(event: Json) -> str | None:
    body = event.get("response")
    found = body.get("id") if isinstance(body, dict) else event.get("response_id")
    return found if isinstance(found, str) else None


def _item_id(event: Json) -> str | None:
    item = event.get("item")
    found = item.get("id") if isinstance(item, dict) else event.get("item_id")
    return found if isinstance(found, str) else None


def _known_kind(event: Json) -> bool:
    item = event.get("item")
    return not isinstance(item, dict) or item.get("type") in _KNOWN_ITEMS


def _counted(usage: object) -> bool:
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return isinstance(total, (int, float)) and total > 0


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0
