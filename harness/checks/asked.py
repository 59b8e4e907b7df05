"""What the user asks for between two turns comes to the service as it was asked for.

None of it shows in an answer: an item read back or cut, a change that is to be
refused, the metadata by which a client knows an answer again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, NotProven, check
from harness.checks.scripted import answers_given
from harness.checks.served import served_answers
from harness.dialects import Evidence
from harness.diff import changes
from harness.findings import Basis, Finding, Severity
from harness.messages import Json
from harness.scenario import Intent
from harness.service import Entry

_METADATA = Basis(Evidence.DOCUMENTED, "API reference: a response carries the metadata it was asked for with")


@check(
    "order.edit", "the item that the user reads back, cuts or takes out is the one, cut where it was asked"
)
def edit(record: CaseRecord) -> Iterator[Finding]:
    asked = [dict(one.fields) for one in _begun(record) if one.kind == "edit"]
    if not asked:
        raise NotApplicable("the user edits nothing")
    words = _words_of_items(record)
    sent = [
        (entry, event)
        for entry in record.exchange.client_entries()
        for event in entry.canonical
        if event["type"].startswith("conversation.item.") and "item_id" in event
    ]
    undone = []
    for wanted in asked:
        match = next((one for one in sent if _is_wanted(wanted, *one, words)), None)
        if match is None:
            undone.append(wanted)
        else:
            sent.remove(match)
    # What a client cuts after a barge-in is its own affair: `order.truncate` judges that.
    cut = {id_ for answer in served_answers(record) if answer.interrupted for id_ in answer.item_ids}
    for wanted in undone:
        other = next((one for one in sent if _is_another(wanted, *one, cut)), None)
        if other is not None:
            sent.remove(other)
        yield _edit_finding(record, wanted, other, words)


def _begun(record: CaseRecord) -> tuple[Intent, ...]:
    return record.plan.intents[: record.begun]


Words = dict[str, dict[tuple[str, str], int]]
"""Role and words of each item by its id, and the message that first told of them."""


def _words_of_items(record: CaseRecord) -> Words:
    """In every state the service told of: an item that is cut has lost its words."""
    found: Words = defaultdict(dict)
    for entry in record.exchange.server_entries():
        for event in entry.canonical:
            item = event.get("item")
            parts = item.get("content") if isinstance(item, dict) else None
            if isinstance(item, dict) and isinstance(parts, list):
                whole = [part for part in parts if isinstance(part, dict)]
                text = "".join(str(part.get("text") or part.get("transcript") or "") for part in whole)
                found[str(item.get("id"))].setdefault((str(item.get("role")), text.strip()), entry.number)
    return found


def _is_wanted(wanted: dict[str, Any], entry: Entry, event: Json, words: Words) -> bool:
    same = event["type"] == f"conversation.item.{wanted['action']}"
    place = event.get("audio_end_ms") == wanted.get("audio_end_ms")
    return same and place and _is_item(wanted, entry, event, words)


def _is_item(wanted: dict[str, Any], entry: Entry, event: Json, words: Words) -> bool:
    """Whether it names that item; which one that is cannot be told while its words are in none."""
    meant = (wanted.get("role", ""), str(wanted.get("text", "")).strip())
    items = {id_ for id_, held in words.items() if held.get(meant, entry.number) < entry.number}
    return not items or event["item_id"] in items


def _is_another(wanted: dict[str, Any], entry: Entry, event: Json, cut: set[str]) -> bool:
    refused = bool(entry.refusals) or entry.refused_by_state is not None
    same = event["type"] == f"conversation.item.{wanted['action']}"
    return same and not refused and not (wanted["action"] == "truncate" and event["item_id"] in cut)


def _edit_finding(
    record: CaseRecord, wanted: dict[str, Any], other: tuple[Entry, Json] | None, words: Words
) -> Finding:
    action = wanted["action"]
    name = f"conversation.item.{action}"
    meant = {"item": f"{wanted.get('role', 'item')}: {wanted.get('text', wanted['item'])}"}
    if action == "truncate":
        meant["audio_end_ms"] = wanted["audio_end_ms"]
    if other is None:
        return Finding(
            code="order.edit",
            severity=Severity.NOT_PROVEN,
            path=name,
            message=f"the user asked for {name} of {meant['item']!r}, and the service was asked for none.",
            expected=meant,
            actual="no such event that was accepted",
            basis=(record.basis,),
            mend=f"send {name} with the id of that item",
        )
    entry, event = other
    held = sorted(f"{role}: {text}" for role, text in words.get(event["item_id"], ()) if text)
    right = _is_item(wanted, entry, event, words)
    shown = {"item": meant["item"] if right else held[-1] if held else event["item_id"]}
    if action == "truncate":
        shown["audio_end_ms"] = event.get("audio_end_ms")
    return Finding(
        code="order.edit",
        severity=Severity.FAIL,
        path=f"{name}.{'audio_end_ms' if right else 'item_id'}",
        message=f"{name} is not what the user asked for: "
        + ("it cuts the item elsewhere." if right else "it names another item."),
        expected=meant,
        actual=shown,
        basis=(record.basis,),
        mend="cut it where the user said" if right else "send the id of the item that the user means",
        diff=changes(meant, shown),
        at=entry.number,
    )


@check("session.rejected", "a change that the service refuses is asked for all the same")
def rejected(record: CaseRecord) -> Iterator[Finding]:
    asked = [dict(one.fields)["session"] for one in _begun(record) if one.refused]
    if not asked:
        raise NotApplicable("the user asks for no change that the service refuses")
    for session in asked:
        if not record.was_sent(session):
            yield Finding(
                code="session.rejected",
                severity=Severity.NOT_PROVEN,
                path="session",
                message="the user asked for a change that the service refuses, and nothing of it was sent.",
                expected=session,
                actual="no session.update that holds any of it",
                basis=(record.basis,),
                mend="send it, and hand on the service's error: only the service knows what it refuses",
            )


@check("response.metadata", "an answer carries the metadata it was asked for with")
def metadata(record: CaseRecord) -> Iterator[Finding]:
    if not any((dict(one.fields).get("response") or {}).get("metadata") for one in record.plan.intents):
        raise NotApplicable("no answer is asked for with metadata")
    capabilities = record.observed.capabilities
    reason = capabilities.reason_it_cannot("response.metadata", None) if capabilities else None
    if reason:
        raise NotApplicable(reason)
    asked = [
        (event["response"]["metadata"], one.start.entry)
        for one in answers_given(record)
        for event in one.due.sends
        if event["type"] == "response.create" and (event.get("response") or {}).get("metadata")
    ]
    if not asked:
        raise NotProven("no answer that is asked for with metadata was given")
    # A client that asks for more aside may be given the recorded answer there.
    told = [
        event["response"].get("metadata") or {}
        for entry in record.exchange.server_entries()
        for event in entry.canonical
        if event["type"] == "response.created"
    ]
    for wanted, at in asked:
        created = record.exchange.entries[at]
        if created.fault is None and not any(wanted.items() <= one.items() for one in told):
            held = created.canonical[0]["response"].get("metadata")
            yield Finding(
                code="response.metadata",
                severity=Severity.FAIL,
                path="response.metadata",
                message="the metadata that an answer was asked for with is lost.",
                expected=wanted,
                actual=held,
                basis=(_METADATA, record.basis),
                mend="send it as response.metadata in response.create",
                diff=changes(wanted, held, "metadata"),
                at=at,
            )
