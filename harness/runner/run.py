"""Runs many cases side by side and collects their results."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from harness.bundled import cassettes_folder
from harness.cassette import Cassette, load_cassette
from harness.dialects import Dialect
from harness.drivers import Environments, Implementation
from harness.exceptions import EnvironmentFault, HarnessError, UsageFault
from harness.faults import Fault
from harness.findings import Verdict
from harness.observations import LogLine, Observed
from harness.report import CaseResult
from harness.runner.case import CasePlan, run_case
from harness.runner.drive import PATIENCE
from harness.scenario import Scenario, plan_intents
from harness.server import Certificate, made_certificate
from harness.service import Exchange
from harness.service.pace import AT_ONCE, Pace


@dataclass(frozen=True)
class Selection:
    """What to run: every implementation with every scenario in every dialect that applies."""

    implementations: tuple[Implementation, ...]
    dialects: tuple[Dialect, ...]
    scenarios: tuple[Scenario, ...]
    faults: tuple[Fault, ...] = ()
    cassettes: Path | None = None
    faults_of_scenarios: bool = True
    """What the scenarios ask for themselves is applied too."""
    pace: Pace = AT_ONCE
    tls: bool = False
    """The clients dial over TLS, with a certificate made for the run."""


def plan_run(selection: Selection) -> list[CasePlan]:
    """The cases of a selection; raises HarnessError where a file is missing or broken."""
    folder = selection.cassettes or cassettes_folder()
    plans: list[CasePlan] = []
    for dialect in selection.dialects:
        for scenario in selection.scenarios:
            if not scenario.applies_to(dialect.name):
                continue
            plan_intents(scenario)
            cassettes = tuple(
                _cassette(folder / dialect.name / name, dialect, scenario) for name in scenario.cassette_names
            )
            plans.extend(
                CasePlan(
                    implementation,
                    dialect,
                    scenario,
                    cassettes,
                    selection.faults,
                    selection.faults_of_scenarios,
                    selection.pace,
                    selection.tls,
                )
                for implementation in selection.implementations
            )
    return plans


def _cassette(path: Path, dialect: Dialect, scenario: Scenario) -> Cassette:
    if not path.exists():
        make = f"realtime-harness construct -s {scenario.path} -o DIR"
        raise UsageFault(
            f"there is no cassette for {scenario.name!r} in {dialect.name!r}: {path}",
            hint=f"{make} makes it from the tables, record records it; "
            "then --cassettes DIR (in pytest: the ini option realtime_cassettes)",
        )
    cassette = load_cassette(path)
    if cassette.header.dialect != dialect.name:
        raise UsageFault(f"{path} is a cassette of {cassette.header.dialect!r}, not of {dialect.name!r}")
    return cassette


async def run_all(
    plans: list[CasePlan],
    environments: Environments,
    *,
    parallel: int,
    patience: float = PATIENCE,
    started: Callable[[CasePlan], None] | None = None,
    ended: Callable[[CaseResult], None] | None = None,
) -> list[CaseResult]:
    """Runs the cases, `parallel` at a time; results come in the order of the plans.

    Those with TLS share one certificate, which is gone when the last has ended.
    """
    places = asyncio.Semaphore(parallel)

    async def one(plan: CasePlan, certificate: Certificate | None) -> CaseResult:
        async with places:
            if started:
                started(plan)
            try:
                interpreter, environment = await environments.interpreter(plan.implementation)
                result = await run_case(plan, interpreter, environment, patience, certificate)
            except EnvironmentFault as fault:
                result = _harness_error(plan, str(fault).splitlines()[0], fault.last_lines)
            except HarnessError as fault:
                result = _harness_error(plan, str(fault), "")
            except Exception as error:  # noqa: BLE001 - a bug of ours ends one case, never the run
                result = _harness_error(plan, f"{type(error).__name__}: {error}", traceback.format_exc())
            if ended:
                ended(result)
            return result

    making: AbstractContextManager[Certificate | None] = nullcontext()
    if any(plan.tls for plan in plans):
        making = made_certificate()
    with making as made:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(plan, made if plan.tls else None)) for plan in plans]
    return [task.result() for task in tasks]


def _harness_error(plan: CasePlan, reason: str, log: str) -> CaseResult:
    observed = Observed()
    for line in log.splitlines():
        observed.log.append(LogLine("ERROR", "harness", line))
    return CaseResult(
        id=plan.id,
        title=plan.scenario.title,
        version=None,
        verdict=Verdict.HARNESS_ERROR,
        reason=reason,
        close_verdict=Verdict.NOT_APPLICABLE,
        provenance={"kind": str(plan.cassette.header.provenance)},
        findings=(),
        checks=(),
        exchange=Exchange(),
        observed=observed,
        seconds=0.0,
        reproduce=plan.reproduce,
        tls=plan.tls,
    )
