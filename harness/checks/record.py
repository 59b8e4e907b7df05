"""What the checks judge: one case, as it went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    struck: tuple[str, ...] = ()
    """The faults that changed something."""
    never_struck: tuple[str, ...] = ()
    """Those whose time never came, and leniency, which leaves no trace."""
    counterfactual: str | None = None
    """Why the service would not have gone on as the cassette did, where it would not."""
    undone: tuple[str, ...] = ()
    """What the driver was asked for and never finished."""
    begun: int = 0
    """How many of the plan's intents it was given."""
    came_back: bool = False
    """It opened a new connection before the user asked for one."""
    endings: tuple[Ending | None, ...] = ()
    """Of each connection: how the service ended it, where it did."""

    def refusals(self) -> Iterator[tuple[Entry, Refusal]]:
        """Every refusal of a client event by the tables, but for those that the scenario is about."""
        for entry in self.exchange.client_entries():
            for refusal in entry.refusals:
                if not self._is_meant(entry, refusal):
                    yield entry, refusal

    def refused_by_state(self) -> Iterator[tuple[Entry, str]]:
        """Every refusal by the session's state, by its catalogue name, but for those that are meant."""
        for entry in self.exchange.client_entries():
            if entry.refused_by_state is not None and not self._is_meant(entry, None):
                yield entry, entry.refused_by_state

    def _is_meant(self, entry: Entry, refusal: Refusal | None) -> bool:
        """Whether the scenario has the user ask for what is refused: then nothing is wrong with the client.

        A client may send more in the same update; a refusal of that is its own.
        """
        if entry.event is None or entry.event["type"] != "session.update":
            return False
        asked = [dict(one.fields)["session"] for one in self.plan.intents if one.refused]
        if refusal is None:
            sent = entry.canonical[0]["session"] if entry.canonical else {}
            return any(_leaves(one) & _leaves(sent) for one in asked)
        last = refusal.path.rpartition(".")[2].partition("[")[0]
        return any(
            (repr(refusal.value)) in {leaf for _, leaf in _leaves(one)} or last in _names(one)
            for one in asked
        )

    def was_sent(self, session: Json) -> bool:
        """Whether some of a change of the session was sent, beyond what was wanted from the first."""
        wanted = _leaves(session) - _leaves(self.plan.session) or _leaves(session)
        return any(
            wanted & _leaves(event["session"])
            for entry in self.exchange.client_entries()
            for event in entry.canonical
            if event["type"] == "session.update" and isinstance(event.get("session"), dict)
        )

    @property
    def unable(self) -> str | None:
        """The first thing asked for that the driver says it or its framework cannot do, in a clause."""
        capabilities = self.observed.capabilities
        asked = [kind for kind in self.undone if kind not in ("hello", "start")]
        first = next((kind for kind in asked if capabilities and kind not in capabilities.intents), None)
        if first is None or " " in first:
            return first and f"the framework has no way to {first}"
        return f"its driver does not list the intent {first!r}"

    @property
    def connected(self) -> bool:
        return any(handshake.opened for handshake in self.handshakes)

    def ending_of(self, connection: int) -> Ending | None:
        """How the service ended that connection, the first being 1; None where it did not."""
        return self.endings[connection - 1] if connection <= len(self.endings) else None

    @property
    def refused_by_fault(self) -> bool:
        """No handshake came to anything, and a fault refused one."""
        return not self.connected and any(one.fault and not one.opened for one in self.handshakes)

    @property
    def spoke(self) -> bool:
        """The client sent something."""
        return bool(self.exchange.client_entries())

    def errors_sent(self) -> Iterator[tuple[Entry, Json]]:
        """The `error` events the service sent."""
        for entry in self.exchange.server_entries():
            if entry.event is not None and entry.event["type"] == "error":
                yield entry, entry.event["error"]


def _leaves(value: Any, name: str = "") -> set[tuple[str, str]]:
    """The values of an object and their own names; `type` is in every session."""
    if not isinstance(value, dict):
        return set() if name == "type" else {(name, repr(value))}
    return {leaf for key, inner in value.items() for leaf in _leaves(inner, key)}


def _names(value: Json) -> set[str]:
    inner = [_names(one) for one in value.values() if isinstance(one, dict)]
    return {name for name in value if name != "type"}.union(*inner)


def basis_of(fact: Fact) -> tuple[Basis, ...]:
    return (Basis(fact.evidence, fact.source),)
