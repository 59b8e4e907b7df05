"""`realtime-harness driver-test`: what a driver's author runs alone, before any conformance."""

from __future__ import annotations

import argparse
import asyncio

from harness.cli.plain import plain
from harness.cli.select import select_dialects, select_scenarios
from harness.dialects import Dialect
from harness.drivers import Environments, parse_implementation
from harness.report import CaseResult
from harness.runner import Selection, plan_run, run_all

AT_ONCE = 4

SHOWN = 10
"""Log lines from either end."""

WORDS = {True: "ok", False: "BROKEN", None: "not reached"}

Step = tuple[bool | None, str]

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
        selection = Selection(implementations, (dialect,), select_scenarios(names), tls=options.tls)
        return asyncio.run(run_all(plan_run(selection), environments, parallel=AT_ONCE))

    broken = False
    for dialect in dialects:
        (first,) = play(dialect, "text-turn")
        print(f"{first.id}")
        found = [(good, text, first) for good, text in steps(first)]
        capabilities = first.observed.capabilities
        listed = sorted(SHOWN_BY.keys() & (capabilities.intents if capabilities else ()))
        if listed and all(good for good, _, _ in found):
            shown = play(dialect, *(SHOWN_BY[kind] for kind in listed))
            found.extend((*intent_step(result), result) for result in shown)
        for good, text, _ in found:
            print(f"  {WORDS[good]:11} {text}")
        culprit = next((result for good, _, result in found if good is False), None)
        broken = broken or culprit is not None
        if culprit is not None and culprit.observed.log:
            print(f"  its log in {culprit.id.scenario}:")
            for line in log_lines(culprit):
                print(f"    {plain(line)}")
        print(f"  (its conformance in the text turn: {first.verdict}: {first.reason})")
    return 1 if broken else 0


def intent_step(result: CaseResult) -> tuple[bool, str]:
    """Whether a driver finished a scenario that asks for an intent; how right it was is for `check`."""
    observed = result.observed
    kind = next(kind for kind, scenario in SHOWN_BY.items() if scenario == result.id.scenario)
    good = observed.hung is None and not observed.garbage and observed.stage == "finished"
    trouble = observed.hung or ("ended" if observed.stage != "finished" else "wrote what is no notice")
    return good, f"performs {kind!r} ({result.id.scenario})" + ("" if good else f": it {trouble}")


def steps(result: CaseResult) -> list[Step]:
    """The steps of the driver protocol, and whether this driver took them; True, False, None: not reached."""
    observed = result.observed
    stages = ("starting", "said-hello", "ready", "finished")
    reached = stages.index(observed.stage)
    surfaced = bool(observed.text or observed.transcript or observed.audio or observed.errors)
    spoke = bool(result.exchange.client_entries())
    # Who said no right hello was asked nothing more; who was not ready was given no turn.
    started, ready = reached >= 1, reached >= 2
    trouble = _unfinished(result)
    return [
        (started, "says hello, with its intents and what it observes" + _said_of(observed.hello_fault)),
        (not observed.garbage, "writes nothing but notices to standard output" + _example(observed.garbage)),
        (ready if started else None, "is ready after start"),
        (spoke if started else None, "opens a connection and speaks to the service"),
        (not trouble if ready else None, f"finishes what it is asked{trouble}"),
        (surfaced if ready else None, "reports what surfaced: text, transcript, audio or an error"),
        (reached >= 3 if ready else None, "says closed after close"),
        (
            None if observed.hello_fault else observed.exit_code == 0,
            f"ends by itself with exit code 0 (was: {_exit(observed.exit_code)})",
        ),
    ]


def _unfinished(result: CaseResult) -> str:
    observed = result.observed
    if observed.hung:
        return f": it {observed.hung}"
    if observed.not_done:
        instead = f"; it said done to {', '.join(map(str, observed.stray_done))}, which nobody asked"
        never = f": it never said done to {', '.join(observed.not_done)}"
        return never + (instead if observed.stray_done else "")
    return ""


def log_lines(result: CaseResult) -> list[str]:
    """The log of a case, its middle left out where it is long: some put the reason first, some last."""
    lines = [f"{line.level} {line.message}" for line in result.observed.log]
    left_out = len(lines) - 2 * SHOWN
    return lines if left_out <= 0 else [*lines[:SHOWN], f"… {left_out} lines …", *lines[-SHOWN:]]


def _example(garbage: list[str]) -> str:
    return f"; not a notice: {plain(garbage[0])}" if garbage else ""


def _said_of(fault: str | None) -> str:
    return f": {plain(fault)}" if fault else ""


def _exit(code: int | None) -> str:
    return "had to be stopped" if code is None else str(code)
