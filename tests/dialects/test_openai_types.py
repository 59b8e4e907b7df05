"""Our tables against the types of the `openai` package, written by others for the same wire."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.dialects import Acceptance, Evidence, bundled_dialect
from harness.dialects.model import Fact, Field, Shape, Unlisted, Vocabulary
from harness.drivers.environments import Environments
from harness.drivers.implementation import Implementation
from tests.dialects.reasons import FOLDER, Reason, read_reasons, stale, unexplained
from tests.dialects.type_forms import (
    Form,
    Member,
    TableReader,
    differences,
    disagreements,
    form_of_schema,
    merged,
)

PROGRAM = Path(__file__).with_name("openai_types.py")
VERSION = "3.52.0"
BETA_VERSION = "1.80.0"
"""Of May 2025, when the beta was all there was."""

GENERATIONS = {
    "openai-ga": "ga",
    "azure-v1": "ga",
    "openai-beta": "beta",
    "azure-2025-04-01-preview": "beta",
    "azure-2024-10-01-preview": "beta",
}
NAMESPACES = {"ga": "realtime", "beta": "beta.realtime"}
BETA = [name for name, generation in GENERATIONS.items() if generation == "beta"]

Types = dict[str, Any]


def read_types(interpreter: str | Path, namespace: str) -> Types:
    command = [str(interpreter), str(PROGRAM), namespace]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@cache
def installed(generation: str) -> Types:
    return read_types(sys.executable, NAMESPACES[generation])


def found_in(dialect: str, types: Types) -> set[str]:
    return disagreements(bundled_dialect(dialect), types)


@pytest.mark.parametrize("generation", NAMESPACES)
def test_the_installed_package_is_the_one_the_reasons_speak_of(generation: str) -> None:
    assert installed(generation)["version"] == VERSION


@pytest.mark.parametrize("dialect", GENERATIONS)
def test_every_disagreement_with_the_package_has_a_reason(dialect: str) -> None:
    generation = GENERATIONS[dialect]
    found = found_in(dialect, installed(generation))

    assert unexplained(found, read_reasons(generation, dialect)) == []


@pytest.mark.parametrize("dialect", GENERATIONS)
def test_every_reason_still_has_its_disagreement(dialect: str) -> None:
    generation = GENERATIONS[dialect]
    found = found_in(dialect, installed(generation))

    assert stale(found, read_reasons(generation, dialect)) == []


@pytest.mark.heavy
@pytest.mark.parametrize("dialect", BETA)
async def test_every_further_disagreement_with_the_package_of_the_beta_has_a_reason(dialect: str) -> None:
    name = f"openai-types@{BETA_VERSION}"
    recipe = Implementation(name, PROGRAM, (), requirements=(f"openai=={BETA_VERSION}",))
    interpreter, _ = await Environments().interpreter(recipe)
    types = read_types(interpreter, NAMESPACES["beta"])
    reasons = read_reasons(f"beta-{BETA_VERSION}", dialect)

    further = found_in(dialect, types) - found_in(dialect, installed("beta"))

    assert types["version"] == BETA_VERSION
    assert unexplained(further, reasons) == []
    assert stale(further, reasons) == []


def test_every_list_of_disagreements_is_used_and_gives_reasons() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {*NAMESPACES, f"beta-{BETA_VERSION}"}
    for path in FOLDER.iterdir():
        for dialect in GENERATIONS:
            assert all(reason.because and reason.patterns for reason in read_reasons(path.stem, dialect))
            named = {name for one in read_reasons(path.stem, dialect) for name in one.dialects or ()}
            assert named <= GENERATIONS.keys()


def test_a_pattern_without_its_disagreement_is_found_and_a_disagreement_without_a_pattern() -> None:
    reasons = [Reason("a", ("server *: x: only here", "server b: y[]: only there"))]

    assert unexplained(["server a: x: only here", "server c: z: only here"], reasons) == [
        "server c: z: only here"
    ]
    assert stale(["server a: x: only here"], reasons) == ["server b: y[]: only there"]


def properties(types: Types, side: str, event: str, definition: str | None = None) -> Types:
    schema = types[side][event]
    return (schema["$defs"][definition] if definition else schema)["properties"]


def without_an_event(types: Types) -> None:
    del types["server"]["response.done"]


def with_an_event(types: Types) -> None:
    types["client"]["response.undo"] = types["client"]["response.cancel"]


def without_a_field(types: Types) -> None:
    del properties(types, "server", "response.output_text.delta")["delta"]


def with_a_field(types: Types) -> None:
    properties(types, "client", "response.cancel")["reason"] = {"type": "string"}


def with_another_type(types: Types) -> None:
    properties(types, "client", "conversation.item.truncate")["audio_end_ms"] = {"type": "string"}


def with_null(types: Types) -> None:
    inner = properties(types, "client", "conversation.item.delete")
    inner["item_id"] = {"anyOf": [inner["item_id"], {"type": "null"}]}


def with_another_value(types: Types) -> None:
    # Deep in a definition: status of a response.
    status = properties(types, "server", "response.done", "RealtimeResponse")["status"]
    status["anyOf"][0]["enum"].append("paused")


def with_a_field_left_out(types: Types) -> None:
    types["client"]["input_audio_buffer.append"]["required"].remove("audio")


def with_other_elements(types: Types) -> None:
    inner = properties(types, "server", "rate_limits.updated")["rate_limits"]
    inner["items"] = {"type": "string"}


@pytest.mark.parametrize(
    ("plant", "lines"),
    [
        (without_an_event, {"server response.done: only here"}),
        (with_an_event, {"client response.undo: only there"}),
        (without_a_field, {"server response.output_text.delta: delta: only here"}),
        (with_a_field, {"client response.cancel: reason: only there"}),
        (
            with_another_type,
            {
                "client conversation.item.truncate: audio_end_ms: integer only here",
                "client conversation.item.truncate: audio_end_ms: string only there",
            },
        ),
        (with_null, {"client conversation.item.delete: item_id: null only there"}),
        (with_another_value, {"server response.done: response.status: values only there: paused"}),
        (with_a_field_left_out, {"client input_audio_buffer.append: audio: required here"}),
        (
            with_other_elements,
            {
                "server rate_limits.updated: rate_limits[]: object only here",
                "server rate_limits.updated: rate_limits[]: string only there",
            },
        ),
    ],
)
def test_a_planted_difference_is_noticed(plant: Callable[[Types], None], lines: set[str]) -> None:
    planted = copy.deepcopy(installed("ga"))
    plant(planted)

    assert found_in("azure-v1", planted) - found_in("azure-v1", installed("ga")) == lines


FACT = Fact(Evidence.DOCUMENTED, "a document")
TEXT = Form(frozenset({"string"}))


def shape(name: str, *fields: Field, by: str | None = None, **variants: str) -> Shape:
    unlisted = Unlisted(Acceptance.UNKNOWN, None, FACT)
    return Shape(name, {one.name: one for one in fields}, unlisted, by, variants or None)


def form_of_table(*shapes: Shape) -> Form:
    vocabulary = Vocabulary({}, {one.name: one for one in shapes}, Unlisted(Acceptance.UNKNOWN, None, FACT))
    return TableReader(vocabulary).form(shapes[0].name)


def form(schema: Types) -> Form:
    return form_of_schema(schema, schema)


def kind(tag: str, **fields: str) -> Types:
    inner = {name: {"type": value} for name, value in fields.items()}
    return {"type": "object", "properties": {"type": {"const": tag}, **inner}, "required": ["type"]}


def test_objects_that_go_by_their_type_are_compared_type_by_type() -> None:
    here = form_of_table(
        shape("item", by="type", call="call", song="song"),
        shape("call", Field("name", ("string",), (), FACT), Field("at", ("integer",), (), FACT)),
        shape("song", Field("title", ("string",), (), FACT)),
    )
    there = form({"anyOf": [kind("call", name="string"), kind("text", at="integer")]})

    assert set(differences(here, there, "item")) == {
        "item<call>.at: only here",
        "item<call>.type: required there",
        "item<song>: only here",
        "item<text>: only there",
    }


def test_objects_of_which_only_one_side_goes_by_type_are_compared_as_one() -> None:
    here = form_of_table(
        shape("item", Field("name", ("string",), (), FACT), Field("type", ("string",), (), FACT))
    )
    there = form({"anyOf": [kind("call", name="string"), kind("text", at="integer")]})

    assert set(differences(here, there, "item")) == {
        "item.at: only there",
        "item.type: required there",
        "item.type: values only there: call, text",
    }


def test_what_we_say_we_do_not_know_is_a_disagreement_only_where_they_know() -> None:
    here = form_of_table(
        shape(
            "item",
            Field("speed", ("number",), (), FACT, Acceptance.UNKNOWN),
            Field("model", ("string",), (), FACT, Acceptance.REFUSED),
            Field("include", ("any",), (), FACT, Acceptance.UNKNOWN),
        )
    )
    there = form({"type": "object", "properties": {"speed": {"type": "number"}, "model": {"type": "string"}}})

    assert set(differences(here, there, "s")) == {"s.speed: unknown here", "s.model: refused here"}


def test_examples_among_open_values_are_no_disagreement() -> None:
    open_voice = form({"anyOf": [{"type": "string"}, {"enum": ["alloy"]}]})
    closed_voice = form({"enum": ["alloy", "echo"]})
    voice = Form(frozenset({"string"}), values=frozenset({"alloy", "cedar"}))

    assert list(differences(voice, open_voice, "voice")) == []
    assert list(differences(voice, closed_voice, "voice")) == [
        "voice: values only here: cedar",
        "voice: values only there: echo",
    ]


def test_of_limits_that_are_a_number_or_a_word_the_word_is_compared() -> None:
    limit = form({"anyOf": [{"type": "integer"}, {"const": "inf"}]})

    assert list(differences(Form(frozenset({"integer", "string"})), limit, "limit")) == [
        "limit: values only there: inf"
    ]


def test_a_writer_who_marks_null_and_absent_alike_says_nothing_on_null() -> None:
    optional = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    there = form({"type": "object", "properties": {"a": optional, "b": optional}})
    here = Form(
        frozenset({"object"}),
        objects={
            None: {"a": Member(TEXT, False), "b": Member(merged([TEXT, Form(frozenset({"null"}))]), False)}
        },
    )

    assert list(differences(here, there, "")) == []


def test_an_object_of_any_fields_is_not_one_with_fields() -> None:
    free = form({"type": "object", "additionalProperties": {"type": "string"}})
    fixed = form(kind("a"))

    assert list(differences(free, fixed, "x")) == ["x: fields only there"]
    assert list(differences(fixed, free, "x")) == ["x: fields only here"]


def test_a_shape_within_itself_is_read() -> None:
    here = form_of_table(shape("tree", Field("left", ("tree", "null"), (), FACT)))

    assert here.objects[None]["left"].form.kinds == {"object", "null"}
