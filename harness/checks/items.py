"""What the conversation holds: the scenario's items, and nothing that was asked for beside it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, check
from harness.checks.scripted import answers_given, said
from harness.checks.served import served_answers
from harness.dialects import Evidence
from harness.findings import Basis, Finding, Severity
from harness.scenario import Intent
from harness.service import Origin

_OUTSIDE = Basis(Evidence.DOCUMENTED, "API reference: `conversation: none` adds nothing to the conversation")


@check("order.items", "the conversation holds the scenario's items when the answer begins")
def items(record: CaseRecord) -> Iterator[Finding]:
    answers = [(one.start, one.due) for one in answers_given(record) if one.due.connection == 1]
    if not answers:
        raise NotApplicable("no answer of the scenario was given")
    for start, due in answers:
        held = [said(item) for item in start.items]
        missing = list(not_in_order(due.held, held))
        left = [words for words in due.deleted if words in held and words not in due.held]
        if not missing and not left:
            continue
        problem = (
            f"{len(missing)} of the scenario's items are missing, or stand in another order."
            if missing
            else "an item that the user took out still stands there."
        )
        yield Finding(
            code="order.items",
            severity=Severity.FAIL,
            path="conversation",
            message=problem,
            expected=list(due.held),
            actual=held,
            basis=(record.basis,),
            mend="create the user's items before response.create, in the order they were said"
            if missing
            else "delete it by its id, and wait for conversation.item.deleted",
            at=start.entry,
        )
        return


def not_in_order(wanted: tuple[str, ...], held: list[str]) -> Iterator[str]:
    """What of it is not held, or not in that order."""
    rest = list(held)
    for one in wanted:
        if one in rest:
            rest = rest[rest.index(one) + 1 :]
        else:
            yield one


@check("order.outside", "what is asked for outside the conversation stays outside")
def outside(record: CaseRecord) -> Iterator[Finding]:
    begun = record.plan.intents[: record.begun]
    asked = sum(intent.answers for intent in begun if _is_aside(intent))
    answers = served_answers(record)
    aside = [answer for answer in answers if answer.outside]
    if not asked:
        raise NotApplicable("nothing was asked for outside the conversation")
    within = [answer for answer in answers if not answer.outside]
    due = sum(intent.answers for intent in begun) - asked
    if len(aside) < asked and len(within) > due:
        extra = next((one for one in within if one.origin is Origin.MODELLED), within[-1])
        yield Finding(
            code="order.outside",
            severity=Severity.FAIL,
            path="response.conversation",
            message="the answer was to stay outside the conversation and was asked for in it.",
            expected="response.create with conversation: none",
            actual="an answer in the conversation",
            basis=(_OUTSIDE,),
            mend="send response.conversation: none",
            at=extra.at,
        )
        return
    for answer in aside:
        words = (answer.text or answer.transcript).strip()
        for entry in record.exchange.client_entries():
            for event in entry.canonical:
                if event["type"] != "conversation.item.create" or entry.number < answer.at or not words:
                    continue
                if words in said(event["item"]):
                    yield Finding(
                        code="order.outside",
                        severity=Severity.FAIL,
                        path="item.content",
                        message="an answer given outside the conversation was put into it.",
                        expected="no item that holds it",
                        actual=said(event["item"]),
                        basis=(_OUTSIDE,),
                        mend="keep what was asked for aside out of the history",
                        at=entry.number,
                    )
                    return


def _is_aside(intent: Intent) -> bool:
    return bool(dict(intent.fields).get("response", {}).get("conversation") == "none")
