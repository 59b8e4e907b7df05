"""`realtime-harness driver-test`: what a driver's author runs alone, before any conformance."""

from __future__ import annotations

import argparse
import asyncio

from harness.cli.select import select_dialects, select_scenarios
from harness.dialects import Dialect
from harness.drivers import Environments, parse_implementation
from harness.report import CaseResult
from harness.runner import Selection, plan_run, run_all

AT_ONCE = 4

SHOWN_BY = {
    "speak": "audio-turn",
    "update": "session-update-midway",
    "interrupt": "interruption",
    "seed": "history-seeding",
    "edit": "item-editing",
    "respond": "out-of-band-response",
    "reconnect": "reconnect",
}
"""For each intent beside `say`, a scenario that asks for it."""


def run(options: argparse.Namespace) -> int:
    """Plays a text turn and then every intent the driver lists, in each dialect; 1 where one is broken."""
    implementations = (parse_implementation(options.implementation),)
    dialects = select_dialects([options.dialect] if options.dialect else None)
    environments = Environments(progress=print)

    def play(dialect: Dialect, *names: str) -> list[CaseResult]:
        selection = Selection(implementations, (dialect,), select_scenarios(names))
        return asyncio.run(run_all(plan_run(selection), environments, parallel=AT_ONCE))

    broken = 0
    for dialect in dialects:
        (first,) = play(dialect, "text-turn")
        print(f"{first.id}")
        found = steps(first)
        capabilities = first.observed.capabilities
        listed = sorted(SHOWN_BY.keys() & (capabilities.intents if capabilities else ()))
        if listed and all(good for good, _ in found):
            found.extend(map(intent_step, play(dialect, *(SHOWN_BY[kind] for kind in listed))))
        for good, text in found:
            broken += not good
            print(f"  {'ok    ' if good else 'BROKEN'} {text}")
        if first.observed.log and broken:
            print("  its last log lines:")
            for line in list(first.observed.log)[-5:]:
                print(f"    {line.level} {line.message}")
        print(f"  (its conformance in the text turn: {first.verdict}: {first.reason})")
    return 1 if broken else 0


def intent_step(result: CaseResult) -> tuple[bool, str]:
    """Whether a driver finished a scenario that asks for an intent; how right it was is for `check`."""
    observed = result.observed
    kind = next(kind for kind, scenario in SHOWN_BY.items() if scenario == result.id.scenario)
    good = observed.hung is None and not observed.garbage and observed.stage == "finished"
    trouble = observed.hung or ("ended" if observed.stage != "finished" else "wrote what is no notice")
    return good, f"performs {kind!r} ({result.id.scenario})" + ("" if good else f": it {trouble}")


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
