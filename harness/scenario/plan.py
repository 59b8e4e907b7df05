"""Folds a scenario's client events into what a user of a framework can ask for.

No framework offers single client events to its users; they offer *say this*,
*speak this*, *change the session*. The first `session.update` is the session
the client starts with. What an implementation does by itself is no intent: a
tool's output, the truncation after a barge-in, and session and history restored
on a new connection.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any

from harness.dialects import client_event_names, near
from harness.exceptions import ScenarioFault
from harness.messages import Json, get_path
from harness.scenario.model import (
    RATE,
    Answer,
    Audio,
    Expect,
    ExpectClose,
    Reconnect,
    Scenario,
    Send,
    Speech,
    Step,
    Text,
    Wait,
)
from harness.scenario.sequence import One, every


@dataclass(frozen=True)
class Intent:
    """One thing the user does. `answers` is how many responses follow until the turn is over.

    `silence` is how many seconds the user then says nothing, in which answers
    may come by themselves. `refused`: the service refuses it, and nothing
    changes. `ends`: the service then ends the connection.
    """

    kind: str
    fields: tuple[tuple[str, Any], ...]
    answers: int
    silence: float = 0.0
    refused: bool = False
    ends: bool = False

    def message(self, number: int) -> Json:
        """The intent as a line of the driver protocol."""
        return {"type": self.kind, "intent": number, **dict(self.fields)}


@dataclass(frozen=True)
class Plan:
    """What a driver is asked to do in one case."""

    session: Json
    intents: tuple[Intent, ...]

    @property
    def sessions(self) -> tuple[Json, ...]:
        """The wanted session at each answer, in turn; updates in midway are in the later ones."""
        wanted, found = self.session, []
        for intent in self.intents:
            if intent.kind == "update" and not intent.refused:
                wanted = _merged(wanted, dict(intent.fields)["session"])
            found.extend([wanted] * intent.answers)
        return tuple(found) or (wanted,)


def _merged(session: Json, update: Json) -> Json:
    """A session with an update over it; objects are merged, all else replaced."""
    both = {
        key: _merged(session[key], value)
        if isinstance(session.get(key), dict) and isinstance(value, dict)
        else value
        for key, value in update.items()
    }
    return {**session, **both}


def plan_intents(scenario: Scenario) -> Plan:
    """The plan of a scenario; raises ScenarioFault for a client event no user can ask for."""
    planner = _Planner(scenario)
    for index, step in enumerate(scenario.steps):
        try:
            planner.fold(step)
        except ScenarioFault as fault:
            fault.line, fault.pointer = scenario.line(index), f"/steps/{index}"
            raise
    return planner.plan()


@dataclass(frozen=True)
class _Message:
    """A message of the conversation, written by whom."""

    role: str
    text: str


class _Planner:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.session: Json | None = None
        self.intents: list[Intent] = []
        self.turn: list[_Message | Intent] = []
        """What was written or spoken before an answer is asked for."""
        self.answering = False
        """A response was expected to begin and not to end: who speaks now interrupts."""
        self.asked = 0
        """Responses asked for and not yet expected to begin."""
        self.results = False
        """Results of tools were sent, and no answer was asked for since."""
        self.said: list[_Message] = []
        """The conversation so far, as far as it is words."""
        self.lost: list[_Message] = []
        """What of it a new connection does not know yet."""
        self.restoring = False
        self.sounds = 0.0
        """Seconds of sound in the last answer."""
        self.pending: list[_Message | None] = []
        """Items that were sent and not yet told of, as far as they are words."""
        self.answers: list[_Message | None] = []
        """The same of the answers that have not begun yet."""
        self.answer: _Message | None = None
        self.of_answer = 0
        """Items of the answer being given that are not yet told of as the conversation's."""
        self.items: list[_Message | None] = []
        self.places: dict[str, int] = {}
        """Captured names of items to their places in the conversation."""
        self._answers = iter(scenario.answers)
        self._heard = iter(scenario.heard)

    def fold(self, step: Step) -> None:
        if isinstance(step, Send):
            self._send(step)
        elif isinstance(step, Expect):
            for one in every(step.sequence):
                self._expect(one)
        else:
            self._flush()
            self._pass_time(step)

    def plan(self) -> Plan:
        self._flush()
        return Plan(self.session or self.scenario.wanted_session, tuple(self.intents))

    # What the client sends.

    def _send(self, step: Send) -> None:
        rules = {
            "session.update": self._configure,
            "input_audio_buffer.append": self._speak,
            "input_audio_buffer.commit": self._commit,
            "conversation.item.create": self._write,
            "conversation.item.retrieve": self._edit,
            "conversation.item.delete": self._edit,
            "conversation.item.truncate": self._edit,
            "response.create": self._ask,
        }
        rule = rules.get(step.event["type"])
        if rule is None:
            raise self._not_plannable(step)
        try:
            rule(step)
        except (KeyError, TypeError, AttributeError) as error:
            problem = f"{step.event['type']} is not whole: {type(error).__name__} {error}"
            raise ScenarioFault(self.scenario.path, problem, hint="see docs/scenarios.md") from None

    def _configure(self, step: Send) -> None:
        session = step.event["session"]
        if self.session is None:
            self.session = session
        elif self.restoring:
            self.restoring = False
        else:
            self._flush()
            self._add("update", session=session)

    def _speak(self, step: Send) -> None:
        if step.audio is None:
            raise self._not_plannable(step)
        if not any(step.audio.pcm):
            return  # the silence in which the service hears that the user is done; drivers make their own
        if self.answering:
            self._flush()
            self._add("interrupt", **_sound(step.audio))
            self._hear()
        else:
            self.turn.append(_intent("speak", **_sound(step.audio), end="silence"))

    def _commit(self, step: Send) -> None:
        spoken = self.turn[-1] if self.turn else None
        if not isinstance(spoken, Intent):
            raise self._not_plannable(step)
        self.pending.append(None)
        self.turn[-1] = _intent("speak", **{**dict(spoken.fields), "end": "commit"})

    def _write(self, step: Send) -> None:
        item = step.event["item"]
        message = _message(item)
        self.pending.append(message)
        if item.get("type") == "function_call_output":
            self.results = True
            return
        if message is None:
            raise self._not_plannable(step)
        if message in self.lost:
            del self.lost[: self.lost.index(message) + 1]
        else:
            self.turn.append(message)

    def _edit(self, step: Send) -> None:
        action = step.event["type"].rpartition(".")[2]
        if action == "truncate" and self.intents and self.intents[-1].kind == "interrupt":
            return
        place = self.places.get(str(step.event["item_id"]).removeprefix("$"))
        if place is None:
            raise self._not_plannable(
                step, "capture the item's id from the conversation.item.added it comes in"
            )
        self._flush()
        message = self.items[place]
        words = {} if message is None else {"role": message.role, "text": message.text}
        end = {"audio_end_ms": step.event["audio_end_ms"]} if action == "truncate" else {}
        self._add("edit", action=action, item=place, **words, **end)

    def _ask(self, step: Send) -> None:
        """An answer belongs to what the user said last; one more follows a tool's result."""
        self.asked += 1
        response = step.event.get("response") or {}
        ends_with = self.turn[-1] if self.turn else None
        of_turn = isinstance(ends_with, Intent) or (ends_with is not None and ends_with.role == "user")
        if of_turn and not response:
            self._flush(asked=True)
        elif not self.turn and self.results:
            pass
        elif not self.turn and not self.intents:
            raise self._not_plannable(step)
        else:
            self._flush()
            self._add("respond", response=response)
        self.results = False
        self._answered(step)

    def _answered(self, step: Send | None = None) -> None:
        """The last intent is answered once more."""
        if not self.intents:
            raise self._not_plannable(step)
        last = self.intents[-1]
        self.intents[-1] = replace(last, answers=last.answers + 1)
        answer = next(self._answers, None)
        self.sounds = answer.audio.seconds if isinstance(answer, Speech) else 0.0
        words = _words(answer)
        self.answers.append(_Message("assistant", words) if words else None)
        if words:
            self.said.append(_Message("assistant", words))

    # What it expects.

    def _expect(self, one: One) -> None:
        if one.type == "response.created":
            self.answering = True
            if self.asked:
                self.asked -= 1
            else:
                self._flush()
                self._answered()
            self.answer, self.of_answer = self.answers.pop(0) if self.answers else None, 0
        elif one.type == "response.done":
            self.answering, self.of_answer = False, 0
        elif one.type == "response.output_item.added":
            self.of_answer += 1
        elif one.type == "conversation.item.added":
            self._place(one)
        elif one.type == "error" and self.intents and self.intents[-1].kind == "update":
            self.intents[-1] = replace(self.intents[-1], refused=True)
        elif one.type == "input_audio_buffer.timeout_triggered" and self.intents:
            wanted = Plan(self.session or {}, tuple(self.intents)).sessions[-1]
            patience = get_path(wanted, "audio.input.turn_detection.idle_timeout_ms")
            # Counted from the end of the last answer's sound: that is how long it is in the user's ear.
            self._silent(self.sounds + (patience / 1000 if isinstance(patience, (int, float)) else 0.0))

    def _place(self, one: One) -> None:
        names = [name for name, path in one.capture if path == "item.id"]
        names += [str(value)[1:] for path, value in one.where if path == "item.id"]
        self.places.update(dict.fromkeys(names, len(self.items)))
        if self.of_answer and ("item.role", "user") not in one.where:
            self.of_answer -= 1
            self.items.append(self.answer)
        else:
            self.items.append(self.pending.pop(0) if self.pending else None)

    def _pass_time(self, step: Wait | ExpectClose | Reconnect) -> None:
        if isinstance(step, Wait):
            self._silent(step.seconds)
        elif self.intents:
            self.intents[-1] = replace(self.intents[-1], ends=True)
        if isinstance(step, Reconnect):
            self._add("reconnect")
            self.lost, self.restoring, self.answering, self.asked = list(self.said), True, False, 0
            self.items, self.places, self.pending, self.answers = [], {}, [], []

    def _silent(self, seconds: float) -> None:
        if self.intents:
            last = self.intents[-1]
            self.intents[-1] = replace(last, silence=last.silence + seconds)

    # What it makes of them.

    def _add(self, kind: str, **fields: Any) -> None:
        self.intents.append(_intent(kind, **fields))

    def _flush(self, *, asked: bool = False) -> None:
        """What was written is history that is put in, but for the words that an answer is asked for."""
        turn, self.turn = self.turn, []
        written: list[_Message] = []
        for number, part in enumerate(turn, 1):
            if isinstance(part, _Message):
                self.said.append(part)
                if asked and number == len(turn):
                    self._seed(written)
                    self._add("say", text=part.text)
                    return
                written.append(part)
            else:
                self._seed(written)
                written = []
                self.intents.append(part)
                self._hear()
        self._seed(written)

    def _hear(self) -> None:
        heard = next(self._heard, None)
        if heard:
            self.said.append(_Message("user", heard))

    def _seed(self, written: list[_Message]) -> None:
        if written:
            self._add("seed", messages=[{"role": one.role, "text": one.text} for one in written])

    def _not_plannable(self, step: Send | None, hint: str | None = None) -> ScenarioFault:
        what = step.event["type"] if step else "response.created"
        return ScenarioFault(
            self.scenario.path,
            f"no user of a framework can ask for {what!r} here",
            hint=hint or _meant(what) or "write it as a user's turn: an item or audio, then response.create",
        )


def _meant(type_: str) -> str | None:
    """A hint where no dialect has such an event."""
    known = client_event_names()
    return near(type_, known) if type_ not in known and type_ != "response.created" else None


def _intent(kind: str, **fields: Any) -> Intent:
    return Intent(kind, tuple(fields.items()), 0)


def _sound(audio: Audio) -> dict[str, Any]:
    whole = audio.pcm[: len(audio.pcm) // 2 * 2]  # a recording may break off within a sample
    return {"audio": base64.b64encode(whole).decode("ascii"), "rate": RATE}


def _message(item: Json) -> _Message | None:
    """A message that is nothing but text."""
    parts = item.get("content", []) if item.get("type") == "message" else []
    kinds = ("output_text",) if item.get("role") == "assistant" else ("input_text",)
    if not parts or any(part.get("type") not in kinds for part in parts):
        return None
    return _Message(item["role"], "".join(part["text"] for part in parts))


def _words(answer: Answer | None) -> str | None:
    if isinstance(answer, Text):
        return answer.text
    return answer.transcript if isinstance(answer, Speech) else None
