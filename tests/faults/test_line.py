from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exceptions import MessageFault
from harness.faults import (
    FAULTS,
    End,
    EndResponse,
    FaultLine,
    Frame,
    HandshakeFault,
    Kind,
    Pause,
    Stall,
    Step,
    parse_fault,
)
from harness.messages import Json, parse_event

ANSWER: list[Json] = [
    {"type": "response.created", "response": {"id": "r", "usage": None}},
    {"type": "rate_limits.updated", "rate_limits": [{"name": "tokens"}]},
    {"type": "response.output_text.delta", "delta": "Hel"},
    {"type": "response.output_text.delta", "delta": "lo"},
    {"type": "response.output_text.done", "text": "Hello"},
    {"type": "response.done", "response": {"id": "r", "usage": {"total_tokens": 7}}},
]
NAMES = [event["type"] for event in ANSWER]
FIRST = 2
"""Where the first delta stands."""


def line_of(*written: str) -> FaultLine:
    return FaultLine(parse_fault(one) for one in written)


def passed(line: FaultLine, events: Iterable[Json] = ANSWER) -> list[Step]:
    return [step for event in events for step in line.pass_on(event, event, json.dumps(event))]


def shown(steps: Iterable[Step]) -> list[str]:
    """Types of events, and the kinds of whatever else comes."""
    return [
        (step.event["type"] if step.event else "?") if isinstance(step, Frame) else type(step).__name__
        for step in steps
    ]


# Silence.


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_where_it_does_not_strike_a_fault_touches_nothing(kind: Kind) -> None:
    never = f"{kind.name}:at=nobody.knows" if kind.parameter("at") else kind.name
    line = line_of(never)
    assert passed(line) == passed(FaultLine())
    assert line.struck == ()


@given(
    st.lists(
        st.sampled_from([kind.name for kind in FAULTS if kind.parameter("at")]).map(
            lambda name: f"{name}:at=nobody.knows"
        ),
        max_size=4,
    ),
    st.lists(st.dictionaries(st.text(max_size=5), st.integers(), max_size=3), max_size=6),
)
def test_faults_that_strike_nothing_let_any_events_through(written: list[str], bodies: list[Json]) -> None:
    events = [{**body, "type": "x.y"} for body in bodies]
    steps = passed(line_of(*written), events)
    assert steps == [Frame(json.dumps(event), event, (event,)) for event in events]


# Where a fault strikes.


@pytest.mark.parametrize("name", ["error-event", "event-without-type", "malformed-json", "unknown-event"])
def test_a_frame_of_its_own_comes_once_directly_before_the_first_delta(name: str) -> None:
    line = line_of(name)
    steps = passed(line)
    assert [step for n, step in enumerate(steps) if n != FIRST] == passed(FaultLine())
    added = steps[FIRST]
    assert isinstance(added, Frame)
    assert added.fault == name
    assert added.canonical == ()
    assert passed(line) == passed(FaultLine())
    assert [fault.name for fault in line.struck] == [name]


@pytest.mark.parametrize("name", ["event-without-type", "malformed-json"])
def test_what_is_no_event_is_none(name: str) -> None:
    added = passed(line_of(name))[FIRST]
    assert isinstance(added, Frame)
    assert added.event is None
    with pytest.raises(MessageFault):
        parse_event(added.text)


def test_after_an_event_is_after_it() -> None:
    steps = shown(passed(line_of("error-event:at=response.created,when=after")))
    assert steps == [NAMES[0], "error", *NAMES[1:]]


def test_a_pattern_takes_canonical_and_wire_names_stars_and_alternatives() -> None:
    wire = {"type": "response.text.delta", "delta": "x"}
    canonical = {"type": "response.output_text.delta", "delta": "x"}
    for at in ("response.text.delta", "response.output_text.*", "*.delta", "error|response.text.delta"):
        steps = line_of(f"duplicate:at={at}").pass_on(wire, canonical, json.dumps(wire))
        assert shown(steps) == ["response.text.delta"] * 2
    (untouched,) = line_of("duplicate:at=text.delta").pass_on(wire, canonical, "")
    assert untouched == Frame("", wire, (canonical,))


