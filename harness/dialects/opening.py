"""How a connection is opened, and how that is refused, as a dialect's table says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.dialects.model import Acceptance, Evidence, Fact


@dataclass(frozen=True, slots=True)
class QueryRule:
    """What is known of one query parameter of the handshake.

    `means`: what its value stands for (`deployment`, `call`, `transcription`);
    `also`: values the service takes beside `value`; `unless`: parameters that take its place;
    `without`: parameters that must not come with it.
    """

    name: str
    required: bool
    value: str | None
    means: str | None
    acceptance: Acceptance
    status: int | None
    fact: Fact
    also: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def takes(self, value: str | None) -> bool:
        """Whether a value is one the service takes, as far as values are known."""
        return self.value is None or value == self.value or value in self.also

    def missing_from(self, query: Mapping[str, str]) -> bool:
        """Whether a query lacks it, and whatever may take its place."""
        return self.required and not any(query.get(name) for name in (self.name, *self.unless))

    def needless_in(self, query: Mapping[str, str]) -> str | None:
        """The first parameter in a query that must not come with this one."""
        means_it = self.means != "transcription" or query.get(self.name) == "transcription"
        if self.name not in query or not means_it:
            return None
        return next((name for name in self.without if query.get(name)), None)


@dataclass(frozen=True, slots=True)
class HandshakeRefusal:
    """An HTTP answer to a handshake; `body_evidence` is how well its body is known."""

    name: str
    status: int
    code: str
    message: str
    body_evidence: Evidence
    fact: Fact
    when: str = ""


@dataclass(frozen=True, slots=True)
class LateRefusal:
    """A refusal after the handshake: an error of the catalogue, by its name, and the code of the close."""

    name: str
    error: str
    close: int
    fact: Fact


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """A request header the dialect has an opinion on (lower-case name); with a value, on that value."""

    name: str
    acceptance: Acceptance
    fact: Fact
    required: bool = False
    value: str | None = None

    def refuses(self, value: str | None) -> bool:
        """Whether a request with this value, None being none, is refused for it."""
        if value is None or self.acceptance is not Acceptance.REFUSED:
            return False
        return self.value is None or value == self.value


@dataclass(frozen=True, slots=True)
class Handshake:
    """How a connection is opened."""

    host: str
    path: str
    query: tuple[QueryRule, ...]
    headers: tuple[HeaderRule, ...]
    auth: tuple[str, ...]
    auth_fact: Fact
    refusals: Mapping[str, HandshakeRefusal]
    late: Mapping[str, LateRefusal]
    """By the same names: those that are no answer to the handshake, but come right after it."""

    def shown(self, refusal: str, status: int) -> str:
        """What a client sees of a refusal with that name: an HTTP status, or how its connection ends."""
        late = self.late.get(refusal)
        return f"HTTP {status}" if late is None else f"the error {late.error} and close {late.close}"

    def right_query(self, deployment: str, *, transcription: bool = False) -> tuple[tuple[str, str], ...]:
        """The query of a right handshake, in the order of the table."""
        kept = [rule for rule in self.query if rule.required]
        if transcription:
            intent = [rule for rule in self.query if rule.means == "transcription"]
            replaced = {rule.name for rule in intent}
            kept = [rule for rule in kept if not replaced & set(rule.unless)] + intent
        return tuple(
            (rule.name, rule.value or ("transcription" if rule.means == "transcription" else deployment))
            for rule in kept
        )
