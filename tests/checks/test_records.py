"""Checks over records made by hand: what cannot be seen with a miniature, or not quickly."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from harness.checks import CaseRecord, judge
from harness.checks.script import _same
from harness.checks.scripted import due_answers
from harness.dialects import Evidence, bundled_dialect
from harness.findings import Basis, Finding
from harness.messages import Json, Side
from harness.observations import Capabilities, Observed
from harness.recording import Waiting
from harness.scenario import plan_intents
from harness.service import Ending, Entry, Exchange, Handshake, Origin, ResponseStart
from tests.cases import SCENARIOS, scenario
from tests.talk import GA

KINDS = ("text", "audio", "transcript", "user_transcript", "error", "interruption")


def record(name: str, *events: tuple[Side, Json], **fields: Any) -> CaseRecord:
    exchange = Exchange(session={})
    for number, (side, event) in enumerate(events):
        origin = Origin.RECORDED if side is Side.SERVER else None
        exchange.entries.append(Entry(number, float(number), side, event, (event,), origin))
    plan = plan_intents(scenario(name))
    observed = Observed(exit_code=0, stage="finished")
    observed.capabilities = Capabilities("x", "1", frozenset(), frozenset(KINDS), (), "wire")
    opened = Handshake("/openai/v1/realtime", (), (), (), 101)
    made = CaseRecord(
        scenario=scenario(name),
        dialect=bundled_dialect(GA),
        plan=plan,
        handshakes=(opened,),
        exchange=exchange,
        observed=observed,
        played=(),
        basis=Basis(Evidence.DOCUMENTED, "by hand"),
        begun=len(plan.intents),
        endings=(None,),
    )
    return replace(made, **fields)


def outcome(made: CaseRecord, code: str) -> tuple[str, list[Finding]]:
    findings, outcomes = judge(made)
    return next(o.outcome for o in outcomes if o.code == code), [f for f in findings if f.code == code]


def client(type_: str, **fields: Any) -> tuple[Side, Json]:
    return Side.CLIENT, {"type": type_, **fields}


def server(type_: str, **fields: Any) -> tuple[Side, Json]:
    return Side.SERVER, {"type": type_, **fields}


def b64(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode("ascii")


def cut_answer(*, spoken: bool = True, reason: str = "turn_detected") -> list[tuple[Side, Json]]:
    at = {"response_id": "resp_1", "item_id": "item_1"}
    details = {"type": "cancelled", "reason": reason}
    said = server("response.output_audio.delta", delta=b64(bytes(48_000)), **at)
    written = server("response.output_text.delta", delta="It is", **at)
    return [
        server("response.created", response={"id": "resp_1", "conversation_id": "conv"}),
        server("response.output_item.added", response_id="resp_1", item={"id": "item_1", "type": "message"}),
        said if spoken else written,
        server("input_audio_buffer.speech_started", item_id="item_2"),
        server("response.done", response={"id": "resp_1", "status": "cancelled", "status_details": details}),
    ]


# Barge-in.


def test_cutting_another_item_than_the_one_that_was_heard_fails() -> None:
    wrong = client("conversation.item.truncate", item_id="item_0", content_index=0, audio_end_ms=10)
    right = client("conversation.item.truncate", item_id="item_1", content_index=0, audio_end_ms=10)
    word, (finding,) = outcome(record("interruption", *cut_answer(), wrong), "order.truncate")
    assert (word, str(finding.severity), finding.actual) == ("finding", "fail", "item_0")
    assert outcome(record("interruption", *cut_answer(), right), "order.truncate") == ("pass", [])


def test_a_refusal_is_told_in_the_words_in_which_the_service_really_gave_it() -> None:
    long = client("conversation.item.truncate", item_id="item_1", content_index=0, audio_end_ms=5000)
    says = "Audio content of 2000ms is already shorter than {}ms"
    answers = [server("error", error={"code": None, "message": says.format(ms)}) for ms in (5000, 6000)]
    other = server("error", error={"code": "rate_limit_exceeded", "message": "slow down"})
    made = record("text-turn", long, long, other, *answers)
    for number in (0, 1):
        entry = made.exchange.entries[number]
        made.exchange.entries[number] = replace(entry, refused_by_state="truncate_past_end")
    told = [finding.message for finding in outcome(made, "order.truncate")[1]]
    assert [message.partition(": ")[2] for message in told] == [says.format(5000), says.format(6000)]


BARGE_IN = ("order.truncate", "surfaced.interruption")


def interrupted(*more: tuple[Side, Json], **how: Any) -> dict[str, str]:
    made = record("interruption", *cut_answer(**how), *more)
    if how.get("spoken", True):
        made.observed.note({"kind": "audio", "rate": 24_000, "audio": b64(bytes(24_000))})
        made.observed.note({"kind": "interruption"})
    return {code: outcome(made, code)[0] for code in BARGE_IN}


def truncation(ms: int, item: str = "item_1") -> tuple[Side, Json]:
    return client("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=ms)


@pytest.mark.parametrize("ms", [0, 500, 1000])
def test_who_cuts_at_what_was_played_is_right(ms: int) -> None:
    assert interrupted(truncation(ms)) == dict.fromkeys(BARGE_IN, "pass")


def test_who_writes_has_nothing_to_stop_or_to_cut() -> None:
    assert interrupted(spoken=False) == dict.fromkeys(BARGE_IN, "not-applicable")


def test_who_cancels_the_answer_by_hand_need_tell_of_no_interruption() -> None:
    cancel = client("response.cancel")
    found = interrupted(cancel, reason="client_cancelled")
    assert found == dict.fromkeys(BARGE_IN, "not-applicable")
    found = interrupted(cancel, truncation(500), reason="client_cancelled")
    assert found == {"order.truncate": "pass", "surfaced.interruption": "not-applicable"}


def test_who_sees_no_audio_need_not_say_how_much_was_heard() -> None:
    made = record("interruption", client("session.update", session={}), *cut_answer())
    assert outcome(made, "order.truncate")[0] == "finding"
    assert made.observed.capabilities is not None
    made.observed.capabilities = replace(made.observed.capabilities, observes=frozenset({"interruption"}))
    assert outcome(made, "order.truncate")[0] == "pass"


def test_what_surfaces_of_a_cut_answer_before_the_interruption_is_in_order() -> None:
    made = record("interruption", *cut_answer())
    made.observed.note({"kind": "audio", "rate": 24_000, "audio": b64(bytes(40_000))})
    made.observed.note({"kind": "interruption"})
    assert outcome(made, "surfaced.interruption")[0] == "pass"
    made.observed.note({"kind": "audio", "rate": 24_000, "audio": b64(bytes(48_000))})
    assert outcome(made, "surfaced.interruption")[0] == "finding"


def test_nobody_who_cannot_see_interruptions_is_failed_for_one() -> None:
    made = record("interruption", *cut_answer())
    assert made.observed.capabilities is not None
    made.observed.capabilities = replace(made.observed.capabilities, observes=frozenset({"audio"}))
    assert outcome(made, "surfaced.interruption")[0] == "not-applicable"


# The session.


@pytest.mark.parametrize(
    ("wanted", "held", "word"),
    [
        ("", "You are a stock prompt.", "pass"),
        ("", "", "pass"),
        ("", "Be a parrot.", "finding"),
        ("Be brief.", "You are a stock prompt.", "finding"),
    ],
)
def test_empty_instructions_bring_the_stock_prompt_back(wanted: str, held: str, word: str) -> None:
    """Seen in both captures of history seeding, on GA."""
    began = server("session.created", session={"instructions": "You are a stock prompt."})
    made = record("text-turn", began, client("session.update", session={"instructions": wanted}))
    made.exchange.session = {"instructions": held}
    plan = replace(made.plan, session={"instructions": wanted})
    assert outcome(replace(made, plan=plan), "session.lost")[0] == word


# Failures and losses.


@pytest.mark.parametrize(("status", "word"), [("failed", "finding"), ("incomplete", "not-applicable")])
def test_only_a_failed_response_must_reach_the_user_as_an_error(status: str, word: str) -> None:
    said = {"id": "r", "status": status, "status_details": {"error": {"message": "too much to do"}}}
    made = record(
        "text-turn", server("response.created", response={"id": "r"}), server("response.done", response=said)
    )
    assert outcome(made, "surfaced.failure")[0] == word
    made.observed.errors.append("sorry: too much to do")
    assert outcome(made, "surfaced.failure")[0] in ("pass", "not-applicable")


@pytest.mark.parametrize(
    ("ending", "word"),
    [
        (Ending(None), "finding"),
        (Ending(1011), "finding"),
        (Ending(1000), "not-applicable"),
        (None, "not-applicable"),
    ],
)
def test_a_connection_that_ends_before_its_time_must_be_heard_of(ending: Ending | None, word: str) -> None:
    made = record("text-turn", server("session.created", session={}), endings=(ending,))
    assert outcome(made, "surfaced.connection-loss")[0] == word


def test_who_comes_back_by_himself_need_not_tell_of_the_loss() -> None:
    made = record("text-turn", server("session.created", session={}), endings=(Ending(None),))
    again = replace(made, handshakes=made.handshakes * 2)
    assert outcome(again, "surfaced.connection-loss")[0] == "pass"


def test_an_error_event_from_before_is_not_the_news_of_the_loss() -> None:
    said = server("error", error={"message": "no such thing", "code": None})
    made = record("text-turn", said, endings=(Ending(None),))
    made.observed.errors.append("no such thing")
    assert outcome(made, "surfaced.connection-loss")[0] == "finding"
    made.observed.errors.append("connection lost")
    assert outcome(made, "surfaced.connection-loss")[0] == "pass"


def test_a_refused_handshake_is_heard_of_or_tried_again() -> None:
    refused = Handshake("/openai/v1/realtime", (), (), (), 429, fault="refuse-handshake:status=429")
    silent = record("text-turn", handshakes=(refused,), endings=())
    assert outcome(silent, "handshake.refused-surfaced")[0] == "finding"
    opened = replace(refused, status=101, fault=None)
    tried = replace(silent, handshakes=(refused, opened))
    assert outcome(tried, "handshake.refused-surfaced")[0] == "pass"
    silent.observed.errors.append("HTTP 429")
    assert outcome(silent, "handshake.refused-surfaced")[0] == "pass"


# The script.


def said_by_user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


GREETING = {"type": "conversation.item.create", "item": said_by_user("Hello there!")}
OUTPUT = {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": "{}"}}
ASK = {"type": "response.create"}


def stopped(
    *sent: tuple[Side, Json],
    needed: tuple[Json, ...] = (GREETING, ASK),
    responses: tuple[ResponseStart, ...] = (),
    **fields: Any,
) -> Finding:
    made = record("text-turn", *sent, **fields)
    made.exchange.responses.extend(responses)
    made.exchange.still_to_play.append(
        lambda: [Waiting("what it needs", needed, "response.created of answer 1 of 1")]
    )
    word, (finding,) = outcome(made, "script.finished")
    assert word == "finding"
    return finding


def test_what_was_needed_and_what_came_nearest_are_shown_with_their_difference() -> None:
    item = said_by_user("Hullo!")
    finding = stopped(client("conversation.item.create", item=item), client("response.create"))
    assert finding.message == (
        "the session stopped short of response.created of answer 1 of 1, which waits for what it needs. "
        "conversation.item.create (user: Hello there!) never came; nearest to it is message #0, "
        "which says something else."
    )
    assert finding.at == 0
    assert [(c.path, c.expected, c.actual) for c in finding.diff] == [
        ("item.content[0].text", "Hello there!", "Hullo!")
    ]
    assert finding.expected == GREETING
    assert finding.actual == "#0 client: conversation.item.create\n#1 client: response.create"


def test_an_item_in_other_words_is_not_what_holds_an_answer_back() -> None:
    finding = stopped(client("conversation.item.create", item=said_by_user("Hullo!")))
    assert finding.expected == ASK
    assert "response.create never came, nor anything like it" in finding.message


def test_another_event_that_the_dialect_knows_is_no_near_miss() -> None:
    update = client("session.update", session={"type": "realtime"})
    assert "nor anything like it" in stopped(update).message
    ask = client("response.create")
    assert "nor anything like it" in stopped(ask, needed=(OUTPUT, ASK)).message


def test_what_was_sent_as_it_was_needed_is_no_near_miss() -> None:
    made = record("text-turn", client("conversation.item.create", item=GREETING["item"]))
    other = {"type": "conversation.item.create", "item": said_by_user("My name is Ada.")}
    made.exchange.still_to_play.append(
        lambda: [Waiting("2 items", (other, ASK), "an answer", met=(GREETING,))]
    )
    (finding,) = outcome(made, "script.finished")[1]
    assert finding.expected == other
    assert "(user: My name is Ada.) never came, nor anything like it" in finding.message


def test_the_form_of_a_tool_result_holds_nothing_back() -> None:
    item = {"type": "function_call_output", "call_id": "call_7", "output": "sunny"}
    finding = stopped(client("conversation.item.create", item=item), needed=(OUTPUT, ASK))
    assert finding.expected == ASK


def test_what_came_in_another_order_is_told_by_its_numbers() -> None:
    item = client("conversation.item.create", item=GREETING["item"])
    ask, created = client("response.create"), server("response.created", response={"id": "r"})
    early = ResponseStart(1, {}, (), Origin.MODELLED)
    told = (
        "another order: response.create, message #0, before "
        "conversation.item.create (user: Hello there!), message #2"
    )
    finding = stopped(ask, created, item, responses=(early,))
    assert told in finding.message
    assert (finding.at, finding.expected) == (0, "a client that comes to: what it needs")

    # A turn later the next response.create was answered for the first item, and so was none too few.
    answer = ResponseStart(4, {}, (), Origin.RECORDED)
    finding = stopped(ask, created, item, ask, created, item, responses=(early, answer))
    assert told in finding.message
    assert "never came" not in finding.message

    finding = stopped(item, responses=())
    assert "another order" not in finding.message
    assert "response.create never came" in finding.message


def test_a_connection_more_than_the_scenario_has_is_named_where_the_script_stopped_short() -> None:
    made = record("text-turn", client("session.update", session={}), client("response.create"))
    made.exchange.entries[1] = replace(made.exchange.entries[1], connection=2)
    made.exchange.still_to_play.append(
        lambda: [Waiting("what it needs", (), "response.created of answer 1 of 1")]
    )
    (finding,) = outcome(made, "script.finished")[1]
    assert (
        "connection 2 (from message #1 on, at 1.00 s); nothing of the scenario is played" in finding.message
    )
    assert "opened connection" not in stopped().message


def test_a_misspelt_type_is_nearest_where_the_type_never_came() -> None:
    finding = stopped(client("response.creat"), needed=(ASK,))
    assert "response.create never came; nearest to it is response.creat, message #0." in finding.message


def test_where_all_was_sent_what_the_answer_waits_for_is_said() -> None:
    append = {"type": "input_audio_buffer.append"}
    sent = (client("input_audio_buffer.append", audio="AAAA"), client("input_audio_buffer.commit"))
    finding = stopped(*sent, needed=(append, {"type": "input_audio_buffer.commit"}))
    assert finding.expected == "a client that comes to: what it needs"
    assert "never came" not in finding.message


@pytest.mark.parametrize(
    ("step", "ends", "lacking"),
    [(0.1, False, True), (0.1, True, False), (2.0, True, True)],
    ids=["never-ended", "ended", "ended-by-the-sound-of-the-next-turn"],
)
def test_a_user_who_is_heard_to_begin_and_not_to_stop_lacks_silence(
    step: float, ends: bool, lacking: bool
) -> None:
    sound = client("input_audio_buffer.append", audio="AAAA")
    began, ended = (server(f"input_audio_buffer.speech_{end}", item_id="i") for end in ("started", "stopped"))
    made = record("text-turn", began, sound, *([ended] if ends else []))
    made.exchange.entries[:] = [replace(entry, t=entry.t * step) for entry in made.exchange.entries]
    made.exchange.still_to_play.append(
        lambda: [Waiting("1 turn(s) of speech", (), "response.created of answer 1 of 1")]
    )
    _, (finding,) = outcome(made, "script.finished")
    assert ("no silence followed" in finding.message) is lacking


def test_a_fault_that_ends_a_connection_is_named_where_the_script_stopped_short() -> None:
    struck = stopped(struck=("stall", "unknown-event")).message
    assert "After the fault stall nothing more comes on its connection." in struck
    assert "The fault drop:nth=9 never struck." in stopped(never_struck=("drop:nth=9",)).message


@pytest.mark.parametrize(
    ("undone", "said"),
    [
        ("speak", "its driver does not list the intent 'speak'"),
        ("ask for an idle timeout", "the framework has no way to ask for an idle timeout"),
    ],
)
def test_who_cannot_do_what_is_asked_is_told_so_and_has_no_finding(undone: str, said: str) -> None:
    made = record("text-turn", undone=(undone,))
    made.exchange.still_to_play.append(
        lambda: [Waiting("what it needs", (), "response.created of answer 1 of 1")]
    )
    assert made.unable == said
    assert outcome(made, "script.finished") == ("not-applicable", [])


def test_no_log_is_not_pointed_at() -> None:
    assert "log" not in stopped().mend
    silent = record("text-turn", observed=Observed(exit_code=1, stage="ready"))
    _, (crash,) = outcome(silent, "process.ended")
    assert "there is none" in crash.mend
    _, (nothing,) = outcome(replace(silent, handshakes=()), "handshake.connection")
    assert "log" not in nothing.mend


def test_after_a_wrong_hello_that_is_all_there_is_to_say() -> None:
    observed = Observed(hello_fault="protocol is 2, expected 1", garbage=["hello: …"])
    made = record("text-turn", observed=observed, handshakes=())
    findings, _ = judge(made)
    assert [(one.code, str(one.severity)) for one in findings] == [("process.protocol", "not-proven")]
    assert "its hello is wrong: protocol is 2, expected 1" in findings[0].message


def test_what_comes_many_times_over_is_one_line_of_the_script_so_far() -> None:
    deltas = [server("response.output_audio.delta", delta="")] * 30
    finding = stopped(client("session.update", session={}), *deltas, client("session.update", session={}))
    assert finding.actual.splitlines() == [
        "#0 client: session.update",
        "#1 service: response.output_audio.delta (to #30)",
        "#31 client: session.update",
    ]


def test_ids_and_what_a_client_adds_do_not_make_an_event_another_one() -> None:
    assert _same({"item": {"type": "message"}}, {"item": {"type": "message", "role": "user"}, "a": 1})
    assert not _same({"a": [1]}, {"a": [1, 2]})


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_answer_of_a_scenario_is_due_once(name: str) -> None:
    plan = plan_intents(scenario(name))
    assert len(due_answers(scenario(name))) == sum(intent.answers for intent in plan.intents)


def test_what_was_taken_out_is_no_longer_due() -> None:
    first, last = due_answers(scenario("item-editing"))
    assert first.held == ("user: Hello there!",)
    assert last.held == ("user: What is the weather in Paris?",)
    assert last.deleted == ("user: Hello there!",)
