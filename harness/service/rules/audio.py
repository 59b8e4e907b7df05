"""Rules of the input audio buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.dialects import Evidence
from harness.messages import Json, decode_audio
from harness.service.errors import Refused
from harness.service.registry import TYPES, rule
from harness.service.rules import speech
from harness.service.rules.spoken import add_spoken_item, transcribe

if TYPE_CHECKING:
    from harness.service.model import Service

_LEAST_COMMIT = "commit_ms"


@rule(
    "audio.append",
    "an append is not confirmed; where turn detection is on, it is listened to",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: InputAudioBufferAppendEvent",
)
@rule(
    "audio.append.limit",
    "more than 15 MiB in one append is taken all the same",
    evidence=Evidence.ASSUMED,
    source="the limit is documented, what the service says to more is not; lint finds it",
)
def append(service: Service, event: Json) -> None:
    audio = decode_audio(event["audio"])
    if audio is None:
        raise Refused("invalid_audio", path="audio")
    service.input.append(audio)
    if service.detector is not None:
        speech.heard(service, service.detector.feed(audio))


@rule(
    "audio.commit",
    "a commit makes an item of the buffer and starts no response",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: InputAudioBufferCommitEvent",
)
@rule(
    "audio.commit.least",
    "less than 100 ms cannot be committed",
    evidence=Evidence.REPORTED,
    source="betalgo/openai#674, openai/openai-agents-js#748",
)
@rule(
    "audio.commit.in-speech",
    "a commit in the middle of speech takes the item id that speech_started told; no speech_stopped comes",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: InputAudioBufferSpeechStartedEvent, `unless the client manually commits`",
)
def commit(service: Service, event: Json) -> None:
    ms = service.input.held_ms
    least = next(known.value for known in service.dialect.limits if known.name == _LEAST_COMMIT)
    if ms < least:
        raise Refused("commit_empty", f"{ms:.2f}")
    turn = service.input.turn
    item_id = turn.item_id if turn is not None else service.mint.mint("item")
    audio = service.input.take()
    if service.detector is not None:
        service.detector.clear()
    origin = service.acknowledgement(event)
    service.committed(ms)
    add_spoken_item(service, item_id, audio, lambda _: origin)
    transcribe(service, item_id, ms)


@rule(
    "audio.clear",
    "a clear empties the buffer and is confirmed; speech that was going on is forgotten",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: InputAudioBufferClearedEvent; of clearing in the middle of speech nothing is published",
)
def clear(service: Service, event: Json) -> None:
    service.input.take()
    if service.detector is not None:
        service.detector.clear()
    service.emit({"type": "input_audio_buffer.cleared"}, origin=service.acknowledgement(event))
