"""`realtime-harness check`: runs the cases, shows the table, writes the report."""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.bundled import baseline_file
from harness.cli.select import check_played, select_dialects, select_pace, select_scenarios
from harness.cli.terminal import Terminal
from harness.documents import dump_document
from harness.drivers import BUNDLED, Environments, parse_implementation
from harness.exceptions import UsageFault
from harness.faults import Fault, checked_fault
from harness.html import write_pages
from harness.redaction import Redactor
from harness.report import NO_BASELINE, Run, baseline_value, load_baseline, render_lines, results_lines
from harness.runner import NO_FAULT, PATIENCE, Selection, plan_run, run_all
from harness.scenario import Scenario


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns the run's exit code."""
    names = dict.fromkeys(options.implementation or BUNDLED)
    asked = options.fault or ()
    dialects = select_dialects(options.dialect)
    faults = tuple(checked_fault(name, dialects) for name in asked if name != NO_FAULT)
    pace = select_pace(options.speed, options.latency, options.delay, dialects=dialects)
    scenarios = select_scenarios(options.scenario)
    if options.scenario:
        check_played(scenarios, dialects)
    if NO_FAULT in asked:
        scenarios = _without_their_faults(scenarios, faults, named=bool(options.scenario))
    baseline = NO_BASELINE if options.no_baseline else load_baseline(options.baseline or baseline_file())
    selection = Selection(
        implementations=tuple(parse_implementation(name) for name in names),
        dialects=dialects,
        scenarios=scenarios,
        faults=faults,
        cassettes=options.cassettes,
        faults_of_scenarios=NO_FAULT not in asked,
        pace=pace,
        tls=options.tls,
    )
    plans = plan_run(selection)
    _prepare_folder(options.output)
    terminal = Terminal(len(plans))
    record = Run(
        tool=f"realtime-harness {__version__}",
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        dialects=selection.dialects,
        faults=tuple(str(fault) for fault in faults),
        baseline=baseline,
        complete=not (options.dialect or options.scenario or asked),
    )
    with terminal.progress():
        record.results = asyncio.run(
            run_all(
                plans,
                Environments(progress=terminal.say),
                parallel=options.parallel,
                patience=options.patience or PATIENCE,
                ended=terminal.case_ended,
            )
        )
    pages = write_report(record, options.output)
    terminal.show(record, verbose=options.verbose)
    terminal.show_pages(pages, options.output)
    if options.write_baseline:
        options.write_baseline.write_text(dump_document(baseline_value(record.results)), encoding="utf-8")
        terminal.say(f"baseline written: {options.write_baseline}")
    return record.end().exit


def _without_their_faults(
    scenarios: tuple[Scenario, ...], faults: tuple[Fault, ...], *, named: bool
) -> tuple[Scenario, ...]:
    """Those that can be played without their own faults; raises UsageFault for a named one that cannot.

    Where nothing ends the connection, a client that waits for its end would be blamed for waiting.
    """
    written = tuple(map(str, faults))
    for scenario in scenarios:
        if named and scenario.unended(written) is not None:
            raise UsageFault(
                f"{scenario.name} cannot be played with --fault none: "
                "nothing would end the connection that it reconnects after",
                hint=f"leave `--fault {NO_FAULT}` away, or add one that does: --fault {_ending(scenario)}",
            )
    return tuple(scenario for scenario in scenarios if scenario.unended(written) is None)


def _ending(scenario: Scenario) -> str:
    return next((f"'{one}'" for one in scenario.faults if one.startswith(("close", "drop"))), "drop")


def write_report(record: Run, folder: Path) -> list[Path]:
    """Writes `results.jsonl` and the HTML pages; returns the pages."""
    lines = results_lines(record, Redactor())
    (folder / "results.jsonl").write_text("".join(render_lines(lines)), encoding="utf-8")
    return write_pages(lines, folder)


def _prepare_folder(folder: Path) -> None:
    """Makes the folder and has git ignore what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
