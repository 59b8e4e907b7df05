"""Each rule of order broken, one at a time, in both generations; and sessions in which none is."""

from __future__ import annotations

import pytest

from harness.dialects import bundled_dialect
from harness.lint.shown import Shown
from harness.logs import LogEntry
from tests.lint.conversations import ALL, WORDS
from tests.lint.made import (
    FLAT,
    GA,
    GENERATIONS,
    Said,
    cassette,
    codes,
    failing,
    judged,
    log_of,
    moved,
    part_of,
    place,
    said_of,
    twice,
    without,
)
from tests.lint.sessions import Session


def names(dialect: str) -> dict[str, str]:
    """Canonical names and what this dialect calls them."""
    return {canonical: wire for wire, canonical in bundled_dialect(dialect).translation.events.items()}


def on(dialect: str, name: str) -> str:
    return names(dialect).get(name, name)


def spoken(dialect: str) -> list[Said]:
    return cassette(dialect, "audio-turn")


def assert_only(said: list[Said], dialect: str, code: str) -> None:
    """One rule fires, and no other: a fault has one name."""
    report = judged(said, dialect)
    assert codes(report) == {code}, said_of(report)
    assert all(one.lines and one.finding.basis and one.finding.mend for one in report.found)


@pytest.mark.parametrize("dialect", GENERATIONS)
class TestASession:
    def test_is_created_before_it_is_updated(self, dialect: str) -> None:
        said = spoken(dialect)
        opening = said.pop(0)
        said.insert(place(said, "session.updated") + 1, opening)
        assert_only(said, dialect, "order.session-first")

    def test_is_created_before_its_items(self, dialect: str) -> None:
        said = [one for one in cassette(dialect, "text-turn") if not one[1]["type"].startswith("session.")]
        opening = spoken(dialect)[0]
        said.insert(place(said, "response.output_item.added") + 1, opening)
        assert_only(said, dialect, "order.session-first")

    def test_is_created_once(self, dialect: str) -> None:
        assert_only(twice(spoken(dialect), "session.created"), dialect, "order.session-first")

    def test_that_was_created_under_a_blotted_out_id_is_told_apart_by_its_end(self, dialect: str) -> None:
        said = twice(spoken(dialect), "session.created")
        said[1][1]["session"]["expires_at"] += 100
        assert not said_of(judged(said, dialect))

    def test_is_updated_once_for_each_update(self, dialect: str) -> None:
        report = judged(twice(spoken(dialect), "session.updated"), dialect)
        assert codes(report) == {"order.update-answered"}
        assert not report.failed


@pytest.mark.parametrize("dialect", GENERATIONS)
class TestAResponse:
    def test_begins_with_response_created(self, dialect: str) -> None:
        assert_only(without(spoken(dialect), "response.created"), dialect, "order.response-frame")

    def test_is_created_once(self, dialect: str) -> None:
        assert_only(twice(spoken(dialect), "response.created"), dialect, "order.response-frame")

    def test_ends_with_response_done(self, dialect: str) -> None:
        said = spoken(dialect)
        at = place(said, on(dialect, "response.output_audio.delta"), 2)
        said.append(said.pop(at))
        assert "order.response-frame" in failing(judged(said, dialect))

    def test_is_done_once(self, dialect: str) -> None:
        assert "order.response-frame" in failing(judged(twice(spoken(dialect), "response.done"), dialect))

    def test_is_alone_in_its_conversation(self, dialect: str) -> None:
        said = cassette(dialect, "tool-call-round")
        at = place(said, "response.done")
        said.insert(place(said, "response.created", 1) + 1, said.pop(at))
        assert "order.response-frame" in failing(judged(said, dialect))

    def test_lists_the_items_it_made(self, dialect: str) -> None:
        said = spoken(dialect)
        said[place(said, "response.done")][1]["response"]["output"] = []
        assert_only(said, dialect, "order.output-listed")

    def test_that_was_cancelled_owes_no_list_and_no_whole_text(self, dialect: str) -> None:
        said = spoken(dialect)
        response = said[place(said, "response.done")][1]["response"]
        response.update(output=[], status="cancelled")
        said[place(said, on(dialect, "response.output_audio_transcript.done"))][1]["transcript"] = "Of"
        assert not said_of(judged(said, dialect))


@pytest.mark.parametrize("dialect", GENERATIONS)
class TestAnItem:
    def test_is_announced_before_it_joins_the_conversation(self, dialect: str) -> None:
        said = spoken(dialect)
        at = place(said, "response.output_item.added")
        said[at], said[at + 1] = said[at + 1], said[at]
        assert_only(said, dialect, "order.item-added")

    def test_is_announced_before_its_parts(self, dialect: str) -> None:
        said = without(spoken(dialect), "response.output_item.added")
        assert "order.part-frame" in failing(judged(said, dialect))

    def test_is_announced_once(self, dialect: str) -> None:
        assert_only(twice(spoken(dialect), "response.output_item.added"), dialect, "order.item-added")

    def test_joins_the_conversation_once(self, dialect: str) -> None:
        said = spoken(dialect)
        at = place(said, "response.output_item.added") + 1
        assert_only([*said[: at + 1], *said[at:]], dialect, "order.item-added")

    def test_is_done_before_its_response(self, dialect: str) -> None:
        said = without(spoken(dialect), "response.output_item.done")
        assert "order.output-listed" in failing(judged(said, dialect))


