"""`realtime-harness driver-test`: what a driver's author runs alone, before any conformance."""

from __future__ import annotations

import argparse
import asyncio

from harness.cli.select import select_dialects, select_scenarios
from harness.drivers import Environments, parse_implementation
from harness.report import CaseResult
from harness.runner import Selection, plan_run, run_all


def run(options: argparse.Namespace) -> int:
    """Plays one text turn to the driver in each dialect; exits 1 where the protocol is broken."""
    selection = Selection(
        implementations=(parse_implementation(options.implementation),),
        dialects=select_dialects([options.dialect] if options.dialect else None),
        scenarios=select_scenarios(["text-turn"]),
    )
    results = asyncio.run(run_all(plan_run(selection), Environments(progress=print), parallel=1))
    broken = 0
    for result in results:
        print(f"{result.id}")
        for good, text in steps(result):
            broken += not good
            print(f"  {'ok    ' if good else 'BROKEN'} {text}")
        if result.observed.log and broken:
            print("  its last log lines:")
            for line in list(result.observed.log)[-5:]:
                print(f"    {line.level} {line.message}")
        print(f"  (its conformance in this one turn: {result.verdict}: {result.reason})")
    return 1 if broken else 0


def steps(result: CaseResult) -> list[tuple[bool, str]]:
    """The steps of the driver protocol, and whether this driver took them."""
    observed = result.observed
    stages = ("starting", "said-hello", "ready", "finished")
    reached = stages.index(observed.stage)
    surfaced = bool(observed.text or observed.transcript or observed.audio or observed.errors)
    return [
        (reached >= 1, "says hello, with its intents and what it observes"),
        (not observed.garbage, "writes nothing but notices to standard output" + _example(observed.garbage)),
        (reached >= 2, "is ready after start"),
        (bool(result.exchange.client_entries()), "opens a connection and speaks to the service"),
        (
            observed.hung is None,
            "finishes what it is asked" + (f": it {observed.hung}" if observed.hung else ""),
        ),
        (surfaced, "reports what surfaced: text, transcript, audio or an error"),
        (reached >= 3, "says closed after close"),
        (observed.exit_code == 0, f"ends by itself with exit code 0 (was: {_exit(observed.exit_code)})"),
    ]


def _example(garbage: list[str]) -> str:
    return f"; not a notice: {garbage[0]!r:.100}" if garbage else ""


def _exit(code: int | None) -> str:
    return "had to be stopped" if code is None else str(code)
