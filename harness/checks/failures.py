"""What goes wrong on the service's side, and whether the user hears of it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, check
from harness.checks.served import served_answers
from harness.dialects import Evidence
from harness.findings import Basis, Finding, Severity
from harness.service import Ending

_FAILED = Basis(
    Evidence.DOCUMENTED, "API reference: response.status is failed, status_details.error says why"
)
_OURS = Basis(Evidence.DOCUMENTED, "what the harness asks of every implementation: docs/checks.md")
_NORMAL = 1000


def _needs_errors(record: CaseRecord) -> None:
    if not record.observed.sees("error"):
        raise NotApplicable("the driver cannot see errors")


def _own_errors(record: CaseRecord) -> list[str]:
    """What the user heard of, but for the error events of the service."""
    told = [str(body.get("message", "")) for _, body in record.errors_sent()]
    return [seen for seen in record.observed.errors if not any(said and said in seen for said in told)]


@check("surfaced.failure", "a response that failed reaches the user as a failure")
def failure(record: CaseRecord) -> Iterator[Finding]:
    failed = [answer for answer in served_answers(record) if answer.status == "failed"]
    if not failed:
        raise NotApplicable("no response failed")
    _needs_errors(record)
    for answer in failed:
        error = answer.details.get("error")
        message = str((error if isinstance(error, dict) else {}).get("message") or "")
        if _own_errors(record) or (message and any(message in seen for seen in record.observed.errors)):
            continue
        yield Finding(
            code="surfaced.failure",
            severity=Severity.FAIL,
            path="response.status_details",
            message="a response failed and the user never heard of it: it looks like silence, "
            "or like an answer.",
            expected=message or "an error",
            actual=record.observed.errors or "nothing surfaced",
            basis=(_FAILED,),
            mend="look at response.status in response.done; where it is failed, hand on status_details.error",
            at=answer.done_at,
        )
        return


@check("surfaced.connection-loss", "a lost connection reaches the user, or the client comes back by itself")
def connection_loss(record: CaseRecord) -> Iterator[Finding]:
    ended = [
        (number, ending)
        for number, ending in enumerate(record.endings, 1)
        if ending is not None and ending.code != _NORMAL
    ]
    if not ended:
        raise NotApplicable("the service ended no connection before its time")
    opened = sum(handshake.opened for handshake in record.handshakes)
    if record.came_back or (opened > len(record.endings) or opened > len(record.scenario.connections)):
        return
    _needs_errors(record)
    expired = [body for _, body in record.errors_sent() if body.get("code") == "session_expired"]
    heard = _own_errors(record) or (expired and record.observed.errors)
    if heard or record.observed.exit_code not in (None, 0):
        return
    number, ending = ended[0]
    last = [entry.number for entry in record.exchange.entries if entry.connection == number]
    yield Finding(
        code="surfaced.connection-loss",
        severity=Severity.FAIL,
        path="connection",
        message=f"{_how(ending)}; the user never heard of it, and the client did not come back.",
        expected="an error the user hears of, or a new connection",
        actual=record.observed.errors or "nothing surfaced",
        basis=(_OURS,),
        mend="report the end of the connection unless the user asked for it, or connect again",
        at=last[-1] if last else None,
    )


def _how(ending: Ending) -> str:
    if ending.code is None:
        return "the connection was lost"
    return f"the service closed the connection with {ending.code} {ending.reason}".rstrip()


@check("handshake.refused-surfaced", "a refused handshake reaches the user, or the client tries again")
def refused_surfaced(record: CaseRecord) -> Iterator[Finding]:
    refused = [one for one in record.handshakes if one.fault is not None and not one.opened]
    if not refused:
        raise NotApplicable("no handshake was refused on purpose")
    if record.connected:
        return
    _needs_errors(record)
    if record.observed.errors or record.observed.exit_code not in (None, 0):
        return
    yield Finding(
        code="handshake.refused-surfaced",
        severity=Severity.FAIL,
        path="handshake",
        message=f"the service refused the connection with HTTP {refused[0].status}; "
        "the user never heard of it.",
        expected=f"an error that says HTTP {refused[0].status}, or another attempt",
        actual="nothing surfaced",
        basis=(_OURS,),
        mend="report a refused handshake; after 429 try again, when Retry-After is over",
    )