class TestAnItemThatIsDone:
    @pytest.mark.parametrize("nth", [0, 1])
    def test_is_done_once(self, nth: int) -> None:
        assert_only(twice(spoken(GA), "conversation.item.done", nth), GA, "order.item-done")

    def test_was_added_before(self) -> None:
        said = spoken(GA)
        at = place(said, "conversation.item.done")
        said.insert(at - 1, said.pop(at))
        assert_only(said, GA, "order.item-done")

    def test_is_done_in_the_conversation_before_it_is_done_in_the_response(self) -> None:
        said = spoken(GA)
        at = place(said, "response.output_item.done")
        said[at - 1], said[at] = said[at], said[at - 1]
        assert_only(said, GA, "order.item-done")

    def test_is_not_left_open_until_the_next_response_is_done(self) -> None:
        assert_only(without(spoken(GA), "conversation.item.done"), GA, "order.item-done")

    def test_may_be_created_again_under_its_id(self) -> None:
        said = cassette(GA, "text-turn")
        at = place(said, "conversation.item.added")
        assert not said_of(judged([*said[: at + 2], *said[at:]], GA))

    def test_is_not_asked_of_a_dialect_that_says_it_once(self) -> None:
        rules = {name.removeprefix("order.") for name in codes(judged(spoken(FLAT), FLAT))}
        assert "item-done" not in rules


@pytest.mark.parametrize("dialect", GENERATIONS)
class TestAPart:
    def test_is_added_before_its_deltas(self, dialect: str) -> None:
        said = without(spoken(dialect), "response.content_part.added")
        assert_only(said, dialect, "order.part-frame")

    def test_is_done_once(self, dialect: str) -> None:
        assert_only(twice(spoken(dialect), "response.content_part.done"), dialect, "order.part-frame")

    @pytest.mark.parametrize("kind", ["response.output_audio", "response.output_audio_transcript"])
    def test_has_no_delta_after_its_done(self, dialect: str, kind: str) -> None:
        done, delta = on(dialect, f"{kind}.done"), on(dialect, f"{kind}.delta")
        said = moved(spoken(dialect), done, delta, 0)
        assert "order.part-frame" in failing(judged(said, dialect))

    def test_is_added_once(self, dialect: str) -> None:
        assert_only(twice(spoken(dialect), "response.content_part.added"), dialect, "order.part-frame")

    def test_is_done_before_its_response(self, dialect: str) -> None:
        assert_only(without(spoken(dialect), "response.content_part.done"), dialect, "order.part-frame")

    @pytest.mark.parametrize("kind", ["response.output_audio", "response.output_audio_transcript"])
    def test_is_not_done_before_its_streams_are(self, dialect: str, kind: str) -> None:
        assert_only(without(spoken(dialect), on(dialect, f"{kind}.done")), dialect, "order.part-frame")

    def test_is_done_after_its_streams(self, dialect: str) -> None:
        said = moved(spoken(dialect), "response.content_part.done", on(dialect, "response.output_audio.done"))
        assert_only(said, dialect, "order.part-frame")

    def test_stream_is_done_once(self, dialect: str) -> None:
        said = twice(spoken(dialect), on(dialect, "response.output_audio.done"))
        assert_only(said, dialect, "order.part-frame")

    @pytest.mark.parametrize(
        ("name", "delta"),
        [
            ("audio-turn", "response.output_audio_transcript.delta"),
            ("text-modality", "response.output_text.delta"),
            ("tool-call-round", "response.function_call_arguments.delta"),
        ],
    )
    def test_says_in_the_end_what_its_deltas_said(self, dialect: str, name: str, delta: str) -> None:
        said = without(cassette(dialect, name), on(dialect, delta))
        assert "order.deltas-joined" in failing(judged(said, dialect))

    def test_begins_with_its_transcript(self, dialect: str) -> None:
        said = moved(
            spoken(dialect),
            on(dialect, "response.output_audio.delta"),
            on(dialect, "response.output_audio_transcript.delta"),
        )
        report = judged(said, dialect)
        assert codes(report) == {"order.transcript-first"}
        assert not report.failed

    def test_with_a_character_cut_in_two_is_not_compared(self, dialect: str) -> None:
        said = spoken(dialect)
        said[place(said, on(dialect, "response.output_audio_transcript.delta"))][1]["delta"] = "�"
        assert not said_of(judged(said, dialect))


