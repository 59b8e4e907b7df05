from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundled import cassettes_folder
from harness.cassette import load_cassette
from harness.dialects import Dialect, bundled_dialect
from harness.messages import Side
from harness.translation import Loss, Translator, items_of
from tests.translation.events import Event, canonical, created, item, output, wire

PREVIEW = bundled_dialect("azure-2024-10-01-preview")
V1 = bundled_dialect("azure-v1")
CASSETTES = sorted(cassettes_folder().glob("*/*.jsonl"))


def sorted_modalities(value: Any) -> Any:
    """The same value with its modalities sorted: they are a set."""
    if isinstance(value, dict):
        return {
            key: sorted(inner)
            if key == "modalities" and isinstance(inner, list)
            else sorted_modalities(inner)
            for key, inner in value.items()
        }
    return [sorted_modalities(inner) for inner in value] if isinstance(value, list) else value


def there_and_back(
    dialect: Dialect, session: Iterable[tuple[Side, Event]]
) -> list[tuple[Event, list[Event]]]:
    """Each event of the wire with what it is after a way to canonical form and back, where it changed."""
    there, back = Translator(dialect), Translator(dialect)
    changed = []
    for side, event in session:
        middle = there.to_canonical(side, event)
        assert middle.losses == (), (event["type"], middle.losses)
        returned = [back.to_wire(side, one) for one in middle.events]
        # The half that was made has no id of its own to lose.
        halves = [one for one in returned if not one.events]
        assert all({loss.path for loss in one.losses} == {"event_id"} for one in halves), event["type"]
        assert not [loss for one in returned if one.events for loss in one.losses], event["type"]
        end = [made for one in returned for made in one.events]
        if [sorted_modalities(made) for made in end] != [sorted_modalities(event)]:
            changed.append((event, end))
    return changed


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_cassette_is_itself_after_a_way_to_canonical_form_and_back(path: Any) -> None:
    cassette = load_cassette(path)
    session = [(one.side, one.event) for one in cassette.interactions if one.event is not None]

    assert len(session) > 10
    assert there_and_back(bundled_dialect(cassette.header.dialect), session) == []


def test_there_are_cassettes_of_both_generations() -> None:
    assert {path.parent.name for path in CASSETTES} >= {PREVIEW.name, V1.name}


@pytest.mark.parametrize("pattern", ["azure-ws-*.jsonl", "parity-*azure*.jsonl"])
def test_a_captured_ga_session_is_itself_after_a_way_there_and_back(
    pattern: str, captured: Callable[[str], list[list[Any]]]
) -> None:
    for session in captured(pattern):
        assert there_and_back(V1, [(entry.side, entry.event) for entry in session]) == []


@pytest.mark.parametrize("pattern", ["azure-preview-webrtc-*.jsonl", "openai-beta-ws-*.jsonl"])
def test_a_captured_session_of_beta_names_is_itself_after_a_way_there_and_back(
    pattern: str, captured: Callable[[str], list[list[Any]]]
) -> None:
    for session in captured(pattern):
        events = [
            (entry.side, {key: value for key, value in entry.event.items() if key != "obfuscation"})
            for entry in session
        ]
        assert there_and_back(PREVIEW, events) == []


def ga_through_preview(session: Iterable[tuple[Side, Event]]) -> tuple[list[Event], list[Event]]:
    """The service's side of a GA session in canonical form, and after a way over the preview's wire."""
    from_ga, to_preview, from_preview = Translator(V1), Translator(PREVIEW), Translator(PREVIEW)
    straight: list[Event] = []
    round_about: list[Event] = []
    for side, event in session:
        if side is Side.CLIENT:
            continue
        for one in from_ga.to_canonical(side, event).events:
            straight.append(one)
            for made in to_preview.to_wire(side, one).events:
                round_about.extend(from_preview.to_canonical(side, made).events)
    return straight, round_about


@pytest.mark.parametrize("pattern", ["azure-ws-*.jsonl", "parity-*.jsonl", "openai-ws-*.jsonl"])
def test_a_captured_ga_session_keeps_its_order_and_items_over_the_wire_of_preview(
    pattern: str, captured: Callable[[str], list[list[Any]]]
) -> None:
    for session in captured(pattern):
        straight, round_about = ga_through_preview([(entry.side, entry.event) for entry in session])

        whole = [one for one in straight if one["type"] != "conversation.item.done"]
        if len(round_about) != len(straight):  # a capture that ends inside an answer
            round_about = [one for one in round_about if one["type"] != "conversation.item.done"]
            straight = whole
        assert [one["type"] for one in round_about] == [one["type"] for one in straight]
        for one, other in zip(straight, round_about, strict=True):
            assert items_of(one) == items_of(other), one["type"]


