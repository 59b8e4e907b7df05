"""Two sessions compared: what is new in every run is no difference, and every fault is one."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundled import cassettes_folder
from harness.cassette import Close
from harness.dialects import Dialect, bundled_dialect
from harness.diff import DiffOptions, Kind, SessionDiff, diff_sessions, text_lines, to_json
from harness.logs import Extent, Log, LogEntry, read_log
from harness.messages import Side
from harness.validation import bundled_schema
from tests.diff.edits import KINDS, edited_at
from tests.diff.sessions import Entry, Talk, log_of, voice_session, with_fresh_ids, with_other_chunks

SESSION = voice_session()
BY_CHANCE = ("rate_limits.updated", "response.output_audio.delta")
"""What is another in every answer."""


def compared(a: list[Entry], b: list[Entry], **options: bool) -> SessionDiff:
    return diff_sessions(log_of(a), log_of(b, "b.jsonl"), DiffOptions(**options))


def changes_of(diff: SessionDiff) -> list[tuple[str, str, Any, Any]]:
    return [
        (change.kind, change.path, change.expected, change.actual)
        for lane in diff.lanes
        for difference in lane.differences
        for change in difference.changes
    ]


def echoes_of(diff: SessionDiff) -> set[str]:
    return {change.path for lane in diff.lanes for each in lane.differences for change in each.echoes}


def altered(entries: list[Entry], type_: str, **fields: Any) -> list[Entry]:
    """The session with fields of the first event of a type changed."""
    found = copy.deepcopy(entries)
    event = next(event for _, event in found if event["type"] == type_)
    event.update(fields)
    return found


# What is new in every session.


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_another_run_with_other_ids_chunks_times_and_padding_is_the_same(seed: int, turns: int) -> None:
    entries = voice_session(seed, turns)
    other = with_other_chunks(with_fresh_ids(entries, seed + 1), seed)

    diff = compared(entries, other)

    assert diff.same, list(text_lines(diff))
    assert diff.count == 0


@pytest.mark.parametrize(
    ("option", "type_", "path"),
    [
        ("ids", "response.created", "response.id"),
        ("ids", "session.created", "event_id"),
        ("times", "session.created", "session.expires_at"),
        ("obfuscation", "response.output_audio_transcript.delta", "obfuscation[0]"),
    ],
)
def test_each_of_them_can_be_put_back(option: str, type_: str, path: str) -> None:
    diff = compared(SESSION, with_other_chunks(with_fresh_ids(SESSION)), **{option: True})

    types = {d.a[0].type for lane in diff.lanes for d in lane.differences if d.a}
    assert type_ in types
    assert path in {found for _, found, _, _ in changes_of(diff)} | echoes_of(diff)


def test_ids_put_back_are_the_same_in_a_session_and_itself() -> None:
    assert compared(SESSION, SESSION, ids=True, times=True, obfuscation=True, audio=True).same


def test_the_samples_count_only_where_they_are_asked_for_and_their_chunks_never() -> None:
    other = copy.deepcopy(SESSION)
    event = next(event for _, event in other if event["type"] == "response.output_audio.delta")
    event["delta"] = ("B" if event["delta"][0] == "A" else "A") + event["delta"][1:]

    assert compared(SESSION, other).same
    ((kind, path, _, _),) = changes_of(compared(SESSION, other, audio=True))
    assert (kind, path) == ("changed", "delta")
    assert compared(SESSION, with_other_chunks(SESSION), audio=True).same


def test_the_amount_of_appended_audio_counts_by_turn() -> None:
    other = list(SESSION)
    del other[next(n for n, (_, event) in enumerate(other) if event["type"] == "input_audio_buffer.append")]

    (change,) = changes_of(compared(SESSION, other))

    assert change[:2] == ("changed", "appended_bytes")
    assert change[2] > change[3]


def test_with_voice_detection_the_service_ends_the_turn() -> None:
    entries = [entry for entry in SESSION if entry[1]["type"] != "input_audio_buffer.commit"]
    other = [entry for n, entry in enumerate(entries) if n != 3]

    assert entries[3][1]["type"] == "input_audio_buffer.append"
    diff = compared(entries, other)
    assert [path for _, path, _, _ in changes_of(diff)] == ["appended_bytes"]
    assert diff.lanes[0].differences[0].a[0].type == "input_audio_buffer.committed"


# Faults.


@given(st.integers(0, len(SESSION) - 1), st.sampled_from(KINDS), st.integers(0, 10**6))
def test_a_single_fault_is_found_and_reported_once_or_twice(place: int, kind: str, seed: int) -> None:
    other, (edit,) = edited_at(with_fresh_ids(SESSION), {place}, random.Random(seed), (kind,))

    diff = compared(SESSION, other)

    assert 1 <= diff.count <= 2, (edit, *text_lines(diff))


@given(st.sets(st.integers(0, len(SESSION) - 1), min_size=1, max_size=12), st.integers(0, 10**6))
def test_a_comparison_turns_round_with_its_sides(places: set[int], seed: int) -> None:
    other, _ = edited_at(with_fresh_ids(SESSION), places, random.Random(seed))
    turned = {"only-a": "only-b", "only-b": "only-a"}
    added = {"added": "removed", "removed": "added"}

    def gist(diff: SessionDiff, *, back: bool) -> list[Any]:
        found = []
        for lane in diff.lanes:
            for difference in lane.differences:
                sides = (difference.b, difference.a) if back else (difference.a, difference.b)
                kind = turned.get(difference.kind, str(difference.kind)) if back else str(difference.kind)
                values = sorted(
                    (added.get(c.kind, c.kind), c.path, repr(c.actual), repr(c.expected))
                    if back
                    else (c.kind, c.path, repr(c.expected), repr(c.actual))
                    for c in (*difference.changes, *difference.echoes)
                )
                found.append((kind, [[m.lines for m in side] for side in sides], values))
        return sorted(found, key=repr)

    there, back = compared(SESSION, other), compared(other, SESSION)

    assert gist(there, back=False) == gist(back, back=True)


def test_an_answer_more_shifts_no_other() -> None:
    talk, longer = Talk(3), Talk(3)
    for each in (talk, longer):
        each.begin()
        each.typed("One?")
        each.response("It is one.")
    longer.response("And a half, by the way.")
    for each in (talk, longer):
        each.typed("Two?")
        each.response("It is two.")
    for each in (talk, longer):
        each.entries = [entry for entry in each.entries if entry[1]["type"] not in BY_CHANCE]
        for _, event in each.entries:
            if event["type"] == "response.done":
                event["response"]["usage"] = None

    diff = compared(talk.entries, longer.entries)

    names = [(lane.name_a, lane.name_b, [d.kind for d in lane.differences]) for lane in diff.lanes]
    assert names == [
        ("requests of the client", "requests of the client", [Kind.ONLY_B]),
        (None, "response 2", [Kind.ONLY_B]),
    ]
    whole = diff.lanes[1].differences[0].b
    assert {message.type for message in whole} >= {
        "response.created",
        "conversation.item.done",
        "response.done",
    }


def test_items_of_one_answer_may_interleave() -> None:
    talk = Talk(4)
    talk.response("One moment.", ("distance", '{"to": 7}'))
    message, call = (
        [n for n, (_, event) in enumerate(talk.entries) if event.get("output_index") == index]
        for index in (0, 1)
    )
    first = talk.entries[call[0]]
    other = [entry for n, entry in enumerate(talk.entries) if n != call[0]]
    other.insert(message[3], first)

    assert compared(talk.entries, other).same


def test_a_wrong_reference_is_a_difference_and_names_both_items() -> None:
    talk = Talk(5)
    for words in ("One?", "Two?", "Three?"):
        talk.typed(words)
    other = with_fresh_ids(talk.entries)
    first = next(event for _, event in other if event["type"] == "conversation.item.added")["item"]["id"]
    last = [event for _, event in other if event["type"] == "conversation.item.added"][-1]
    second = last["previous_item_id"]
    last["previous_item_id"] = first

    (change,) = changes_of(compared(talk.entries, other))

    assert change[:2] == ("changed", "previous_item_id")
    assert change[2].startswith("item 2 (item_")
    assert change[3] == f"item 1 ({first})"
    assert second != first


def test_the_result_of_another_call_is_a_difference() -> None:
    def calls(swap: bool) -> list[Entry]:
        talk = Talk(6)
        talk.response(("add", "{}"), ("sub", "{}"))
        made = [e["item"]["call_id"] for _, e in talk.entries if e["type"] == "response.output_item.done"]
        for call, output in zip(made, ("5", "1") if not swap else ("1", "5"), strict=True):
            item = {"type": "function_call_output", "call_id": call, "output": output}
            talk.client("conversation.item.create", item=item)
        return talk.entries

    found = changes_of(compared(calls(swap=False), calls(swap=True)))

    assert [(path, a, b) for _, path, a, b in found] == [("item.output", "5", "1"), ("item.output", "1", "5")]


def test_results_of_calls_may_come_in_any_order() -> None:
    talk = Talk(6)
    talk.response(("add", "{}"), ("sub", "{}"))
    made = [e["item"]["call_id"] for _, e in talk.entries if e["type"] == "response.output_item.done"]
    for call in made:
        item = {"type": "function_call_output", "call_id": call, "output": call[-3:]}
        talk.client("conversation.item.create", item=item)

    assert compared(talk.entries, [*talk.entries[:-2], *talk.entries[:-3:-1]]).same


def test_a_text_that_differs_is_reported_once_with_its_echoes() -> None:
    talk, other = Talk(8), Talk(8)
    talk.response("It is sunny in Paris.")
    other.response("It is rainy in Paris.")

    diff = compared(talk.entries, other.entries)

    assert [(path, a) for _, path, a, _ in changes_of(diff)][:1] == [("delta", "It is sunny in Paris. ")]
    texts = [path for _, path, a, _ in changes_of(diff) if a == "It is sunny in Paris."]
    echoes = [c for lane in diff.lanes for d in lane.differences for c in d.echoes]
    assert len(texts) == 1
    assert len(echoes) == 4


def test_settings_that_moved_are_listed_field_by_field() -> None:
    flat: dict[str, Any] = {"modalities": ["audio", "text"], "voice": "echo", "instructions": "x"}
    nested: dict[str, Any] = {
        "type": "realtime",
        "instructions": "x",
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": None},
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "echo"},
        },
    }
    a: list[Entry] = [("client", {"type": "session.update", "session": flat})]
    b: list[Entry] = [("client", {"type": "session.update", "session": nested})]

    assert [(kind, path) for kind, path, _, _ in changes_of(compared(a, b))] == [
        ("added", "session.audio.input.format"),
        ("added", "session.audio.input.turn_detection"),
        ("added", "session.audio.output.format"),
        ("added", "session.audio.output.voice"),
        ("removed", "session.modalities"),
        ("added", "session.type"),
        ("removed", "session.voice"),
    ]


def test_an_event_at_another_place_of_its_lane_is_one_difference() -> None:
    talk = Talk(9)
    for words in ("One?", "Two?", "Three?", "Four?"):
        talk.client("conversation.item.create", item={"type": "message", "content": [{"text": words}]})
    first, *rest = talk.entries

    (lane,) = compared(talk.entries, [*rest, first]).lanes

    (difference,) = lane.differences
    assert difference.kind is Kind.MOVED
    assert (difference.a[0].lines, difference.b[0].lines) == ((1,), (4,))


# Logs that are not whole.


def test_a_line_that_cannot_be_read_is_compared_as_such() -> None:
    broken = log_of(SESSION)
    entries = (*broken.entries, LogEntry(len(SESSION) + 1, None, None, problem="not JSON: line 1"))
    diff = diff_sessions(broken, Log("b", "JSON Lines", entries))

    (lane,) = diff.lanes
    assert lane.name_b == "unreadable lines"
    assert lane.differences[0].b[0].lines == (len(SESSION) + 1,)
    assert any("not JSON" in json.dumps(d["b"]) for d in to_json(diff)["lanes"][0]["differences"])
    assert diff_sessions(Log("b", "JSON Lines", entries), Log("b", "JSON Lines", entries)).same


def test_what_a_publisher_cut_or_left_out_says_nothing() -> None:
    session = SESSION[0][1]
    cut = {**session, "session": {"id": "sess_other", "model": "gpt-realtime"}}
    a, b = log_of(SESSION[:1]), LogEntry(1, Side.SERVER, cut, extent=Extent.CUT)
    assert diff_sessions(a, Log("b", "x", (b,))).same

    wrong = {**cut, "session": {"model": "another"}}
    b = LogEntry(1, Side.SERVER, wrong, extent=Extent.CUT)
    assert [path for _, path, _, _ in changes_of(diff_sessions(a, Log("b", "x", (b,))))] == ["session.model"]

    b = LogEntry(1, Side.SERVER, {"type": "session.created"}, extent=Extent.ELIDED)
    assert diff_sessions(a, Log("b", "x", (b,))).same


def test_how_the_connection_closed_counts_where_both_say_it() -> None:
    a = log_of(SESSION, close=Close("client", 1000))
    b = log_of(SESSION, close=Close("server", 1001, "bye"))

    assert [path for _, path, _, _ in changes_of(diff_sessions(a, b))] == ["by", "code", "reason"]
    silent = diff_sessions(a, log_of(SESSION))
    assert silent.same
    assert silent.notes == ("B does not say how the connection was closed, so that is not compared.",)


def test_sessions_of_one_file_are_compared_one_by_one() -> None:
    def twice(entries: list[Entry]) -> Log:
        first = log_of(SESSION).entries
        second = [LogEntry(len(first) + e.line, e.side, e.event, session=2) for e in log_of(entries).entries]
        return Log("a", "x", (*first, *second))

    assert diff_sessions(twice(SESSION), twice(with_fresh_ids(SESSION))).same
    other = altered(with_fresh_ids(SESSION), "session.update", session={"instructions": "Be rude."})
    (lane, *_) = diff_sessions(twice(SESSION), twice(other)).lanes
    assert lane.session == 2


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["type", "item", "item_id", "response", "response_id", "delta", "audio", "session", "error"]
            ),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers(0, 2)
                | st.sampled_from(
                    [
                        "x",
                        "",
                        "error",
                        "a.delta",
                        "session.update",
                        "response.output_item.added",
                        "conversation.item.created",
                    ]
                ),
                lambda inner: (
                    st.lists(inner, max_size=2)
                    | st.dictionaries(st.sampled_from(["id", "type", "output", "content"]), inner, max_size=2)
                ),
                max_leaves=4,
            ),
        ),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_events_of_any_shape_are_compared(events: list[dict[str, Any]], source: random.Random) -> None:
    def log(shuffled: list[dict[str, Any]]) -> Log:
        sides = [*Side, None]
        return Log("x", "x", tuple(LogEntry(n, source.choice(sides), e) for n, e in enumerate(shuffled)))

    one = log(events)
    other = log(source.sample(events, len(events)))

    assert diff_sessions(one, one).same
    diff_sessions(one, other, dialect_a=bundled_dialect("openai-beta"), dialect_b=bundled_dialect("azure-v1"))
    diff = diff_sessions(one, other, DiffOptions(ids=True, audio=True, times=True, obfuscation=True))
    assert bundled_schema("diff").problems(to_json(diff)) == []
    assert all(line.isprintable() for line in text_lines(diff))


# Two dialects.


def test_two_dialects_are_compared_in_canonical_form_with_a_list_of_the_names(
    preview: Dialect, v1: Dialect
) -> None:
    logs = [read_log(cassettes_folder() / d.name / "text-turn.jsonl") for d in (preview, v1)]

    diff = diff_sessions(*logs, dialect_a=preview, dialect_b=v1)

    assert diff.canonical
    names = {(rename.kind, rename.a, rename.b) for rename in diff.renames}
    assert ("event", "response.audio.delta", "response.output_audio.delta") in names
    assert ("field", "session.voice", "session.audio.output.voice") in names
    assert ("part", "audio", "output_audio") in names
    assert {lane.kind for lane in diff.lanes} == {"session", "response"}
    assert all(kind != "changed" or path == "session.model" for kind, path, _, _ in changes_of(diff))


def test_as_they_stand_on_the_wire_every_name_is_a_difference(preview: Dialect, v1: Dialect) -> None:
    logs = [read_log(cassettes_folder() / d.name / "text-turn.jsonl") for d in (preview, v1)]

    diff = diff_sessions(*logs, DiffOptions(as_wire=True), dialect_a=preview, dialect_b=v1)

    assert not diff.canonical
    assert diff.renames == ()
    found = changes_of(diff)
    assert ("changed", "type", "response.audio.delta", "response.output_audio.delta") in found
    assert "session.voice" in {path for kind, path, _, _ in found if kind == "removed"}


def test_where_only_one_dialect_is_known_the_wire_is_compared_and_that_is_said(v1: Dialect) -> None:
    log = log_of(SESSION)

    assert diff_sessions(log, log).notes == ()
    (note,) = diff_sessions(log, log, dialect_b=v1).notes
    assert "--dialect-a" in note


@pytest.mark.parametrize(
    "path", sorted(cassettes_folder().rglob("*.jsonl")), ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_a_cassette_and_itself_are_the_same(path: Path) -> None:
    log = read_log(path)

    assert log.entries
    assert diff_sessions(log, log, DiffOptions(ids=True, times=True, obfuscation=True, audio=True)).same


def test_the_halves_that_translation_makes_of_one_event_are_no_difference(
    preview: Dialect, v1: Dialect
) -> None:
    logs = [read_log(cassettes_folder() / d.name / "tool-call-round.jsonl") for d in (preview, v1)]

    diff = diff_sessions(*logs, dialect_a=preview, dialect_b=v1)

    assert not [lane.name_a for lane in diff.lanes if lane.kind == "item"]


# Real traffic.


def test_every_capture_is_the_same_as_itself(captures: Any) -> None:
    for path in sorted(captures.glob("*.jsonl")):
        log = read_log(path)
        assert diff_sessions(log, log).same, path.name


def test_two_real_sessions_of_one_service_differ_in_what_was_said(captures: Any) -> None:
    a = read_log(captures / "azure-ws-message-history-seeding.jsonl")
    b = read_log(captures / "parity-ws-history-seeding-parity-azure-current.jsonl")

    diff = diff_sessions(a, b)

    assert not diff.same
    assert diff.count < 40
    assert not any(
        change[1].endswith(("event_id", "expires_at", "obfuscation")) for change in changes_of(diff)
    )


def test_azure_and_openai_differ_in_the_copy_of_the_part(captures: Any, v1: Dialect) -> None:
    a = read_log(captures / "azure-ws-tool-call-round.jsonl")
    b = read_log(captures / "parity-ws-text-tool-round-parity-openai-current.jsonl")

    wire = diff_sessions(a, b)
    assert ("removed", "content", {"type": "text", "text": ""}, None) in changes_of(wire)
    only_b = [lane.name_b for lane in wire.lanes for d in lane.differences if d.kind is Kind.ONLY_B]
    assert only_b == ["response 1, item 2, assistant message", "rate limits"]
