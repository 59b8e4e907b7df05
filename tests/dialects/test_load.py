from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.dialects import (
    Acceptance,
    Dialect,
    Refusal,
    bundled_dialect,
    default_dialect_names,
    dialect_names,
    event_schema,
    judge_client_event,
    load_dialect,
)
from harness.dialects.load import data_folder
from harness.documents import dump_document
from harness.exceptions import DialectFault, UsageFault
from harness.messages import Side

NAMES = (
    "azure-2024-10-01-preview",
    "azure-2025-04-01-preview",
    "azure-2025-08-28",
    "azure-v1",
    "azure-voice-live",
    "openai-beta",
    "openai-ga",
)

SOURCE = {"evidence": "documented", "source": "made up for a test"}


def small() -> dict[str, Any]:
    """A whole made-up dialect that builds on the common tables."""
    return {
        "dialect": "made-up",
        "title": "Made up",
        "api_version": "2099-01-01",
        "since": "2099-01",
        "as_of": "2099-01",
        "status": "imagined",
        "host": "made.up.invalid",
        "extends": "common",
        "handshake": {
            "path": "/made/up",
            "query": {"api-version": {"required": True, "value": "2099-01-01", **SOURCE}},
            "auth": {"schemes": ["bearer"], **SOURCE},
            "refusals": {},
        },
        "service": {
            "session_seconds": {"value": 60, **SOURCE},
            "session": {"model": "m", "instructions": "i"},
            "transcription_session": {},
        },
        "client": {
            "shapes": {
                "session_request": {
                    "unlisted": {"acceptance": "refused", "error": "unknown_parameter", **SOURCE},
                    "fields": {"mood": {"is": "string", "values": ["calm"], "outside": "refused", **SOURCE}},
                },
                "response_request": {},
            }
        },
        "server": {
            "events": {"mood.changed": {"fields": {"mood": "string, required"}}},
            "shapes": {"session": {}, "response": {}, "content_part": {}},
        },
        "translation": {
            "events": {"mood.changed": "session.mood.changed"},
            "item_done": "separate",
            "parts": {},
            "session": [{"wire": "mood", "canonical": "audio.mood"}],
            "response": [],
        },
    }


def write(folder: Path, content: dict[str, Any] | str, name: str = "made-up") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(content if isinstance(content, str) else dump_document(content), encoding="utf-8")
    return path


def test_the_bundled_dialects_are_found_by_their_file_names() -> None:
    assert dialect_names() == NAMES


def test_a_bundled_dialect_carries_the_name_of_its_file(dialect: Dialect) -> None:
    assert dialect.name in dialect_names()
    assert bundled_dialect(dialect.name) is dialect


def test_a_dialect_nobody_brought_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageFault) as caught:
        bundled_dialect("azure-v9")

    assert str(caught.value) == f"there is no dialect 'azure-v9'\n  known: {', '.join(NAMES)}"


def test_every_fact_of_a_bundled_dialect_has_a_source_to_look_it_up(dialect: Dialect) -> None:
    sources = [
        field.fact.source
        for vocabulary in (dialect.client, dialect.server)
        for shape in vocabulary.shapes.values()
        for field in shape.fields.values()
    ]
    sources += [error.fact.source for error in dialect.errors.values()]

    assert len(sources) > 100
    assert [
        source for source in sources if len(source) < 15 or (" " not in source and "#" not in source)
    ] == []


def test_every_refusal_of_a_bundled_dialect_is_better_known_than_assumed(dialect: Dialect) -> None:
    refused = [
        field
        for shape in dialect.client.shapes.values()
        for field in shape.fields.values()
        if Acceptance.REFUSED in (field.acceptance, field.outside)
    ]

    contested = {"azure-2025-08-28", "azure-voice-live"}
    assert bool(refused) is (dialect.name not in contested)
    assert [field.name for field in refused if not field.fact.evidence.can_fail] == []


def test_every_error_a_bundled_dialect_names_is_in_its_catalogue(dialect: Dialect) -> None:
    shapes = dialect.client.shapes.values()
    named = {field.error for shape in shapes for field in shape.fields.values()}
    named |= {shape.unlisted.error for shape in shapes} | {dialect.client.unlisted_event.error}

    assert named - {None} <= dialect.errors.keys()
    assert {"unknown_parameter", "missing_required_parameter", "invalid_type", "invalid_value"} <= (
        dialect.errors.keys()
    )


def test_every_name_a_bundled_dialect_translates_is_one_it_has(dialect: Dialect) -> None:
    assert dialect.translation.events.keys() <= dialect.server.events.keys() | dialect.client.events.keys()
    assert len(set(dialect.translation.events.values())) == len(dialect.translation.events)


def test_a_new_dialect_is_a_new_file_and_no_code(tmp_path: Path) -> None:
    made_up = load_dialect(write(tmp_path, small()))

    assert (made_up.name, made_up.handshake.path, made_up.service.session_seconds) == (
        "made-up",
        "/made/up",
        60,
    )
    assert "input_audio_buffer.append" in made_up.client.events
    assert made_up.errors["unknown_parameter"].verbatim
    update = {"type": "session.update", "session": {"mood": "angry", "voice": "echo"}}
    assert [(found.path, isinstance(found, Refusal)) for found in judge_client_event(made_up, update)] == [
        ("session.mood", True),
        ("session.voice", True),
    ]
    schema = event_schema(made_up, Side.SERVER, "mood.changed")
    assert schema is not None
    assert schema["required"] == ["type", "event_id", "mood"]