GA_ALONE = {"idle-timeout", "out-of-band-response", "transcription-session"}
"""Scenarios that the oldest preview does not have."""


def test_the_cassettes_of_both_dialects_say_the_same_in_canonical_form() -> None:
    def types(path: Any, side: Side) -> list[str]:
        cassette = load_cassette(path)
        translator = Translator(bundled_dialect(cassette.header.dialect))
        return [
            made["type"]
            for one in cassette.interactions
            if one.side is side and one.event is not None
            for made in translator.to_canonical(side, one.event).events
            if not made["type"].endswith("transcription.delta")  # the oldest preview has none
        ]

    for path in (path for path in CASSETTES if path.parent.name == V1.name):
        other = path.parent.parent / PREVIEW.name / path.name
        if path.stem in GA_ALONE:
            continue
        for side in Side:
            assert types(path, side) == types(other, side), path.name


# Names


@pytest.mark.parametrize(("name", "canonical_name"), PREVIEW.translation.events.items())
def test_a_name_of_the_wire_has_its_name_in_canonical_form_and_back(name: str, canonical_name: str) -> None:
    event = {"type": name, "event_id": "e"}
    if name.startswith("transcription_session"):
        event["session"] = {"input_audio_format": "pcm16"}

    found = Translator(PREVIEW).to_canonical(Side.SERVER, event).events[0]

    assert found["type"] == canonical_name
    assert found.keys() == event.keys()
    assert wire(PREVIEW, found) == [event]


def test_what_kind_of_session_it_is_stands_in_the_name_on_one_side_and_in_the_session_on_the_other() -> None:
    hears = {"type": "session.update", "session": {"type": "transcription", "include": None}}
    speaks = {"type": "session.update", "session": {"type": "realtime", "include": None}}

    assert wire(PREVIEW, hears, speaks, side=Side.CLIENT) == [
        {"type": "transcription_session.update", "session": {"include": None}},
        {"type": "session.update", "session": {"include": None}},
    ]
    for event in (hears, speaks):
        there = wire(PREVIEW, event, side=Side.CLIENT)
        assert canonical(Translator(PREVIEW), *there, side=Side.CLIENT) == [event]
        assert wire(V1, event, side=Side.CLIENT) == [event]


def test_on_ga_no_name_changes() -> None:
    for name in V1.server.events:
        assert Translator(V1).to_canonical(Side.SERVER, {"type": name}).events == ({"type": name},)


def test_an_event_the_wire_has_not_is_named_as_lost() -> None:
    event = {"type": "conversation.item.input_audio_transcription.segment", "event_id": "e"}

    found = Translator(PREVIEW).to_wire(Side.SERVER, event)

    assert found.events == ()
    assert found.losses == (Loss("type", f"{PREVIEW.name} has no event for {event['type']!r}"),)


# Content parts


@pytest.mark.parametrize(
    ("on_the_wire", "in_canonical_form"), [("text", "output_text"), ("audio", "output_audio")]
)
def test_a_part_of_an_assistant_item_is_renamed_both_ways(on_the_wire: str, in_canonical_form: str) -> None:
    event = output("done", "m")
    event["item"]["content"] = [{"type": on_the_wire, "transcript": "x"}]

    (made,) = canonical(Translator(PREVIEW), event)

    assert made["item"]["content"][0]["type"] == in_canonical_form
    assert wire(PREVIEW, made) == [event]


def test_the_parts_of_a_finished_answer_are_renamed_too() -> None:
    event = {
        "type": "response.done",
        "response": {"id": "r", "output": [item("m", "assistant", content=[{"type": "audio"}])]},
    }

    (made,) = canonical(Translator(PREVIEW), event)

    assert made["response"]["output"][0]["content"][0]["type"] == "output_audio"


@pytest.mark.parametrize("name", ["output_text", "output_audio"])
def test_a_canonical_part_name_on_a_wire_that_has_its_own_is_named_as_lost(name: str) -> None:
    event = output("done", "m")
    event["item"]["content"] = [{"type": "text", "text": "x"}, {"type": name}]

    found = Translator(PREVIEW).to_canonical(Side.SERVER, event)

    assert [loss.path for loss in found.losses] == ["item.content[1].type"]
    assert [part["type"] for part in found.events[0]["item"]["content"]] == ["output_text", name]


@pytest.mark.parametrize("role", ["user", "system"])
def test_the_parts_of_other_items_keep_their_names(role: str) -> None:
    event = created("a", role=role)
    event["item"]["content"] = [{"type": "input_text", "text": "x"}, {"type": "text", "text": "y"}]

    (added, _) = canonical(Translator(PREVIEW), event)

    assert added["item"]["content"] == event["item"]["content"]


