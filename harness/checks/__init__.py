"""Checks: rules with stable codes that turn a case into findings. Importing this package registers all."""

from harness.checks import (
    asked,
    configuration,
    failures,
    handshake,
    interruption,
    items,
    order,
    reconnect,
    refusals,
    renames,
    resilience,
    script,
    speech,
    surfaced,
)
from harness.checks.record import CaseRecord
from harness.checks.registry import Check, Outcome, all_checks, judge

__all__ = [
    "CaseRecord",
    "Check",
    "Outcome",
    "all_checks",
    "asked",
    "configuration",
    "failures",
    "handshake",
    "interruption",
    "items",
    "judge",
    "order",
    "reconnect",
    "refusals",
    "renames",
    "resilience",
    "script",
    "speech",
    "surfaced",
]
