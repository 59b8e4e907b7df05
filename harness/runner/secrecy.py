"""Keeps a case's key out of its result, wherever the client wrote it. Logs are redacted as they come."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from harness.redaction import Redactor
from harness.report import CaseResult
from harness.service import Exchange


def says_key(exchange: Exchange, key: str) -> bool:
    """Whether the client put its key into an event."""
    sent = exchange.client_entries()
    return any(key in (entry.raw or "") or key in json.dumps(entry.event) for entry in sent)


def without_key(result: CaseResult, key: str) -> CaseResult:
    """The result without the case's key, wherever the client wrote it; logs are redacted as they come."""
    redactor = Redactor((key,))

    def clean(value: Any) -> Any:
        return redactor.value(value) if key in json.dumps(value, default=str) else value

    findings = tuple(
        replace(f, message=clean(f.message), expected=clean(f.expected), actual=clean(f.actual), diff=())
        if key in repr(f)
        else f
        for f in result.findings
    )
    entries = result.exchange.entries
    for index, entry in enumerate(entries):
        if entry.event is not None or entry.raw is not None:
            entries[index] = replace(entry, event=clean(entry.event), raw=clean(entry.raw))
    # A key over two pieces of text is whole again where they are joined.
    observed = result.observed
    for name in ("text", "transcript", "user_transcript"):
        setattr(observed, name, clean(getattr(observed, name)))
    return replace(result, findings=findings, reason=clean(result.reason))
