"""`realtime-harness validate`: says what is wrong with files, before a run stumbles over them."""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

from harness.cassette import Cassette, load_cassette
from harness.checks import all_checks
from harness.cli.plain import complain
from harness.cli.select import checked_scenario, is_scenario
from harness.dialects import Dialect, bundled_dialect, compiled_schema, load_dialect
from harness.documents import read_document
from harness.exceptions import (
    BaselineFault,
    CassetteFault,
    FileFault,
    HarnessError,
)
from harness.messages import Side
from harness.model_script import load_model_script
from harness.recording import read_recording
from harness.report import load_baseline
from harness.scenario import plan_intents

_WHAT = "a scenario, model script, dialect or baseline (YAML), or a cassette (.jsonl)"


def run(options: argparse.Namespace) -> int:
    """Checks each file by what it is; exits 2 where one is broken."""
    broken = 0
    for path in options.files:
        try:
            print(f"{path}: {_check(path)}")
        except HarnessError as fault:
            broken += 1
            complain(str(fault))
    return 2 if broken else 0


def check_events(cassette: Cassette, dialect: Dialect) -> None:
    """Every event of a cassette is one of its dialect, and is what the dialect says it is."""
    for number, interaction in enumerate(cassette.interactions, 2):
        event = interaction.event
        if event is None or interaction.side is Side.CLIENT:
            continue  # what a client sent may be wrong: that is what recordings are for
        schema = compiled_schema(dialect, Side.SERVER, event["type"])
        if schema is None:
            problem = f"{dialect.name} has no server event {event['type']!r}"
            raise CassetteFault(cassette.path, problem, line=number, pointer="/event/type")
        problems = schema.problems(event)
        if problems:
            first = problems[0]
            pointer = f"/event{first.pointer}"
            raise CassetteFault(
                cassette.path, first.message, line=number, pointer=pointer, expected=first.expected
            )


def _check(path: Path) -> str:
    if path.suffix == ".jsonl":
        cassette = load_cassette(path)
        dialect = bundled_dialect(cassette.header.dialect)
        check_events(cassette, dialect)
        recording = read_recording(cassette, dialect)
        count = f"{len(cassette.interactions)} interactions, {len(recording.answers)} answer(s)"
        article = "an" if cassette.header.provenance[0] in "aeiou" else "a"
        return f"{article} {cassette.header.provenance} cassette of {cassette.header.dialect}: {count}"
    value = read_document(path).value
    if value is None:
        raise FileFault(str(path), "an empty file", expected=_WHAT)
    if is_scenario(value):
        scenario = checked_scenario(path)
        return f"a scenario with {len(plan_intents(scenario).intents)} turn(s)"
    if isinstance(value, dict) and "dialect" in value:
        return f"the dialect {load_dialect(path).name}"
    if isinstance(value, dict) and "baseline" in value:
        baseline = load_baseline(path)
        codes = {check.code for check in all_checks()}
        for entry in chain.from_iterable(baseline.known.values()):
            for code in sorted(set(entry.findings) - codes):
                raise BaselineFault(
                    str(path), f"{entry.case}: there is no check {code!r}", hint="docs/checks.md"
                )
        return f"a baseline of {len(baseline.known)} known failure(s)"
    if isinstance(value, dict) and ("format" in value or "answers" in value):
        return f"a model script with {len(load_model_script(path).entries)} answer(s)"
    raise FileFault(
        str(path),
        "not a file of the harness",
        expected=_WHAT,
    )
