from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bundled import cassettes_folder
from harness.cassette import load_cassette
from harness.dialects import Dialect, bundled_dialect
from harness.messages import Side
from harness.translation import Loss, Translator, items_of, objects_to_canonical, objects_to_wire

PREVIEW = bundled_dialect("azure-2024-10-01-preview")
V1 = bundled_dialect("azure-v1")
CASSETTES = sorted(cassettes_folder().glob("*/*.jsonl"))

Event = dict[str, Any]


def canonical(translator: Translator, *events: Event, side: Side = Side.SERVER) -> list[Event]:
    return [event for wire in events for event in translator.to_canonical(side, wire).events]


def wire(dialect: Dialect, *events: Event, side: Side = Side.SERVER) -> list[Event]:
    translator = Translator(dialect)
    return [made for event in events for made in translator.to_wire(side, event).events]


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
        assert not [loss for one in returned for loss in one.losses], event["type"]
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


def test_there_are_cassettes_of_both_dialects() -> None:
    assert {path.parent.name for path in CASSETTES} == {PREVIEW.name, V1.name}


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


def test_the_cassettes_of_both_dialects_say_the_same_in_canonical_form() -> None:
    def types(path: Any, side: Side) -> list[str]:
        cassette = load_cassette(path)
        translator = Translator(bundled_dialect(cassette.header.dialect))
        return [
            made["type"]
            for one in cassette.interactions
            if one.side is side and one.event is not None
            for made in translator.to_canonical(side, one.event).events
        ]

    for path in (path for path in CASSETTES if path.parent.name == V1.name):
        other = path.parent.parent / PREVIEW.name / path.name
        for side in Side:
            assert types(path, side) == types(other, side), path.name


# Names


@pytest.mark.parametrize(("name", "canonical_name"), PREVIEW.translation.events.items())
def test_a_name_of_the_wire_has_its_name_in_canonical_form_and_back(name: str, canonical_name: str) -> None:
    event = {"type": name, "event_id": "e"}

    assert Translator(PREVIEW).to_canonical(Side.SERVER, event).events[0] == {**event, "type": canonical_name}
    assert wire(PREVIEW, {**event, "type": canonical_name}) == [event]


def test_on_ga_no_name_changes() -> None:
    for name in V1.server.events:
        assert Translator(V1).to_canonical(Side.SERVER, {"type": name}).events == ({"type": name},)


def test_an_event_the_wire_has_not_is_named_as_lost() -> None:
    event = {"type": "conversation.item.input_audio_transcription.segment", "event_id": "e"}

    found = Translator(PREVIEW).to_wire(Side.SERVER, event)

    assert found.events == ()
    assert found.losses == (Loss("type", f"{PREVIEW.name} has no event for {event['type']!r}"),)


# One event that is two


def item(id_: str, role: str = "user", **more: Any) -> Event:
    return {
        "id": id_,
        "object": "realtime.item",
        "type": "message",
        "role": role,
        "status": "completed",
        **more,
    }


def created(id_: str, previous: str | None = None, role: str = "user") -> Event:
    return {
        "type": "conversation.item.created",
        "event_id": f"e_{id_}",
        "previous_item_id": previous,
        "item": item(id_, role, content=[]),
    }


def output(kind: str, id_: str) -> Event:
    return {
        "type": f"response.output_item.{kind}",
        "event_id": f"o_{kind}_{id_}",
        "response_id": "r",
        "output_index": 0,
        "item": item(id_, "assistant", content=[{"type": "text", "text": "hi"}] if kind == "done" else []),
    }


def test_an_item_of_the_client_is_added_and_done_at_once() -> None:
    added, done = canonical(Translator(PREVIEW), created("a", "before"))

    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert {**added, "type": ""} == {**done, "type": ""}
    assert added["previous_item_id"] == "before"
    assert "object" not in added["item"]


def test_an_item_of_the_model_is_done_directly_before_its_output_is() -> None:
    translator = Translator(PREVIEW)

    found = canonical(
        translator,
        output("added", "m"),
        created("m", "a", "assistant"),
        {"type": "response.text.delta", "item_id": "m", "delta": "hi"},
        output("done", "m"),
    )

    assert [event["type"] for event in found] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.output_text.delta",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert found[3]["item"] == found[4]["item"]
    assert found[3]["item"]["content"] == [{"type": "output_text", "text": "hi"}]
    assert found[3]["previous_item_id"] == "a"


def test_items_that_interleave_are_done_each_with_its_own() -> None:
    found = canonical(
        Translator(PREVIEW),
        output("added", "m"),
        created("m", "a", "assistant"),
        output("added", "n"),
        created("n", "m", "assistant"),
        created("u", "n"),
        output("done", "n"),
        output("done", "m"),
    )
    done = [
        (event["item"]["id"], event["previous_item_id"])
        for event in found
        if event["type"].endswith("item.done") and "previous_item_id" in event
    ]

    assert done == [("u", "n"), ("n", "m"), ("m", "a")]


