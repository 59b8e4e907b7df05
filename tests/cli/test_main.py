"""What each command does for a user: exit codes, files, and the text on the terminal.

Commands run in this process, which is what they cost least in; that there is a
program and that it ends with these codes is asked of a real one.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from harness.bundled import baseline_file, cassettes_folder, scenarios_folder
from harness.cli.main import main
from harness.exceptions import HarnessError
from harness.validation import subschema

PLAIN = {"NO_COLOR": "1", "COLUMNS": "120"}


@dataclass(frozen=True)
class Done:
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments: str, cwd: Path, **variables: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(cwd),
        redirect_stdout(out),
        redirect_stderr(err),
        patch.dict(os.environ, {**PLAIN, **variables}),
    ):
        try:
            code = main(arguments)
        except SystemExit as ended:  # argparse ends the process by itself
            code = int(ended.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def process(*arguments: str, cwd: Path) -> Done:
    whole = [sys.executable, "-m", "harness", *arguments]
    done = subprocess.run(
        whole, cwd=cwd, env={**os.environ, **PLAIN}, capture_output=True, text=True, timeout=60
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_right_client_passes_and_the_report_is_written(tmp_path: Path) -> None:
    done = command("check", "-i", "reference", "-s", "text-turn", "-o", "out", cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ pass" in done.stdout
    assert "cassettes: constructed" in done.stdout
    assert "as expected" in done.stdout
    lines = [json.loads(line) for line in (tmp_path / "out/results.jsonl").read_text("utf-8").splitlines()]
    assert subschema("result", "header").problems(lines[0]) == []
    for line in lines[1:-1]:
        assert subschema("result", "case").problems(line) == []
    assert subschema("result", "footer").problems(lines[-1]) == []
    assert (tmp_path / "out/azure-v1.html").exists()
    assert (tmp_path / "out/azure-2024-10-01-preview.html").exists()
    assert (tmp_path / "out/.gitignore").read_text() == "*\n"


def test_over_tls_a_run_comes_to_the_same_and_can_be_told_from_others(tmp_path: Path) -> None:
    arguments = ("check", "-i", "reference", "-i", "rename-shim", "-s", "text-modality", "--tls")
    done = command(*arguments, "--no-baseline", "-o", "out", cwd=tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^ +again .+ --tls$", done.stdout, re.MULTILINE)
    lines = [json.loads(line) for line in (tmp_path / "out/results.jsonl").read_text("utf-8").splitlines()]
    assert {line["verdict"] for line in lines[1:-1]} == {"pass", "fail"}
    assert all(line["case"]["tls"] for line in lines[1:-1])
    known = command(*arguments, cwd=tmp_path)
    assert known.returncode == 0, known.stdout


def test_known_failures_are_green_and_shown_with_their_difference(tmp_path: Path) -> None:
    done = command("check", "-i", "rename-shim", "-s", "session-config", cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗ fail known" in done.stdout
    assert "session.lost" in done.stdout
    assert "diff ± audio.output.voice: echo → alloy" in done.stdout
    assert "2 known in the baseline" in done.stdout


def test_a_failure_that_is_not_known_exits_1_with_all_a_reader_needs(tmp_path: Path) -> None:
    done = command("check", "-i", "rename-shim", "-s", "text-modality", "--no-baseline", cwd=tmp_path)

    assert done.returncode == 1
    assert "not in the baseline: rename-shim/azure-2024-10-01-preview/text-modality" in done.stdout
    for label in ("expected", "actual", "diff", "evidence", "mend", "again"):
        assert re.search(rf"^ +{label} ", done.stdout, re.MULTILINE), label


def test_a_stale_entry_of_the_baseline_exits_1_and_is_named(tmp_path: Path) -> None:
    case = "reference/azure-v1/text-turn"
    (tmp_path / "baseline.yaml").write_text(
        f"baseline: 1\nknown:\n- {{case: {case}, verdict: fail, findings: [session.lost]}}\n"
    )
    arguments = (
        "check",
        "-i",
        "reference",
        "-s",
        "text-turn",
        "-d",
        "azure-v1",
        "--baseline",
        "baseline.yaml",
    )
    done = command(*arguments, cwd=tmp_path)

    assert done.returncode == 1
    assert f"stale in the baseline: {case}" in done.stdout


def test_a_baseline_can_be_written_and_then_fits(tmp_path: Path) -> None:
    arguments = ("check", "-i", "rename-shim", "-s", "audio-turn")
    command(*arguments, "--no-baseline", "--write-baseline", "b.yaml", cwd=tmp_path)
    done = command(*arguments, "--baseline", "b.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_bundled_baseline_names_nothing_but_the_shim_with_known_faults() -> None:
    cases = re.findall(r"case: (\S+)", baseline_file().read_text("utf-8"))
    assert cases
    assert all(
        case.startswith(("rename-shim/azure-2024-10-01-preview/", "rename-shim/azure-2025-04-01-preview/"))
        for case in cases
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check", "-i", "nobody"), "there is no implementation 'nobody'\n  known: reference, openai"),
        (("check", "-i", "reference@1.0"), "has no versions"),
        (("check", "-i", "reference:loud"), "has no variants"),
        (
            ("check", "-i", "pipecat+shim.py"),
            "does not name a shim\n  to mend it: write +path/to/file.py:function",
        ),
        (("check", "-i", "pipecat+none.py:build"), "there is no file 'none.py'"),
        (
            ("check", "-d", "azure-1999"),
            "there is no dialect 'azure-1999'\n  known: azure-2024-10-01-preview",
        ),
        (("check", "-s", "nothing"), "there is no scenario 'nothing'\n  known: audio-turn"),
        (("check", "-s", "./none.yaml"), "cannot be read"),
        (("check", "--fault", "rain"), "there is no fault 'rain'\n  known: accept-any-session"),
        (("check", "--baseline", "none.yaml"), "cannot be read"),
        (("check", "--cassettes", "nowhere"), "there is no cassette for"),
        (
            ("record", "text-turn", "--url", "wss://x/openai/v1/realtime?model=m"),
            "AZURE_OPENAI_API_KEY is empty",
        ),
        (("validate", "none.jsonl"), "cannot be read"),
        (
            ("check", "-s", "reconnect", "--fault", "none"),
            "reconnect cannot be played with --fault none: nothing would end the connection",
        ),
    ],
)
def test_wrong_usage_exits_2_with_what_to_do_and_no_traceback(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = command(*arguments, cwd=tmp_path, AZURE_OPENAI_API_KEY="")
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command_", ["check", "construct"])
def test_a_chosen_scenario_that_no_chosen_dialect_plays_exits_2_with_its_dialects(
    tmp_path: Path, command_: str
) -> None:
    text = (scenarios_folder() / "reconnect.yaml").read_text("utf-8")
    (tmp_path / "mine.yaml").write_text(text.replace("dialects: all", "dialects: [azure-v1]"))
    old = "azure-2024-10-01-preview"
    done = command(command_, "-s", "text-turn", "-s", "mine.yaml", "-d", old, cwd=tmp_path)
    assert done.returncode == 2
    assert f"reconnect is not played in {old}; its dialects are azure-v1" in done.stderr
    assert "mine.yaml" in done.stderr


def test_without_the_faults_of_scenarios_those_that_need_them_are_left_out(tmp_path: Path) -> None:
    with patch("harness.cli.check.plan_run", side_effect=HarnessError) as planned:
        command("check", "-i", "reference", "--fault", "none", cwd=tmp_path)
        command("check", "-i", "reference", "--fault", "none", "--fault", "drop", cwd=tmp_path)
    without, ended = ([one.name for one in call.args[0].scenarios] for call in planned.call_args_list)
    assert "dropped-connection" in without
    assert "reconnect" not in without
    assert "reconnect" in ended


def test_a_broken_scenario_names_file_line_and_what_was_expected(tmp_path: Path) -> None:
    text = (scenarios_folder() / "text-turn.yaml").read_text("utf-8").replace("dialects: all", "dialects: 7")
    (tmp_path / "mine.yaml").write_text(text)
    shutil.copytree(scenarios_folder() / "audio", tmp_path / "audio")
    done = command("check", "-i", "reference", "-s", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "mine.yaml:5: scenario at /dialects:" in done.stderr
    assert "expected:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cassette_without_its_footer_is_refused_with_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "tapes/azure-v1"
    folder.mkdir(parents=True)
    lines = (cassettes_folder() / "azure-v1/text-turn.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "text-turn.jsonl").write_text("".join(lines[:-1]))
    arguments = ("check", "-i", "reference", "-d", "azure-v1", "-s", "text-turn", "--cassettes", "tapes")
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert f"text-turn.jsonl:{len(lines) - 1}: cassette: ends without its footer" in done.stderr


def test_a_url_that_leads_to_no_dialect_names_those_that_are_known(tmp_path: Path) -> None:
    done = command("record", "text-turn", "--url", "wss://x/realtime", cwd=tmp_path, AZURE_OPENAI_API_KEY="k")
    assert done.returncode == 2
    assert "azure-v1 (/openai/v1/realtime)" in done.stderr


def test_an_existing_cassette_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "cassettes/azure-v1/text-turn.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    url = "wss://x/openai/v1/realtime?model=m"
    done = command("record", "text-turn", "--url", url, cwd=tmp_path, AZURE_OPENAI_API_KEY="k")
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert path.read_text() == "mine"


def test_the_bundled_cassettes_are_what_construct_makes(tmp_path: Path) -> None:
    done = command("construct", "--check", "-o", str(cassettes_folder()), cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "DIFFERS" not in done.stdout


def test_construct_writes_the_same_bytes_again(tmp_path: Path) -> None:
    command("construct", "-s", "text-turn", "-o", "a", cwd=tmp_path)
    again = command("construct", "-s", "text-turn", "-o", "a", cwd=tmp_path)
    assert again.stdout.count("unchanged") == 3


def test_validate_says_what_each_file_is_and_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text("what: this\n")
    done = process("validate", str(scenarios_folder() / "text-turn.yaml"), "odd.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "a scenario with 1 turn(s)" in done.stdout
    assert "odd.yaml: file: not a file of the harness" in done.stderr


@pytest.mark.parametrize("key", ["steps: []", "dialects: all", "session: {}"])
def test_a_scenario_without_its_name_is_not_taken_for_a_model_script(tmp_path: Path, key: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"format: 1\n{key}\nanswers: [{{text: Hi.}}]\n")
    done = command("validate", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "mine.yaml:1: scenario at /:" in done.stderr
    assert "scenario" in done.stderr.partition("expected")[2]


def test_a_fault_that_does_not_exist_is_found_in_the_scenario_that_asks_for_it(tmp_path: Path) -> None:
    whole = (scenarios_folder() / "unknown-event.yaml").read_text("utf-8")
    (tmp_path / "mine.yaml").write_text(whole.replace("unknown-event:at=", "unheard-event:at="))
    done = command("validate", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "scenario at /faults/0: " in done.stderr
    assert "unheard-event" in done.stderr


@pytest.mark.parametrize("options", [(), ("--tls",)])
def test_a_driver_that_speaks_the_protocol_is_told_so(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = command("driver-test", "reference", "-d", "azure-v1", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "BROKEN" not in done.stdout
    assert done.stdout.count("ok ") == 8 + 7
    assert "performs 'interrupt' (interruption)" in done.stdout


def test_a_program_that_is_no_driver_is_told_what_is_missing(tmp_path: Path) -> None:
    done = command("driver-test", f"cmd:{sys.executable} -c print(1)", "-d", "azure-v1", cwd=tmp_path)
    assert done.returncode == 1
    assert "BROKEN      says hello" in done.stdout
    assert "not a notice: 1" in done.stdout
    assert "not reached finishes what it is asked" in done.stdout


def test_a_command_that_does_not_exist_is_not_proven_and_the_run_goes_on(tmp_path: Path) -> None:
    arguments = (
        "check",
        "-i",
        "cmd:no-such-program-anywhere",
        "-i",
        "reference",
        "-s",
        "text-turn",
        "-d",
        "azure-v1",
    )
    done = command(*arguments, "--no-baseline", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot start 'no-such-program-anywhere'" in done.stdout
    assert "✓ pass" in done.stdout


def test_help_names_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    done = process("--help", cwd=tmp_path)
    assert done.returncode == 0
    for name in ("check", "record", "construct", "validate", "driver-test", "Exit codes"):
        assert name in done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "check",
        "record",
        "import",
        "construct",
        "serve",
        "translate",
        "validate",
        "dialects",
        "lint",
        "diff",
        "driver-test",
    ],
)
def test_the_help_of_each_command_has_its_exit_codes(tmp_path: Path, name: str) -> None:
    assert "Exit codes: 0 " in command(name, "--help", cwd=tmp_path).stdout


def test_output_that_is_read_no_more_is_not_said_to_be_a_failure() -> None:
    command_ = [sys.executable, "-m", "harness", "dialects"]
    with subprocess.Popen(command_, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert (running.stderr.read(), running.wait(timeout=30)) == ("", 2)


def test_an_expected_event_that_no_dialect_has_is_named_with_the_nearest(tmp_path: Path) -> None:
    text = (scenarios_folder() / "text-modality.yaml").read_text("utf-8")
    (tmp_path / "mine.yaml").write_text(
        text.replace("response.output_text.delta+", "response.outputtext.delta+")
    )
    done = command("validate", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "'response.outputtext.delta'" in done.stderr
    assert "'response.output_text.delta' is near" in done.stderr


def test_an_answer_too_few_keeps_a_cassette_from_being_constructed(tmp_path: Path) -> None:
    text = (scenarios_folder() / "text-modality.yaml").read_text("utf-8")
    (tmp_path / "mine.yaml").write_text(re.sub(r"answers:\n.*\n", "", text))
    done = command("construct", "-s", "mine.yaml", "-o", "tapes", cwd=tmp_path)
    assert done.returncode == 2
    assert "1 answers are asked for and `answers` has 0" in done.stderr


def test_a_cassette_with_an_event_of_no_dialect_is_refused_with_its_line(tmp_path: Path) -> None:
    text = (cassettes_folder() / "azure-v1/text-turn.jsonl").read_text("utf-8")
    (tmp_path / "tape.jsonl").write_text(text.replace("response.created", "response.craeted"))
    done = command("validate", "tape.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(r"tape\.jsonl:\d+: cassette at /event/type: .*'response\.craeted'", done.stderr)


def test_a_baseline_that_names_a_check_nobody_has_is_refused(tmp_path: Path) -> None:
    entry = "{case: reference/azure-v1/text-turn, verdict: fail, findings: [session.lots]}"
    (tmp_path / "b.yaml").write_text(f"baseline: 1\nknown:\n- {entry}\n")
    done = command("validate", "b.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no check 'session.lots'" in done.stderr


def test_the_key_is_not_sent_in_clear_text_to_another_machine(tmp_path: Path) -> None:
    url = "ws://gateway.example/openai/v1/realtime?model=m"
    done = command("record", "text-turn", "--url", url, cwd=tmp_path, AZURE_OPENAI_API_KEY="k")
    assert done.returncode == 2
    assert "clear text" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("construct", "-s", "text-turn", "-o", "file"),
        ("check", "-i", "reference", "-s", "text-turn", "-d", "azure-v1", "-o", "file"),
        ("record", "text-turn", "--url", "ws://127.0.0.1:9/openai/v1/realtime?model=m", "-o", "file/x.jsonl"),
        ("serve", "--model", "-o", "file/x.jsonl"),
        ("dialects", "--schemas", "file"),
    ],
)
def test_a_place_that_cannot_be_written_exits_2_and_is_named(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    done = command(*arguments, cwd=tmp_path, AZURE_OPENAI_API_KEY="a-key-0123")
    assert done.returncode == 2
    assert re.match("realtime-harness: file.*: .*(exists|directory|written)", done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_what_breaks_in_the_harness_exits_2_and_is_said_to_be_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("harness.cli.dialects.run", breaks)
    done = command("dialects", cwd=tmp_path)
    assert done.returncode == 2
    assert "ZeroDivisionError" in done.stderr
    assert "a fault of the harness itself" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("serve", "--model", "--port", "abc"), "--port: 'abc' is no port: 0 to 65535"),
        (("serve", "--model", "--port", "70000"), "--port: '70000' is no port: 0 to 65535"),
        (("check", "-n", "many"), "'many' is no whole number from 1 on"),
        (("check", "-n", "0"), "'0' is no whole number from 1 on"),
        (("check", "--patience", "nan"), "'nan' is no number of seconds"),
        (("check", "--patience", "0"), "'0' is no number of seconds"),
        (("serve", "--model", "--speed", ""), "--speed: ''"),
    ],
)
def test_an_option_that_cannot_be_exits_2_with_what_it_takes(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr


def test_what_a_server_says_commands_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text('"\\e[31mred": 1\n')
    done = command("validate", "odd.yaml", "\x1b[31m.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
