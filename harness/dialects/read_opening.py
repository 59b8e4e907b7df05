"""Reads how a connection is opened, and how keys for it are minted, from a dialect's table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.dialects.keys import KeyRules, Outage
from harness.dialects.model import Acceptance, Evidence, Fact
from harness.dialects.opening import Handshake, HandshakeRefusal, HeaderRule, LateRefusal, QueryRule

Raw = Mapping[str, Any]
ReadFact = Callable[[Raw], Fact]


def read_handshake(host: str, raw: Raw, fact: ReadFact) -> Handshake:
    """How a connection is opened."""
    return Handshake(
        host=host,
        path=raw["path"],
        query=tuple(
            QueryRule(
                name=name,
                required=bool(rule.get("required")),
                value=rule.get("value"),
                means=rule.get("means"),
                acceptance=Acceptance(rule.get("acceptance", "accepted")),
                status=rule.get("status"),
                fact=fact(rule),
                also=tuple(rule.get("also", ())),
                unless=tuple(rule.get("unless", ())),
                without=tuple(rule.get("without", ())),
            )
            for name, rule in raw["query"].items()
        ),
        headers=tuple(
            HeaderRule(
                name,
                Acceptance(rule["acceptance"]),
                fact(rule),
                bool(rule.get("required")),
                rule.get("value"),
            )
            for name, rule in raw.get("headers", {}).items()
        ),
        auth=tuple(raw["auth"]["schemes"]),
        auth_fact=fact(raw["auth"]),
        refusals={
            name: HandshakeRefusal(
                name=name,
                status=rule["status"],
                code=rule["code"],
                message=rule["message"],
                body_evidence=Evidence(rule["body_evidence"]),
                fact=fact(rule),
                when=rule.get("when", ""),
            )
            for name, rule in raw["refusals"].items()
        },
        late={
            name: LateRefusal(name, rule["error"], rule["close"], fact(rule))
            for name, rule in raw.get("late", {}).items()
        },
    )


def read_keys(raw: Raw | None, fact: ReadFact) -> KeyRules | None:
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