def test_each_item_is_done_once() -> None:
    found = canonical(
        Translator(PREVIEW), output("added", "m"), created("m"), output("done", "m"), output("done", "m")
    )

    assert [event["type"] for event in found].count("conversation.item.done") == 1


def test_the_two_become_one_again_on_the_wire_of_preview() -> None:
    events = canonical(Translator(PREVIEW), created("a"))

    assert wire(PREVIEW, *events) == [created("a")]


def test_on_ga_an_item_is_done_only_when_the_service_says_so() -> None:
    event = {
        "type": "conversation.item.added",
        "event_id": "e",
        "previous_item_id": None,
        "item": {"id": "a"},
    }

    assert canonical(Translator(V1), event) == [event]
    assert wire(V1, {**event, "type": "conversation.item.done"}) == [
        {**event, "type": "conversation.item.done"}
    ]


@pytest.mark.parametrize("broken", [{}, {"item": None}, {"item": "x"}, {"item": {}}, {"item": {"id": 5}}])
def test_an_item_without_an_id_is_passed_on_as_it_is(broken: Event) -> None:
    event = {"type": "conversation.item.created", **broken}

    (found,) = canonical(Translator(PREVIEW), event)

    assert found == {**event, "type": "conversation.item.added"}


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

    assert wire(PREVIEW, event) == [{"type": "response.text.delta", "delta": "x"}]
    assert wire(V1, event) == [event]


# Sessions


FORMATS = [
    ("pcm16", {"type": "audio/pcm", "rate": 24000}),
    ("g711_ulaw", {"type": "audio/pcmu"}),
    ("g711_alaw", {"type": "audio/pcma"}),
]


def to_canonical(session: Event) -> tuple[Event, list[Loss]]:
    losses: list[Loss] = []
    return objects_to_canonical(PREVIEW.translation.session, session, losses, "session"), losses


def to_wire(session: Event) -> tuple[Event, list[Loss]]:
    losses: list[Loss] = []
    return objects_to_wire(PREVIEW.translation.session, session, losses, "session"), losses


@pytest.mark.parametrize(("flat", "nested"), FORMATS)
@pytest.mark.parametrize("half", ["input", "output"])
def test_an_audio_format_has_its_name_on_each_side(flat: str, nested: Event, half: str) -> None:
    session = {"type": "realtime", "audio": {half: {"format": nested}}}

    assert to_wire(session) == ({f"{half}_audio_format": flat}, [])
    assert to_canonical({f"{half}_audio_format": flat}) == (session, [])


def test_a_format_without_its_rate_is_the_same_format() -> None:
    assert to_wire({"audio": {"input": {"format": {"type": "audio/pcm"}}}}) == (
        {"input_audio_format": "pcm16"},
        [],
    )


@pytest.mark.parametrize(
    "form", [{"type": "audio/opus"}, {"type": "audio/pcm", "rate": 16000}, "pcm16", {}, 5]
)
def test_a_format_the_wire_cannot_say_is_carried_over_and_named_as_lost(form: Any) -> None:
    made, losses = to_wire({"audio": {"output": {"format": form}}})

    assert made == {"output_audio_format": form}
    assert losses == [Loss("session.audio.output.format", f"{form!r} has no counterpart")]


@pytest.mark.parametrize("form", ["opus", "pcm24"])
def test_a_format_canonical_form_cannot_say_is_carried_over_and_named_as_lost(form: str) -> None:
    made, losses = to_canonical({"input_audio_format": form})

    assert made == {"type": "realtime", "audio": {"input": {"format": form}}}
    assert losses == [Loss("session.input_audio_format", f"{form!r} has no counterpart")]


@pytest.mark.parametrize(
    ("flat", "nested"),
    [
        (["audio", "text"], ["audio"]),
        (["text", "audio"], ["audio"]),
        (["text"], ["text"]),
        (["text", "text"], ["text"]),
    ],
)
def test_modalities_are_read_as_a_set(flat: list[str], nested: list[str]) -> None:
    assert to_canonical({"modalities": flat}) == ({"type": "realtime", "output_modalities": nested}, [])
    assert sorted_modalities(to_wire({"output_modalities": nested})[0]) == {"modalities": sorted(set(flat))}


@pytest.mark.parametrize("flat", [["audio"], ["audio", "audio"], [], ["video", "text"]])
def test_modalities_with_no_counterpart_are_carried_over_and_named_as_lost(flat: list[str]) -> None:
    made, losses = to_canonical({"modalities": flat})

    assert made["output_modalities"] == flat
    assert losses == [Loss("session.modalities", f"{flat!r} has no counterpart")]


