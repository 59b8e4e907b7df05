"""What the implementation handed its user, against what the service told it.

Frameworks fail silently, so "no error" proves nothing. Text is compared after
white space is put in order; audio is equal in bytes where the rates agree, else
in duration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, NotProven, check
from harness.diff import changes
from harness.findings import Finding, Severity
from harness.messages import decode_audio
from harness.scenario.model import RATE
from harness.service import Origin

_DURATION_TOLERANCE = 0.05


def _require(record: CaseRecord, kind: str, served: bool) -> None:
    if not served:
        if not record.played:
            raise NotProven("no answer of the scenario was given")
        raise NotApplicable("the scenario's answers hold none")
    if not record.observed.sees(kind):
        raise NotApplicable(f"the driver cannot see {kind}")


def _words(text: str) -> str:
    return " ".join(text.split())


@check("surfaced.text", "written answers reach the user, whole")
def text(record: CaseRecord) -> Iterator[Finding]:
    served = [answer.joined("response.output_text.delta") for answer in record.played]
    served = [part for part in served if part]
    _require(record, "text", bool(served))
    yield from _compare_words(record, "surfaced.text", served, record.observed.text, "text")


@check("surfaced.transcript", "transcripts of spoken answers reach the user, whole")
def transcript(record: CaseRecord) -> Iterator[Finding]:
    served = [answer.joined("response.output_audio_transcript.delta") for answer in record.played]
    served = [part for part in served if part]
    if not record.observed.sees("transcript") and not record.observed.sees("text"):
        raise NotApplicable("the driver cannot see transcripts")
    _require(record, "transcript" if record.observed.sees("transcript") else "text", bool(served))
    # Some frameworks have one channel for what the assistant says, spoken or written.
    observed = record.observed.transcript or record.observed.text
    yield from _compare_words(record, "surfaced.transcript", served, observed, "transcript")


def _compare_words(
    record: CaseRecord, code: str, served: list[str], observed: str, what: str
) -> Iterator[Finding]:
    missing = [part for part in served if _words(part) not in _words(observed)]
    if not missing:
        yield from _twice(record, code, what, served, [p for p in served if _repeats(p, served, observed)])
        return
    yield Finding(
        code=code,
        severity=Severity.FAIL,
        path=what,
        message=f"the {what} the service sent did not reach the user"
        + (": nothing surfaced." if not observed.strip() else " whole."),
        expected=" ".join(_words(part) for part in served),
        actual=_words(observed),
        basis=(record.basis,),
        mend=_mend_names(
            record, "response.output_text" if what == "text" else "response.output_audio_transcript"
        ),
        diff=changes(" ".join(_words(part) for part in served), _words(observed), what),
    )


def _repeats(part: str, served: list[str], observed: str) -> bool:
    """Whether something surfaced more often than it can have been said, other words around it included."""
    said = sum(_words(other).count(_words(part)) for other in served)
    return _words(observed).count(_words(part)) > said


def _twice(
    record: CaseRecord, code: str, what: str, served: list[Any], repeated: list[Any]
) -> Iterator[Finding]:
    if any(start.origin is Origin.MODELLED for start in record.exchange.responses):
        return  # one more answer was asked for, and may say the same
    if repeated:
        yield Finding(
            code=code,
            severity=Severity.DEVIATION,
            path=what,
            message=f"the {what} reached the user more often than the service sent it.",
            expected=served,
            actual=f"more than once: {repeated[0]}",
            basis=(record.basis,),
            mend="hand on each delta once, and not the whole again when it is done",
        )


@check("surfaced.audio", "spoken answers reach the user, whole")
def audio(record: CaseRecord) -> Iterator[Finding]:
    _require(record, "audio", any(answer.audio for answer in record.played))
    sent, needed = _audio_sent(record)
    served = sent[:needed]
    observed = record.observed.audio
    same_rate = set(observed) <= {RATE}
    surfaced = bytes(observed.get(RATE, b""))
    if same_rate and len(surfaced) >= needed and sent.startswith(surfaced):
        return
    seconds = len(served) / 2 / RATE
    least, most = seconds * (1 - _DURATION_TOLERANCE), len(sent) / 2 / RATE * (1 + _DURATION_TOLERANCE)
    if not same_rate and least <= record.observed.audio_seconds <= most:
        return
    heard = sum(len(pcm) for pcm in observed.values())
    yield Finding(
        code="surfaced.audio",
        severity=Severity.FAIL,
        path="audio",
        message="the audio the service sent did not reach the user"
        + (": nothing surfaced." if not heard else " as it was."),
        expected=f"{len(served)} bytes, {seconds:.2f} s at {RATE} Hz",
        actual=f"{heard} bytes, {record.observed.audio_seconds:.2f} s at {sorted(observed) or 'no'} Hz",
        basis=(record.basis,),
        mend=_mend_names(record, "response.output_audio"),
        diff=changes({"bytes": len(served)}, {"bytes": heard}, "audio"),
    )


def _audio_sent(record: CaseRecord) -> tuple[bytes, int]:
    """All audio that was sent, and how much of it must have surfaced: up to the scenario's last answer.

    A client that asks for one more answer hears that one too, if the case does not end before.
    """
    modelled: set[str] = set()
    sent, needed = bytearray(), 0
    starts = {start.entry: start for start in record.exchange.responses}
    for entry in record.exchange.server_entries():
        for event in entry.canonical:
            start = starts.get(entry.number)
            if start is not None and start.origin is Origin.MODELLED:
                modelled.add(event["response"]["id"])
            if event["type"] == "response.output_audio.delta":
                sent += decode_audio(event["delta"]) or b""
                if event["response_id"] not in modelled:
                    needed = len(sent)
    return bytes(sent), needed


@check("surfaced.tool-call", "tool calls reach the user's tools with their arguments")
def tool_call(record: CaseRecord) -> Iterator[Finding]:
    served = [
        {"name": event["item"]["name"], "arguments": _parsed(event["item"]["arguments"])}
        for answer in record.played
        for _, event in answer.events
        if event["type"] == "response.output_item.done" and event["item"]["type"] == "function_call"
    ]
    _require(record, "tool_call", bool(served))
    observed = [
        {"name": call.name, "arguments": _parsed(call.arguments)} for call in record.observed.tool_calls
    ]
    missing = [call for call in served if call not in observed]
    if not missing:
        repeated = [call for call in served if observed.count(call) > served.count(call)]
        yield from _twice(record, "surfaced.tool-call", "tool call", served, repeated)
    else:
        yield Finding(
            code="surfaced.tool-call",
            severity=Severity.FAIL,
            path="tool_call",
            message="a tool call the service made did not reach the user's tool"
            + (" as it was made." if observed else "."),
            expected=served,
            actual=observed,
            basis=(record.basis,),
            mend="call the tool when response.output_item.done brings the function_call, with its arguments",
            diff=changes(served, observed, "tool_calls"),
        )


@check("surfaced.error", "errors the service sends reach the user")
def error(record: CaseRecord) -> Iterator[Finding]:
    sent = list(record.errors_sent())
    if not sent:
        raise NotApplicable("the service sent no error")
    if not record.observed.sees("error"):
        raise NotApplicable("the driver cannot see errors")
    for entry, body in sent:
        message = str(body.get("message", ""))
        if any(message in seen or seen in message for seen in record.observed.errors if seen):
            continue
        yield Finding(
            code="surfaced.error",
            severity=Severity.FAIL,
            path="error",
            message="the service sent an error and the user never heard of it.",
            expected=message,
            actual=record.observed.errors or "nothing surfaced",
            basis=(record.basis,),
            mend="hand every error event to the user; the session goes on after it",
            at=entry.number,
        )
        return


def _parsed(value: Any) -> Any:
    """Arguments as a value: some frameworks hand over JSON text, some the object."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _mend_names(record: CaseRecord, canonical: str) -> str:
    wires = [w for w, c in record.dialect.translation.events.items() if c == f"{canonical}.delta"]
    name = wires[0] if wires else f"{canonical}.delta"
    return f"hand on what {name!r} brings, from the first delta to the last"
