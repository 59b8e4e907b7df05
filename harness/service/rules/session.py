"""Rules of the session: updates, and its end at the client's wish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.dialects import Evidence
from harness.messages import Json, get_path
from harness.service.effective import merged_session
from harness.service.errors import Refused
from harness.service.registry import CAPTURES, rule
from harness.service.rules.time import stop_idling

if TYPE_CHECKING:
    from harness.service.model import Service


@rule(
    "session.update",
    "an update changes what it names and is answered by the whole session",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: 14 of 14",
)
@rule(
    "session.update.during-answer",
    "an answer goes on as it began",
    evidence=Evidence.ASSUMED,
    source="nobody published an update during an answer",
)
@rule(
    "session.update.voice",
    "once the assistant has spoken, the voice can no longer change",
    evidence=Evidence.REPORTED,
    source="openai/openai-python#2607, openai/openai-agents-python#1661",
)
@rule(
    "session.update.listening",
    "another turn detection or input format listens anew; a turn that is open is forgotten",
    evidence=Evidence.ASSUMED,
    source="nobody published an update in the middle of speech",
)
def update(service: Service, event: Json) -> None:
    wanted = event["session"]
    _check_kind(service, wanted)
    voice = ((wanted.get("audio") or {}).get("output") or {}).get("voice")
    current = service.session.get("audio", {}).get("output", {}).get("voice")
    if voice is not None and voice != current and service.conversation.has_model_audio:
        raise Refused("voice_after_audio")
    before = service.turn_detection
    service.session = merged_session(service.dialect, service.session, wanted)
    service.exchange.session = service.session
    if service.input.heard_in(service.session) or service.turn_detection != before:
        service.input.turn = None
        service.detector = service.new_detector()
        stop_idling(service)
    service.emit(
        {"type": "session.updated", "session": service.session}, origin=service.acknowledgement(event)
    )


@rule(
    "session.update.kind",
    "a session stays what it was opened as, for conversation or for transcription",
    evidence=Evidence.REPORTED,
    source="learn.microsoft.com/answers 5916641 (Azure, 2026-06); project notes of 2026-01",
)
@rule(
    "session.update.no-turn-detection",
    "some transcription models take no turn detection",
    evidence=Evidence.REPORTED,
    source="project note on gpt-realtime-whisper, 2026",
)
def _check_kind(service: Service, wanted: Json) -> None:
    kind, asked = service.session.get("type"), wanted.get("type")
    if isinstance(asked, str) and asked != kind and asked in ("realtime", "transcription"):
        raise Refused("wrong_session_kind" if kind == "realtime" else "wrong_session_kind_realtime")
    heard = (wanted.get("audio") or {}).get("input") or {}
    model = (heard.get("transcription") or {}).get("model")
    if kind == "transcription" and heard.get("turn_detection") is not None:
        current = get_path(service.session, "audio.input.transcription.model")
        if (model or current) in service.dialect.service.no_turn_detection:
            raise Refused("turn_detection_unsupported")


@rule(
    "session.close",
    "`session.close` ends the connection with 1000",
    evidence=Evidence.ASSUMED,
    source="that it is taken was read in a client's source, 2026; what follows is a guess",
)
def close(service: Service, event: Json) -> None:  # noqa: ARG001 - a rule is given its event
    service.end(1000)
