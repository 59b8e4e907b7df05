"""Rules of speech: what the service does when the user begins and ends a turn, and what was said in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.dialects import Evidence
from harness.service.input_audio import Turn
from harness.service.registry import CAPTURE_BETA, CAPTURES, TYPES, rule
from harness.service.rules.spoken import add_spoken_item, transcribe
from harness.service.rules.time import stop_idling
from harness.service.speech import Mark

if TYPE_CHECKING:
    from harness.service.model import Service


def heard(service: Service, marks: Iterable[Mark]) -> None:
    """Does what follows from hearing speech start and stop."""
    for mark in marks:
        if mark.started:
            _started(service, mark.ms)
        else:
            _stopped(service, mark.ms)


@rule(
    "speech.started",
    "speech_started tells the id of the item that the turn will become",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES} and OpenAI beta captures: 7 of 7",
)
@rule(
    "speech.barge-in",
    "the user's speech cancels the conversation's answer, after speech_started, reason turn_detected",
    evidence=Evidence.RECORDED,
    source=CAPTURE_BETA,
)
@rule(
    "speech.interrupt-response",
    "with `interrupt_response: false` the answer goes on",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: ServerVad.interrupt_response",
)
def _started(service: Service, ms: int) -> None:
    stop_idling(service)
    service.turn_unanswered = False
    turn = service.input.turn = Turn(service.mint.mint("item"), ms)
    type_ = "input_audio_buffer.speech_started"
    said = {"type": type_, "audio_start_ms": ms, "item_id": turn.item_id}
    service.emit(said, origin=service.speech_origin(type_))
    run = service.running.get(service.active or "")
    if run is not None and not run.ending and _wants(service, "interrupt_response"):
        service.cancel_response(run.id, "turn_detected")


@rule(
    "speech.stopped",
    "speech_stopped, committed, the item of the user, and an answer",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES} and OpenAI beta captures: 7 of 7",
)
@rule(
    "speech.create-response",
    "no answer with `create_response: false`, in a transcription session, or while another answer goes on",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: ServerVad.create_response; that nothing is said of it then is assumed",
)
def _stopped(service: Service, ms: int) -> None:
    turn = service.input.turn
    if turn is None:
        return
    type_ = "input_audio_buffer.speech_stopped"
    said = {"type": type_, "audio_end_ms": ms, "item_id": turn.item_id}
    service.emit(said, origin=service.speech_origin(type_))
    taken = service.input.take(turn.start_ms, ms)
    length = float(ms - turn.start_ms)
    service.committed(length)
    add_spoken_item(service, turn.item_id, taken, service.speech_origin)
    transcribe(service, turn.item_id, length)
    if not _wants(service, "create_response") or service.only_hears:
        return
    run = service.running.get(service.active or "")
    if run is None:
        service.respond({}, refused=False, by_service=True)
    elif run.ending:
        service.turn_unanswered = True


def _wants(service: Service, name: str) -> bool:
    """Whether turn detection does what is on unless it is turned off."""
    return (service.turn_detection or {}).get(name) is not False
