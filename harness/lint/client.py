"""What a log's client sent, judged by the tables: refusals, open questions, and what its audio really is."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from harness.checks.refusals import (
    content_part_finding,
    of_content_part,
    refusal_finding,
    unproven_finding,
)
from harness.dialects import Dialect, Refusal, judge_client_event
from harness.dialects.model import Evidence
from harness.findings import Basis, Finding, Severity
from harness.logs.model import Extent, LogEntry
from harness.messages import Json

_RAW = Basis(
    Evidence.DOCUMENTED, "API reference: input audio is raw PCM or G.711 in base64, without a container"
)
_CONTAINERS = {b"RIFF": "a WAV file", b"OggS": "an Ogg file", b"fLaC": "a FLAC file", b"ID3": "an MP3 file"}
_HEAD = 60
"""Base64 characters that hold a WAV header's first 45 bytes."""


def client_findings(dialect: Dialect, entry: LogEntry) -> Iterator[Finding]:
    """Everything wrong or open with one event of the client."""
    event = entry.event
    assert event is not None
    if entry.extent is Extent.ELIDED:
        event = {"type": event["type"]}
    first = True
    for found in judge_client_event(dialect, event):
        if isinstance(found, Refusal):
            if found.error == "missing_required_parameter" and entry.extent is not Extent.WHOLE:
                continue
            if found.fact.evidence.can_fail:
                yield refusal_finding(dialect, found, at=entry.line, first=first)
                first = False
        elif of_content_part(found):
            yield content_part_finding(dialect, found, event, at=entry.line)
        else:
            yield unproven_finding(found, event, at=entry.line)
    if event["type"] == "input_audio_buffer.append":
        yield from _audio(dialect, event, entry.line)


def _audio(dialect: Dialect, event: Json, line: int) -> Iterator[Finding]:
    audio = event.get("audio")
    if not isinstance(audio, str):
        return
    limit = next((known for known in dialect.limits if known.name == "append_bytes"), None)
    if limit is not None and len(audio) * 3 // 4 - 2 > limit.value:
        yield _finding(
            "audio.too-large",
            line,
            f"one append of about {len(audio) * 3 // 4} bytes.",
            expected=f"at most {limit.value} bytes of audio in an append",
            actual=len(audio) * 3 // 4,
            basis=Basis(limit.fact.evidence, limit.fact.source),
            mend="send the audio in pieces of about 100 ms",
        )
    head = _head(audio)
    if head is None:
        yield _finding(
            "audio.not-base64",
            line,
            "the audio of an append is no base64.",
            expected="base64 with padding, without line breaks",
            actual=audio[:40],
            basis=_RAW,
            mend="encode the bytes as standard base64",
            severity=Severity.DEVIATION,  # nobody has published what the service says to it
        )
        return
    container = next((name for magic, name in _CONTAINERS.items() if head.startswith(magic)), None)
    if container is None:
        return
    rate = _wav_rate(head)
    yield _finding(
        "audio.container",
        line,
        f"an append begins with the bytes of {container}: its header is heard as audio.",
        expected="raw audio in the session's format",
        actual=repr(head[:12]),
        basis=_RAW,
        mend="take the header off, and resample to the session's rate",
    )
    if rate is not None and rate != 24000:
        yield rate_finding(line, rate, "the header says so")


def rate_finding(line: int, rate: int, why: str) -> Finding:
    """Audio of another rate than the session's: it is heard too fast or too slow."""
    return _finding(
        "audio.rate",
        line,
        f"the audio sent has {rate} samples a second ({why}), the session hears it as 24000.",
        expected=24000,
        actual=rate,
        basis=_RAW,
        mend="resample to 24 kHz before encoding",
    )


def _finding(
    code: str,
    line: int,
    message: str,
    *,
    expected: Any,
    actual: Any,
    basis: Basis,
    mend: str,
    severity: Severity = Severity.FAIL,
) -> Finding:
    return Finding(code, severity, "audio", message, expected, actual, (basis,), mend, at=line)


def _head(audio: str) -> bytes | None:
    """The first bytes of base64 audio; None where it is none. Of a long one, both ends are looked at."""
    try:
        if len(audio) > 2 * _HEAD:
            if len(audio) % 4:
                return None
            base64.b64decode(audio[-_HEAD:], validate=True)
            return base64.b64decode(audio[:_HEAD], validate=True)
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        return None


def _wav_rate(head: bytes) -> int | None:
    """The sampling rate in a canonical WAV header."""
    if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and len(head) >= 28:
        return int.from_bytes(head[24:28], "little")
    return None
