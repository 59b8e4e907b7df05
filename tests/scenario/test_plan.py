from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from harness.bundled import scenario_files
from harness.exceptions import ScenarioFault
from harness.scenario import (
    Audio,
    Expect,
    ExpectClose,
    Intent,
    Plan,
    Reconnect,
    Scenario,
    Send,
    Speech,
    Text,
    Wait,
    load_scenario,
    plan_intents,
)
from harness.scenario.model import RATE, Step, Tool
from harness.scenario.sequence import Chain, One
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
SILENCE = Send({"type": "input_audio_buffer.append"}, Audio("0 Hz", bytes(4800)))


def expect(*types: str) -> Expect:
    return Expect(Chain(tuple(map(One, types))))


ANSWERED = expect("response.created", "response.done")


def say(*texts: str, **item: Any) -> Send:
    content = [{"type": "input_text", "text": text} for text in texts]
    return Send(
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": content, **item},
        }
    )


def message(role: str, text: str, kind: str = "") -> Send:
    part = {"type": kind or ("output_text" if role == "assistant" else "input_text"), "text": text}
    item = {"type": "message", "role": role, "content": [part]}
    return Send({"type": "conversation.item.create", "item": item})


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


def test_what_is_written_before_something_else_is_said_is_history_put_in() -> None:
    found = plan(UPDATE, say("a"), message("assistant", "b"), say("c"), APPEND, COMMIT, say("d"), ASK)

    assert kinds(found) == [("seed", 0), ("speak", 0), ("say", 1)]
    assert dict(found.intents[0].fields)["messages"] == [
        {"role": "user", "text": "a"},
        {"role": "assistant", "text": "b"},
        {"role": "user", "text": "c"},
    ]


def test_what_is_written_and_never_answered_is_history_put_in() -> None:
    assert kinds(plan(say("a"), ASK, say("b"))) == [("say", 1), ("seed", 0)]
    assert kinds(plan(UPDATE, say("a"), AGAIN, say("b"), ASK)) == [("seed", 0), ("update", 0), ("say", 1)]


def test_an_answer_that_belongs_to_nothing_the_user_said_is_asked_for_by_itself() -> None:
    aside = Send({"type": "response.create", "response": {"conversation": "none"}})

    found = plan(UPDATE, say("a"), ASK, aside, say("b"), aside, message("assistant", "c"), ASK)

    assert kinds(found) == [
        ("say", 1),
        ("respond", 1),
        ("seed", 0),
        ("respond", 1),
        ("seed", 0),
        ("respond", 1),
    ]
    assert dict(found.intents[1].fields) == {"response": {"conversation": "none"}}
    assert dict(found.intents[-1].fields) == {"response": {}}


def test_an_answer_nobody_asked_for_belongs_to_what_was_spoken() -> None:
    found = plan(
        UPDATE, APPEND, SILENCE, expect("response.created", "response.done"), APPEND, SILENCE, ANSWERED
    )

    assert kinds(found) == [("speak", 1), ("speak", 1)]
    assert dict(found.intents[0].fields)["end"] == "silence"


def test_who_speaks_while_an_answer_is_given_interrupts_and_the_truncation_is_the_implementations() -> None:
    truncate = Send({"type": "conversation.item.truncate", "item_id": "$i", "audio_end_ms": 5})
    cancelled = expect("response.done")

    found = plan(say("a"), ASK, expect("response.created"), APPEND, cancelled, truncate, SILENCE, ANSWERED)

    assert kinds(found) == [("say", 1), ("interrupt", 1)]
    assert dict(found.intents[1].fields) == {
        "audio": base64.b64encode(SOUND.pcm).decode("ascii"),
        "rate": RATE,
    }


def test_an_edit_names_its_item_by_its_place_in_the_conversation() -> None:
    items = Expect(
        Chain(
            (
                One("conversation.item.added", capture=(("first", "item.id"),)),
                One("response.created"),
                One("response.output_item.added", capture=(("second", "item.id"),)),
                One("conversation.item.added", where=(("item.id", "$second"),)),
                One("response.done"),
            )
        )
    )
    steps = (
        say("a"),
        ASK,
        items,
        Send({"type": "conversation.item.retrieve", "item_id": "$second"}),
        Send({"type": "conversation.item.truncate", "item_id": "$second", "audio_end_ms": 300}),
        Send({"type": "conversation.item.delete", "item_id": "$first"}),
    )

    assert [dict(intent.fields) for intent in plan(*steps).intents[1:]] == [
        {"action": "retrieve", "item": 1},
        {"action": "truncate", "item": 1, "audio_end_ms": 300},
        {"action": "delete", "item": 0, "role": "user", "text": "a"},
    ]
    answered = plan_intents(replace(scenario(*steps), answers=(Text("b"),)))
    assert dict(answered.intents[1].fields) == {
        "action": "retrieve",
        "item": 1,
        "role": "assistant",
        "text": "b",
    }


