"""Scenario files: what a client sends and what the service is expected to send back."""

from harness.scenario.answers import AnswerReader
from harness.scenario.model import (
    Answer,
    Audio,
    Call,
    Cut,
    Expect,
    ExpectClose,
    Failure,
    Incomplete,
    Reconnect,
    Scenario,
    Send,
    Several,
    Speech,
    Step,
    Text,
    Tool,
    Wait,
)
from harness.scenario.plan import Intent, Plan, plan_intents
from harness.scenario.read import load_scenario, named_events, read_scenario
from harness.scenario.sequence import Matcher, Sequence

__all__ = [
    "Answer",
    "AnswerReader",
    "Audio",
    "Call",
    "Cut",
    "Expect",
    "ExpectClose",
    "Failure",
    "Incomplete",
    "Intent",
    "Matcher",
    "Plan",
    "Reconnect",
    "Scenario",
    "Send",
    "Sequence",
    "Several",
    "Speech",
    "Step",
    "Text",
    "Tool",
    "Wait",
    "load_scenario",
    "named_events",
    "plan_intents",
    "read_scenario",
]
