"""What a case comes to: the verdict of its findings, its reason in one sentence, and its close."""

from __future__ import annotations

import math

from harness.checks import CaseRecord, Outcome
from harness.dialects import Dialect, compiled_schema
from harness.findings import Finding, Severity, Verdict, verdict_of, worst
from harness.messages import Side
from harness.service import Exchange, Origin

_CLEAN_CLOSES = (1000, 1001, 1005)


def worst_and_earliest(finding: Finding) -> tuple[int, float]:
    """Worst first; among equals what happened first, which is rather cause than consequence."""
    return list(Severity).index(finding.severity), math.inf if finding.at is None else finding.at


def verdict_and_reason(
    record: CaseRecord, findings: list[Finding], outcomes: list[Outcome]
) -> tuple[Verdict, str]:
    """The verdict and its reason in one sentence; `findings` are sorted, worst first."""
    own = _own_fault(record.dialect, record.exchange)
    if own:
        return Verdict.HARNESS_ERROR, f"our server sent what its dialect does not have: {own}"
    if record.unable and verdict_of(findings) is not Verdict.FAIL:
        return Verdict.NOT_APPLICABLE, record.unable
    verdict = verdict_of(findings)
    if not record.spoke and record.refused_by_fault and verdict is Verdict.PASS:
        return verdict, "the refused handshake reached the user"
    if not record.spoke:
        verdict = worst((verdict, Verdict.NOT_PROVEN))
    counted = [finding for finding in findings if finding.severity is not Severity.NOTE]
    if counted:
        more = f" (and {len(counted) - 1} more)" if len(counted) > 1 else ""
        return verdict, f"{counted[0].code}: {counted[0].message}{more}"
    if verdict is Verdict.NOT_PROVEN:
        return verdict, "nothing was exchanged"
    if record.counterfactual is not None:
        return Verdict.NOT_PROVEN, f"the service would not have answered as recorded: {record.counterfactual}"
    seen = [o.code for o in outcomes if o.outcome == "pass" and o.code.startswith("surfaced.")]
    if record.played and not seen:
        return Verdict.NOT_PROVEN, "the wire is right, but the driver sees nothing of what surfaced"
    what = ", ".join(code.removeprefix("surfaced.") for code in seen)
    answers = "1 answer" if len(record.played) == 1 else f"{len(record.played)} answers"
    return verdict, f"{answers} of the cassette played; surfaced as sent: {what}"


_ECHOED = {"item": ("/item",), "session": ("/session", "/response"), "response": ("/response",)}
"""Where in server events the service repeats what stands in a part of a client event."""


def _own_fault(dialect: Dialect, exchange: Exchange) -> str | None:
    """A server event that does not fit its dialect's own schema: our fault, never the client's.

    What the client sent unproven is accepted and repeated as it is, so there the schema says nothing.
    """
    doubtful = tuple(
        at
        for entry in exchange.client_entries()
        for unproven in entry.unproven
        for at in _ECHOED.get(unproven.path.partition(".")[0], ())
    )
    for entry in exchange.server_entries():
        if entry.event is None or entry.origin is Origin.FAULT:
            continue
        schema = compiled_schema(dialect, Side.SERVER, entry.event["type"])
        problems = schema.problems(entry.event) if schema else []
        problems = [problem for problem in problems if not problem.pointer.startswith(doubtful)]
        if schema is None or problems:
            return f"{entry.event['type']}: {problems[0].message if problems else 'no such event'}"
    return None


def close_verdict(record: CaseRecord) -> Verdict:
    """Closing is judged apart from behaviour: pass, fail where it had to be stopped, deviation if unclean.

    Where the service hung up, nothing was left for the client to close.
    """
    if not record.observed.closed_in_time:
        return Verdict.FAIL
    if not record.endings:
        return Verdict.NOT_APPLICABLE if record.refused_by_fault else Verdict.NOT_PROVEN
    if record.endings[-1] is not None:
        return Verdict.NOT_APPLICABLE
    exchange = record.exchange
    clean = exchange.close_by == "client" and exchange.close_code in _CLEAN_CLOSES
    return Verdict.PASS if clean else Verdict.DEVIATION
