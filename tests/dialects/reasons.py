"""Disagreements that are right as they are: patterns with a reason each, kept from growing stale."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.documents import read_document

FOLDER = Path(__file__).parent / "disagreements"


@dataclass(frozen=True)
class Reason:
    """Why some disagreements are right as they are. In a pattern, `*` stands for any text."""

    because: str
    patterns: tuple[str, ...]
    dialects: tuple[str, ...] | None = None
    """The dialects that disagree; None: all that are compared."""


def read_reasons(name: str, dialect: str) -> list[Reason]:
    """The reasons of one file that concern a dialect."""
    entries = read_document(FOLDER / f"{name}.yaml").value["disagreements"]
    reasons = [
        Reason(entry["because"], tuple(entry["patterns"]), tuple(entry["in"]) if "in" in entry else None)
        for entry in entries
    ]
    return [reason for reason in reasons if reason.dialects is None or dialect in reason.dialects]


def unexplained(found: Iterable[str], reasons: Iterable[Reason]) -> list[str]:
    """The disagreements that no pattern names."""
    patterns = [_compiled(pattern) for reason in reasons for pattern in reason.patterns]
    return sorted(line for line in found if not any(pattern.fullmatch(line) for pattern in patterns))


def stale(found: Iterable[str], reasons: Iterable[Reason]) -> list[str]:
    """The patterns that name no disagreement."""
    lines = list(found)
    patterns = [pattern for reason in reasons for pattern in reason.patterns]
    return [one for one in patterns if not any(_compiled(one).fullmatch(line) for line in lines)]


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))
