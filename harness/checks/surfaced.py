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
from harness.checks.served import Piece, audio_pieces, served_answers
from harness.diff import changes
from harness.findings import Finding, Severity
from harness.messages import get_path
from harness.scenario.model import RATE
from harness.service import Origin

_DURATION_TOLERANCE = 0.05


def _require(record: CaseRecord, kind: str, served: bool) -> None:
    if not served:
        if not record.played:
            raise NotProven("no answer of the scenario was given")
        raise NotApplicable("no answer of the scenario that came whole holds any")
    if not record.observed.sees(kind):
        raise NotApplicable(f"the driver cannot see {kind}")


def _words(text: str) -> str:
    return " ".join(text.split())


@check("surfaced.text", "written answers reach the user, whole")
def text(record: CaseRecord) -> Iterator[Finding]:
    served = [answer.text for answer in served_answers(record) if answer.required and answer.text]
    _require(record, "text", bool(served))
    yield from _compare_words(record, "surfaced.text", served, record.observed.text, "text")


@check("surfaced.transcript", "transcripts of spoken answers reach the user, whole")
def transcript(record: CaseRecord) -> Iterator[Finding]:
    served = [answer.transcript for answer in served_answers(record) if answer.required and answer.transcript]
    if not record.observed.sees("transcript") and not record.observed.sees("text"):
        raise NotApplicable("the driver cannot see transcripts")
    _require(record, "transcript" if record.observed.sees("transcript") else "text", bool(served))
    # Some frameworks have one channel for what the assistant says, spoken or written.
    observed = record.observed.transcript or record.observed.text
    yield from _compare_words(record, "surfaced.transcript", served, observed, "transcript")


@check("surfaced.user-transcript", "what the service understood of the user's speech reaches the user")
def user_transcript(record: CaseRecord) -> Iterator[Finding]:
    heard = [
        (entry, str(event.get("transcript") or ""))
        for entry in record.exchange.server_entries()
        for event in entry.canonical
        if event["type"] == "conversation.item.input_audio_transcription.completed" and entry.fault is None
    ]
    heard = [(entry, words) for entry, words in heard if words.strip()]
    if not heard:
        raise NotApplicable("the service transcribed nothing of the user's")
    if not record.observed.sees("user_transcript"):
        raise NotApplicable("the driver cannot see user_transcript")
    observed = record.observed.user_transcript
    missing = [(entry, words) for entry, words in heard if _words(words) not in _words(observed)]
    if missing:
        yield Finding(
            code="surfaced.user-transcript",
            severity=Severity.FAIL,
            path="user_transcript",
            message="what the service understood of the user's speech did not reach the user"
            + (": nothing surfaced." if not observed.strip() else " whole."),
            expected=[words for _, words in heard],
            actual=_words(observed),
            basis=(record.basis,),
            mend="hand on the transcript of conversation.item.input_audio_transcription.completed; "
            "it may come at any time, also after the answer",
            diff=changes(" ".join(_words(words) for _, words in heard), _words(observed), "user_transcript"),
            at=missing[0][0].number,
        )


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
    pieces = audio_pieces(record)
    _require(record, "audio", any(piece.answer.required for piece in pieces))
    rate = output_rate(record)
    observed = record.observed.audio
    same_rate = set(observed) <= {rate} and rate == RATE
    if same_rate and _is_made_of(bytes(observed.get(rate, b"")), pieces):
        return
    needed = sum(len(piece.audio) for piece in pieces if piece.answer.required)
    per_second = rate * (2 if rate == RATE else 1)
    least = needed / per_second * (1 - _DURATION_TOLERANCE)
    most = sum(len(piece.audio) for piece in pieces) / per_second * (1 + _DURATION_TOLERANCE)
    if not same_rate and least <= record.observed.audio_seconds <= most:
        return
    heard = sum(len(pcm) for pcm in observed.values())
    yield Finding(
        code="surfaced.audio",
        severity=Severity.FAIL,
        path="audio",
        message="the audio the service sent did not reach the user"
        + (": nothing surfaced." if not heard else " as it was."),
        expected=f"{needed} bytes, {needed / per_second:.2f} s at {rate} Hz",
        actual=f"{heard} bytes, {record.observed.audio_seconds:.2f} s at {sorted(observed) or 'no'} Hz",
        basis=(record.basis,),
        mend=_mend_names(record, "response.output_audio"),
        diff=changes({"bytes": needed}, {"bytes": heard}, "audio"),
    )


def output_rate(record: CaseRecord) -> int:
    """Samples per second of what the service says: 24 kHz PCM, or G.711 at 8 kHz."""
    kind = get_path(record.exchange.session or {}, "audio.output.format.type")
    return 8000 if kind in ("audio/pcmu", "audio/pcma") else RATE


def _is_made_of(surfaced: bytes, pieces: list[Piece]) -> bool:
    """Whether audio is what was sent, in its order: whole where it must be, else as far as it was played."""
    at = 0
    for piece in pieces:
        whole = surfaced.startswith(piece.audio, at)
        if not whole and piece.answer.required:
            return False
        at += len(piece.audio) if whole else _common(surfaced, at, piece.audio)
    return at == len(surfaced)


def _common(surfaced: bytes, at: int, audio: bytearray) -> int:
    """How many bytes of a piece surfaced from there on."""
    low, high = 0, min(len(audio), len(surfaced) - at)
    while low < high:
        middle = (low + high + 1) // 2
        if surfaced.startswith(audio[:middle], at):
            low = middle
        else:
            high = middle - 1
    return low


@check("surfaced.tool-call", "tool calls reach the user's tools with their arguments")
def tool_call(record: CaseRecord) -> Iterator[Finding]:
    served = [
        {"name": call["name"], "arguments": _parsed(call["arguments"])}
        for answer in served_answers(record)
        if answer.required
        for call in answer.calls
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