def test_a_dialect_may_build_on_one_that_builds_on_another(tmp_path: Path) -> None:
    later = {
        "extends": "azure-2024-10-01-preview",
        "dialect": "made-later",
        "api_version": "2025-04-01-preview",
    }
    path = write(tmp_path, {**small(), **later}, "made-later")

    dialect = load_dialect(path)

    assert "input_audio_buffer.append" in dialect.client.events
    assert "modalities" in dialect.client.shapes["session_request"].fields
    assert "unknown_parameter" in dialect.errors


def test_dialects_that_build_on_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {**small(), "extends": "two", "dialect": "one"}, "one")
    write(tmp_path, {**small(), "extends": "one", "dialect": "two"}, "two")

    with pytest.raises(DialectFault):
        load_dialect(tmp_path / "one.yaml")


def test_the_short_form_of_a_field_says_what_the_long_form_says(tmp_path: Path) -> None:
    raw = small()
    raw["client"]["shapes"]["session_request"]["fields"] = {
        "short": "string|null, required",
        "long": {"is": "string|null", "required": True},
        "short_unknown": "[string], unknown",
        "long_unknown": {"is": "[string]", "acceptance": "unknown"},
    }
    fields = load_dialect(write(tmp_path, raw)).client.shapes["session_request"].fields

    for short, long in (("short", "long"), ("short_unknown", "long_unknown")):
        one, other = fields[short], fields[long]
        assert (one.kinds, one.of, one.required, one.acceptance) == (
            other.kinds,
            other.of,
            other.required,
            other.acceptance,
        )


def test_a_field_can_be_refused_in_the_short_form_as_the_tables_say(tmp_path: Path) -> None:
    raw = small()
    raw["client"]["shapes"]["session_request"]["fields"] = {"old": "any, refused"}
    dialect = load_dialect(write(tmp_path, raw))

    assert dialect.client.shapes["session_request"].fields["old"].acceptance is Acceptance.REFUSED


def field_of(kind: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda raw: raw["client"]["shapes"]["session_request"]["fields"].update(mood=kind)


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str, str]] = {
    "no title": (lambda raw: raw.pop("title"), "/", "'title' is a required property"),
    "an unknown key": (lambda raw: raw.update(colour="red"), "/", "'colour' was unexpected"),
    "a name with spaces": (lambda raw: raw.update(dialect="A B"), "/dialect", "'A B' does not match"),
    "an evidence nobody defined": (
        lambda raw: raw["handshake"]["auth"].update(evidence="rumoured"),
        "/handshake/auth/evidence",
        "'rumoured' is not one of",
    ),
    "evidence without a source": (
        lambda raw: raw["handshake"]["auth"].pop("source"),
        "/handshake/auth",
        "'source' is a dependency of 'evidence'",
    ),
    "an acceptance nobody defined": (
        lambda raw: raw["client"]["shapes"]["session_request"]["unlisted"].update(acceptance="maybe"),
        "/client/shapes/session_request/unlisted/acceptance",
        "'maybe' is not one of",
    ),
    "a row without a side": (
        lambda raw: raw["translation"]["session"].append({"wire": "x"}),
        "/translation/session/1",
        "'canonical' is a required property",
    ),
    "an item_done of another kind": (
        lambda raw: raw["translation"].update(item_done="sometimes"),
        "/translation/item_done",
        "'sometimes' is not one of",
    ),
    "an unknown kind": (
        field_of("sting"),
        "/client/shapes/session_request/fields/mood",
        "unknown kind 'sting'",
    ),
    "an unknown kind in an array": (
        field_of("[sting]"),
        "/client/shapes/session_request/fields/mood",
        "unknown kind 'sting'",
    ),
    "an unknown error": (
        field_of({"is": "string", "error": "no_such_error", **SOURCE}),
        "/client/shapes/session_request/fields/mood",
        "unknown error 'no_such_error'",
    ),
    "an unknown shape of an event": (
        lambda raw: raw["server"]["events"].update({"mood.changed": {"shape": "nothing"}}),
        "/server/events/mood.changed",
        "unknown shape 'nothing'",
    ),
    "an unknown error after the handshake": (
        lambda raw: raw["handshake"].update(
            late={"wrong_key": {"error": "nothing", "close": 3000, **SOURCE}}
        ),
        "/handshake/late/wrong_key",
        "unknown error 'nothing'",
    ),
    "a close that no service may send": (
        lambda raw: raw["handshake"].update(
            late={"wrong_key": {"error": "invalid_type", "close": 1000, **SOURCE}}
        ),
        "/handshake/late/wrong_key/close",
        "1000 is less than the minimum of 3000",
    ),
    "a parameter that must not come beside another, and no refusal for it": (
        lambda raw: raw["handshake"]["query"].update(intent={"without": ["model"], **SOURCE}),
        "/handshake/query/intent",
        "it wants a refusal 'needless_query', and there is none",
    ),
    "a header that is refused, and no refusal for it": (
        lambda raw: raw["handshake"].update(headers={"x": {"acceptance": "refused", **SOURCE}}),
        "/handshake/headers/x",
        "it wants a refusal 'refused_header', and there is none",
    ),
    "an unknown variant": (
        lambda raw: raw["client"]["shapes"].update(item={"by": "type", "variants": {"x": "nothing"}}),
        "/client/shapes/item/variants",
        "unknown shape 'nothing'",
    ),
}


