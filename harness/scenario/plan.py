"""Folds a scenario's client events into what a user of a framework can ask for.

No framework offers single client events to its users; they offer *say this*,
*speak this*, *change the session*. The first `session.update` is the session
the client starts with; a tool's output is the implementation's own business.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from harness.exceptions import ScenarioFault
from harness.messages import Json
from harness.scenario.model import RATE, Scenario, Send


@dataclass(frozen=True)
class Intent:
    """One thing the user does. `answers` is how many responses follow until the turn is over."""

    kind: str
    fields: tuple[tuple[str, Any], ...]
    answers: int

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
            if intent.kind == "update":
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
    for step in scenario.steps:
        if isinstance(step, Send):
            planner.fold(step)
    return planner.plan()


class _Planner:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.session: Json | None = None
        self.intents: list[Intent] = []
        self.turn: list[Intent] = []
        """What the user says before an answer is asked for."""

    def fold(self, step: Send) -> None:
        rules = {
            "session.update": self._configure,
            "input_audio_buffer.append": self._speak,
            "input_audio_buffer.commit": self._commit,
            "conversation.item.create": self._say,
            "response.create": self._ask,
        }
        rule = rules.get(step.event["type"])
        if rule is None:
            raise _not_plannable(self.scenario, step.event["type"])
        try:
            rule(step)
        except (KeyError, TypeError, AttributeError) as error:
            problem = f"{step.event['type']} is not whole: {type(error).__name__} {error}"
            raise ScenarioFault(self.scenario.path, problem, hint="see docs/scenarios.md") from None

    def plan(self) -> Plan:
        return Plan(self.session or self.scenario.wanted_session, (*self.intents, *self.turn))

    def _configure(self, step: Send) -> None:
        if self.session is None:
            self.session = step.event["session"]
        else:
            self.intents.extend(self.turn)
            self.turn = []
            self.intents.append(Intent("update", (("session", step.event["session"]),), 0))

    def _speak(self, step: Send) -> None:
        if step.audio is None:
            raise _not_plannable(self.scenario, step.event["type"])
        audio = base64.b64encode(step.audio.pcm).decode("ascii")
        self.turn.append(Intent("speak", (("audio", audio), ("rate", RATE), ("end", "silence")), 0))

    def _commit(self, step: Send) -> None:
        if not self.turn or self.turn[-1].kind != "speak":
            raise _not_plannable(self.scenario, step.event["type"])
        spoken = self.turn[-1]
        self.turn[-1] = Intent("speak", (*spoken.fields[:2], ("end", "commit")), 0)

    def _say(self, step: Send) -> None:
        text = _user_text(step.event)
        if text is not None:
            self.turn.append(Intent("say", (("text", text),), 0))
        elif step.event["item"].get("type") != "function_call_output":
            raise _not_plannable(self.scenario, step.event["type"])

    def _ask(self, step: Send) -> None:
        """An answer belongs to what the user said last; one more follows a tool's result."""
        self.intents.extend(self.turn)
        self.turn = []
        if not self.intents:
            raise _not_plannable(self.scenario, step.event["type"])
        last = self.intents[-1]
        self.intents[-1] = Intent(last.kind, last.fields, last.answers + 1)


def _user_text(event: Json) -> str | None:
    item = event["item"]
    if item.get("type") == "message" and item.get("role") == "user":
        parts = item.get("content", [])
        if parts and all(part.get("type") == "input_text" for part in parts):
            return "".join(part["text"] for part in parts)
    return None


def _not_plannable(scenario: Scenario, type_: str) -> ScenarioFault:
    return ScenarioFault(
        scenario.path,
        f"no user of a framework can ask for {type_!r} here",
        hint="write it as a user's turn: an item or audio, then response.create",
    )
