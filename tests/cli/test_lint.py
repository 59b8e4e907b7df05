"""`realtime-harness lint`, through the command line's own entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.bundled import cassettes_folder
from harness.cli.main import main
from harness.dialects.load import data_folder
from harness.messages import MAX_FRAME
from tests.lint.made import FLAT, GA, cassette, place
from tests.logs.made import har, har_message, json_lines

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in a folder of its own; gives the exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(["lint", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def written(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def lines(dialect: str, name: str = "text-turn") -> list[dict[str, Any]]:
    return [{"dir": side, "event": event} for side, event in cassette(dialect, name)]


def test_a_sound_cassette_needs_no_dialect_and_exits_0(run: Run) -> None:
    path = str(cassettes_folder() / GA / "audio-turn.jsonl")
    code, out, err = run(path)
    assert (code, err) == (0, "")
    assert "judged as azure-v1\n  nothing found\n" in out


def test_a_failure_exits_1_and_says_what_where_why_and_what_to_do(run: Run) -> None:
    code, out, _ = run(written("a.jsonl", json_lines(*lines(FLAT))), "--dialect", GA)
    assert code == 1
    assert "  FAIL      rename.server-event  lines" in out
    assert "here it is 'response.output_audio.delta'." in out
    for word in ("expected", "actual", "evidence", "mend"):
        assert f"            {word}" in out


def test_a_deviation_alone_exits_0_and_notes_are_shown_on_request(run: Run) -> None:
    said = lines(GA)
    said.append({"dir": "server", "event": {"type": "session.renewed", "event_id": "e"}})
    said[0]["event"]["session"]["colour"] = "green"
    path = written("a.jsonl", json_lines(*said))
    code, out, _ = run(path, "-d", GA)
    assert (code, "schema.new-event" in out, "schema.new-field" in out) == (0, True, False)
    assert "1 deviation, 1 note (-v shows the notes)" in out
    assert "schema.new-field" in run(path, "-d", GA, "-v")[1]


def test_json_holds_everything_and_nothing_else(run: Run) -> None:
    sound = str(cassettes_folder() / GA / "text-turn.jsonl")
    code, out, err = run(written("a.jsonl", json_lines(*lines(FLAT))), sound, "-d", GA, "--json")
    broken, right = json.loads(out)
    assert (code, err) == (1, "")
    assert (broken["file"], broken["dialect"], broken["failed"]) == ("a.jsonl", GA, True)
    assert (right["failed"], right["findings"]) == (False, [])
    for finding in broken["findings"]:
        assert finding["lines"]
        assert finding["evidence"][0].keys() == {"level", "source"}
        assert {"code", "severity", "path", "message", "expected", "actual", "mend"} < finding.keys()


def test_a_log_that_names_no_dialect_is_told_which_it_fits(run: Run) -> None:
    code, out, err = run(written("a.jsonl", json_lines(*lines(FLAT))))
    assert (code, out) == (2, "")
    assert "name it with --dialect" in err
    assert f"{FLAT} (fits)" in err
    assert "azure-v1 (" in err
    assert "failures)" in err


def test_an_unknown_dialect_and_a_missing_file_exit_2_and_the_rest_is_judged(run: Run) -> None:
    path = written("a.jsonl", json_lines(*lines(GA)))
    code, out, err = run("none.jsonl", path, "-d", GA)
    assert code == 2
    assert "none.jsonl" in err
    assert "nothing found" in out
    code, _, err = run(path, "-d", "azure-v0")
    assert code == 2
    assert "azure-v0" in err


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b'{"dir": "server", "event": {"type": "a"', "not JSON"),
        (b"no JSON at all", "not JSON"),
        (b"[1, 2]", "a JSON array, expected an object"),
        (b'{"dir": "server", "event": ' + b"[" * 100_000, "nested deeper"),
        (b'{"dir": "server", "event": {"type": "a", "b": ' + b"[" * 80 + b"]" * 80 + b"}}", "nested deeper"),
        (b'{"dir": "server", "event": {"type": "a", "b": "\xff\xfe"}}', "not UTF-8"),
        (b'{"dir": "server", "event": {"type": 7}}', "without a string 'type'"),
        (b'{"dir": "server", "event": {"b": 7}}', "without a string 'type'"),
        (b'{"dir": "sideways", "event": {"type": "a"}}', "is no direction"),
        (b'{"event": {"type": "a"}}', "no direction"),
        (b'{"dir": "server", "event": {"type": "a", "b": NaN}}', "not JSON"),
        (b'{"dir": "server", "event": {"type": "a", "b": "' + b"A" * MAX_FRAME + b'"}}', "more than"),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_a_line_that_cannot_be_read_is_named_and_the_rest_is_judged(
    run: Run, bad: bytes, problem: str, last: bool
) -> None:
    sound = json_lines(*lines(GA)).encode().splitlines()
    at = len(sound) if last else 2
    log = b"\n".join([*sound[:at], bad, *sound[at:]])
    code, out, _ = run(written("a.jsonl", log), "-d", GA, "--json")
    (report,) = json.loads(out)
    assert code == 1
    (found,) = report["findings"]
    assert (found["code"], found["lines"]) == ("log.unreadable", [at + 1])
    assert problem in found["message"]
    assert report["client_events"] + report["server_events"] == len(sound)


def test_what_a_hostile_log_holds_neither_floods_nor_commands_a_terminal(run: Run) -> None:
    escape = "\x1b[2J\ud800"
    said = lines(GA)
    said[0]["event"]["session"][escape] = escape * 10_000
    body = {"type": "x", "message": escape * 10_000, "param": escape}
    said.append({"dir": "server", "event": {"type": "error", "event_id": "e", "error": body}})
    said.append({"dir": "server", "event": {"type": escape * 1000, "event_id": "e"}})
    said.append({"dir": "client", "event": {"type": escape, "event_id": "e"}})
    path = written("a.jsonl", json_lines(*said))
    code, out, _ = run(path, "-d", GA, "-v")
    assert code == 1
    assert "\x1b" not in out
    out.encode()
    assert max(map(len, out.splitlines())) < 500
    _, out, _ = run(path, "-d", GA, "--json")
    assert out.isascii()
    assert json.loads(out)


def test_sound_of_the_wrong_kind_is_told_with_its_line(run: Run) -> None:
    said = lines(GA, "audio-turn")
    at = place(cassette(GA, "audio-turn"), "input_audio_buffer.append")
    said[at]["event"]["audio"] = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAAZGF0YQAAAAA="
    code, out, _ = run(written("a.jsonl", json_lines(*said)), "-d", GA)
    assert code == 1
    assert f"audio.container  line {at + 1}\n" in out
    assert f"audio.rate  line {at + 1}\n" in out
    assert "16000 samples a second (its header says so); the session hears it as 24000, too fast." in out


def test_a_har_file_is_judged_as_the_dialect_of_its_url(run: Run) -> None:
    url = "wss://res.openai.azure.com/openai/v1/realtime?model=gpt-realtime"
    kinds = {"client": "send", "server": "receive"}
    messages = [har_message(kinds[line["dir"]], line["event"]) for line in lines(GA)]
    code, out, err = run(written("a.har", har((url, messages))), "-d", GA)
    assert (code, err) == (0, "")
    assert "nothing found" in out


def test_a_file_that_is_no_log_exits_2(run: Run) -> None:
    for content in (b"", b"hello\n", b"\0\1\2"):
        code, out, err = run(written("a.jsonl", content), "-d", GA)
        assert (code, out) == (2, "")
        assert "a.jsonl" in err


def test_keys_in_a_log_are_not_shown(run: Run) -> None:
    tool = {"type": "mcp", "server_label": "s", "authorization": "MCPTOKEN99887766"}
    secret = {**tool, "headers": {"x-api-key": "HDRSECRET5555"}}
    update = {
        "type": "session.update",
        "session": {"instructions": "Bearer abcdefgh12345", "tools": [secret]},
    }
    log = written("keys.jsonl", json_lines({"dir": "out", "event": update}))

    for form in ((), ("--json",)):
        code, out, err = run(log, "-d", FLAT, "-v", *form)
        assert code == 1
        assert "session.tools[0].authorization" in out
        for key in ("MCPTOKEN99887766", "HDRSECRET5555", "abcdefgh12345"):
            assert key not in out + err


def test_a_dialect_of_ones_own_is_named_by_its_file(run: Run) -> None:
    own = (data_folder() / f"{FLAT}.yaml").read_text("utf-8").replace(FLAT, "mine")
    Path("mine.yaml").write_text(own, "utf-8")
    log = str(cassettes_folder() / FLAT / "text-turn.jsonl")

    code, out, _ = run(log, "-d", "mine.yaml")

    assert (code, "judged as mine" in out) == (0, True)
