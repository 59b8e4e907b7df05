"""What many tests need: the two dialects, real captures, and one way for Hypothesis to run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from harness.dialects import Dialect, bundled_dialect, dialect_names
from harness.messages import Side

CAPTURES = "REALTIME_HARNESS_CAPTURES"

settings.register_profile("harness", derandomize=True, max_examples=60, deadline=None)
settings.load_profile("harness")


@pytest.fixture(scope="session")
def preview() -> Dialect:
    return bundled_dialect("azure-2024-10-01-preview")


@pytest.fixture(scope="session")
def v1() -> Dialect:
    return bundled_dialect("azure-v1")


@pytest.fixture(scope="session", params=dialect_names())
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each bundled dialect in turn."""
    return bundled_dialect(request.param)


@dataclass(frozen=True)
class Captured:
    """One event of a published capture; `truncated` where its publisher cut the object."""

    where: str
    side: Side
    event: dict[str, Any]
    truncated: bool


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of real captures. They are other people's, so they stay outside the repository."""
    named = os.environ.get(CAPTURES)
    if not named:
        pytest.skip(f"{CAPTURES} names no folder of real captures")
    folder = Path(named)
    assert folder.is_dir(), f"{CAPTURES} names {named}, which is no folder"
    return folder


@pytest.fixture(scope="session")
def captured(captures: Path) -> Callable[[str], list[list[Captured]]]:
    """Reads the sessions whose file names match a pattern, without the events whose bodies were not shown."""

    def sessions(pattern: str) -> list[list[Captured]]:
        found = [_session(path) for path in sorted(captures.glob(pattern))]
        assert found, f"no capture is named {pattern}"
        return found

    return sessions


def _session(path: Path) -> list[Captured]:
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        Captured(
            f"{path.name}:{number}",
            Side(entry["dir"]),
            entry["event"],
            bool(entry.get("truncated_in_source")),
        )
        for number, entry in enumerate(entries)
        if not entry.get("elided") and not entry.get("body_not_shown")
    ]
