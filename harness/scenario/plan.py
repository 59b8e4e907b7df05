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


def plan_intents(scenario: Scenario) -> Plan:
    """The plan of a scenario; raises ScenarioFault for a client event no user can ask for."""
    session: Json | None = None
    intents: list[Intent] = []
    pending: list[tuple[str, tuple[tuple[str, Any], ...]]] = []
    for step in scenario.steps:
        if not isinstance(step, Send):
            continue
        type_ = step.event["type"]
        if type_ == "session.update":
            if session is None:
                session = step.event["session"]
            else:
                intents.append(Intent("update", (("session", step.event["session"]),), 0))
        elif type_ == "input_audio_buffer.append":
            assert step.audio is not None
            audio = base64.b64encode(step.audio.pcm).decode("ascii")
            pending.append(("speak", (("audio", audio), ("rate", RATE), ("end", "silence"))))
        elif type_ == "input_audio_buffer.commit" and pending and pending[-1][0] == "speak":
            pending[-1] = ("speak", (*pending[-1][1][:2], ("end", "commit")))
        elif type_ == "conversation.item.create":
            text = _user_text(step.event)
            if text is not None:
                pending.append(("say", (("text", text),)))
            elif step.event["item"].get("type") != "function_call_output":
                raise _not_plannable(scenario, type_)
        elif type_ == "response.create":
            if pending:
                intents.extend(Intent(kind, fields, 0) for kind, fields in pending[:-1])
                intents.append(Intent(*pending[-1], answers=1))
                pending = []
            elif intents:
                intents[-1] = Intent(intents[-1].kind, intents[-1].fields, intents[-1].answers + 1)
            else:
                raise _not_plannable(scenario, type_)
        else:
            raise _not_plannable(scenario, type_)
    intents.extend(Intent(kind, fields, 0) for kind, fields in pending)
    return Plan(session or scenario.wanted_session, tuple(intents))


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
