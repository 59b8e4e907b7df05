"""Barge-in: the user speaks, the answer stops, and the service learns how much of it was heard."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.order import refused_by_state
from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, check
from harness.checks.served import Served, served_answers
from harness.checks.surfaced import output_rate
from harness.dialects import Evidence
from harness.findings import Basis, Finding, Severity
from harness.messages import Side, decode_audio
from harness.scenario import Send
from harness.scenario.model import RATE

_TRUNCATE = Basis(
    Evidence.DOCUMENTED,
    "API reference, conversation.item.truncate: over WebSocket the client stops playback "
    "and says how much was heard",
)
_OURS = Basis(Evidence.DOCUMENTED, "what the harness asks of every implementation: docs/checks.md")

_TOLERANCE = 0.1
"""Seconds, and the share, by which resampling may change a duration."""


def _spoken_over(record: CaseRecord) -> list[Served]:
    """What the user spoke over while there was something to hear of it; written answers do not play."""
    return [answer for answer in served_answers(record) if answer.interrupted and answer.audio]


@check("surfaced.interruption", "an answer the user speaks over stops for the user")
def interruption(record: CaseRecord) -> Iterator[Finding]:
    cut = _spoken_over(record)
    if not cut:
        raise NotApplicable("nobody spoke over an answer that was heard")
    if not record.observed.sees("interruption"):
        raise NotApplicable("the driver cannot see interruptions")
    if not record.observed.interruptions:
        yield _finding(
            record,
            cut[0],
            "the user spoke over the answer, and nothing told the playing side to stop.",
            "an interruption",
            "none",
        )
        return
    if not record.observed.sees("audio"):
        return
    # Some tell of one whenever the user begins to speak: the last is the one that counts.
    after = record.observed.audio_seconds - record.observed.heard_before[-1]
    allowed = _seconds_after(record, cut[0])
    if after > allowed * (1 + _TOLERANCE) + _TOLERANCE:
        yield _finding(
            record,
            cut[0],
            "the answer went on for the user after it was interrupted.",
            f"at most {allowed:.2f} s of audio after the interruption",
            f"{after:.2f} s",
        )


def _seconds_after(record: CaseRecord, cut: Served) -> float:
    """Seconds of audio the service sent from the moment it heard the user on."""
    started = [
        entry.number
        for entry in record.exchange.server_entries()
        for event in entry.canonical
        if event["type"] == "input_audio_buffer.speech_started" and entry.number > cut.at
    ]
    since = min(started, default=cut.at)
    size = sum(
        len(decode_audio(event.get("delta")) or b"")
        for entry in record.exchange.server_entries()
        if entry.number > since
        for event in entry.canonical
        if event["type"] == "response.output_audio.delta"
    )
    rate = output_rate(record)
    return size / rate / (2 if rate == RATE else 1)


def _finding(record: CaseRecord, cut: Served, message: str, expected: str, actual: str) -> Finding:
    return Finding(
        code="surfaced.interruption",
        severity=Severity.FAIL,
        path="audio",
        message=message,
        expected=expected,
        actual=actual,
        basis=(_OURS, record.basis),
        mend="on input_audio_buffer.speech_started stop playback and throw away what is queued of the answer",
        at=cut.done_at,
    )


@check("order.truncate", "after a barge-in the right item is cut, to no more than was sent of it")
def truncate(record: CaseRecord) -> Iterator[Finding]:
    sent = [
        (entry, event)
        for entry in record.exchange.entries
        if entry.side is Side.CLIENT
        for event in entry.canonical
        if event["type"] == "conversation.item.truncate"
    ]
    cut = _spoken_over(record)
    if not cut and not sent:
        raise NotApplicable("nobody spoke over an answer, and no item was cut")
    refused = list(refused_by_state(record, "order.truncate"))
    yield from refused
    if refused or not cut:
        return
    right = {item_id for answer in cut for item_id in answer.item_ids}
    after = [(entry, event) for entry, event in sent if entry.number > cut[0].at]
    for entry, event in after:
        if event.get("item_id") not in right:
            yield _wrong(
                "another item than the interrupted one was cut.",
                sorted(right),
                event.get("item_id"),
                entry.number,
                Severity.FAIL,
            )
            return
    wanted = any(
        isinstance(step, Send) and step.event["type"] == "conversation.item.truncate"
        for step in record.scenario.steps
    )
    if not after and wanted and record.observed.sees("audio"):
        yield _wrong(
            "the service was never told how much of the interrupted answer was heard.",
            "conversation.item.truncate",
            "none",
            cut[0].done_at,
            Severity.DEVIATION,
        )


def _wrong(message: str, expected: object, actual: object, at: int | None, severity: Severity) -> Finding:
    return Finding(
        code="order.truncate",
        severity=severity,
        path="conversation.item.truncate",
        message=message,
        expected=expected,
        actual=actual,
        basis=(_TRUNCATE,),
        mend="send conversation.item.truncate with the id of the item that was playing "
        "and the milliseconds of it that were heard",
        at=at,
    )