@pytest.mark.parametrize("dialect", GENERATIONS)
class TestSpeech:
    def spoken(self, dialect: str) -> list[Said]:
        session = Session(ga=dialect == GA, azure=dialect == GA)
        session.open()
        session.end_speech(session.start_speech())
        return session.said

    def test_stops_before_it_is_committed(self, dialect: str) -> None:
        committed, stopped = "input_audio_buffer.committed", "input_audio_buffer.speech_stopped"
        assert_only(moved(self.spoken(dialect), committed, stopped), dialect, "order.speech")

    def test_starts_before_it_is_committed(self, dialect: str) -> None:
        said = self.spoken(dialect)
        said.append(said.pop(place(said, "input_audio_buffer.speech_started")))
        assert_only(said, dialect, "order.speech")

    def test_is_committed_before_its_item_is_added_as_a_rule(self, dialect: str) -> None:
        said = self.spoken(dialect)
        at = place(said, on(dialect, "conversation.item.added"))
        said.insert(at, said.pop(at - 1))
        report = judged(said, dialect)
        assert codes(report) == {"order.speech"}
        assert not report.failed


@pytest.mark.parametrize("name", ALL)
def test_a_session_as_the_service_has_it_is_in_order(name: str) -> None:
    dialect, session = ALL[name]
    report = judged(session.said, dialect)
    assert {code for _, code, _ in said_of(report)} <= {"service.refusal"}, said_of(report)


@pytest.mark.parametrize("name", ALL)
def test_a_log_may_begin_and_end_anywhere(name: str) -> None:
    dialect, session = ALL[name]
    for at in range(1, len(session.said), 7):
        assert not failing(judged(session.said[at:], dialect)), at
        assert not failing(judged(session.said[:at], dialect)), at


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", [".delta", ".done", ".added", "_done", ".created"])
def test_a_log_may_leave_kinds_of_events_out(name: str, kind: str) -> None:
    dialect, session = ALL[name]
    if kind == ".created":  # and of the rest only what begins and ends a response
        said = [one for one in session.said if one[1]["type"] in ("session.created", "response.done")]
    else:
        said = [one for one in session.said if not one[1]["type"].endswith(kind)]
    report = judged(said, dialect)
    assert not failing(report), said_of(report)


def test_two_sides_alone_are_each_in_order() -> None:
    for dialect, session in ALL.values():
        for side in ("client", "server"):
            assert not failing(judged([one for one in session.said if one[0] == side], dialect))


def test_a_log_with_a_gap_is_not_asked_for_what_may_have_stood_there() -> None:
    log = log_of(without(spoken(GA), "response.created"))
    gap = LogEntry(999, None, None, "half a line")
    assert failing(judged(log, GA)) == {"order.response-frame"}
    assert failing(judged(part_of(log, [*log.entries, gap]), GA)) == {"log.unreadable"}


def test_responses_outside_the_conversation_may_run_side_by_side() -> None:
    session = Session(ga=True)
    session.open()
    first = session.response()
    other = session.response()
    other_body = session.said[-1][1]["response"]
    other_body["conversation_id"] = None
    other.audio(WORDS).speak().end()
    first.audio(WORDS).speak().end()
    other.done()
    first.done()
    assert not said_of(judged(session.said, "openai-ga"))


def test_a_filter_leaves_out_two_kinds_or_a_kind_and_its_counterpart() -> None:
    outputs = frozenset({"response.output_item.added", "response.output_item.done"})
    lane = outputs | {"conversation.item.added", "conversation.item.done"}
    assert Shown(lane).filtered
    assert not Shown(lane | {"response.done"}).filtered
    assert not Shown(lane | {"response.created"}).filtered
    assert Shown(frozenset({"response.output_text.delta"})).hidden == (
        "response.content_part.added",
        "response.created",
        "response.output_item.added",
    )


@pytest.mark.parametrize("dialect", GENERATIONS)
class TestAServerThatTakesAnything:
    def test_says_updated_to_what_the_service_refuses(self, dialect: str) -> None:
        said = spoken(dialect)
        said[place(said, "session.update")][1]["session"]["nonsense"] = 1
        assert codes(judged(said, dialect)) == {"session.unknown-parameter", "order.update-answered"}

    def test_never_adds_its_item_to_the_conversation(self, dialect: str) -> None:
        added = on(dialect, "conversation.item.added")
        said = spoken(dialect)
        report = judged(without(said, added, [e["type"] for _, e in said].count(added) - 1), dialect)
        assert "order.item-added" in failing(report)

    def test_adds_none_of_a_response_outside_the_conversation(self, dialect: str) -> None:
        said = [
            one
            for one in cassette(dialect, "text-turn")
            if not one[1]["type"].startswith("conversation.item.")
        ]
        for _, event in said:
            if "response" in event and "conversation_id" in event["response"]:
                event["response"]["conversation_id"] = None
        assert not failing(judged(said, dialect))

    @pytest.mark.parametrize("usage", [None, {"total_tokens": 0, "input_tokens": 0, "output_tokens": 0}])
    def test_counts_no_tokens(self, dialect: str, usage: dict[str, int] | None) -> None:
        said = spoken(dialect)
        said[place(said, "response.done")][1]["response"]["usage"] = usage
        assert_only(said, dialect, "order.usage-counted")