@pytest.mark.parametrize(
    ("session", "path"),
    [
        ({"truncation": "auto"}, "session.truncation"),
        ({"parallel_tool_calls": False}, "session.parallel_tool_calls"),
        ({"reasoning": {"effort": "low"}}, "session.reasoning"),
        ({"type": "transcription"}, "session.type"),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}}},
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        ({"audio": {"output": {"mood": "calm"}}}, "session.audio.output.mood"),
        ({"audio": {"mood": {"deep": 1}}}, "session.audio.mood.deep"),
    ],
)
def test_what_preview_has_no_place_for_is_named_as_lost(session: Event, path: str) -> None:
    made, losses = to_wire(session)

    assert losses == [Loss(path, "the wire has no place for it")]
    assert "audio" not in made
    assert made in ({}, {"turn_detection": {"type": "server_vad"}})


def test_a_null_for_what_preview_has_not_is_no_loss() -> None:
    session = {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": None}}}}

    assert to_wire(session) == ({"turn_detection": {"type": "server_vad"}}, [])


def test_a_null_switches_off_on_both_sides() -> None:
    flat = {"turn_detection": None, "input_audio_transcription": None}
    nested = {"type": "realtime", "audio": {"input": {"turn_detection": None, "transcription": None}}}

    assert to_canonical(flat) == (nested, [])
    assert to_wire(nested) == (flat, [])


def test_what_only_preview_has_keeps_its_name_in_canonical_form() -> None:
    assert to_canonical({"temperature": 0.8}) == ({"type": "realtime", "temperature": 0.8}, [])


@pytest.mark.parametrize("audio", [None, "loud", 5])
def test_an_audio_that_is_no_object_does_not_reach_the_wire_unnamed(audio: Any) -> None:
    made, losses = to_wire({"audio": audio})

    assert "audio" not in made
    assert losses


@pytest.mark.parametrize("half", [None, "loud"])
def test_half_an_audio_that_is_no_object_is_named_as_lost(half: Any) -> None:
    assert to_wire({"audio": {"input": half}}) == (
        {},
        [Loss("session.audio.input", "the wire has no place for it")],
    )


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
VAD = st.none() | st.fixed_dictionaries(
    {"type": st.sampled_from(["server_vad", "semantic_vad"])},
    optional={
        "threshold": st.floats(0, 1),
        "silence_duration_ms": st.integers(0, 5000),
        "create_response": st.booleans(),
    },
)
FLAT_SESSIONS = st.fixed_dictionaries(
    {},
    optional={
        "modalities": st.sampled_from([["audio", "text"], ["text"]]),
        "instructions": PROSE,
        "voice": PROSE,
        "speed": st.floats(0.25, 1.5),
        "input_audio_format": st.sampled_from([flat for flat, _ in FORMATS]),
        "output_audio_format": st.sampled_from([flat for flat, _ in FORMATS]),
        "input_audio_transcription": st.none() | st.fixed_dictionaries({"model": PROSE}),
        "input_audio_noise_reduction": st.none() | st.fixed_dictionaries({"type": PROSE}),
        "turn_detection": VAD,
        "tools": st.lists(st.fixed_dictionaries({"type": st.just("function"), "name": PROSE}), max_size=2),
        "tool_choice": PROSE,
        "temperature": st.floats(0.6, 1.2),
        "max_response_output_tokens": st.integers(1, 4096) | st.just("inf"),
        "tracing": st.none() | PROSE,
        "client_secret": st.none(),
        "something_new": PROSE,
    },
)
HALF = {"format": st.sampled_from([nested for _, nested in FORMATS])}
NESTED_SESSIONS = st.fixed_dictionaries(
    {"type": st.just("realtime")},
    optional={
        "output_modalities": st.sampled_from([["audio"], ["text"]]),
        "instructions": PROSE,
        "tools": st.lists(st.fixed_dictionaries({"type": st.just("function"), "name": PROSE}), max_size=2),
        "max_output_tokens": st.integers(1, 4096) | st.just("inf"),
        "temperature": st.floats(0.6, 1.2),
        "audio": st.fixed_dictionaries(
            {},
            optional={
                "input": st.fixed_dictionaries(
                    HALF,
                    optional={
                        "turn_detection": VAD,
                        "transcription": st.none(),
                        "noise_reduction": st.none(),
                    },
                ),
                "output": st.fixed_dictionaries(
                    HALF, optional={"voice": PROSE, "speed": st.floats(0.25, 1.5)}
                ),
            },
        ).filter(bool),
    },
)


@settings(max_examples=150)
@given(FLAT_SESSIONS)
def test_a_flat_session_is_itself_after_a_way_to_canonical_form_and_back(session: Event) -> None:
    nested, losses = to_canonical(session)

    assert losses == []
    assert to_wire(nested) == (session, [])


@settings(max_examples=150)
@given(NESTED_SESSIONS)
def test_a_nested_session_is_itself_after_a_way_to_the_wire_and_back(session: Event) -> None:
    flat, losses = to_wire(session)

    assert losses == []
    assert to_canonical(flat) == (session, [])


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
        renamed = {row.canonical: row.wire for row in dialect.translation.session}
        for name, value in session.items():
            carried = renamed.get(name, name) in event["session"]
            said_anyway = name in renamed and value in ("realtime", None)
            assert carried or said_anyway or name in lost, name


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
