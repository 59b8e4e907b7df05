"""What the tables state, counted and complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.dialects import (
    Acceptance,
    Dialect,
    Evidence,
    bundled_dialect,
    dialect_names,
    shares,
    statements,
)
from harness.dialects.facts import (
    SESSION_UPDATE,
    Default,
    Place,
    default_of,
    modality_rules,
    places,
    reached_shapes,
)
from harness.dialects.load import data_folder
from harness.dialects.model import Fact, Field, Shape, Unlisted, Vocabulary
from harness.documents import read_document
from harness.messages import Side
from tests.dialects import recorded

FLAT = "azure-2024-10-01-preview"
NESTED = "azure-v1"
OTHER_SERVICE = "azure-voice-live"


def place(name: str, event: str, path: str) -> Place:
    return next(found for found in places(bundled_dialect(name).client, event) if found.path == path)


def default(name: str, path: str, event: str = SESSION_UPDATE) -> Default | None:
    return default_of(bundled_dialect(name), place(name, event, path))


# Statements and shares.


def test_a_statement_is_made_once_however_many_events_share_its_object(dialect: Dialect) -> None:
    names = [(one.section, one.name) for one in statements(dialect)]

    assert len(names) == len(set(names))
    assert ("client.field", "part_input_text.text") in names
    assert ("client.field", "session.update.session") in names
    assert ("server.event", "session.created") in names


def test_the_statements_come_from_every_part_of_a_dialect(dialect: Dialect) -> None:
    sections = {one.section for one in statements(dialect)}

    expected = {"handshake.query", "handshake.auth", "handshake.refusal", "service", "limit", "close"}
    expected |= {f"{side}.{kind}" for side in ("client", "server") for kind in ("event", "field")}
    assert expected | {"error", "failure", "order", "client.rule"} <= sections


def test_the_shares_of_the_evidence_levels_make_a_whole(dialect: Dialect) -> None:
    known = shares(dialect)

    assert sum(known.share(level) for level in Evidence) == pytest.approx(1)
    assert known.stated == sum(known.levels.values()) > 400
    assert list(known.levels) == list(Evidence)


def test_what_is_unknown_is_counted_apart_and_has_no_share(dialect: Dialect) -> None:
    known, all_of_it = shares(dialect), statements(dialect)
    unknown = [one for one in all_of_it if one.acceptance is Acceptance.UNKNOWN]
    client = [one for one in all_of_it if one.section in ("client.event", "client.field")]

    assert known.stated + len(unknown) == len(all_of_it)
    assert sum(known.client.values()) == len(client)
    assert known.client[Acceptance.UNKNOWN] == sum(one in client for one in unknown)


def test_a_dialect_of_which_nothing_is_stated_has_no_shares() -> None:
    nothing = replace(shares(bundled_dialect(FLAT)), levels=dict.fromkeys(Evidence, 0))

    assert [nothing.share(level) for level in Evidence] == [0.0] * 5


# Places.


def test_the_path_of_a_field_says_through_which_objects_it_leads() -> None:
    paths = {found.path for found in places(bundled_dialect(NESTED).client, SESSION_UPDATE)}

    assert {
        "session",
        "session<realtime>.audio.input.format<audio/pcm>.rate",
        "session<realtime>.audio.input.turn_detection<server_vad>.threshold",
        "session<realtime>.tools[]<mcp>.server_label",
        "session<realtime>.truncation<retention_ratio>.type",
        "session<transcription>.audio.input.format",
    } <= paths


def test_no_two_fields_of_an_event_have_one_path(dialect: Dialect) -> None:
    for vocabulary in (dialect.client, dialect.server):
        for type_ in vocabulary.events:
            paths = [found.path for found in places(vocabulary, type_)]
            assert len(paths) == len(set(paths)), type_


def test_an_object_that_holds_itself_is_gone_into_once() -> None:
    fact = Fact(Evidence.DOCUMENTED, "made up")
    unlisted = Unlisted(Acceptance.UNKNOWN, None, fact)
    inner = Field("inner", ("node", "array"), ("node",), fact)
    spec = next(iter(bundled_dialect(FLAT).client.events.values()))
    tree = Vocabulary(
        {"grow": replace(spec, type="grow", shape="node")},
        {"node": Shape("node", {"inner": inner}, unlisted)},
        unlisted,
    )

    assert [found.path for found in places(tree, "grow")] == ["inner"]
    assert list(reached_shapes(tree)) == ["node"]


def test_every_place_leads_to_a_statement_and_every_field_statement_has_a_place(dialect: Dialect) -> None:
    for side, vocabulary in (("client", dialect.client), ("server", dialect.server)):
        placed = {found.statement for type_ in vocabulary.events for found in places(vocabulary, type_)}
        stated = {one.name for one in statements(dialect) if one.section == f"{side}.field"}
        assert placed == stated


# Defaults.


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        (FLAT, "session.voice", "alloy"),
        (FLAT, "session.modalities", ["audio", "text"]),
        (FLAT, "session.input_audio_transcription", None),
        (FLAT, "session.turn_detection<server_vad>.type", "server_vad"),
        (NESTED, "session<realtime>.audio.output.voice", "alloy"),
        (NESTED, "session<realtime>.audio.input.format<audio/pcm>.rate", 24000),
        (NESTED, "session<transcription>.audio.input.format<audio/pcm>.type", "audio/pcm"),
        (OTHER_SERVICE, "session.voice", {"name": "alloy", "type": "openai"}),
        (OTHER_SERVICE, "session.modalities", ["audio"]),
    ],
)
def test_what_a_session_starts_as_is_said_in_the_words_of_the_wire(
    name: str, path: str, expected: Any
) -> None:
    assert default(name, path) == Default(expected, of_field=False)


def test_what_the_service_takes_for_a_left_out_field_is_not_what_the_session_starts_with() -> None:
    path = "session.turn_detection<server_vad>.prefix_padding_ms"

    assert default(OTHER_SERVICE, path) == Default(400, of_field=True)


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (SESSION_UPDATE, "session.turn_detection<semantic_vad>.type"),  # it starts with another kind
        (SESSION_UPDATE, "session.input_audio_transcription.model"),  # it starts without
        (SESSION_UPDATE, "session.tools[].name"),
        (SESSION_UPDATE, "session"),
        ("response.create", "response.voice"),  # the session's, and that may have changed
    ],
)
def test_nothing_is_said_to_hold_where_nothing_is_known_to(event: str, path: str) -> None:
    assert default(FLAT, path, event) is None


def test_a_transcription_session_of_the_flat_generation_starts_as_its_own() -> None:
    found = default(FLAT, "session.turn_detection<server_vad>.type", "transcription_session.update")

    assert found == Default("server_vad", of_field=False)


# Completeness.

SAYS_NOTHING = {
    # For reasoning models; no document says what holds without them.
    "session_realtime.parallel_tool_calls",
    "session_realtime.reasoning",
    # A transcription session has no modalities to start with; the published types list the field.
    "transcription_session_request.modalities",
}
SAYS_NOTHING_ELSEWHERE = {
    OTHER_SERVICE: {
        "session_request.parallel_tool_calls",
        "session_request.reasoning_effort",
        "server_vad.speech_duration_ms",  # the session starts with null, which is no integer
    }
}
"""Fields of a session of which no document and no capture tells what holds without them."""


def session_places(dialect: Dialect) -> Iterator[Place]:
    for type_ in dialect.client.events:
        if dialect.translation.client_events.get(type_, type_) == SESSION_UPDATE:
            yield from places(dialect.client, type_)


def starts_without(dialect: Dialect, found: Place, all_of_it: list[Place]) -> bool:
    """Whether the session starts without the object that holds a field, or with one of another kind."""
    if len(found.steps) < 2:
        return False
    last = found.steps[-1]
    holder = next(one for one in all_of_it if one.steps == found.steps[:-1] and one.field.name == last.name)
    start = default_of(dialect, holder)
    if start is None or not isinstance(start.value, dict):
        return True
    return bool(last.kinds) and start.value.get("type") not in last.kinds


def test_of_every_session_field_it_is_known_what_holds_without_it(dialect: Dialect) -> None:
    """It has a default, must be there, may be null, cannot be written, or its object is not there at first."""
    all_of_it = list(session_places(dialect))
    silent = {
        found.statement
        for found in all_of_it
        if default_of(dialect, found) is None
        and not found.field.required
        and found.field.acceptance is Acceptance.ACCEPTED
        and "null" not in found.field.kinds
        and not starts_without(dialect, found, all_of_it)
    }

    assert silent <= SAYS_NOTHING | SAYS_NOTHING_ELSEWHERE.get(dialect.name, set())
    if dialect.name in SAYS_NOTHING_ELSEWHERE:
        assert silent >= SAYS_NOTHING_ELSEWHERE[dialect.name]


def test_every_field_has_a_type_an_evidence_and_a_source(dialect: Dialect) -> None:
    for side in (dialect.client, dialect.server):
        for type_ in side.events:
            for found in places(side, type_):
                assert found.field.kinds, found.path
                assert all(found.field.kinds), found.path
                assert ("array" in found.field.kinds) or not found.field.of, found.path
                assert found.field.fact.evidence in Evidence
                assert found.field.fact.source.strip(), found.path


def test_every_shape_stands_in_some_event(dialect: Dialect) -> None:
    # Voice Live makes `tracing` a field of any type; the shape of the base is left over.
    left_over = {OTHER_SERVICE: {"tracing"}}.get(dialect.name, set())

    for vocabulary in (dialect.client, dialect.server):
        unreached = vocabulary.shapes.keys() - reached_shapes(vocabulary).keys()
        assert unreached <= (left_over if vocabulary is dialect.client else set())


def test_every_error_says_when_it_comes(dialect: Dialect) -> None:
    for error in dialect.errors.values():
        assert len(error.when.split()) > 3, error.name
        assert error.message
        assert error.raised_by in ("client", "handshake", "time")


def test_every_dialect_has_closes_a_length_orders_and_a_rule_for_modalities(dialect: Dialect) -> None:
    assert {rule.by for rule in dialect.closes} == {"client", "service"}
    assert dialect.service.session_seconds in (1800, 3600)
    assert {rule.name for rule in dialect.orders.values()} >= {"session-first", "response-frame"}
    rules = modality_rules(dialect)
    assert [rule.place.event for rule in rules] == [SESSION_UPDATE, "response.create"]
    for rule in rules:
        assert rule.allowed or rule.place.field.values, rule.place.path
        assert rule.place.field.fact.evidence is not Evidence.ASSUMED


# The files behind the dialects.

FILES = sorted(data_folder().rglob("*.yaml"), key=lambda path: path.stem)


def raw(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = read_document(path).value
    return value


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(inner)


def extended(name: str) -> Iterator[str]:
    """A dialect with all it builds on, by file name."""
    path = next(path for path in FILES if path.stem == name)
    yield name
    if base := raw(path).get("extends"):
        yield from extended(base)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_dialect_on_which_a_thing_was_seen_is_bundled(path: Path) -> None:
    seen = [name for found in mappings(raw(path)) for name in found.get("seen_on", ())]

    assert sorted(set(seen) - set(dialect_names())) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_source_of_a_file_is_used(path: Path) -> None:
    built_on_it = [bundled_dialect(name) for name in dialect_names() if path.stem in extended(name)]
    used = {one.fact.source for dialect in built_on_it for one in statements(dialect)}
    unused = [key for key, text in raw(path).get("sources", {}).items() if text not in used]

    assert unused == []


def test_every_name_of_a_source_is_one_that_there_is(dialect: Dialect) -> None:
    """What has neither a space nor a number of an issue is a name that stayed a name."""
    unresolved = {
        one.fact.source for one in statements(dialect) if not any(mark in one.fact.source for mark in " #/")
    }

    assert unresolved == set()


def unordered(value: Any) -> Any:
    """A section without the order of its lists, which follows that of the base's tables."""
    if isinstance(value, dict):
        return {name: unordered(inner) for name, inner in value.items()}
    return sorted(value) if isinstance(value, list) else value


def test_every_dialect_with_captures_lists_exactly_what_stands_in_them(
    dialect: Dialect, captures: Path
) -> None:
    written = raw(data_folder() / f"{dialect.name}.yaml").get("recorded")

    assert unordered(written) == unordered(recorded.section(dialect, captures))


def test_what_stands_in_a_capture_has_the_evidence_of_a_capture(dialect: Dialect) -> None:
    listed = raw(data_folder() / f"{dialect.name}.yaml").get("recorded", {})
    for side in Side:
        vocabulary = dialect.client if side is Side.CLIENT else dialect.server
        for type_ in listed.get(side, {}).get("events", ()):
            assert vocabulary.events[type_].fact.evidence is Evidence.RECORDED, type_