def test_nth_and_times_say_which_of_the_events() -> None:
    deltas = [{"type": "response.a.delta", "delta": str(n)} for n in range(6)]
    steps = passed(line_of("duplicate:nth=2,times=3"), deltas)
    said = [step.event["delta"] for step in steps if isinstance(step, Frame) and step.event]
    assert said == ["0", "1", "1", "2", "2", "3", "3", "4", "5"]
    assert len(passed(line_of("duplicate:nth=3,times=always"), deltas)) == 10


def test_answer_counts_responses_and_only_events_inside_them() -> None:
    outside: Json = {"type": "error"}
    line = line_of("duplicate:at=*,answer=2,times=always")
    assert len(passed(line, [outside, *ANSWER, outside])) == len(ANSWER) + 2
    assert len(passed(line, [*ANSWER, outside])) == 2 * len(ANSWER) + 1
    assert len(passed(line)) == len(ANSWER)


def beside(one: str, other: str) -> list[Json]:
    """Two responses at once: the other begins and ends while the one goes on."""
    return [
        {"type": "response.created", "response": {"id": one}},
        {"type": "response.created", "response": {"id": other}},
        {"type": "response.output_text.delta", "response_id": one, "delta": "a"},
        {"type": "response.output_text.delta", "response_id": other, "delta": "b"},
        {"type": "response.done", "response": {"id": other}},
        {"type": "response.done", "response": {"id": one}},
    ]


@pytest.mark.parametrize(("answer", "id_"), [(1, "main"), (2, "aside")])
@pytest.mark.parametrize("at", ["response.done", "response.output_text.delta"])
def test_answers_side_by_side_are_told_apart_by_their_ids(answer: int, id_: str, at: str) -> None:
    steps = passed(line_of(f"duplicate:at={at},answer={answer}"), beside("main", "aside"))
    (added,) = [step for step in steps if isinstance(step, Frame) and step.fault]
    assert added.event is not None
    assert id_ in (added.event.get("response_id"), added.event.get("response", {}).get("id"))


def test_an_event_of_no_response_is_in_all_that_are_under_way() -> None:
    session = beside("main", "aside")
    session.insert(3, {"type": "conversation.item.done", "item": {}})
    for answer, struck in ((1, 1), (2, 1), (3, 0)):
        line = line_of(f"duplicate:at=conversation.item.done,answer={answer}")
        assert len(passed(line, session)) == len(session) + struck


def test_an_answer_that_does_not_count_shifts_no_other_and_is_not_struck() -> None:
    line = line_of("duplicate:at=response.output_text.delta,answer=1")
    extra: Json = {"type": "response.created", "response": {"id": "extra"}}
    assert shown(line.pass_on(extra, extra, "", counts=False)) == ["response.created"]
    said: Json = {"type": "response.output_text.delta", "response_id": "extra", "delta": "b"}
    assert len(passed(line, [said])) == 1
    assert len(passed(line)) == len(ANSWER) + 1


def test_counts_hold_for_all_connections_of_a_case_and_nothing_else_does() -> None:
    line = line_of("close:at=response.done,nth=2", "reorder:events=100")
    one, two = line.connected(), line.connected()
    assert shown(passed(one)) == [NAMES[0], *NAMES[2:]]
    assert shown(passed(two))[-1] == "End"
    assert passed(one, [{"type": "error"}]) != []
    assert passed(two, [{"type": "error"}]) == []
    assert "End" not in shown(passed(line.connected()))
    assert [fault.name for fault in line.struck] == ["close", "reorder"]


def test_the_answers_of_all_connections_are_counted_together() -> None:
    line = line_of("drop:at=response.created,answer=2")
    assert shown(passed(line.connected())) == NAMES
    assert shown(passed(line.connected())) == [NAMES[0], "End"]
    assert shown(passed(line.connected())) == NAMES


