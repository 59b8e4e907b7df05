"""What a log's client sent, judged by the tables: refusals and open questions."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.refusals import (
    content_part_finding,
    of_content_part,
    refusal_finding,
    unproven_finding,
)
from harness.dialects import Dialect, Refusal, Unproven, judge_client_event
from harness.findings import Finding
from harness.lint.audio import append_findings
from harness.logs.model import Extent, LogEntry

APPEND = "input_audio_buffer.append"


def client_findings(dialect: Dialect, entry: LogEntry, rate: int | None) -> Iterator[Finding]:
    """Everything wrong or open with one event of the client; `rate` is the one its audio is heard at."""
    event = entry.event
    assert event is not None
    if entry.extent is Extent.ELIDED:
        event = {"type": event["type"]}
    first = True
    for found in judge_client_event(dialect, event):
        if isinstance(found, Refusal):
            if found.error == "missing_required_parameter" and entry.extent is not Extent.WHOLE:
                continue
            if not found.fact.evidence.can_fail:
                guess = Unproven(
                    found.path, "we guess that the service refuses it", found.fact, found.instead
                )
                yield unproven_finding(guess, event, at=entry.line)
                continue
            yield refusal_finding(dialect, found, at=entry.line, first=first)
            first = False
        elif of_content_part(found):
            yield content_part_finding(dialect, found, event, at=entry.line)
        else:
            yield unproven_finding(found, event, at=entry.line)
    if event["type"] == APPEND and entry.extent is Extent.WHOLE and isinstance(event.get("audio"), str):
        yield from append_findings(dialect, event["audio"], entry.line, rate)
