"""`realtime-harness diff` as a user runs it: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.bundled import cassettes_folder
from harness.cli.main import main
from harness.validation import bundled_schema
from tests.diff.sessions import Entry, voice_session, with_fresh_ids, with_other_chunks

CASSETTE = cassettes_folder() / "azure-v1" / "text-turn.jsonl"
PREVIEW = cassettes_folder() / "azure-2024-10-01-preview" / "text-turn.jsonl"


def written(path: Path, entries: list[Entry]) -> str:
    lines = [json.dumps({"dir": side, "event": event}) for side, event in entries]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    """A session, and another run of it in which the service refused to be brief."""
    entries = voice_session()
    other = with_other_chunks(with_fresh_ids(entries))
    updated = next(event for _, event in other if event["type"] == "session.updated")
    updated["session"]["instructions"] = "Be \x1b[31mlong.\u202e"
    return written(tmp_path / "a.jsonl", entries), written(tmp_path / "b.jsonl", other)


def test_another_run_of_the_same_session_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = voice_session()
    a = written(tmp_path / "a.jsonl", entries)
    b = written(tmp_path / "b.jsonl", with_other_chunks(with_fresh_ids(entries)))

    assert main(["diff", a, b]) == 0
    assert "No difference." in capsys.readouterr().out


def test_a_difference_exits_1_and_can_be_read_aloud(
    two: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *two]) == 1

    said = capsys.readouterr().out
    assert "\nsession\n  session.updated from the service, A:3 B:3\n" in said
    assert '    session.instructions: A has "Be brief.", B has "Be \\u001b[31mlong.\\u202e"\n' in said
    assert "1 difference: 1 in values. 20 lanes compared, 1 differ." in said
    assert "\x1b" not in said


def test_what_is_left_out_can_be_put_back(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *two, "--with", "ids,times", "--with", "obfuscation,audio"]) == 1

    said = capsys.readouterr().out
    assert "left out: nothing" in said
    assert "session.expires_at: A has" in said
    assert "event_id: A has" in said


def test_the_json_is_of_its_schema(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *two, "--format", "json"]) == 1

    value = json.loads(capsys.readouterr().out)
    assert bundled_schema("diff").problems(value) == []
    assert value["same"] is False
    ((change,),) = [each["changes"] for lane in value["lanes"] for each in lane["differences"]]
    assert change["path"] == "session.instructions"
    assert change["a"] == "Be brief."


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_file_is_written_where_one_is_named(form: str, two: tuple[str, str], tmp_path: Path) -> None:
    target = tmp_path / "deep" / f"out.{form}"

    assert main(["diff", *two, "--format", form, "-o", str(target)]) == 1
    assert "session.instructions" in target.read_text("utf-8")


def test_two_dialects_are_compared_in_canonical_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(PREVIEW), str(CASSETTE)]) == 1

    said = capsys.readouterr().out
    assert "Compared in canonical form" in said
    assert "  event: response.audio.delta in A is response.output_audio.delta in B" in said
    assert "type: A has" not in said


def test_as_wire_compares_names_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(PREVIEW), str(CASSETTE), "--as-wire"]) == 1

    said = capsys.readouterr().out
    assert "Compared as they stand on the wire" in said
    assert 'type: A has "response.audio.delta", B has "response.output_audio.delta"' in said


def test_a_named_dialect_goes_before_what_the_file_says(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(CASSETTE), str(CASSETTE), "--dialect-a", "azure-2024-10-01-preview"]

    main(["diff", *arguments])

    assert "azure-2024-10-01-preview" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [str(CASSETTE), "missing.jsonl"],
        [str(CASSETTE), str(CASSETTE), "--dialect-a", "nobody"],
        [str(CASSETTE), str(CASSETTE), "-o", "/dev/null/x"],
    ],
)
def test_a_broken_file_or_name_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *arguments]) == 2
    assert capsys.readouterr().err.startswith("realtime-harness: ")


def test_an_unknown_thing_to_put_back_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["diff", "a", "b", "--with", "ids,colors"])

    assert ended.value.code == 2
    assert "'colors' is none of ids, times, obfuscation, audio" in capsys.readouterr().err


def test_a_line_that_is_no_event_is_named_and_not_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    written(a, voice_session())
    b.write_text(a.read_text("utf-8") + '{"dir": "server", "event": \n', "utf-8")

    assert main(["diff", str(a), str(b)]) == 1
    said = capsys.readouterr().out
    assert "unreadable lines" in said
    assert f"B:{len(voice_session()) + 1}" in said


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_keys_in_a_log_are_not_shown(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = []
    for number, key in enumerate(("Bearer abcdefgh12345", "Bearer zyxwvuts98765")):
        event = {"type": "session.update", "session": {"instructions": f"say {key} {number}"}}
        path = tmp_path / f"{number}.jsonl"
        path.write_text(json.dumps({"dir": "out", "event": event}) + "\n")
        logs.append(str(path))

    assert main(["diff", *logs, "--format", form]) == 1
    shown = capsys.readouterr().out
    assert "session.instructions" in shown
    assert not {"abcdefgh12345", "zyxwvuts98765"} & set(shown.replace('"', " ").split())
