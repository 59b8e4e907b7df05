"""A new dialect is a new data file and no code: one that no module has heard of does everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.bundled import scenarios_folder
from harness.construct import construct_cassettes
from harness.dialects import (
    Acceptance,
    Dialect,
    Evidence,
    Refusal,
    Unproven,
    bundled_dialect,
    compiled_schema,
    dialect_names,
    event_schema,
    judge_client_event,
    load_dialect,
    shares,
    statements,
)
from harness.dialects.facts import SESSION_UPDATE, default_of, modality_rules, places
from harness.messages import Json, Side
from harness.recording import read_recording
from harness.scenario import Scenario, load_scenario
from harness.service import Service
from harness.translation import Bridge, Translator
from tests.talk import NOW, Talk, only, types, user_item

FILE = """
dialect: brook
title: "The brook, a service nobody runs"
api_version: "2031-05-05"
since: "2031-05"
as_of: "2031-05"
status: made up
host: brook.invalid
extends: flat

sources:
  brook-book: "the brook's book, chapter one"

handshake:
  path: /brook/live
  query:
    api-version: {required: true, value: "2031-05-05", evidence: documented, source: brook-book}
    name: {required: true, means: deployment, evidence: documented, source: brook-book}
  auth: {schemes: [bearer], evidence: documented, source: brook-book}

service:
  session:
    mood: calm

closes:
  - {code: 1001, by: service, cause: session_expired, when: "the brook runs dry", evidence: documented, source: brook-book}

errors:
  unknown_parameter: {message: "The brook does not know '{param}'.", code: brook_unknown, evidence: documented, source: brook-book}

client:
  source: brook-book
  shapes:
    session_request:
      fields:
        mood: {is: string, values: [calm, wild], outside: refused, error: invalid_value}
        depth: "integer, since 2032-01"
        modalities: {is: "[string]", sets: [[text], [audio]], outside: refused, error: invalid_modalities, evidence: documented, source: brook-book, seen_on: [brook]}
    response_request:
      fields:
        modalities: {is: "[string]", sets: [[text], [audio]], outside: refused, error: invalid_modalities, evidence: documented, source: brook-book, seen_on: [brook]}

server:
  source: brook-book
  events:
    response.words.delta: {shape: delta_event}
    response.words.done: {shape: text_done_event}
  shapes:
    session:
      fields:
        mood: "string, required"
        modalities: {is: "[string]", required: true, sets: [[text], [audio]], closed: true}
    response:
      fields:
        modalities: {is: "[string]", sets: [[text], [audio]], closed: true}

translation:
  events:
    response.words.delta: response.output_text.delta
    response.words.done: response.output_text.done
    response.text.delta: brook.text.delta
    response.text.done: brook.text.done
  session:
    - {wire: null, canonical: type, fixed: realtime}
    - {wire: modalities, canonical: output_modalities}
    - {wire: voice, canonical: audio.output.voice}
    - {wire: input_audio_format, canonical: audio.input.format, values: [[pcm16, {type: audio/pcm, rate: 24000}]]}
    - {wire: output_audio_format, canonical: audio.output.format, values: [[pcm16, {type: audio/pcm, rate: 24000}]]}
    - {wire: input_audio_transcription, canonical: audio.input.transcription}
    - {wire: turn_detection, canonical: audio.input.turn_detection}
    - {wire: max_response_output_tokens, canonical: max_output_tokens}
  response:
    - {wire: modalities, canonical: output_modalities}
    - {wire: voice, canonical: audio.output.voice}
    - {wire: output_audio_format, canonical: audio.output.format, values: [[pcm16, {type: audio/pcm, rate: 24000}]]}
