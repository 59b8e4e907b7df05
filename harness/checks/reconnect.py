"""After a connection was lost: what the next one has of session, tools and history."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.configuration import LEAVES, is_lost, moments, wanted_sessions
from harness.checks.items import not_in_order
from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, NotProven, check
from harness.checks.scripted import due_answers, said
from harness.dialects import Evidence
from harness.findings import Basis, Finding, Severity
from harness.messages import MISSING, get_path
from harness.service import ResponseStart

_NEW_SESSION = Basis(
    Evidence.DOCUMENTED, "API reference: a session lives as long as its connection; a new one knows nothing"
)


@check("reconnect.restored", "on a new connection session, tools and history are what they were")
def restored(record: CaseRecord) -> Iterator[Finding]:
    if len(record.scenario.connections) < 2:
        raise NotApplicable("the scenario has one connection")
    # Whichever answer it is: who restores nothing may never come to the scenario's own.
    entries = record.exchange.entries
    later = [start for start in record.exchange.responses if entries[start.entry].connection > 1]
    if not later:
        raise NotProven("no answer was given on a new connection")
    due = next(one for one in due_answers(record.scenario) if one.connection > 1)
    yield from _lost_of_session(record, later[0])
    conversation = [said(item) for item in later[0].items]
    missing = list(not_in_order(due.held, conversation))
    if missing:
        what = f"{len(missing)} item(s) of the history are not restored, or stand in another order"
        yield _finding("conversation", what, list(due.held), conversation, later[0].entry)


def _lost_of_session(record: CaseRecord, first: ResponseStart) -> Iterator[Finding]:
    """What held at the last answer before, and no longer does."""
    before = [moment for moment in moments(record) if moment.connection == 1]
    sessions = wanted_sessions(record)
    wanted = sessions[min(len(before), len(sessions) - 1)]
    for path in ("output_modalities", *LEAVES):
        value, held = get_path(wanted, path), get_path(first.session, path)
        lost_before = before and is_lost(
            record, path, get_path(before[-1].wanted, path), get_path(before[-1].session, path)
        )
        if not lost_before and is_lost(record, path, value, held):
            shown = None if held is MISSING else held
            yield _finding(f"session.{path}", f"{path} is not restored", value, shown, first.entry)


def _finding(path: str, what: str, expected: object, actual: object, at: int | None) -> Finding:
    return Finding(
        code="reconnect.restored",
        severity=Severity.FAIL,
        path=path,
        message=f"{what} on the new connection.",
        expected=expected,
        actual=actual,
        basis=(_NEW_SESSION,),
        mend="after session.created send session.update and the history's items again, then go on",
        at=at,
    )
