"""What the audio of an append really is: raw, or a file with its header; and whether it is base64 at all.

Nothing is decoded but the first bytes: the rest is looked at as text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from harness.dialects import Dialect, Evidence
from harness.dialects.model import Fact
from harness.findings import Basis, Finding, Severity

_RAW = Basis(
    Evidence.DOCUMENTED, "API reference: input audio is raw PCM or G.711 in base64, without a container"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_HEAD = 60
"""Base64 characters that hold a WAV header's first 45 bytes."""

_CONTAINERS = (
    (re.compile(rb"RIFF"), "a WAV file"),
    (re.compile(rb"OggS"), "an Ogg file"),
    (re.compile(rb"fLaC"), "a FLAC file"),
    (re.compile(rb"ID3[\x02-\x04]\x00"), "an MP3 file"),
    (re.compile(rb"\x1aE\xdf\xa3"), "a WebM file"),
    (re.compile(rb"....ftyp", re.DOTALL), "an MP4 file"),
)


def append_findings(dialect: Dialect, audio: str, line: int, rate: int | None) -> Iterator[Finding]:
    """Everything wrong with the audio of one append, heard at `rate` samples a second (None: not known)."""
    size = decoded_size(audio)
    limit = next((known for known in dialect.limits if known.name == "append_bytes"), None)
    if limit is not None and size > limit.value:
        yield audio_finding(
            "audio.too-large",
            line,
            "one append has more audio than the service takes at once.",
            expected=f"at most {limit.value} bytes in an append",
            actual=f"{size} bytes",
            basis=_basis(limit.fact),
            mend="send the audio in pieces of about 100 ms",
        )
    if len(audio) % 4 or not _BASE64.fullmatch(audio):
        yield audio_finding(
            "audio.not-base64",
            line,
            "the audio of an append is not base64.",
            expected="base64 with its padding, without line breaks",
            actual=audio[:40],
            basis=_RAW,
            mend="encode the bytes as standard base64",
            severity=Severity.DEVIATION,  # nobody has published what the service says to it
        )
        return
    head = base64.b64decode(audio[:_HEAD])
    container = next((name for magic, name in _CONTAINERS if magic.match(head)), None)
    if container is None:
        return
    yield audio_finding(
        "audio.container",
        line,
        f"an append begins as {container} does: its header is heard as audio.",
        expected="raw audio in the session's format",
        actual=repr(head[:12]),
        basis=_RAW,
        mend="send the samples alone, without the file around them",
    )
    said = _wav_rate(head)
    if said is not None and rate is not None and said != rate:
        yield rate_finding(line, said, rate, "its header says so")


def rate_finding(line: int, actual: int, heard: int, why: str, severity: Severity = Severity.FAIL) -> Finding:
    """Audio of another rate than the session's: it is heard too fast or too slow."""
    return audio_finding(
        "audio.rate",
        line,
        f"the audio has {actual} samples a second ({why}); the session hears it as {heard}, "
        f"{'too fast' if actual < heard else 'too slow'}.",
        expected=heard,
        actual=actual,
        basis=Basis(
            Evidence.DOCUMENTED, f"API reference: PCM input is read at the session's rate, {heard} Hz"
        ),
        mend=f"resample to {heard} Hz before encoding",
        severity=severity,
    )


def audio_finding(
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


def decoded_size(audio: str) -> int:
    """How many bytes a base64 text holds, without decoding it."""
    return max(0, len(audio) * 3 // 4 - audio[-2:].count("="))


def _basis(fact: Fact) -> Basis:
    return Basis(fact.evidence, fact.source)


def _wav_rate(head: bytes) -> int | None:
    """The sampling rate in a canonical WAV header."""
    if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and len(head) >= 28:
        return int.from_bytes(head[24:28], "little")
    return None
