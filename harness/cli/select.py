"""Turns names on the command line into what they stand for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from harness.bundled import scenario_files
from harness.dialects import Dialect, bundled_dialect, default_dialect_names, dialect_names, load_dialect
from harness.exceptions import ScenarioFault, UsageFault
from harness.scenario import Scenario, expected_types, load_scenario


def select_dialects(names: Sequence[str] | None) -> tuple[Dialect, ...]:
    """The named dialects, or those that scenarios are played in by default."""
    return tuple(named_dialect(name) for name in dict.fromkeys(names or default_dialect_names()))


def named_dialect(name: str) -> Dialect:
    """A bundled dialect, or one of the user's own by its file."""
    own = name.endswith((".yaml", ".yml"))
    return load_dialect(Path(name)) if own else bundled_dialect(name)


def every_dialect() -> tuple[Dialect, ...]:
    """All bundled dialects."""
    return tuple(map(bundled_dialect, dialect_names()))


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
    return tuple(checked_scenario(path) for path in paths)


def checked_scenario(path: Path) -> Scenario:
    """A scenario whose expected events exist; raises ScenarioFault for one that no dialect has."""
    scenario = load_scenario(path)
    known = {name for dialect in every_dialect() for name in dialect.canonical_server_events}
    for name in sorted(expected_types(scenario) - known):
        close = difflib.get_close_matches(name, known, 1)
        hint = f"{close[0]!r} is near" if close else None
        raise ScenarioFault(scenario.path, f"expects {name!r}, an event that no dialect has", hint=hint)
    return scenario
