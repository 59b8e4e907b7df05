"""`realtime-harness dialects`: the table, one dialect in full, JSON, and the schemas on disk."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.cli.dialect_json import dialect_json, overview_json
from harness.cli.dialect_text import NARROWEST, WIDEST, dialect_lines, overview_lines
from harness.cli.main import main
from harness.dialects import Acceptance, Dialect, Evidence, bundled_dialect, dialect_names, shares, statements
from harness.dialects.facts import reached_shapes
from harness.validation import bundled_schema
from tests.dialects.test_json_schema import assert_schema

NAME = "azure-v1"
FLAT = "azure-2024-10-01-preview"
ALL = tuple(map(bundled_dialect, dialect_names()))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["dialects", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def joined(lines: list[str]) -> str:
    """The text as it was before it was broken into lines."""
    return " ".join(" ".join(lines).split())


def section(lines: list[str], title: str) -> list[str]:
    start = lines.index(title)
    end = next((at for at, line in enumerate(lines) if at > start and line and line[0] != " "), len(lines))
    return lines[start + 1 : end]


# The table.


def test_the_table_has_a_line_for_each_dialect_with_its_shares(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)

    assert code == 0
    for dialect in ALL:
        row = next(line for line in out.splitlines() if line.split()[:1] == [dialect.name])
        known = shares(dialect)
        client = "/".join(str(known.client[one]) for one in ("accepted", "refused", "unknown"))  # type: ignore[index]
        assert row.split()[1:3] == [f"{len(dialect.client.events)}/{len(dialect.server.events)}", client]
        percents = [int(number) for number in re.findall(r"(\d+) %", row)]
        assert len(percents) == len(Evidence)
        assert sum(percents) == pytest.approx(100, abs=3)
        assert dialect.api_version in out
        assert dialect.handshake.path in out


@pytest.mark.parametrize("width", [20, NARROWEST, 100, 140, WIDEST, 500])
def test_no_line_is_wider_than_the_terminal_or_than_people_read(width: int) -> None:
    most = max(NARROWEST, min(width, WIDEST))

    assert [line for dialect in ALL for line in dialect_lines(dialect, width) if len(line) > most] == []
    # The table has columns of its own; 97 is all it needs.
    assert [line for line in overview_lines(ALL, width) if len(line) > max(most, 97)] == []


def test_piped_output_is_plain_text_without_colours() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    done = subprocess.run(
        [sys.executable, "-m", "harness", "dialects", NAME],
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )

    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stdout.splitlines() == dialect_lines(bundled_dialect(NAME), 100)


# One dialect in full.


def test_every_field_of_every_event_is_shown_once(dialect: Dialect) -> None:
    lines = dialect_lines(dialect, 140)
    for title, side, marks in (
        ("What the client may send", "client", "✓✗?"),
        ("What the service sends", "server", "·"),
    ):
        shown = section(lines, title)
        rows = [line.split()[1] for line in shown if re.match(rf" {{6}}[{marks}] (?!any other)", line)]
        stated = [
            one.name.rpartition(".")[2] for one in statements(dialect) if one.section == f"{side}.field"
        ]
        assert sorted(rows) == sorted(stated)
        events = [line.split()[1] for line in shown if re.match(rf" {{2}}[{marks}] (?!any other)", line)]
        vocabulary = dialect.client if side == "client" else dialect.server
        assert events == list(vocabulary.events)


def test_a_field_is_shown_with_all_that_is_known_of_it() -> None:
    client = joined(section(dialect_lines(bundled_dialect(FLAT), 160), "What the client may send"))

    for expected in (
        r"✓ temperature number; from 0\.6 to 1\.2; default 0\.8 documented \[\d+\]",
        r"✓ session object; required",
        r"✓ modalities \[string\]; one of: \[text\], \[audio, text\]; else refused: invalid_modalities; "
        r"starts as \[\"audio\", \"text\"\] reported",
        r"✗ output_modalities refused: unknown_parameter; write modalities",
        r"\? speed number; from 0\.25 to 1\.5; default 1\.0; since 2025-05",
        r"✗ any other field refused: unknown_parameter",
        r"✗ any other event refused: invalid_value",
        r"response\.tools\[\] as in session\.update: session\.tools\[\]",
    ):
        assert re.search(expected, client), expected


def test_kinds_that_one_event_has_and_another_has_not_are_not_passed_over() -> None:
    """`response.input` is made of items, as a conversation is, and of references beside them."""
    client = section(dialect_lines(bundled_dialect(NAME), 160), "What the client may send")

    at = next(n for n, line in enumerate(client) if line.strip() == "response.input[]<item_reference>")
    assert [line.split()[1] for line in client[at + 1 : at + 3]] == ["type", "id"]


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Errors", lambda dialect: dialect.errors),
        ("Failures inside other events", lambda dialect: [one.name for one in dialect.failures]),
        ("Order of the service's events, in canonical names", lambda dialect: dialect.orders),
        (
            "Handshake",
            lambda dialect: [
                *(f"?{rule.name}" for rule in dialect.handshake.query),
                *dialect.handshake.refusals,
            ],
        ),
        ("Session, limits, closes", lambda dialect: [one.name for one in dialect.limits]),
    ],
)
def test_every_part_of_a_dialect_is_there(dialect: Dialect, title: str, names: Any) -> None:
    shown = joined(section(dialect_lines(dialect, 140), title)).split()

    assert [name for name in names(dialect) if name not in shown] == []


def test_every_error_is_shown_with_its_condition_and_whether_the_sentence_was_seen(dialect: Dialect) -> None:
    shown = joined(section(dialect_lines(dialect, 140), "Errors"))

    for error in dialect.errors.values():
        how = "verbatim" if error.verbatim else "the sentence is ours"
        assert f"“{error.message}” ({how})" in shown
        assert " ".join(error.when.split()[:3]) in shown
        assert f"code {error.code or 'null'}; param {error.param or 'null'}" in shown


def test_every_number_leads_to_a_source_and_every_source_is_cited(dialect: Dialect) -> None:
    lines = dialect_lines(dialect, 100)
    sources = section(lines, "Sources")
    body = lines[: lines.index("Sources")]
    numbered = [int(found[1]) for line in sources if (found := re.match(r" +\[(\d+)\] ", line))]
    levels = "|".join(Evidence)
    # Beside what is unknown stands the source alone.
    cited = {int(n) for line in body for n in re.findall(rf"(?:(?:{levels}) |\s{{3}})\[(\d+)\]", line)}

    assert numbered == list(range(1, len(numbered) + 1))
    assert cited == set(numbered)
    text = joined(sources)
    for one in statements(dialect):
        if one.acceptance is not Acceptance.UNKNOWN:
            assert " ".join(one.fact.source.split()) in text, one


def test_names_are_shown_in_both_directions() -> None:
    lines = dialect_lines(bundled_dialect(FLAT), 160)
    to_canonical = joined(section(lines, "From the wire to canonical form"))
    to_wire = joined(section(lines, "From canonical form to the wire"))

    assert "event response.text.delta → response.output_text.delta" in to_canonical
    assert "session voice → audio.output.voice" in to_canonical
    assert "content part audio → output_audio" in to_canonical
    assert "event response.output_text.delta → response.text.delta" in to_wire
    assert "session audio.output.voice → voice" in to_wire
    assert "session truncation → has no place" in to_wire
    assert "event session.created → session.created or transcription_session.created" in to_wire


def test_a_file_that_somebody_is_writing_can_be_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f'extends: {NAME}\ndialect: mine\ntitle: Mine\napi_version: "1"\nsince: "2031-01"\n'
    text += 'as_of: "2031-01"\nstatus: made up\nhost: mine.invalid\n'
    (tmp_path / "mine.yaml").write_text(
        text
        + "handshake: {path: /x, query: {}, auth: {schemes: [bearer], evidence: assumed, source: none}}\n"
        + "translation: {}\n",
        encoding="utf-8",
    )

    code, out, _ = run(capsys, str(tmp_path / "mine.yaml"))

    assert code == 0
    assert out.startswith("mine: Mine\n")


def test_a_name_nobody_brought_is_wrong_usage_and_the_known_ones_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, "azure-v9")

    assert (code, out) == (2, "")
    assert "there is no dialect 'azure-v9'" in err
    assert all(name in err for name in dialect_names())


# JSON.


def test_the_json_of_every_dialect_is_what_its_schema_says(dialect: Dialect) -> None:
    schema = bundled_schema("facts")

    assert schema.problems(json.loads(json.dumps(dialect_json(dialect)))) == []
    assert schema.problems(json.loads(json.dumps(overview_json(ALL)))) == []


def test_the_json_holds_every_statement(dialect: Dialect) -> None:
    whole = json.loads(json.dumps(dialect_json(dialect)))
    named = {
        "client.field": whole["client"]["fields"],
        "server.field": whole["server"]["fields"],
        "client.event": whole["client"]["events"],
        "server.event": whole["server"]["events"],
        **{
            section: {one["name"]: one for one in whole[key]}
            for section, key in (("error", "errors"), ("failure", "failures"), ("order", "orders"))
        },
        "limit": {one["name"]: one for one in whole["limits"]},
        "service": {one["name"]: one for one in whole["service"]["facts"]},
        "handshake.query": {one["name"]: one for one in whole["handshake"]["query"]},
        "handshake.header": {one["name"]: one for one in whole["handshake"]["headers"]},
    }
    for one in statements(dialect):
        if one.section in named:
            written = named[one.section][one.name]
            assert (written["evidence"], written["source"]) == (one.fact.evidence, one.fact.source)
            assert written.get("note") == one.fact.note
    assert whole["stated"]["count"] == shares(dialect).stated
    assert set(whole["client"]["objects"]) == set(reached_shapes(dialect.client))


def test_each_path_of_an_event_leads_to_a_field_and_says_what_holds_without_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, NAME, "--json")
    whole = json.loads(out)
    fields = whole["client"]["events"]["session.update"]["fields"]

    assert code == 0
    assert fields["session<realtime>.audio.output.voice"] == {
        "field": "session_audio_output.voice",
        "starts_as": "alloy",
    }
    assert fields["session<realtime>.tool_choice"]["default"] == "auto"
    for side in ("client", "server"):
        for event in whole[side]["events"].values():
            assert {one["field"] for one in event["fields"].values()} <= set(whole[side]["fields"])


def test_the_json_of_the_table_has_all_dialects(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--json")

    assert [one["name"] for one in json.loads(out)["dialects"]] == list(dialect_names())


# Schemas on disk.


def test_the_schemas_are_written_one_file_for_each_side_and_event_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, NAME, "--schemas", str(tmp_path / "schemas"))
    dialect = bundled_dialect(NAME)
    folder = tmp_path / "schemas" / NAME

    assert code == 0
    assert f"{len(dialect.client.events) + len(dialect.server.events)} schemas" in out
    for side, vocabulary in (("client", dialect.client), ("server", dialect.server)):
        assert {path.name for path in (folder / side).iterdir()} == {
            f"{one}.json" for one in vocabulary.events
        }
        for path in (folder / side).iterdir():
            assert_schema(json.loads(path.read_text("utf-8")))


def test_a_written_schema_judges_events_without_the_harness(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, FLAT, "--schemas", str(tmp_path))
    schema = json.loads((tmp_path / FLAT / "client" / "session.update.json").read_text("utf-8"))
    validator = Draft202012Validator(schema)

    assert validator.is_valid({"type": "session.update", "session": {"modalities": ["text"]}})
    assert not validator.is_valid({"type": "session.update", "session": {"output_modalities": ["text"]}})


def test_without_a_name_the_schemas_of_every_dialect_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "--schemas", str(tmp_path))

    assert sorted(path.name for path in tmp_path.iterdir()) == list(dialect_names())


def test_a_folder_that_cannot_be_written_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")

    code, _, err = run(capsys, NAME, "--schemas", str(tmp_path / "taken"))

    assert code == 2
    assert "cannot be written" in err


def test_schemas_and_json_are_not_asked_for_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["dialects", NAME, "--json", "--schemas", "x"])

    assert caught.value.code == 2
