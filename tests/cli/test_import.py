"""`realtime-harness import`, through the command line's own entry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.bundled import cassettes_folder
from harness.cassette import Cassette, Close, Provenance, load_cassette
from harness.cli.main import main
from harness.dialects import dialect_names
from tests.logs.made import CREATED, UPDATE, har, har_message, json_lines

KEY = "c0ffee00c0ffee00c0ffee00c0ffee00"
V1 = f"wss://res.openai.azure.com/openai/v1/realtime?model=my-model&api-key={KEY}"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in a folder of its own; gives the exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(["import", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def written(name: str, text: str) -> str:
    Path(name).write_text(text, "utf-8")
    return name


def origin(cassette: Cassette) -> dict[str, str]:
    return dict(cassette.header.origin)


def test_a_log_becomes_a_cassette_that_says_what_was_made_up(run: Run) -> None:
    log = written("a.jsonl", json_lines({"dir": "in", "event": CREATED}, {"dir": "out", "event": UPDATE}))
    code, out, err = run(log, "--dialect", "azure-v1", "--source", "a friend's trace")

    assert (code, err) == (0, "")
    assert "imported 2 interaction(s) in azure-v1 from JSON Lines: cassettes/azure-v1/a.jsonl" in out
    assert "times: made up" in out
    cassette = load_cassette(Path("cassettes/azure-v1/a.jsonl"))
    assert [(i.t, str(i.side), i.event) for i in cassette.interactions] == [
        (0, "server", CREATED),
        (0.02, "client", UPDATE),
    ]
    assert cassette.header.provenance is Provenance.IMPORTED
    assert cassette.header.scenario is None
    assert cassette.close == Close("nobody", None)
    found = origin(cassette)
    assert (found["source"], found["format"]) == ("a friend's trace", "JSON Lines")
    assert found["times"].startswith("made up")
    assert found["handshake"].startswith("made up")
    assert "date" not in found


def test_the_same_file_gives_the_same_bytes(run: Run) -> None:
    log = written("a.jsonl", json_lines({"dir": "in", "event": CREATED}))
    run(log, "--dialect", "azure-v1", "-o", "one.jsonl")
    run(log, "--dialect", "azure-v1", "-o", "two.jsonl")

    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()


def test_a_har_file_says_dialect_handshake_times_and_date_itself(run: Run) -> None:
    messages = [
        har_message(
            "receive", {**CREATED, "session": {**CREATED["session"], "api_key": "x", "note": f"key {KEY}"}}
        ),
        har_message("send", UPDATE, 1_767_225_601.5),
    ]
    code, _, err = run(written("a.har", har((V1, messages))), "-o", "out.jsonl")

    assert (code, err) == (0, "")
    text = Path("out.jsonl").read_text("utf-8")
    assert KEY not in text
    assert "res.openai" not in text
    cassette = load_cassette(Path("out.jsonl"))
    assert (cassette.header.path, cassette.header.query) == ("/openai/v1/realtime", (("model", "my-model"),))
    assert [i.t for i in cassette.interactions] == [0.0, 1.5]
    assert origin(cassette) == {
        "date": "2026-01-01",
        "format": "HAR",
        "host_class": "azure",
        "source": "a.har",
    }


def test_a_secret_in_an_event_never_reaches_the_disk_nor_the_terminal(run: Run) -> None:
    bad = {"dir": f"api-key={KEY}", "event": CREATED}
    secret = {**CREATED, "session": {**CREATED["session"], "client_secret": {"value": "ek_abcdefgh12345678"}}}
    log = written("a.jsonl", json_lines({"dir": "in", "event": secret}, bad))
    code, out, err = run(log, "--dialect", "azure-v1", "--source", f"?api-key={KEY}", "-o", "out.jsonl")

    assert code == 1
    assert KEY not in out + err + Path("out.jsonl").read_text("utf-8")
    assert "ek_abc" not in Path("out.jsonl").read_text("utf-8")


def test_what_cannot_be_carried_over_is_named_with_its_line_and_exits_1(run: Run) -> None:
    lines: list[Any] = [
        {"dir": "in", "t": 0.5, "event": CREATED},
        "broken",
        {"dir": "in", "event": {"type": "response.audio.delta"}, "body_not_shown": True, "audio_bytes": 480},
        {"dir": "in", "event": {"type": "session.created"}, "truncated_in_source": "yes"},
        {"dir": "out", "event": UPDATE},
    ]
    code, out, err = run(written("a.jsonl", json_lines(*lines)), "--dialect", "azure-v1", "-o", "out.jsonl")

    assert code == 1
    assert [line.split(": not carried over: ")[0] for line in err.splitlines()] == [
        f"realtime-harness: a.jsonl:{number}" for number in (2, 3, 4)
    ]
    assert "480 bytes of audio" in err
    assert "left out: 3 of 5 messages" in out
    cassette = load_cassette(Path("out.jsonl"))
    assert [i.t for i in cassette.interactions] == [0.5, 0.52]
    assert origin(cassette)["left_out"] == "3 of 5 messages"
    assert origin(cassette)["times"].startswith("1 of 2 made up")


def test_time_never_runs_backwards_in_a_cassette(run: Run) -> None:
    lines = [{"dir": "in", "t": t, "event": CREATED} for t in (-1, 2, 1, 3)]
    run(written("a.jsonl", json_lines(*lines)), "--dialect", "azure-v1", "-o", "out.jsonl")

    assert [i.t for i in load_cassette(Path("out.jsonl")).interactions] == [0, 2, 2, 3]


def test_a_log_of_nothing_but_gaps_makes_no_cassette(run: Run) -> None:
    log = written("a.jsonl", json_lines({"dir": "in", "event": {"type": "a.b"}, "elided": True}))
    code, _, err = run(log, "--dialect", "azure-v1", "-o", "out.jsonl")

    assert code == 2
    assert "nothing of it can be replayed" in err
    assert not Path("out.jsonl").exists()


def test_without_a_dialect_the_choice_is_named(run: Run) -> None:
    code, _, err = run(written("a.jsonl", json_lines({"dir": "in", "event": CREATED})))

    assert code == 2
    assert "does not say which dialect" in err
    assert all(name in err for name in dialect_names())
    assert "--dialect" in err
    assert not Path("cassettes").exists()


def test_a_dialect_that_is_not_there_is_refused(run: Run) -> None:
    code, _, err = run(written("a.jsonl", json_lines({"dir": "in", "event": CREATED})), "--dialect", "nine")

    assert code == 2
    assert "there is no dialect 'nine'" in err


def test_a_dialect_on_the_command_line_goes_before_the_one_of_the_file(run: Run) -> None:
    log = written("a.har", har((V1, [har_message("receive", CREATED)])))
    code, out, err = run(log, "--dialect", "azure-2024-10-01-preview", "-o", "out.jsonl")

    assert code == 1
    assert "the log says 'azure-v1'" in out
    assert "not azure-2024-10-01-preview throughout" in err
    assert "realtime-harness lint -d azure-2024-10-01-preview a.har" in err
    header = load_cassette(Path("out.jsonl")).header
    assert header.path == "/openai/realtime"
    assert dict(header.origin)["handshake"].startswith("made up")


def test_of_several_sessions_one_must_be_chosen(run: Run) -> None:
    vite = ("ws://localhost:5173/hot?token=abc", [har_message("receive", CREATED)])
    log = written("a.har", har(vite, (V1, [har_message("receive", CREATED)])))
    code, _, err = run(log)
    assert code == 2
    assert "holds 2 sessions" in err
    assert "1 (/hot), 2 (/openai/v1/realtime)" in err
    assert KEY not in err

    assert run(log, "--session", "3")[0] == 2
    assert run(log, "--session", "2", "-o", "out.jsonl")[0] == 0
    assert load_cassette(Path("out.jsonl")).header.dialect == "azure-v1"


def test_a_constructed_cassette_cannot_pass_for_a_recording(run: Run) -> None:
    shutil.copy(cassettes_folder() / "azure-v1" / "text-turn.jsonl", "a.jsonl")
    code, _, err = run("a.jsonl")

    assert code == 2
    assert "nobody's recording" in err


def recorded(**provenance: str) -> list[Any]:
    lines = (cassettes_folder() / "azure-v1" / "text-turn.jsonl").read_text("utf-8").splitlines()
    header = json.loads(lines[0])
    header["provenance"] = {"kind": "recorded", **provenance}
    return [header, *lines[1:]]


def test_a_broken_cassette_is_saved_and_keeps_what_it_said_of_itself(run: Run) -> None:
    lines = recorded(date="2026-07-01", host_class="loopback", times="made up")[:-1]
    code, _, err = run(written("a.jsonl", json_lines(*lines)), "-o", "out.jsonl")

    assert code == 1
    assert "without its footer" in err
    cassette = load_cassette(Path("out.jsonl"))
    assert len(cassette.interactions) == len(lines) - 1
    found = origin(cassette)
    assert (found["date"], found["host_class"], found["times"]) == ("2026-07-01", "loopback", "made up")
    assert "handshake" not in found


def test_an_existing_file_is_kept_unless_forced_and_the_log_itself_always(run: Run) -> None:
    log = written("a.jsonl", json_lines({"dir": "in", "event": CREATED}))
    written("out.jsonl", "mine")
    code, _, err = run(log, "--dialect", "azure-v1", "-o", "out.jsonl")
    assert code == 2
    assert "--force" in err
    assert Path("out.jsonl").read_text() == "mine"

    assert run(log, "--dialect", "azure-v1", "-o", "out.jsonl", "--force")[0] == 0
    code, _, err = run(log, "--dialect", "azure-v1", "-o", log, "--force")
    assert code == 2
    assert "is the file to import" in err
    assert not list(Path().glob("*.part"))


def test_a_place_that_cannot_be_written_is_named(run: Run) -> None:
    log = written("a.jsonl", json_lines({"dir": "in", "event": CREATED}))
    code, _, err = run(log, "--dialect", "azure-v1", "-o", f"{log}/out.jsonl")

    assert code == 2
    assert "cannot be written" in err


@pytest.mark.parametrize("name", ["none.jsonl", "."])
def test_a_file_that_is_no_log_exits_2(run: Run, name: str) -> None:
    code, _, err = run(name, "--dialect", "azure-v1")

    assert code == 2
    assert "what can be read" in err


DIALECTS = {
    "azure-v1": ["azure-ws-*.jsonl", "parity-*azure*.jsonl"],
    "azure-2024-10-01-preview": ["azure-preview-webrtc-*.jsonl"],
    "azure-voice-live": ["azure-voice-live-*.jsonl"],
    "openai-beta": ["openai-beta-*.jsonl"],
    "openai-ga": ["openai-ws-*.jsonl", "parity-*openai*.jsonl"],
}


@pytest.mark.parametrize(
    ("dialect", "pattern"),
    [(name, pattern) for name in DIALECTS if name in dialect_names() for pattern in DIALECTS[name]],
)
def test_a_capture_is_imported_whole_and_is_valid(
    dialect: str, pattern: str, captures: Path, run: Run
) -> None:
    files = sorted(captures.glob(pattern))
    assert files
    for path in files:
        code, _, err = run(str(path), "--dialect", dialect, "-o", "out.jsonl", "--force")

        assert (code, err) == (0, "")
        assert main(["validate", "out.jsonl"]) == 0
        cassette = load_cassette(Path("out.jsonl"))
        assert len(cassette.interactions) == len(path.read_text("utf-8").splitlines())
        assert origin(cassette)["source"] == path.name
        assert str(captures) not in Path("out.jsonl").read_text("utf-8")


def test_a_capture_whose_audio_was_cut_says_so(captures: Path, run: Run) -> None:
    for name, cut in (
        ("azure-ws-text-in-audio-out-turn", True),
        ("openai-beta-ws-omarthinks-full-audio", False),
    ):
        run(str(captures / f"{name}.jsonl"), "--dialect", "azure-v1", "-o", "out.jsonl", "--force")

        assert ("audio" in origin(load_cassette(Path("out.jsonl")))) == cut


@pytest.mark.parametrize("pattern", ["azure-ga-msdocs-*.jsonl", "azure-preview-msdocs-*.jsonl"])
def test_a_capture_without_bodies_cannot_be_replayed(pattern: str, captures: Path, run: Run) -> None:
    (path,) = captures.glob(pattern)

    assert run(str(path), "--dialect", "azure-v1", "-o", "out.jsonl")[0] == 2
