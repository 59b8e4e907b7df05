from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.bundled import cassettes_folder
from harness.cassette import Cassette, Close, Header, Interaction, Provenance, load_cassette
from harness.cli.main import main
from harness.dialects import bundled_dialect, dialect_names
from harness.messages import Side

GA = "azure-v1"
PREVIEW = "azure-2024-10-01-preview"
TOOL_CALL = cassettes_folder() / GA / "tool-call-round.jsonl"


def translate(*arguments: str | Path) -> int:
    return main(["translate", *map(str, arguments)])


@pytest.mark.parametrize("name", [name for name in dialect_names() if name != GA])
def test_a_translated_cassette_is_one_of_the_other_dialect(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.jsonl"

    assert translate(TOOL_CALL, "--to", name, "-o", path) == 0
    assert main(["validate", str(path)]) == 0
    assert f"a constructed cassette of {name}" in capsys.readouterr().out
    header, dialect = load_cassette(path).header, bundled_dialect(name)
    assert (header.dialect, header.api_version) == (name, dialect.api_version)
    assert header.path == dialect.handshake.path
    assert header.query == dialect.handshake.right_query("gpt-realtime")
    assert header.scenario == "tool-call-round"


def test_the_translation_says_what_it_lost_how_often_and_where_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.jsonl"
    translate(TOOL_CALL, "--to", PREVIEW, "-o", path)

    said = capsys.readouterr().out
    assert f"{GA} -> {PREVIEW}" in said
    assert "session.created session.truncation: the wire has no place for it (in line 2)" in said
    assert "conversation.item.done event_id" in said
    assert "times, first in line" in said
    assert "made up: nothing" in said


def test_where_nothing_is_lost_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert translate(TOOL_CALL, "--to", "openai-ga", "-o", tmp_path / "out.jsonl", "--strict") == 0
    assert "lost: nothing" in capsys.readouterr().out


def test_machines_get_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.jsonl"
    back = tmp_path / "back.jsonl"
    translate(TOOL_CALL, "--to", PREVIEW, "-o", path, "--json")
    there = json.loads(capsys.readouterr().out)
    translate(path, "--to", GA, "-o", back, "--json")
    again = json.loads(capsys.readouterr().out)

    assert (there["from"], there["to"], there["output"]) == (GA, PREVIEW, str(path))
    assert there["interactions"]["written"] == len(load_cassette(path).interactions)
    assert {
        "side": "server",
        "event": "session.created",
        "path": "session.truncation",
        "reason": "the wire has no place for it",
        "count": 1,
        "first_line": 2,
    } in there["lost"]
    assert there["made_up"] == []
    assert again["lost"] == []
    assert {entry["path"] for entry in again["made_up"]} == {"event_id"}


def test_strict_exits_1_where_something_was_lost(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    assert translate(TOOL_CALL, "--to", PREVIEW, "-o", path, "--strict") == 1
    assert path.exists()


def made(tmp_path: Path, **changes: Any) -> Path:
    """A cassette of a few interactions, as a recording of the service would be."""
    events: list[Interaction] = [
        Interaction(0.1, Side.CLIENT, raw="not an event"),
        Interaction(
            0.2, Side.CLIENT, {"type": "session.update", "session": {"type": "realtime", "tools": []}}
        ),
        Interaction(
            0.3,
            Side.CLIENT,
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "mcp_approval_response",
                    "id": "i",
                    "approval_request_id": "r",
                    "approve": True,
                },
            },
        ),
    ]
    header = Header(
        dialect=GA,
        api_version="v1",
        path="/openai/v1/realtime",
        query=(("model", "my-own-deployment"),),
        scenario=None,
        provenance=Provenance.RECORDED,
        origin=(("date", "2026-07-01"), ("host_class", "azure")),
        tool="test",
    )
    path = tmp_path / "recorded.jsonl"
    cassette = Cassette(header, tuple(changes.get("interactions", events)), Close("server", 1001, "bye"))
    path.write_text("".join(f"{line}\n" for line in cassette.lines()), encoding="utf-8")
    return path


def test_a_translated_recording_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    translate(made(tmp_path), "--to", PREVIEW, "-o", path)

    header = load_cassette(path).header
    origin = dict(header.origin)

    assert header.provenance is Provenance.CONSTRUCTED
    assert "host_class" not in origin
    assert origin["evidence"] == "analogous"
    assert origin["translated_from"] == GA
    assert origin["translated_source"] == "recorded, date 2026-07-01, host_class azure"
    assert origin["lost"] == "conversation.item.create type"
    assert dict(header.query)["deployment"] == "my-own-deployment"


def test_frames_that_are_no_events_stay_and_refused_events_go(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    translate(made(tmp_path), "--to", PREVIEW, "-o", path)

    cassette = load_cassette(path)

    assert [one.raw or one.event for one in cassette.interactions] == [
        "not an event",
        {"type": "session.update", "session": {"tools": []}},
    ]
    assert [one.t for one in cassette.interactions] == [0.1, 0.2]
    assert cassette.close == Close("server", 1001, "bye")


def test_what_a_session_that_broke_off_left_to_its_end_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = load_cassette(TOOL_CALL).interactions
    types = [one.event["type"] if one.event else "" for one in whole]
    cut = types.index("response.output_item.done")
    path = made(tmp_path, interactions=whole[:cut])

    translate(path, "--to", PREVIEW, "-o", tmp_path / "out.jsonl")

    assert "left to response.output_item.done, which did not come" in capsys.readouterr().out


def test_the_default_place_is_that_of_the_cassettes_of_the_dialect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert translate(made(tmp_path), "--to", PREVIEW) == 0
    assert load_cassette(tmp_path / "cassettes" / PREVIEW / "recorded.jsonl").header.dialect == PREVIEW
    assert [path.name for path in (tmp_path / "cassettes" / PREVIEW).iterdir()] == ["recorded.jsonl"]


def test_an_existing_file_is_replaced_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("mine", encoding="utf-8")

    assert translate(TOOL_CALL, "--to", PREVIEW, "-o", path) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "mine"
    assert translate(TOOL_CALL, "--to", PREVIEW, "-o", path, "--force") == 0
    assert load_cassette(path).header.dialect == PREVIEW


def test_a_cassette_of_the_dialect_itself_is_not_translated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert translate(TOOL_CALL, "--to", GA, "-o", tmp_path / "out.jsonl") == 2
    assert "is in azure-v1 already" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "no cassette", '{"cassette": 1}'])
def test_a_broken_cassette_is_refused_and_nothing_is_written(tmp_path: Path, text: str) -> None:
    broken, path = tmp_path / "broken.jsonl", tmp_path / "out.jsonl"
    broken.write_text(text, encoding="utf-8")

    assert translate(broken, "--to", PREVIEW, "-o", path) == 2
    assert not path.exists()


def test_a_dialect_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert translate(TOOL_CALL, "--to", "esperanto", "-o", tmp_path / "out.jsonl") == 2
    assert "there is no dialect 'esperanto'" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = cassettes_folder() / "azure-v1" / "text-turn.jsonl"
    (tmp_path / "folder").mkdir()

    assert translate(source, "--to", "openai-beta", "-o", tmp_path / "folder", "--force") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_a_log_that_is_no_cassette_is_told_how_to_become_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"dir": "in", "event": {"type": "session.created"}}\n')

    assert translate(log, "--to", "openai-beta") == 2
    assert "realtime-harness import" in capsys.readouterr().err
