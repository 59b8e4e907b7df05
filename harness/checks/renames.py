"""Renames on the way in: what the implementation made of the service's own names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, check
from harness.findings import Finding, Severity
from harness.service import Origin

_COMPLAINT = re.compile(
    r"(?i)un(?:known|implemented|handled|supported|expected|recogni[sz]ed)|"
    r"not (?:known|implemented|handled|supported)|invalid|validat|fail|error"
)


@check("rename.server-event", "every event the service sends is understood")
def server_event(record: CaseRecord) -> Iterator[Finding]:
    served = record.exchange.server_entries()
    sent = {e.event["type"]: e for e in served if e.event is not None and e.origin is not Origin.FAULT}
    if not sent:
        raise NotApplicable("the service sent nothing")
    table = record.dialect.translation.events
    complaints = [line.message for line in record.observed.log if line.level not in ("DEBUG", "INFO")]
    complaints += record.observed.errors
    for type_, entry in sorted(sent.items()):
        pattern = re.compile(rf"(?<![\w.]){re.escape(type_)}(?![\w.])")
        for complaint in complaints:
            if type_ == "error" or not pattern.search(complaint) or not _COMPLAINT.search(complaint):
                continue
            canonical = table.get(type_)
            hint = f"rename it to {canonical!r} on the way in" if canonical else "accept it, or ignore it"
            yield Finding(
                code="rename.server-event",
                severity=Severity.FAIL,
                path="type",
                message=f"the implementation does not understand the service's {type_!r}.",
                expected=f"{type_!r} understood as {canonical!r}" if canonical else f"{type_!r} understood",
                actual=complaint[:500],
                basis=(record.basis,),
                mend=hint,
                at=entry.number,
            )
            break


@check("rename.surfaced-part", "content parts reach the user under the names the framework promises")
def surfaced_part(record: CaseRecord) -> Iterator[Finding]:
    capabilities = record.observed.capabilities
    if not record.observed.sees("item") or capabilities is None:
        raise NotApplicable("the driver cannot see items")
    if capabilities.parts != "canonical":
        raise NotApplicable("the framework promises no naming of its own")
    parts = record.dialect.translation.parts
    if not parts:
        raise NotApplicable(f"{record.dialect.name} has the canonical names on the wire")
    seen: set[str] = set()
    for item in record.observed.items:
        if item.get("role") != "assistant" or not isinstance(item.get("content"), list):
            continue
        for part in item["content"]:
            name = part.get("type") if isinstance(part, dict) else None
            if isinstance(name, str) and name in parts and name not in seen:
                seen.add(name)
                yield Finding(
                    code="rename.surfaced-part",
                    # What was said still reaches the user; who reads items by their part types goes wrong.
                    severity=Severity.DEVIATION,
                    path="item.content[].type",
                    message=f"the user is handed an item with the content part {name!r}, "
                    f"where this framework has {parts[name]!r}.",
                    expected=parts[name],
                    actual=name,
                    basis=(record.basis,),
                    mend=f"rename {name!r} to {parts[name]!r} in the content of the assistant's items "
                    "(conversation.item.*, response.output_item.*, response.done), "
                    "but not in response.content_part.*",
                )