def test_the_words_of_an_item_that_is_edited_are_known_where_others_stand_before_it() -> None:
    def told(name: str, *where: tuple[str, str]) -> One:
        return One("conversation.item.added", where=where, capture=((name, "item.id"),))

    def answer(name: str) -> tuple[One, ...]:
        added = One("conversation.item.added", where=(("item.id", f"${name}"),))
        item = One("response.output_item.added", capture=((name, "item.id"),))
        return (One("response.created"), item, added, One("response.done"))

    aside = Send({"type": "response.create", "response": {"conversation": "none"}})
    steps = (
        *(APPEND, COMMIT, ASK, Expect(Chain((told("spoken"), *answer("first"))))),
        *(aside, expect("response.created", "response.output_item.added", "response.done")),
        *(message("assistant", "seeded"), Expect(told("seeded", ("item.role", "assistant")))),
        *(say("a"), ASK, Expect(Chain((told("written", ("item.role", "user")), *answer("second"))))),
    )
    names = ("spoken", "first", "seeded", "written", "second")
    edits = (Send({"type": "conversation.item.retrieve", "item_id": f"${name}"}) for name in names)
    answers = (Speech("one", SOUND), Text("aside"), Text("two"))

    found = plan_intents(replace(scenario(*steps, *edits), answers=answers, heard=("heard",)))

    asked = [dict(intent.fields) for intent in found.intents if intent.kind == "edit"]
    assert [one["item"] for one in asked] == [0, 1, 2, 3, 4]
    assert [one.get("text") for one in asked] == [None, "one", "seeded", "a", "two"]


def test_an_edit_of_an_item_that_was_not_captured_is_refused() -> None:
    with pytest.raises(ScenarioFault, match="capture the item's id"):
        plan(say("a"), ASK, Send({"type": "conversation.item.delete", "item_id": "$lost"}))


def test_what_a_new_connection_is_told_of_the_old_one_is_the_implementations_own_business() -> None:
    words = (Text("first"), Speech("second", SOUND))
    steps = (UPDATE, say("a"), ASK, APPEND, COMMIT, ASK, Reconnect(), UPDATE, say("a"))
    restored = (message("assistant", "first"), say("heard"), message("assistant", "second"))

    found = plan_intents(
        replace(scenario(*steps, *restored, say("a"), ASK, AGAIN), answers=words, heard=("heard",))
    )

    assert kinds(found) == [("say", 1), ("speak", 1), ("reconnect", 0), ("say", 1), ("update", 0)]
    assert [intent.ends for intent in found.intents] == [False, True, False, False, False]


def test_an_update_that_is_expected_to_be_refused_changes_no_session() -> None:
    found = plan(UPDATE, say("a"), ASK, ANSWERED, AGAIN, expect("error"), say("b"), ASK)

    assert found.intents[1].refused
    assert [session["instructions"] for session in found.sessions] == ["one", "one"]


def test_the_user_is_silent_for_a_wait_and_for_the_services_patience() -> None:
    patience = {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}}}
    update = Send({"type": "session.update", "session": patience})
    timeout = expect("input_audio_buffer.timeout_triggered", "response.created", "response.done")

    found = plan(update, say("a"), ASK, ANSWERED, Wait(2.0), timeout, ExpectClose(1001))

    (intent,) = found.intents
    assert (intent.answers, intent.silence, intent.ends) == (2, 7.0, True)


def test_an_answer_nobody_asked_for_before_anything_was_said_is_refused() -> None:
    with pytest.raises(ScenarioFault, match=r"response\.created"):
        plan(UPDATE, ANSWERED)


@pytest.mark.parametrize(
    ("steps", "type_"),
    [
        ((Send({"type": "response.cancel"}),), "response.cancel"),
        ((ASK,), "response.create"),
        ((UPDATE, ASK), "response.create"),
        ((COMMIT,), "input_audio_buffer.commit"),
        ((say("a"), COMMIT), "input_audio_buffer.commit"),
        ((APPEND, ASK, COMMIT), "input_audio_buffer.commit"),
        ((Send({"type": "input_audio_buffer.append", "audio": "AAAA"}),), "input_audio_buffer.append"),
        ((say("a", role="assistant"),), "conversation.item.create"),
        ((message("user", "a", kind="text"),), "conversation.item.create"),
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
        f"s.yaml: scenario at {caught.value.pointer}: no user of a framework can ask for {type_!r} here\n"
        "  to mend it: write it as a user's turn: an item or audio, then response.create"
    )


@pytest.mark.parametrize(
    "step",
    [
        Send({"type": "conversation.item.create"}),
        Send({"type": "session.update"}),
        say(content=[{"type": "input_text"}]),
        Send({"type": "conversation.item.delete"}),
        Send({"type": "conversation.item.create", "item": "x"}),
    ],
    ids=["no item", "no session", "no text", "no item to delete", "an item that is text"],
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

    assert sum(intent.answers for intent in found.intents) == len(load_scenario(path).answers)
    for number, intent in enumerate(found.intents, 1):
        assert subschema("driver", "to_driver").problems(intent.message(number)) == []