"""


@pytest.fixture
def brook(tmp_path: Path) -> Dialect:
    path = tmp_path / "brook.yaml"
    path.write_text(FILE, encoding="utf-8")
    return load_dialect(path)


def update(**session: Any) -> Json:
    return {"type": SESSION_UPDATE, "session": session}


def talk(dialect: Dialect, **options: Any) -> Talk:
    return Talk(Service(dialect, **{"seed": 1, "unix_time": NOW, **options})).open()


def test_it_is_none_of_the_bundled_ones(brook: Dialect) -> None:
    assert brook.name not in dialect_names()
    assert brook.handshake.right_query("stream") == (("api-version", "2031-05-05"), ("name", "stream"))


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({"mood": "wild", "modalities": ["audio"], "voice": "echo"}, []),
        ({"mood": "sad"}, [(Refusal, "session.mood")]),
        ({"modalities": ["audio", "text"]}, [(Refusal, "session.modalities")]),
        ({"colour": "blue"}, [(Refusal, "session.colour")]),
        ({"depth": 5}, [(Unproven, "session.depth")]),
    ],
)
def test_client_events_are_judged_by_its_tables(
    brook: Dialect, session: Json, expected: list[tuple[type, str]]
) -> None:
    found = judge_client_event(brook, update(**session))

    assert [(type(one), one.path) for one in found] == expected


def test_it_has_a_schema_for_every_event_of_both_sides(brook: Dialect) -> None:
    for side, vocabulary in ((Side.CLIENT, brook.client), (Side.SERVER, brook.server)):
        for type_ in vocabulary.events:
            assert event_schema(brook, side, type_) is not None, type_
    schema = compiled_schema(brook, Side.CLIENT, SESSION_UPDATE)
    assert schema is not None
    assert schema.accepts(update(mood="wild"))
    assert not schema.accepts(update(mood="sad"))


def test_a_text_turn_is_answered_in_its_words(brook: Dialect) -> None:
    session = talk(brook)
    assert session.heard[0]["session"]["mood"] == "calm"

    (updated,) = session.ask(update(mood="wild", modalities=["text"]))
    session.ask(user_item("Hello, brook"))
    answer = session.ask({"type": "response.create"})

    assert updated["session"]["mood"] == "wild"
    assert updated["session"]["modalities"] == ["text"]
    assert {"response.words.delta", "response.words.done", "conversation.item.created"} <= set(types(answer))
    assert not {"response.text.delta", "response.output_text.delta"} & set(types(answer))


def test_it_refuses_in_its_own_sentence(brook: Dialect) -> None:
    error = only(talk(brook).ask(update(colour="blue")))["error"]

    assert error["message"] == "The brook does not know 'session.colour'."
    assert (error["code"], error["param"]) == ("brook_unknown", "session.colour")


def test_its_events_are_translated_to_canonical_form_and_back(brook: Dialect) -> None:
    wire = update(mood="wild", modalities=["audio"], voice="echo")

    (canonical,) = Translator(brook).to_canonical(Side.CLIENT, wire).events
    (back,) = Translator(brook).to_wire(Side.CLIENT, canonical).events

    assert canonical["session"] == {
        "type": "realtime",
        "mood": "wild",
        "output_modalities": ["audio"],
        "audio": {"output": {"voice": "echo"}},
    }
    assert back == wire


@pytest.mark.parametrize("name", dialect_names())
def test_a_session_is_carried_to_a_bundled_dialect_and_says_what_is_lost(brook: Dialect, name: str) -> None:
    target = bundled_dialect(name)
    done = Bridge(brook, target).carry(Side.CLIENT, update(mood="wild", modalities=["text"], voice="echo"))

    (event,) = done.events
    assert not [one for one in judge_client_event(target, event) if isinstance(one, Refusal)]
    settled = [one for one in statements(target) if one.section == "client.rule"]
    if any("session" in one.name and one.acceptance is Acceptance.REFUSED for one in settled):
        assert any("mood" in loss.path for loss in done.losses)


@pytest.mark.parametrize("name", dialect_names())
def test_the_services_events_are_carried_between_it_and_a_bundled_dialect(brook: Dialect, name: str) -> None:
    session = talk(brook)
    session.ask(update(modalities=["text"]))
    session.ask(user_item("Hello, brook"))
    session.ask({"type": "response.create"})
    target = bundled_dialect(name)
    there, back = Bridge(brook, target), Bridge(target, brook)

    carried = list(_carried(there, session.heard))
    returned = list(_carried(back, carried))

    assert "".join(event["delta"] for event in carried if event["type"].endswith("text.delta")) == (
        "".join(event["delta"] for event in session.heard if event["type"] == "response.words.delta")
    )
    assert types(returned) == types(session.heard)


def _carried(bridge: Bridge, events: list[Json]) -> Iterator[Json]:
    for event in events:
        yield from bridge.carry(Side.SERVER, event).events


SCENARIOS = [load_scenario(path) for path in sorted(scenarios_folder().glob("*.yaml"))]
FOR_ALL = [one for one in SCENARIOS if one.dialects is None]


@pytest.mark.parametrize("scenario", FOR_ALL, ids=lambda scenario: scenario.name)
def test_a_scenario_for_all_dialects_makes_cassettes_that_can_be_replayed(
    brook: Dialect, scenario: Scenario
) -> None:
    cassettes = construct_cassettes(scenario, brook)

    assert {(one.header.dialect, one.header.path) for one in cassettes} == {("brook", "/brook/live")}
    recordings = [read_recording(one, brook) for one in cassettes]
    assert sum(len(one.answers) + len(one.outside) for one in recordings) == len(scenario.answers)
    again = construct_cassettes(scenario, brook)
    assert [list(one.lines()) for one in again] == [list(one.lines()) for one in cassettes]


def test_speech_is_answered_in_its_words_too(brook: Dialect) -> None:
    session = talk(brook, answers=load_scenario(scenarios_folder() / "text-turn.yaml").answers)
    session.ask(user_item("Hello, brook"))

    answer = session.ask({"type": "response.create"})

    assert {"response.audio.delta", "response.audio_transcript.done"} <= set(types(answer))


def test_what_is_known_of_it_can_be_told(brook: Dialect) -> None:
    known = shares(brook)
    rules = modality_rules(brook)
    mood = next(found for found in places(brook.client, SESSION_UPDATE) if found.path == "session.mood")
    starts = default_of(brook, mood)

    assert known.levels[Evidence.RECORDED] == 0
    assert known.share(Evidence.DOCUMENTED) > 0.5
    assert [rule.allowed for rule in rules] == [(("text",), ("audio",))] * 2
    assert {rule.place.field.fact.source for rule in rules} == {"the brook's book, chapter one"}
    assert starts is not None
    assert starts.value == "calm"
