"""Scenario files: what a client sends and what the service is expected to send back."""

from harness.scenario.model import Answer, Audio, Call, Expect, Scenario, Send, Speech, Step, Text, Tool
from harness.scenario.plan import Intent, Plan, plan_intents
from harness.scenario.read import expected_types, load_scenario
from harness.scenario.sequence import Matcher, Sequence

__all__ = [
    "Answer",
    "Audio",
    "Call",
    "Expect",
    "Intent",
    "Matcher",
    "Plan",
    "Scenario",
    "Send",
    "Sequence",
    "Speech",
    "Step",
    "Text",
    "Tool",
    "expected_types",
    "load_scenario",
    "plan_intents",
]
