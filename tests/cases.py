"""Runs real cases for tests: a real server, real processes, the bundled scenarios."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from harness.bundled import cassettes_folder, scenarios_folder
from harness.cassette import Cassette, load_cassette
from harness.dialects import bundled_dialect
from harness.drivers import Implementation, parse_implementation
from harness.faults import parse_fault
from harness.report import CaseResult
from harness.runner import CasePlan, run_case
from harness.scenario import Scenario, load_scenario
from harness.server import made_certificate

MORE = Path(__file__).parent / "checks" / "programs" / "more_miniatures.py"

SCENARIOS = tuple(sorted(path.stem for path in scenarios_folder().glob("*.yaml")))

AT_ONCE = 6
"""A case waits more than it works, so this many keep two cores busy."""

WAITING = (
    "miniature:hangs",
    "miniature:never-closes",
    "miniature:mute",
    "miniature:tool-never-answered",
    "miniature:prints-garbage",
    "more:never-ready",
    "more:fine-slow",
)
"""These take their time and no processor's."""


@cache
def scenario(name: str) -> Scenario:
    return load_scenario(scenarios_folder() / f"{name}.yaml")


@cache
def cassette(dialect: str, name: str) -> Cassette:
    return load_cassette(cassettes_folder() / dialect / f"{name}.jsonl")


def cassettes(dialect: str, name: str) -> tuple[Cassette, ...]:
    """One for each of the scenario's connections."""
    return tuple(cassette(dialect, one.removesuffix(".jsonl")) for one in scenario(name).cassette_names)


def implementation(name: str) -> Implementation:
    """An implementation as the command line names it, or `more:NAME` of the tests' own miniatures."""
    if name.startswith("more:"):
        command = shlex.join((sys.executable, str(MORE), name.removeprefix("more:")))
        return replace(parse_implementation(f"cmd:{command}"), name=name, start_seconds=5.0)
    found = parse_implementation(name)
    return replace(found, start_seconds=1.5) if name == "miniature:prints-garbage" else found


def case(name: str, dialect: str, scenario_name: str, *faults: str, tls: bool = False) -> CasePlan:
    return CasePlan(
        implementation(name),
        bundled_dialect(dialect),
        scenario(scenario_name),
        cassettes(dialect, scenario_name),
        tuple(parse_fault(fault) for fault in faults),
        tls=tls,
    )


async def run(plan: CasePlan, patience: float = 1.5) -> CaseResult:
    if not plan.tls:
        return await run_case(plan, Path(sys.executable), None, patience)
    with made_certificate() as certificate:
        return await run_case(plan, Path(sys.executable), None, patience, certificate)


async def run_each(plans: Iterable[tuple[CasePlan, float]]) -> list[CaseResult]:
    """Runs cases, a few at a time, and beside them those that mostly wait; results in the order of the plans."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(plan: CasePlan, patience: float) -> CaseResult:
        async with contextlib.AsyncExitStack() as held:
            if plan.implementation.name not in WAITING and plan.scenario.name != "idle-timeout":
                await held.enter_async_context(places)
            return await run(plan, patience)

    return await asyncio.gather(*(one(plan, patience) for plan, patience in plans))


def found(result: CaseResult) -> set[str]:
    """The findings as `code=severity`, each once."""
    return {f"{finding.code}={finding.severity}" for finding in result.findings}
