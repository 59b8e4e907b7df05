"""What the checks judge: one case, as it went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.dialects import Dialect, Fact, Refusal
from harness.findings import Basis
from harness.messages import Json
from harness.observations import Observed
from harness.recording import RecordedAnswer
from harness.scenario import Plan, Scenario
from harness.service import Ending, Entry, Exchange, Handshake


@dataclass(frozen=True)
class CaseRecord:
    """One case: what was wanted, what crossed the wire, what surfaced.

    `played` are the recorded answers the implementation was given; `basis` is
    the evidence of the cassette they come from.
    """

    scenario: Scenario
    dialect: Dialect
    plan: Plan
    handshakes: tuple[Handshake, ...]
    exchange: Exchange
    observed: Observed
    played: tuple[RecordedAnswer, ...]
    basis: Basis
    lenient: bool = False
    """A fault was in force by which no configuration is refused."""
    counterfactual: str | None = None
    """Why the service would not have gone on as the cassette did, where it would not."""
    undone: tuple[str, ...] = ()
    """What the driver was asked for and never finished."""
    begun: int = 0
    """How many of the plan's intents it was given."""
    endings: tuple[Ending | None, ...] = ()
    """Of each connection: how the service ended it, where it did."""

    def refusals(self) -> Iterator[tuple[Entry, Refusal]]:
        """Every refusal of a client event by the tables, with its message."""
        for entry in self.exchange.client_entries():
            for refusal in entry.refusals:
                yield entry, refusal

    @property
    def connected(self) -> bool:
        return any(handshake.status == 101 for handshake in self.handshakes)

    @property
    def refused_by_fault(self) -> bool:
        """No handshake came to anything, and a fault refused one."""
        return not self.connected and any(one.fault and one.status != 101 for one in self.handshakes)

    @property
    def spoke(self) -> bool:
        """The client sent something."""
        return bool(self.exchange.client_entries())

    def errors_sent(self) -> Iterator[tuple[Entry, Json]]:
        """The `error` events the service sent."""
        for entry in self.exchange.server_entries():
            if entry.event is not None and entry.event["type"] == "error":
                yield entry, entry.event["error"]


def basis_of(fact: Fact) -> tuple[Basis, ...]:
    return (Basis(fact.evidence, fact.source),)
