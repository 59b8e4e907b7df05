"""Turns names on the command line into what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from harness.bundled import scenario_files
from harness.dialects import (
    Dialect,
    bundled_dialect,
    check_event_pattern,
    default_dialect_names,
    dialect_names,
    load_dialect,
    near,
    server_event_names,
)
from harness.documents import read_document
from harness.exceptions import ScenarioFault, UsageFault
from harness.faults import checked_fault
from harness.model_script import read_seconds, read_speed
from harness.scenario import Scenario, named_events, read_scenario
from harness.service.pace import AT_ONCE, Pace

T = TypeVar("T")


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


def select_pace(
    speed: str | None,
    latency: str | None,
    delays: Sequence[str] | None,
    unasked: Pace = AT_ONCE,
    dialects: Iterable[Dialect] = (),
) -> Pace:
    """The pace that is asked for; what is not asked for is as in `unasked`.

    Raises UsageFault for a delay of what no bundled dialect, nor one of `dialects`, has.
    """
    waits = []
    for text in delays or ():
        type_, equals, wait = text.partition("=")
        if not (equals and type_.strip()):
            raise UsageFault(f"--delay: {text!r}", hint="give an event and a time: response.created=1.5s")
        check_event_pattern(type_.strip(), "--delay", dialects)
        waits.append((type_.strip(), _read(_seconds, f"--delay {type_}", wait)))
    return Pace(
        speed=unasked.speed if speed is None else _read(read_speed, "--speed", speed),
        latency=unasked.latency if latency is None else _read(_seconds, "--latency", latency),
        delays=(*waits, *unasked.delays),
    )


def _seconds(text: str) -> float:
    return read_seconds(text, unit=True)


def _read(reader: Callable[[str], T], option: str, text: str) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise UsageFault(f"{option}: {text!r}", hint=f"give {error}") from None


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


def check_played(scenarios: Iterable[Scenario], dialects: Iterable[Dialect]) -> None:
    """Raises UsageFault for a scenario that is played in none of the dialects: no case would be of it."""
    names = tuple(dialect.name for dialect in dialects)
    for scenario in scenarios:
        if not any(map(scenario.applies_to, names)):
            raise UsageFault(
                f"{scenario.name} is not played in {' or '.join(names)}; "
                f"its dialects are {', '.join(scenario.dialects or ())}",
                hint=f"name one of them with -d, or add one to `dialects` in {scenario.path}",
            )


_OF_SCENARIOS = frozenset({"scenario", "steps", "dialects", "session"})
"""The keys that of all files only scenarios have."""


def is_scenario(value: object) -> bool:
    """Whether a document is meant as a scenario, and not as a script of a model."""
    return isinstance(value, dict) and not _OF_SCENARIOS.isdisjoint(value) and "dialect" not in value


def checked_scenario(path: Path) -> Scenario:
    """A scenario whose expected events and faults exist; raises ScenarioFault for what there is not."""
    document = read_document(path, ScenarioFault)
    scenario = read_scenario(document)
    for place, text in enumerate(scenario.faults):
        try:
            checked_fault(text)
        except UsageFault as fault:
            pointer = f"/faults/{place}"
            raise ScenarioFault(
                scenario.path,
                fault.problem,
                line=document.line(pointer),
                pointer=pointer,
                expected=", ".join(fault.known) or None,
                hint=fault.hint,
            ) from None
    known = server_event_names()
    for pointer, name in named_events(document.value):
        if not any(fnmatchcase(one, name) for one in known):
            raise ScenarioFault(
                scenario.path,
                f"expects {name!r}, an event that no dialect has",
                line=document.line(pointer),
                pointer=pointer,
                hint=near(name, known),
            )
    return scenario
