"""Rules of what the user said: the item it becomes, and the words that were heard in it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from harness.dialects import Evidence
from harness.messages import Json, get_path
from harness.scenario import Failure
from harness.service.answers import tokens
from harness.service.durations import STEP, TRANSCRIBED, TRANSCRIBING
from harness.service.exchange import Origin
from harness.service.registry import CAPTURES, TYPES, rule
from harness.service.supply import Supplied

if TYPE_CHECKING:
    from harness.service.model import Service

_AT_ONCE = "whisper-1"
"""The transcription model that has all words at once."""


@rule(
    "audio.item",
    "committed, then the item of the user, its transcript null",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES} and OpenAI beta captures: 7 of 7",
)
def add_spoken_item(service: Service, item_id: str, audio: bytes, origin: Callable[[str], Origin]) -> None:
    """Makes an item of committed audio and tells of it."""
    item: Json = {
        "id": item_id,
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    service.conversation.keep_sound(item_id, base64.b64encode(audio).decode("ascii"))
    service.release_items()
    committed = "input_audio_buffer.committed"
    place = {"previous_item_id": service.conversation.last_id, "item_id": item_id}
    service.emit({"type": committed, **place}, origin=origin(committed), delay=service.before_next_item)
    service.emit_item(item, None, origin("conversation.item.added"))


def transcribe(service: Service, item_id: str, ms: float) -> None:
    """Tells what was said in committed audio, in its time."""
    for supplied in service.transcription(item_id, ms):
        origin = service.speech_origin(supplied.event["type"])
        service.emit(supplied.event, origin=origin, delay=supplied.t, prepared=supplied.prepared)


@rule(
    "speech.transcription",
    "what was said comes later, beside the answer, where the session asks for it: the first word after "
    "response.created, the whole amid the answer",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: 3 of 3; published too are words before the speech ended, and after response.done",
)
@rule(
    "speech.transcription.deltas",
    "the words come in deltas first, whose sum begins with a space; from `whisper-1` they come as one "
    "delta; a dialect of which nobody showed or documented the delta has none",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: gpt-realtime-whisper 2 of 2, whisper-1 on Voice Live 1 of 1",
)
@rule(
    "speech.transcription.seconds",
    "a transcription costs whole seconds, rounded up, where the dialect says what it costs",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: 3 for 2.7 and for 2.8 s of speech; that it is rounded up is assumed",
)
@rule(
    "speech.transcription.tokens",
    "models called `transcribe` count tokens instead; ours are ten a second, and a token each 16 letters",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: ConversationItemInputAudioTranscriptionCompletedEvent.usage; the numbers are ours",
)
@rule(
    "speech.transcription.failed",
    "a transcription that fails says why in an event of its own; the answer still comes",
    evidence=Evidence.RECORDED,
    source="captures of Azure GA (2026-07): DeploymentNotFound, right after response.created",
)
def transcribed(service: Service, item_id: str, ms: float) -> Iterator[Supplied]:
    """What the scenario says was heard, where the session asks for it."""
    if not get_path(service.session, "audio.input.transcription"):
        return
    said = next(service.heard, "")
    place = {"item_id": item_id, "content_index": 0}
    name = "conversation.item.input_audio_transcription"
    if isinstance(said, Failure):
        error = {"type": said.type, "code": said.code, "message": said.message, "param": None}
        yield Supplied(TRANSCRIBING, {"type": f"{name}.failed", **place, "error": error})
        return
    for index, token in enumerate(_deltas(service, f"{name}.delta", said)):
        padding = {"obfuscation": service.mint.characters(max(16 - len(token), 0))}
        event = {"type": f"{name}.delta", **place, "delta": token, **padding}
        yield Supplied(min(TRANSCRIBING + index * STEP, TRANSCRIBED), event)
    completed = {"type": f"{name}.completed", **place, "transcript": said, **_usage(service, ms, said)}
    yield Supplied(TRANSCRIBED, completed)


def _deltas(service: Service, name: str, said: str) -> list[str]:
    event = service.dialect.server.events.get(name)
    if not said or event is None or event.fact.evidence not in (Evidence.RECORDED, Evidence.DOCUMENTED):
        return []
    at_once = get_path(service.session, "audio.input.transcription.model") == _AT_ONCE
    return [said] if at_once else tokens(f" {said}")


def _usage(service: Service, ms: float, said: str) -> Json:
    if not service.dialect.service.transcription_usage:
        return {}
    model = get_path(service.session, "audio.input.transcription.model")
    if not (isinstance(model, str) and "transcribe" in model):
        return {"usage": {"type": "duration", "seconds": math.ceil(ms / 1000)}}
    heard, written = math.ceil(ms / 100), len(tokens(said))
    details = {"text_tokens": 0, "audio_tokens": heard}
    cost = {"input_tokens": heard, "input_token_details": details, "output_tokens": written}
    return {"usage": {"type": "tokens", "total_tokens": heard + written, **cost}}
