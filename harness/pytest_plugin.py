"""Collects scenario files as pytest items, one for each dialect and implementation.

    pytest --realtime-implementation pipecat@1.1.0 scenarios/

Without that option the plugin collects nothing and loads nothing. The
cassettes are looked for in the folder of the ini option `realtime_cassettes`
(from pytest's rootdir), then among the bundled ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.report import CaseResult
    from harness.runner import CasePlan


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("realtime", "realtime-harness")
    group.addoption(
        "--realtime-implementation",
        action="append",
        default=[],
        metavar="NAME",
        help="judge this implementation by the scenario files that are collected; may be repeated",
    )
    group.addoption(
        "--realtime-dialect", action="append", default=[], metavar="NAME", help="default: every dialect"
    )
    group.addoption(
        "--realtime-tls",
        action="store_true",
        help="have it dial over TLS, with a certificate made for the case",
    )
    parser.addini(
        "realtime_cassettes",
        "folder of cassettes, from the rootdir: DIALECT/SCENARIO.jsonl",
        default="cassettes",
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    asked = any(one.partition("::")[0].endswith((".yaml", ".yml")) for one in config.args)
    if not asked or config.getoption("--realtime-implementation"):
        return None
    return "realtime-harness: scenario files are collected with --realtime-implementation NAME"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not parent.config.getoption("--realtime-implementation") or file_path.suffix not in (".yaml", ".yml"):
        return None
    with file_path.open(encoding="utf-8", errors="replace") as file:
        is_scenario = any(line.startswith("scenario:") for line in file)
    return ScenarioFile.from_parent(parent, path=file_path) if is_scenario else None


class ScenarioFile(pytest.File):
    """One scenario file."""

    def collect(self) -> Iterator[pytest.Item]:
        from harness.bundled import cassettes_folder  # noqa: PLC0415 - nothing is loaded until it is used
        from harness.dialects import bundled_dialect, default_dialect_names  # noqa: PLC0415
        from harness.drivers import parse_implementation  # noqa: PLC0415
        from harness.exceptions import HarnessError  # noqa: PLC0415
        from harness.faults import checked_fault  # noqa: PLC0415
        from harness.runner import Selection, plan_run  # noqa: PLC0415
        from harness.scenario import load_scenario  # noqa: PLC0415

        config = self.config
        names = config.getoption("--realtime-dialect") or default_dialect_names()
        own = config.rootpath / str(config.getini("realtime_cassettes"))
        try:
            scenario = load_scenario(self.path)
            for fault in scenario.faults:
                checked_fault(fault)
            for name in names:
                bundled = (cassettes_folder() / name / f"{scenario.name}.jsonl").exists()
                found = (own / name / f"{scenario.name}.jsonl").exists() or not bundled
                selection = Selection(
                    tuple(map(parse_implementation, config.getoption("--realtime-implementation"))),
                    (bundled_dialect(name),),
                    (scenario,),
                    cassettes=own if found else cassettes_folder(),
                    tls=config.getoption("--realtime-tls"),
                )
                for plan in plan_run(selection):
                    title = f"{plan.implementation.name}/{plan.dialect.name}"
                    yield CaseItem.from_parent(self, name=title, plan=plan)
        except HarnessError as wrong:
            raise self.CollectError(str(wrong)) from None


class NotConformant(AssertionError):
    """A case came out worse than a deviation."""

    def __init__(self, result: CaseResult) -> None:
        super().__init__(str(result.id))
        self.result = result


class CaseItem(pytest.Item):
    """One case: this scenario, one dialect, one implementation."""

    def __init__(self, *, plan: CasePlan, **fields: Any) -> None:
        super().__init__(**fields)
        self.plan = plan

    def runtest(self) -> None:
        from harness.drivers import Environments  # noqa: PLC0415
        from harness.findings import Verdict  # noqa: PLC0415
        from harness.report import BAD  # noqa: PLC0415
        from harness.runner import run_all  # noqa: PLC0415

        (result,) = asyncio.run(run_all([self.plan], Environments(), parallel=1))
        if result.verdict is Verdict.NOT_APPLICABLE:
            pytest.skip(result.reason)
        if result.verdict in BAD:
            raise NotConformant(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if not isinstance(excinfo.value, NotConformant):
            return super().repr_failure(excinfo, style)
        result = excinfo.value.result
        lines = [f"{result.verdict}: {result.id}", result.reason]
        for finding in result.findings:
            lines += [
                "",
                f"{finding.severity} {finding.code} at {finding.path}: {finding.message}",
                f"  expected: {finding.expected}",
                f"  actual:   {finding.actual}",
                *(f"  evidence: {basis.evidence}: {basis.source}" for basis in finding.basis),
                f"  mend:     {finding.mend}",
            ]
        return "\n".join([*lines, "", f"again: {result.reproduce}"])

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.stem} {self.name}"
