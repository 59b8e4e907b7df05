"""A real framework and a real shim at the end of the line: what SYSTEMS and reviewers found by reading."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHIM = "pipecat@1.1.0+examples/pipecat_legacy_azure/legacy_azure.py:build_service"
PREVIEW = "azure-2024-10-01-preview"

pytestmark = pytest.mark.heavy


def check(folder: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Runs `check` in the checkout; returns the exit code and the cases by id."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", "check", "-o", str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert "Traceback" not in done.stderr, done.stderr
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
    return done.returncode, {line["case"]["id"]: line for line in lines if "case" in line}


def codes(case: dict[str, Any], severity: str = "fail") -> set[str]:
    return {finding["code"] for finding in case["findings"] if finding["severity"] == severity}


def paths(case: dict[str, Any], code: str) -> set[str]:
    return {finding["path"] for finding in case["findings"] if finding["code"] == code}


@pytest.fixture(scope="module")
def pipecat(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, dict[str, Any]]]:
    """The README's third command."""
    text = (ROOT / "README.md").read_text("utf-8")
    match = re.search(r"<!-- command: pipecat -->\n```sh\n(.+?)\n```", text, re.DOTALL)
    assert match is not None
    _, verb, *arguments = shlex.split(match[1])
    assert verb == "check"
    return check(tmp_path_factory.mktemp("pipecat"), *arguments)


Run = tuple[int, dict[str, dict[str, Any]]]


def test_the_readmes_third_command_finds_exactly_what_its_baseline_names(pipecat: Run) -> None:
    exit_code, cases = pipecat
    assert exit_code == 0
    assert len(cases) == 112


def test_pipecats_own_service_passes_on_the_ga_path(pipecat: Run) -> None:
    own = [case for name, case in pipecat[1].items() if name.startswith("pipecat@1.1.0/azure-v1/")]
    assert len(own) == 20
    bad = {
        case["case"]["scenario"]: case["reason"] for case in own if case["verdict"] in ("fail", "not-proven")
    }
    # It loses connections in silence, and dies of unknown events.
    assert set(bad) == {
        "dropped-connection",
        "reconnect",
        "session-expiry",
        "unknown-event",
    }, bad


def test_pipecat_dials_over_tls_and_trusts_what_it_is_told_to(tmp_path: Path) -> None:
    exit_code, cases = check(tmp_path, "-i", "pipecat@1.1.0", "-d", "azure-v1", "-s", "text-turn", "--tls")
    (case,) = cases.values()
    assert (exit_code, case["verdict"]) == (0, "pass"), case["reason"]
    assert case["case"]["tls"]


def test_pipecats_own_service_is_refused_on_preview_and_then_mute(pipecat: Run) -> None:
    case = pipecat[1][f"pipecat@1.1.0/{PREVIEW}/text-turn"]
    assert case["verdict"] == "fail"
    assert "Unknown parameter: 'session.type'." in case["reason"]
    assert "Unknown parameter: 'session.type'." in case["surfaced"]["errors"][0]
    (finding,) = [f for f in case["findings"] if f["code"] == "script.finished"]
    assert "mute since its session.update was refused" in finding["message"]
    assert case["surfaced"]["text"] == case["surfaced"]["transcript"] == ""
    assert case["wire"][-1]["type"] == "error"


def test_with_the_refusal_switched_off_it_dies_in_silence_at_item_created(tmp_path: Path) -> None:
    arguments = ("-i", "pipecat@1.1.0", "-d", PREVIEW, "-s", "text-turn", "--fault", "accept-any-session")
    exit_code, cases = check(tmp_path, *arguments)
    (case,) = cases.values()
    assert exit_code == 1
    assert {"rename.server-event", "resilience.silent-failure", "surfaced.audio"} <= codes(case)
    (finding,) = [f for f in case["findings"] if f["code"] == "rename.server-event"]
    assert "conversation.item.created" in finding["message"]
    assert "conversation.item.added" in finding["mend"]
    assert case["surfaced"]["errors"] == []
    assert not codes(case) & {"rename.session-shape", "modality.field"}


@pytest.mark.parametrize("scenario", ["text-turn", "tool-call-round"])
def test_with_the_legacy_shim_text_and_tool_turns_work_on_preview(pipecat: Run, scenario: str) -> None:
    case = pipecat[1][f"{SHIM}/{PREVIEW}/{scenario}"]
    assert case["verdict"] == "deviation"
    assert codes(case, "deviation") == {"rename.surfaced-part"}
    assert "It is sunny" in case["surfaced"]["transcript"] or "Hello!" in case["surfaced"]["transcript"]


def test_the_legacy_shim_loses_voice_turn_detection_and_transcription(pipecat: Run) -> None:
    case = pipecat[1][f"{SHIM}/{PREVIEW}/session-config"]
    assert paths(case, "session.lost") == {
        "session.audio.output.voice",
        "session.audio.input.turn_detection",
        "session.audio.input.transcription",
    }
    for finding in case["findings"]:
        if finding["code"] == "session.lost":
            assert finding["diff"]
            assert finding["basis"]
            assert finding["mend"]


def test_the_legacy_shim_leaves_output_modalities_untranslated_in_text_mode(pipecat: Run) -> None:
    case = pipecat[1][f"{SHIM}/{PREVIEW}/text-modality"]
    assert paths(case, "modality.field") == {"session.output_modalities"}


def test_the_exception_the_legacy_shim_swallows_is_seen(tmp_path: Path) -> None:
    arguments = ("-i", SHIM, "-d", PREVIEW, "-s", "text-turn", "--fault", "event-without-type")
    exit_code, cases = check(tmp_path, *arguments)
    (case,) = cases.values()
    assert exit_code == 1
    (finding,) = [f for f in case["findings"] if f["code"] == "resilience.swallowed-exception"]
    assert finding["actual"] == "KeyError: 'type'"
    assert finding["path"].startswith("legacy_azure.py:")


def test_no_key_stands_in_any_report(tmp_path: Path) -> None:
    check(tmp_path, "-i", "miniature:leaks-key", "-s", "text-turn", "-d", "azure-v1")
    text = (tmp_path / "results.jsonl").read_text("utf-8")
    assert "process.leaked-key" in text
    assert not re.search(r"key-[0-9a-f]{32}", text)