# What each does.


@pytest.mark.parametrize(
    ("written", "last"),
    [
        ("close", End(1011, "", "close")),
        ("close:code=4000,reason=bye", End(4000, "bye", "close:code=4000,reason=bye")),
        ("drop", End(None, "", "drop")),
        ("stall", Stall("stall")),
    ],
)
def test_after_an_end_or_a_stall_nothing_comes_any_more(written: str, last: Step) -> None:
    line = line_of(written)
    assert passed(line) == [*passed(FaultLine(), ANSWER[: FIRST + 1]), last]
    assert passed(line) == []


def test_before_an_event_it_is_never_sent() -> None:
    assert shown(passed(line_of("drop:at=response.done,when=before"))) == [*NAMES[:-1], "End"]


def test_a_pause_and_a_duplicate_leave_the_event_as_it_is() -> None:
    steps = passed(line_of("pause:seconds=0.5", "duplicate"))
    assert steps[FIRST] == Pause(0.5, "pause:seconds=0.5")
    first, again = steps[FIRST + 1], steps[FIRST + 2]
    assert isinstance(first, Frame)
    assert isinstance(again, Frame)
    assert (first.text, first.event) == (again.text, again.event)
    assert (first.fault, again.fault) == (None, "duplicate")


@pytest.mark.parametrize("change", ["missing-field", "wrong-type", "null-usage:at=*.delta"])
def test_what_is_sent_twice_is_what_the_changes_left_in_whatever_order_they_are_given(change: str) -> None:
    def texts(*written: str) -> list[str]:
        usage = [{**event, "response": {"usage": {}}} for event in ANSWER]
        return [step.text for step in passed(line_of(*written), usage) if isinstance(step, Frame)]

    assert texts("duplicate", change) == texts(change, "duplicate")
    assert texts("duplicate", change)[FIRST] == texts("duplicate", change)[FIRST + 1]


@pytest.mark.parametrize(
    ("written", "status", "details"),
    [
        (
            "failed-response:code=c,message=m",
            "failed",
            {"type": "failed", "error": {"type": "server_error", "code": "c", "message": "m"}},
        ),
        (
            "incomplete-response:reason=content_filter",
            "incomplete",
            {"type": "incomplete", "reason": "content_filter"},
        ),
    ],
)
def test_a_response_that_ends_early_says_how(written: str, status: str, details: Json) -> None:
    steps = passed(line_of(written))
    assert steps[FIRST + 1] == EndResponse(status, details, written)
    assert shown(steps)[: FIRST + 1] == NAMES[: FIRST + 1]


def test_a_response_that_is_done_cannot_fail_any_more() -> None:
    line = line_of("failed-response:at=response.done")
    assert passed(line) == passed(FaultLine())
    assert line.struck == ()


@pytest.mark.parametrize(
    ("written", "place", "event"),
    [
        ("missing-field", FIRST, {"type": "response.output_text.delta"}),
        ("wrong-type", FIRST, {"type": "response.output_text.delta", "delta": 12345}),
        ("wrong-type:value=[1]", FIRST, {"type": "response.output_text.delta", "delta": [1]}),
        ("wrong-type:value=null", FIRST, {"type": "response.output_text.delta", "delta": None}),
        ("wrong-type:value=no json", FIRST, {"type": "response.output_text.delta", "delta": "no json"}),
        ("null-usage", 5, {"type": "response.done", "response": {"id": "r", "usage": None}}),
        (
            "missing-field:field=response.usage,at=response.done",
            5,
            {"type": "response.done", "response": {"id": "r"}},
        ),
        (
            "missing-field:field=rate_limits.0.name,at=rate*",
            1,
            {"type": "rate_limits.updated", "rate_limits": [{}]},
        ),
        (
            "wrong-type:field=rate_limits,at=rate*",
            1,
            {"type": "rate_limits.updated", "rate_limits": "no array"},
        ),
    ],
)
def test_a_field_is_changed_in_a_copy_and_nothing_else(written: str, place: int, event: Json) -> None:
    before = json.dumps(ANSWER)
    steps = passed(line_of(written))
    changed = steps[place]
    assert isinstance(changed, Frame)
    assert changed.event == event == json.loads(changed.text)
    assert changed.canonical == (ANSWER[place],), "what was meant"
    assert changed.fault == written
    assert json.dumps(ANSWER) == before
    assert [step for n, step in enumerate(steps) if n != place] == [
        step for n, step in enumerate(passed(FaultLine())) if n != place
    ]


