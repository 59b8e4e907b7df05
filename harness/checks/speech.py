"""Whether the service heard what the user said: how long it is, and where in it there is sound."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterator

from harness.audio import levels, samples
from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, NotProven, check
from harness.dialects import Evidence
from harness.findings import Basis, Finding, Severity
from harness.messages import Json, Side, decode_audio, get_path
from harness.scenario.model import RATE

_OURS = Basis(Evidence.DOCUMENTED, "what the harness asks of every implementation: docs/checks.md")

_FRAME = 0.02
"""Seconds of audio that are loud or silent together."""
_LOUD = 300
"""Mean amplitude from which a frame is no silence: 1 % of the scale, far above G.711's silence."""
_PAUSE = 8
"""Frames in a row that are heard as a pause: the softest such stretch is what noise there is."""
_DURATION = 0.1
_LEVEL = 2.0
"""How many times as loud or as soft it may be: codecs and resampling change less."""


@check("input.audio", "what the user said is what the service heard")
def audio(record: CaseRecord) -> Iterator[Finding]:
    spoken = [
        base64.b64decode(dict(intent.fields)["audio"])
        for intent in record.plan.intents[: record.begun]
        if intent.kind in ("speak", "interrupt")
    ]
    if not spoken:
        raise NotApplicable("nobody spoke")
    if record.observed.hung is not None or record.observed.exit_code not in (None, 0) or not record.spoke:
        raise NotProven("the implementation did not live to say it")
    came = _arrived(record)
    beside = _beside(came, spoken)
    if beside is not None and _loudness(_levels(beside))[0] == 0:
        return
    said, arrived = _levels(b"".join(spoken)), _levels(came)
    noise = _noise(said, arrived)
    wanted = _loudness(said, least=max(noise, _LOUD))
    heard = _loudness(arrived, least=max(noise, _LOUD), noise=noise)
    problem = _difference(wanted, heard)
    if problem is not None:
        yield Finding(
            code="input.audio",
            severity=Severity.FAIL,
            path="input_audio_buffer.append",
            message=f"the user's speech did not arrive as it was: {problem}.",
            expected=_told(wanted),
            actual=_told(heard),
            basis=(_OURS,),
            mend="send all of the user's audio, in the session's format and at its rate",
            at=_last_append(record),
        )


def _beside(arrived: bytes, spoken: list[bytes]) -> bytes | None:
    """What came beside what was said; None unless each piece stands there byte for byte, in order."""
    at, rest = 0, bytearray()
    for pcm in spoken:
        found = arrived.find(pcm, at)
        if found < 0:
            return None
        rest += arrived[at:found]
        at = found + len(pcm)
    return bytes(rest + arrived[at:])


def _arrived(record: CaseRecord) -> bytes:
    """All the audio that was appended, as 16-bit PCM at 24 kHz, whatever the session's format."""
    pcm = bytearray()
    kind = ""
    for entry in record.exchange.entries:
        for event in entry.canonical:
            if entry.side is Side.SERVER and isinstance(event.get("session"), dict):
                kind = str(get_path(event["session"], "audio.input.format.type"))
            elif event["type"] == "input_audio_buffer.append":
                pcm += _as_pcm(decode_audio(event.get("audio")) or b"", kind)
    return bytes(pcm)


def _as_pcm(audio: bytes, kind: str) -> bytes:
    if kind not in ("audio/pcmu", "audio/pcma"):
        return audio
    table = levels(kind)
    return array("h", (table[byte] for byte in audio for _ in range(RATE // 8000))).tobytes()


_Loudness = tuple[float, float]
"""Seconds that are not silent, and their mean amplitude."""


def _levels(pcm: bytes) -> list[float]:
    """The mean amplitude of each frame."""
    sound, size = samples(pcm), int(RATE * _FRAME)
    return [sum(map(abs, sound[start : start + size])) / size for start in range(0, len(sound), size)]


def _loudness(levels: list[float], *, least: float = _LOUD, noise: float = 0.0) -> _Loudness:
    """What is at least so loud once the noise is taken off: its power, as it is independent of speech."""
    loud = [level for level in (max(level**2 - noise**2, 0.0) ** 0.5 for level in levels) if level >= least]
    return len(loud) * _FRAME, sum(loud) / len(loud) if loud else 0.0


def _noise(said: list[float], arrived: list[float]) -> float:
    """The steady noise that arrived where the user said nothing; 0 where none can be told from speech.

    Where less arrived than was said, the client may have kept the silence to itself,
    and the softest that is left is speech.
    """
    floor = _softest(arrived)
    if len(arrived) < len(said) * (1 - _DURATION) or _softest(said) >= _LOUD:
        return 0.0
    return floor if floor * _LEVEL <= _loudness(said)[1] else 0.0


def _softest(levels: list[float]) -> float:
    return min(
        (sum(levels[at : at + _PAUSE]) / _PAUSE for at in range(len(levels) - _PAUSE + 1)), default=0.0
    )


def _difference(wanted: _Loudness, heard: _Loudness) -> str | None:
    if wanted[0] == 0:
        return None
    if heard[0] == 0:
        return "nothing but silence came" if heard[1] == 0 else "nothing came"
    tolerance = wanted[0] * _DURATION + 5 * _FRAME
    if heard[0] < wanted[0] - tolerance:
        return "part of it is missing"
    if heard[0] > wanted[0] + tolerance:
        return "it is longer than it was"
    if not wanted[1] / _LEVEL <= heard[1] <= wanted[1] * _LEVEL:
        return "it is louder or softer than it was"
    return None


def _told(loudness: _Loudness) -> str:
    return f"{loudness[0]:.2f} s of sound, mean amplitude {loudness[1]:.0f}"


def _last_append(record: CaseRecord) -> int | None:
    found: list[int] = []
    for entry in record.exchange.client_entries():
        event: Json = entry.event or {}
        if event.get("type") == "input_audio_buffer.append":
            found.append(entry.number)
    return found[-1] if found else None
