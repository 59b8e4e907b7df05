"""The rules the service model keeps, each with what it rests on; docs/service.md is made from this list.

A function may keep several rules. What nobody has published is labelled
`assumed`: then the model does what harms a client least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.dialects import Evidence

_Kept = TypeVar("_Kept")

TYPES = "PyPI openai 3.52.0, types/realtime"
CAPTURES = "pydantic-ai cassettes (2026-07)"
CAPTURE_BETA = "semantic-kernel docs/decisions/0065 (OpenAI beta over WebRTC, early 2025)"


@dataclass(frozen=True)
class Rule:
    """What the service does, how well that is known, from where, and the function that does it."""

    name: str
    says: str
    evidence: Evidence
    source: str
    function: str


_RULES: dict[str, Rule] = {}


def rule(name: str, says: str, *, evidence: Evidence, source: str) -> Callable[[_Kept], _Kept]:
    """Marks the function, or class, that keeps a rule. Names begin with their topic."""

    def kept(keeper: _Kept) -> _Kept:
        assert name not in _RULES, f"two rules named {name}"
        where = f"{keeper.__module__.removeprefix('harness.service.')}.{keeper.__qualname__}"  # type: ignore[attr-defined]
        _RULES[name] = Rule(name, says, evidence, source, where)
        return keeper

    return kept


def rules() -> tuple[Rule, ...]:
    """Every rule of the modules imported so far, by name."""
    return tuple(_RULES[name] for name in sorted(_RULES))