def test_an_event_without_the_field_is_not_the_one_and_the_next_is() -> None:
    steps = passed(line_of("missing-field:at=*,field=delta"))
    assert [n for n, step in enumerate(steps) if isinstance(step, Frame) and step.fault] == [FIRST]


# Order.


def test_floating_events_come_after_the_response() -> None:
    steps = passed(line_of("reorder"))
    assert shown(steps) == [NAMES[0], *NAMES[2:], NAMES[1]]
    held = steps[-1]
    assert isinstance(held, Frame)
    assert (held.fault, held.canonical) == ("reorder", (ANSWER[1],))


def test_floating_events_come_so_many_events_later() -> None:
    assert shown(passed(line_of("reorder:events=2"))) == [NAMES[0], *NAMES[2:4], NAMES[1], *NAMES[4:]]


def test_what_comes_after_the_response_already_is_late_enough() -> None:
    late: Json = {"type": "conversation.item.input_audio_transcription.completed"}
    line = line_of("reorder")
    assert shown(passed(line, [*ANSWER, late]))[-2:] == ["rate_limits.updated", late["type"]]
    # Of the next turn's, nobody can say so.
    committed: Json = {"type": "input_audio_buffer.committed"}
    assert shown(passed(line, [committed, late])) == [committed["type"]]
    assert shown(passed(line, ANSWER[2:])) == [*NAMES[2:], late["type"]]


def test_events_held_back_keep_their_order() -> None:
    many = [{"type": "output_audio_buffer.started", "n": n} for n in range(3)]
    steps = passed(line_of("reorder:until=response.output_text.done"), [ANSWER[0], *many, *ANSWER[2:]])
    held = [step.event["n"] for step in steps if isinstance(step, Frame) and step.event and "n" in step.event]
    assert held == [0, 1, 2]
    assert shown(steps)[-2:] == ["output_audio_buffer.started", "response.done"]


@given(st.lists(st.sampled_from(ANSWER), max_size=12), st.integers(1, 5))
def test_holding_back_loses_nothing_that_has_enough_after_it(events: list[Json], many: int) -> None:
    filler = [{"type": "filler"}] * many
    steps = passed(line_of(f"reorder:events={many}"), [*events, *filler])
    assert sorted(shown(steps)) == sorted(event["type"] for event in [*events, *filler])
    still = [name for name in shown(steps) if name != "rate_limits.updated"]
    assert still == [event["type"] for event in [*events, *filler] if event["type"] != "rate_limits.updated"]


# Handshakes.


def test_attempts_are_refused_in_turn() -> None:
    line = line_of('refuse-handshake:status=429,retry-after=3,body="no, no",nth=2,times=2')
    found = [line.handshake(attempt) for attempt in range(1, 5)]
    assert found[0] is found[3] is None
    assert found[1] == found[2]
    assert found[1] == HandshakeFault(str(line.faults[0]), 429, (("Retry-After", "3"),), "no, no")


def test_a_slow_refusal_is_both() -> None:
    line = line_of("refuse-handshake", "slow-handshake:seconds=0.5")
    assert line.handshake(1) == HandshakeFault("refuse-handshake; slow-handshake:seconds=0.5", 503, delay=0.5)
    assert line.handshake(2) is None
    assert line.longest_handshake == 0.5


def test_only_leniency_is_lenient() -> None:
    assert [kind.name for kind in FAULTS if line_of(kind.name).lenient] == ["accept-any-session"]
