from __future__ import annotations

import base64
from typing import Any

import pytest

from harness.bundled import scenario_files
from harness.exceptions import ScenarioFault
from harness.scenario import Audio, Expect, Intent, Plan, Scenario, Send, load_scenario, plan_intents
from harness.scenario.model import RATE, Step, Tool
from harness.scenario.sequence import One
from harness.validation import subschema

SOUND = Audio("a.wav", b"\1\0" * 2400)
TOOL = Tool("f", "d", {"type": "object"}, "ok")

UPDATE = Send({"type": "session.update", "session": {"type": "realtime", "instructions": "one"}})
AGAIN = Send({"type": "session.update", "session": {"type": "realtime", "instructions": "two"}})
APPEND = Send({"type": "input_audio_buffer.append"}, SOUND)
COMMIT = Send({"type": "input_audio_buffer.commit"})
ASK = Send({"type": "response.create"})
OUTPUT = Send(
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "c", "output": "x"},
    }
)
WAIT = Expect(One("anything"))


def say(*texts: str, **item: Any) -> Send:
    content = [{"type": "input_text", "text": text} for text in texts]
    return Send(
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": content, **item},
        }
    )


def scenario(*steps: Step) -> Scenario:
    return Scenario("s", "t", "s.yaml", None, {"instructions": "wanted"}, (TOOL,), steps, (), (), ())


def plan(*steps: Step) -> Plan:
    return plan_intents(scenario(*steps))


def kinds(found: Plan) -> list[tuple[str, int]]:
    return [(intent.kind, intent.answers) for intent in found.intents]


def test_what_the_user_types_is_said_and_answered() -> None:
    (intent,) = plan(UPDATE, WAIT, say("Hello ", "there"), ASK, WAIT).intents

    assert intent == Intent("say", (("text", "Hello there"),), 1)


def test_what_the_user_speaks_ends_in_silence() -> None:
    (intent,) = plan(APPEND, ASK).intents

    assert dict(intent.fields) == {
        "audio": base64.b64encode(SOUND.pcm).decode("ascii"),
        "rate": RATE,
        "end": "silence",
    }
    assert (intent.kind, intent.answers) == ("speak", 1)


def test_what_the_user_speaks_ends_where_it_is_committed() -> None:
    (intent,) = plan(APPEND, COMMIT, ASK).intents

    assert dict(intent.fields)["end"] == "commit"


def test_the_first_update_is_the_session_and_a_later_one_an_intent() -> None:
    found = plan(UPDATE, say("a"), ASK, AGAIN, say("b"), ASK)

    assert found.session == UPDATE.event["session"]
    assert kinds(found) == [("say", 1), ("update", 0), ("say", 1)]
    assert dict(found.intents[1].fields) == {"session": AGAIN.event["session"]}


def test_without_an_update_the_session_is_the_wanted_one() -> None:
    assert plan(say("a"), ASK).session == {
        "type": "realtime",
        "instructions": "wanted",
        "tools": [TOOL.definition],
    }


def test_a_tools_result_is_the_implementations_own_business_and_its_answer_belongs_to_the_turn() -> None:
    assert kinds(plan(say("a"), ASK, WAIT, OUTPUT, ASK, WAIT, say("b"), ASK)) == [("say", 2), ("say", 1)]


def test_of_what_is_said_before_an_answer_the_last_is_answered() -> None:
    assert kinds(plan(say("a"), APPEND, COMMIT, say("b"), ASK)) == [("say", 0), ("speak", 0), ("say", 1)]


def test_what_is_said_and_never_answered_is_said_all_the_same() -> None:
    assert kinds(plan(say("a"), ASK, say("b"))) == [("say", 1), ("say", 0)]


def test_what_is_said_before_an_update_is_said_before_it() -> None:
    assert kinds(plan(UPDATE, say("a"), AGAIN, ASK))[0][0] == "say"


@pytest.mark.parametrize(
    ("steps", "type_"),
    [
        ((Send({"type": "response.cancel"}),), "response.cancel"),
        ((Send({"type": "conversation.item.truncate"}),), "conversation.item.truncate"),
        ((ASK,), "response.create"),
        ((UPDATE, ASK), "response.create"),
        ((COMMIT,), "input_audio_buffer.commit"),
        ((say("a"), COMMIT), "input_audio_buffer.commit"),
        ((APPEND, ASK, COMMIT), "input_audio_buffer.commit"),
        ((Send({"type": "input_audio_buffer.append", "audio": "AAAA"}),), "input_audio_buffer.append"),
        ((say("a", role="assistant"),), "conversation.item.create"),
        ((say("a", role="system"),), "conversation.item.create"),
        ((say(),), "conversation.item.create"),
        ((say(content=[{"type": "input_image"}]),), "conversation.item.create"),
        (
            (Send({"type": "conversation.item.create", "item": {"type": "function_call"}}),),
            "conversation.item.create",
        ),
    ],
)
def test_what_no_user_can_ask_for_is_refused(steps: tuple[Step, ...], type_: str) -> None:
    with pytest.raises(ScenarioFault) as caught:
        plan(*steps)

    assert str(caught.value) == (
        f"s.yaml: scenario: no user of a framework can ask for {type_!r} here\n"
        "  to mend it: write it as a user's turn: an item or audio, then response.create"
    )


@pytest.mark.parametrize(
    "step",
    [
        Send({"type": "conversation.item.create"}),
        Send({"type": "session.update"}),
        say(content=[{"type": "input_text"}]),
        Send({"type": "conversation.item.create", "item": "x"}),
    ],
    ids=["no item", "no session", "no text", "an item that is text"],
)
def test_a_client_event_that_is_not_whole_is_refused(step: Send) -> None:
    with pytest.raises(ScenarioFault):
        plan(UPDATE if step.event["type"] != "session.update" else say("a"), step)


def test_an_intent_is_a_line_of_the_driver_protocol() -> None:
    (intent,) = plan(say("Hello"), ASK).intents

    assert intent.message(7) == {"type": "say", "intent": 7, "text": "Hello"}


@pytest.mark.parametrize("path", scenario_files(), ids=lambda path: path.stem)
def test_every_bundled_scenario_has_a_plan_the_protocol_can_carry(path: Any) -> None:
    found = plan_intents(load_scenario(path))

    assert sum(intent.answers for intent in found.intents) >= 1
    for number, intent in enumerate(found.intents, 1):
        assert subschema("driver", "to_driver").problems(intent.message(number)) == []
