"""Rules of time: the service's patience with a silent user, and the length of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.dialects import Evidence
from harness.messages import Json
from harness.service.errors import Refused
from harness.service.registry import TYPES, rule
from harness.service.rules.spoken import add_spoken_item

if TYPE_CHECKING:
    from harness.service.model import Service

EXPIRY = "session expiry"
_IDLE = "idle timeout"

_LEAST_IDLE_MS = 5000

_TIMEOUT = "input_audio_buffer.timeout_triggered"


@rule(
    "time.expiry",
    "a session ends at its greatest length, with the dialect's close code and reason",
    evidence=Evidence.REPORTED,
    source="sonichi/sutando#1307 (Azure), pollen-robotics/reachy_mini_conversation_app#134 (OpenAI GA)",
)
@rule(
    "time.expiry.error",
    "where the dialect has it so, an error session_expired comes first",
    evidence=Evidence.REPORTED,
    source="livekit/agents#2358 (OpenAI beta, 2025-05)",
)
def start_expiry(service: Service) -> None:
    """Sets the end of the session that has just been opened."""
    rule_ = next((close for close in service.dialect.closes if close.cause == "session_expired"), None)
    if rule_ is None:
        return
    seconds = service.dialect.service.session_seconds

    def expire() -> None:
        if rule_.error is not None:
            service.refuse(Refused(rule_.error, seconds // 60), {})
        service.end(rule_.code, rule_.reason or "", overdue=True)

    service.agenda.set_timer(EXPIRY, service.now + seconds, expire)


@rule(
    "time.idle.start",
    "`idle_timeout_ms` counts from response.done plus the time its audio plays; only server_vad has "
    "it, and only dialects that have the event",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: ServerVad.idle_timeout_ms",
)
@rule(
    "time.idle.least",
    "a timeout below the documented 5 s waits 5 s",
    evidence=Evidence.ASSUMED,
    source="the least is documented; what the service does with less is not",
)
def start_idling(service: Service, playing_ms: int) -> None:
    """An answer is over: from when it was heard on, the user is waited for."""
    detection = service.turn_detection or {}
    timeout = detection.get("idle_timeout_ms")
    known = _TIMEOUT in service.dialect.canonical_server_events
    if not known or detection.get("type") != "server_vad" or not isinstance(timeout, (int, float)):
        return
    if service.input.turn is not None:
        return
    since, patience = service.input.clock_ms, max(timeout, _LEAST_IDLE_MS)
    due = service.now + (playing_ms + patience) / 1000
    service.agenda.set_timer(_IDLE, due, lambda: _idle(service, since, patience))


def stop_idling(service: Service) -> None:
    """The user is no longer waited for."""
    service.agenda.clear_timer(_IDLE)


@rule(
    "time.idle.timeout",
    "then timeout_triggered, the silent audio committed as an item, and an answer; the two times lie "
    "as far apart as the timeout, or as the audio that came",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: InputAudioBufferTimeoutTriggered; the order is inferred",
)
@rule(
    "time.idle.active",
    "while an answer goes on nobody is timed out",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: the timeout is applied after the last model response",
)
def _idle(service: Service, since: float, timeout: float) -> None:
    if service.active is not None:
        return
    end = service.input.clock_ms
    start = max(since, end - timeout)
    item_id = service.mint.mint("item")
    said: Json = {"audio_start_ms": round(start), "audio_end_ms": round(end), "item_id": item_id}
    service.emit({"type": _TIMEOUT, **said}, origin=service.speech_origin(_TIMEOUT))
    audio = service.input.take(start, end)
    add_spoken_item(service, item_id, audio, service.speech_origin)
    service.respond({}, refused=False, by_service=True)