@pytest.mark.parametrize("kind", ["added", "done"])
@pytest.mark.parametrize("part", [{"type": "text", "text": "x"}, {"type": "audio", "transcript": "x"}])
def test_the_part_of_a_content_part_event_has_one_name_everywhere(kind: str, part: Event) -> None:
    event = {"type": f"response.content_part.{kind}", "event_id": "e", "item_id": "m", "part": part}

    assert canonical(Translator(PREVIEW), event) == [event]
    assert wire(PREVIEW, event) == [event]
    (on_ga,) = wire(V1, event)
    assert on_ga["part"] == part


def test_the_history_a_client_sends_is_renamed_for_the_wire() -> None:
    event = {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
    }

    (made,) = wire(PREVIEW, event, side=Side.CLIENT)

    assert made["item"] == {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "x"}],
    }
    assert canonical(Translator(PREVIEW), made, side=Side.CLIENT) == [event]


def test_azures_second_copy_of_a_part_is_taken_off_and_put_on() -> None:
    event = {"type": "response.content_part.added", "part": {"type": "text", "text": ""}}
    doubled = {**event, "content": {"type": "text", "text": ""}}

    assert canonical(Translator(V1), doubled) == [event]
    assert wire(V1, event) == [doubled]


def test_a_copy_that_differs_from_the_part_is_kept() -> None:
    event = {"type": "response.content_part.added", "part": {"type": "text"}, "content": {"type": "audio"}}

    assert canonical(Translator(V1), event) == [event]


def test_padding_goes_only_to_the_wire_that_has_it() -> None:
    event = {"type": "response.output_text.delta", "delta": "x", "obfuscation": "y" * 15}

    found = Translator(PREVIEW).to_wire(Side.SERVER, event)

    assert found.events == ({"type": "response.text.delta", "delta": "x"},)
    assert [loss.path for loss in found.losses] == ["obfuscation"]
    assert wire(V1, event) == [event]


def test_an_answer_is_translated_by_its_own_rows() -> None:
    event = {
        "type": "response.create",
        "response": {
            "output_modalities": ["audio"],
            "audio": {"output": {"voice": "echo", "format": {"type": "audio/pcmu"}}},
            "max_output_tokens": 5,
        },
    }

    (made,) = wire(PREVIEW, event, side=Side.CLIENT)

    assert made["response"] == {
        "modalities": ["audio", "text"],
        "voice": "echo",
        "output_audio_format": "g711_ulaw",
        "max_output_tokens": 5,
    }
    assert canonical(Translator(PREVIEW), made, side=Side.CLIENT) == [event]


PROSE = st.text(max_size=12)
LEAVES = st.none() | st.booleans() | st.integers(0, 9) | PROSE
ANY_SESSIONS = st.dictionaries(
    st.sampled_from(
        ["type", "modalities", "output_modalities", "voice", "truncation", "turn_detection", "new"]
    ),
    LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(PROSE, LEAVES, max_size=2),
    max_size=5,
)


@given(ANY_SESSIONS, st.sampled_from(["session.update", "session.created"]))
def test_a_field_is_carried_over_or_named_as_lost(session: Event, type_: str) -> None:
    side = Side.CLIENT if type_ == "session.update" else Side.SERVER
    for dialect in (PREVIEW, V1):
        found = Translator(dialect).to_wire(side, {"type": type_, "event_id": "e", "session": session})
        (event,) = found.events
        lost = {loss.path.split(".")[1] for loss in found.losses}
        rows = Translator(dialect).objects(side, event["type"])["session"]
        renamed = {row.canonical: row.wire for row in rows}
        fixed = {row.canonical: row.fixed for row in rows if row.fixed is not None}
        for name, value in session.items():
            carried = renamed.get(name, name) in event["session"]
            assert carried or name in lost or fixed.get(name) == value, name


@given(ANY_SESSIONS)
def test_translating_leaves_the_event_it_was_given_alone(session: Event) -> None:
    event = {"type": "session.update", "session": session}
    before = copy.deepcopy(event)

    for dialect in (PREVIEW, V1):
        Translator(dialect).to_canonical(Side.CLIENT, event)
        Translator(dialect).to_wire(Side.CLIENT, event)

    assert event == before


def test_a_translation_shares_nothing_with_what_it_was_made_from() -> None:
    event = created("a")
    added, done = canonical(Translator(PREVIEW), event)
    added["item"]["content"].append("changed")

    assert done["item"]["content"] == []
    assert event["item"]["content"] == []


@pytest.mark.parametrize("part", [None, {"type": "text", "text": ""}])
def test_a_part_without_its_second_copy_is_left_as_it_is(part: Any) -> None:
    event = {"type": "response.content_part.added", "part": part}

    assert Translator(V1).to_canonical(Side.SERVER, event).events == (event,)
