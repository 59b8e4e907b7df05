"""How a dialect mints keys for browsers, as its table says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.dialects.model import Evidence, Fact, KeyRules, Outage

_Raw = Mapping[str, Any]


def read_keys(raw: _Raw | None, fact: Callable[[_Raw], Fact]) -> KeyRules | None:
    """The rules under `keys`; None where a dialect mints none."""
    if raw is None:
        return None
    seconds = raw["seconds"]
    return KeyRules(
        path=raw["path"],
        query=dict(raw.get("query", {})),
        settings=raw.get("settings"),
        within=raw["answer"] == "within",
        seconds=seconds["value"],
        least_seconds=seconds.get("least"),
        most_seconds=seconds.get("most"),
        seconds_fact=fact(seconds),
        session_expires_at=raw.get("session_expires_at"),
        outages=tuple(Outage(rule["field"], rule["status"], fact(rule)) for rule in raw.get("outages", ())),
        refusal_evidence=Evidence(raw["refusal_evidence"]),
        fact=fact(raw),
    )
