"""After a connection was lost: what the next one has of session, tools and history."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.configuration import LEAVES, is_lost, moments
from harness.checks.items import not_in_order
from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, NotProven, check
from harness.checks.scripted import answers_given, said
from harness.dialects import Evidence
from harness.findings import Basis, Finding, Severity
from harness.messages import get_path

_NEW_SESSION = Basis(
    Evidence.DOCUMENTED, "API reference: a session lives as long as its connection; a new one knows nothing"
)


@check("reconnect.restored", "on a new connection session, tools and history are what they were")
def restored(record: CaseRecord) -> Iterator[Finding]:
    if len(record.scenario.connections) < 2:
        raise NotApplicable("the scenario has one connection")
    later = [moment for moment in moments(record) if moment.connection > 1]
    if not later:
        raise NotProven("no answer was given on a new connection")
    first = later[0]
    before = [moment for moment in moments(record) if moment.connection < first.connection]
    for path in LEAVES:
        wanted, held = get_path(first.wanted, path), get_path(first.session, path)
        held_before = not before or not is_lost(
            record, path, get_path(before[-1].wanted, path), get_path(before[-1].session, path)
        )
        if held_before and is_lost(record, path, wanted, held):
            yield _finding(f"session.{path}", f"{path} is not restored", wanted, held, first.at)
    for start, due in answers_given(record):
        if due.connection < 2:
            continue
        conversation = [said(item) for item in start.items]
        missing = list(not_in_order(due.held, conversation))
        if missing:
            what = f"{len(missing)} item(s) of the history are not restored, or stand in another order"
            yield _finding("conversation", what, list(due.held), conversation, start.entry)
        return


def _finding(path: str, what: str, expected: object, actual: object, at: int | None) -> Finding:
    return Finding(
        code="reconnect.restored",
        severity=Severity.FAIL,
        path=path,
        message=f"{what} on the new connection.",
        expected=expected,
        actual=actual if isinstance(actual, (str, list, dict, int, float)) else None,
        basis=(_NEW_SESSION,),
        mend="after session.created send session.update and the history's items again, then go on",
        at=at,
    )
