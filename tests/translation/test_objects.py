from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dialects import bundled_dialect
from harness.dialects.model import MapRow
from harness.translation import Loss, objects_to_canonical, objects_to_wire
from harness.translation.objects import OTHER_NAME, TAKEN_NAME, canonical_paths, wire_paths

Event = dict[str, Any]

ROWS = bundled_dialect("azure-2024-10-01-preview").translation.session


FORMATS: list[tuple[str, Event]] = [
    ("pcm16", {"type": "audio/pcm", "rate": 24000}),
    ("g711_ulaw", {"type": "audio/pcmu"}),
    ("g711_alaw", {"type": "audio/pcma"}),
]


def to_canonical(session: Event) -> tuple[Event, list[Loss]]:
    losses: list[Loss] = []
    return objects_to_canonical(ROWS, session, losses, "session"), losses


def to_wire(session: Event) -> tuple[Event, list[Loss]]:
    losses: list[Loss] = []
    return objects_to_wire(ROWS, session, losses, "session"), losses


@pytest.mark.parametrize(("flat", "nested"), FORMATS)
@pytest.mark.parametrize("half", ["input", "output"])
def test_an_audio_format_has_its_name_on_each_side(flat: str, nested: Event, half: str) -> None:
    session = {"type": "realtime", "audio": {half: {"format": nested}}}

    assert to_wire(session) == ({f"{half}_audio_format": flat}, [])
    assert to_canonical({f"{half}_audio_format": flat}) == (session, [])


def test_a_format_without_its_rate_is_the_same_format_and_comes_back_with_it() -> None:
    (made, losses) = to_wire({"audio": {"input": {"format": {"type": "audio/pcm"}}}})

    assert made == {"input_audio_format": "pcm16"}
    assert [loss.path for loss in losses] == ["session.audio.input.format"]
    assert "comes back as {'type': 'audio/pcm', 'rate': 24000}" in losses[0].reason


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
    made, losses = to_wire({"output_modalities": nested})
    assert losses == []
    assert set(made["modalities"]) == set(flat)


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


def test_a_null_without_a_place_is_lost_like_any_value() -> None:
    session = {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": None}}}}

    assert to_wire(session) == (
        {"turn_detection": {"type": "server_vad"}},
        [Loss("session.audio.input.turn_detection.idle_timeout_ms", "the wire has no place for it")],
    )


@pytest.mark.parametrize("empty", [{"audio": {}}, {"audio": {"input": {}}}])
def test_an_empty_object_without_a_place_is_named_as_lost(empty: Event) -> None:
    made, losses = to_wire(empty)

    assert made == {}
    assert len(losses) == 1


def test_objects_that_moving_left_empty_are_no_loss() -> None:
    assert to_wire({"audio": {"output": {"voice": "echo"}}}) == ({"voice": "echo"}, [])


def test_a_wire_may_write_a_canonical_name_but_its_own_come_first() -> None:
    made, losses = to_canonical(
        {
            "voice": "echo",
            "audio": {"output": {"voice": "alloy", "speed": 1.1}},
            "output_modalities": ["text"],
        }
    )

    assert made == {
        "type": "realtime",
        "audio": {"output": {"voice": "echo", "speed": 1.1}},
        "output_modalities": ["text"],
    }
    assert losses == [Loss("session.audio", OTHER_NAME), Loss("session.output_modalities", OTHER_NAME)]


def test_a_name_that_the_wire_has_for_something_else_is_left_out() -> None:
    assert to_wire({"voice": "echo", "modalities": None}) == (
        {},
        [Loss("session.voice", TAKEN_NAME), Loss("session.modalities", TAKEN_NAME)],
    )


MODALITIES = (
    MapRow("modalities", "output_modalities", ((["audio"], ["audio"]), (["audio", "text"], ["audio"]))),
)


def test_of_two_spellings_with_one_counterpart_the_first_comes_back_and_the_other_is_named() -> None:
    losses: list[Loss] = []

    assert objects_to_canonical(MODALITIES, {"modalities": ["text", "audio"]}, losses, "s") == {
        "output_modalities": ["audio"]
    }
    assert losses == [Loss("s.modalities", "['text', 'audio'] comes back as ['audio']")]
    assert objects_to_canonical(MODALITIES, {"modalities": ["audio"]}, losses[1:], "s") == {
        "output_modalities": ["audio"]
    }
    assert len(losses) == 1


DEEP = (
    MapRow("format", "audio.format", (("pcm", {"type": "audio/pcm"}), ("ulaw", {"type": "audio/pcmu"}))),
    MapRow("hertz", "audio.format.rate"),
    MapRow("reply.voice", "voice"),
    MapRow("secret", None),
)


def test_a_row_may_reach_into_what_another_row_moves() -> None:
    wire = {"hertz": 8000, "format": "pcm", "reply": {"voice": "echo"}}
    canonical = {"audio": {"format": {"type": "audio/pcm", "rate": 8000}}, "voice": "echo"}
    losses: list[Loss] = []

    assert objects_to_canonical(DEEP, wire, losses, "s") == canonical
    assert objects_to_wire(DEEP, canonical, losses, "s") == wire
    assert losses == []


def test_what_canonical_form_has_no_place_for_is_named_as_lost() -> None:
    losses: list[Loss] = []

    assert objects_to_canonical(DEEP, {"secret": 1, "reply": {"mood": 2}}, losses, "s") == {}
    assert losses == [
        Loss("s.secret", "canonical form has no place for it"),
        Loss("s.reply.mood", "canonical form has no place for it"),
    ]


@pytest.mark.parametrize(
    ("wire", "canonical"),
    [
        ("voice", "audio.output.voice"),
        ("turn_detection.threshold", "audio.input.turn_detection.threshold"),
        ("tools[1].name", "tools[1].name"),
        ("temperature", "temperature"),
    ],
)
def test_a_place_has_its_counterpart_on_the_other_side(wire: str, canonical: str) -> None:
    assert canonical_paths(ROWS, wire) == (canonical,)
    assert wire_paths(ROWS, canonical) == (wire,)


def test_a_place_inside_a_spelling_is_that_of_the_spelling() -> None:
    assert wire_paths(ROWS, "audio.input.format.rate") == ("input_audio_format",)


def test_a_place_above_rows_has_the_places_of_all_of_them() -> None:
    assert wire_paths(ROWS, "audio.output") == ("voice", "speed", "output_audio_format")


def test_a_place_that_the_wire_has_not_keeps_its_name() -> None:
    assert wire_paths(ROWS, "truncation") == ("truncation",)


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
