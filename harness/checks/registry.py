"""Checks: rules with stable dotted codes. Each turns a case into findings.

A check that has nothing to look at says so (`NotApplicable`, `NotProven`)
instead of passing: a pass that could not have failed is worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.checks.record import CaseRecord
from harness.findings import Finding

Rule = Callable[[CaseRecord], Iterator[Finding]]


class NotApplicable(Exception):
    """There is nothing in this case the check could be about, or the driver cannot see it."""


class NotProven(Exception):
    """The implementation never reached what the check looks at."""


@dataclass(frozen=True)
class Check:
    """One rule. `title` says what holds where it passes."""

    code: str
    title: str
    rule: Rule


@dataclass(frozen=True)
class Outcome:
    """What a check came to in one case: `pass`, `finding`, `not-applicable` or `not-proven`."""

    code: str
    outcome: str
    note: str = ""


_CHECKS: dict[str, Check] = {}


def check(code: str, title: str) -> Callable[[Rule], Rule]:
    """Registers a rule under its code."""

    def register(rule: Rule) -> Rule:
        assert code not in _CHECKS, f"two checks are called {code}"
        _CHECKS[code] = Check(code, title, rule)
        return rule

    return register


def all_checks() -> tuple[Check, ...]:
    """Every check, by code."""
    return tuple(_CHECKS[code] for code in sorted(_CHECKS))


def judge(record: CaseRecord) -> tuple[list[Finding], list[Outcome]]:
    """Runs every check over a case."""
    findings: list[Finding] = []
    outcomes: list[Outcome] = []
    for item in all_checks():
        try:
            found = list(item.rule(record))
        except NotApplicable as reason:
            outcomes.append(Outcome(item.code, "not-applicable", str(reason)))
        except NotProven as reason:
            outcomes.append(Outcome(item.code, "not-proven", str(reason)))
        else:
            findings.extend(found)
            outcomes.append(Outcome(item.code, "finding" if found else "pass"))
    return findings, outcomes
