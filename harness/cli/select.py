"""Turns names on the command line into what they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.bundled import scenario_files
from harness.dialects import Dialect, bundled_dialect, dialect_names
from harness.exceptions import UsageFault
from harness.scenario import Scenario, load_scenario


def select_dialects(names: Sequence[str] | None) -> tuple[Dialect, ...]:
    """The named dialects, or all of them."""
    return tuple(bundled_dialect(name) for name in dict.fromkeys(names or dialect_names()))


def select_scenarios(names: Sequence[str] | None) -> tuple[Scenario, ...]:
    """The named scenarios (bundled names or files), or all bundled ones."""
    bundled = {path.stem: path for path in scenario_files()}
    paths: list[Path] = []
    for name in dict.fromkeys(names or bundled):
        if name in bundled:
            paths.append(bundled[name])
        elif name.endswith((".yaml", ".yml")) or "/" in name:
            paths.append(Path(name))
        else:
            raise UsageFault(f"there is no scenario {name!r}", known=(*bundled, "a file"))
    return tuple(load_scenario(path) for path in paths)