@pytest.mark.parametrize(("breaks", "pointer", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_by_its_line_and_pointer(
    tmp_path: Path, breaks: Callable[[dict[str, Any]], Any], pointer: str, problem: str
) -> None:
    raw = small()
    breaks(raw)
    path = write(tmp_path, raw)

    with pytest.raises(DialectFault) as caught:
        load_dialect(path)

    fault = caught.value
    assert fault.pointer == pointer
    assert problem in fault.problem
    assert fault.line is not None
    assert str(fault).startswith(f"{path}:{fault.line}: dialect at {pointer}: ")


NOT_WHOLE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "service.session_seconds as a number": lambda raw: raw["service"].update(session_seconds=60),
    "a handshake refusal without status": lambda raw: raw["handshake"]["refusals"].update(made_up=SOURCE),
    "auth without schemes": lambda raw: raw["handshake"]["auth"].pop("schemes"),
    "a header without acceptance": lambda raw: raw["handshake"].update(headers={"x": SOURCE}),
    "an error without a message": lambda raw: raw.update(errors={"x": SOURCE}),
    "an error that is text": lambda raw: raw.update(errors={"x": "y"}),
    "values that are a number": field_of({"is": "string", "values": 5, **SOURCE}),
    "a kind that is a number": field_of({"is": 5, **SOURCE}),
}
WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an array of two kinds": field_of("[string|integer]"),
    "a flag nobody defined": field_of("string, requierd"),
    "a base that is not there": lambda raw: raw.update(extends="nothing"),
    "no base and no shapes": lambda raw: (raw.pop("extends"), raw.update(errors={})),
    "an event that is as a JSON type": lambda raw: raw["server"]["events"].update({"x": {"shape": "object"}}),
    "an unlisted error that is in no catalogue": lambda raw: raw["client"]["shapes"]["session_request"][
        "unlisted"
    ].update(error="no_such_error"),
}


@pytest.mark.parametrize("breaks", WRONG.values(), ids=WRONG)
def test_a_file_the_schema_lets_pass_is_still_refused_as_a_dialect(
    tmp_path: Path, breaks: Callable[[dict[str, Any]], Any]
) -> None:
    raw = small()
    breaks(raw)

    with pytest.raises(DialectFault):
        load_dialect(write(tmp_path, raw))


@pytest.mark.parametrize("breaks", NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_a_fact_that_is_not_whole_is_refused(tmp_path: Path, breaks: Callable[[dict[str, Any]], Any]) -> None:
    raw = small()
    breaks(raw)

    with pytest.raises(DialectFault):
        load_dialect(write(tmp_path, raw))


@pytest.mark.parametrize(
    ("text", "line"), [("dialect: [\n", 2), ("", None), ("a: &x 1\nb: *x\n", 2), ("[]\n", 1)]
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str, line: int | None) -> None:
    with pytest.raises(DialectFault) as caught:
        load_dialect(write(tmp_path, text))

    assert caught.value.line == line


def test_a_base_that_is_not_there_is_said_of_the_file_that_names_it(tmp_path: Path) -> None:
    path = write(tmp_path, {**small(), "extends": "nothing"})

    with pytest.raises(DialectFault) as caught:
        load_dialect(path)

    assert caught.value.path == str(path)
    assert caught.value.pointer == "/extends"


def test_the_common_tables_are_no_dialect_of_their_own() -> None:
    with pytest.raises(DialectFault, match="'dialect' is a required property"):
        load_dialect(data_folder() / "bases" / "common.yaml")


def test_the_dialects_played_by_default_are_those_whose_files_say_so() -> None:
    assert default_dialect_names() == tuple(name for name in NAMES if bundled_dialect(name).by_default)
    assert "azure-v1" in default_dialect_names()


@pytest.mark.parametrize(
    ("place", "typo"),
    [
        (("client",), "shape"),
        (("client", "shapes", "session_request"), "field"),
        (("server", "events", "mood.changed"), "feilds"),
        (("service",), "sesion"),
        (("handshake",), "querry"),
        (("client", "shapes", "session_request", "fields", "mood"), "requird"),
    ],
)
def test_a_key_that_nobody_reads_is_a_fault(tmp_path: Path, place: tuple[str, ...], typo: str) -> None:
    content = small()
    holder: Any = content
    for name in place:
        holder = holder[name]
    holder[typo] = {}

    with pytest.raises(DialectFault, match=typo):
        load_dialect(write(tmp_path, content))
