"""Checks: rules with stable codes that turn a case into findings. Importing this package registers all."""

from harness.checks import configuration, handshake, order, refusals, renames, resilience, surfaced
from harness.checks.record import CaseRecord
from harness.checks.registry import Check, Outcome, all_checks, judge

__all__ = [
    "CaseRecord",
    "Check",
    "Outcome",
    "all_checks",
    "configuration",
    "handshake",
    "judge",
    "order",
    "refusals",
    "renames",
    "resilience",
    "surfaced",
]
