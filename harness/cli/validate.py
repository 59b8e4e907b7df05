"""`realtime-harness validate`: says what is wrong with files, before a run stumbles over them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.cassette import load_cassette
from harness.dialects import bundled_dialect, load_dialect
from harness.documents import read_document
from harness.exceptions import FileFault, HarnessError
from harness.recording import read_recording
from harness.report import load_baseline
from harness.scenario import load_scenario, plan_intents


def run(options: argparse.Namespace) -> int:
    """Checks each file by what it is; exits 2 where one is broken."""
    broken = 0
    for path in options.files:
        try:
            print(f"{path}: {_check(path)}")
        except HarnessError as fault:
            broken += 1
            print(f"realtime-harness: {fault}", file=sys.stderr)
    return 2 if broken else 0


def _check(path: Path) -> str:
    if path.suffix == ".jsonl":
        cassette = load_cassette(path)
        recording = read_recording(cassette, bundled_dialect(cassette.header.dialect))
        count = f"{len(cassette.interactions)} interactions, {len(recording.answers)} answer(s)"
        return f"a {cassette.header.provenance} cassette of {cassette.header.dialect}: {count}"
    value = read_document(path).value
    if isinstance(value, dict) and "scenario" in value:
        scenario = load_scenario(path)
        return f"a scenario with {len(plan_intents(scenario).intents)} turn(s)"
    if isinstance(value, dict) and "dialect" in value:
        return f"the dialect {load_dialect(path).name}"
    if isinstance(value, dict) and "baseline" in value:
        return f"a baseline of {len(load_baseline(path).known)} known failure(s)"
    raise FileFault(
        str(path),
        "not a file of the harness",
        expected="a scenario, dialect or baseline (YAML), or a cassette (.jsonl)",
    )
