"""Finds what the package brings along: scenarios, cassettes, the baseline of known failures.

In a wheel they stand inside the package; in a checkout at the top of it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _find(name: str) -> Path:
    inside = _PACKAGE / "bundled" / name
    return inside if inside.exists() else _PACKAGE.parent / name


def scenarios_folder() -> Path:
    return _find("scenarios")


def cassettes_folder() -> Path:
    return _find("cassettes")


def baseline_file() -> Path:
    return _find("baseline.yaml")


def scenario_files() -> list[Path]:
    """The bundled scenario files, in alphabetical order."""
    return sorted(scenarios_folder().glob("*.yaml"))
