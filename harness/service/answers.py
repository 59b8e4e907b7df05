"""What a response looks like on the wire, made from a scripted answer.

The order of events and the sizes of audio deltas are those of the captures:
transcript deltas lead, audio comes as 4800, 7200, then 12000 bytes with a long
last one; `conversation.item.done` stands directly before
`response.output_item.done`.
"""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.messages import Json
from harness.scenario import Answer, Call, Speech, Text
from harness.service.effective import response_fields
from harness.service.ids import IdMint

_FIRST_CHUNKS = (4800, 7200)
_CHUNK = 12_000
_LONGEST_TAIL = 33_600
_LEADING_TRANSCRIPTS = 3
_BYTES_PER_MS = 48
_MS_PER_AUDIO_TOKEN = 50

STEP = 0.02
"""Seconds between two events of an answer; the captures show answers made faster than they play."""


@dataclass(frozen=True)
class ResponseFrame:
    """The ids and the settings one response is made with."""

    response_id: str
    conversation_id: str | None
    session: Json
    metadata: Json | None

    def response(self, status: str, output: list[Json], usage: Json | None) -> Json:
        details = None if status in ("in_progress", "completed") else {"type": status}
        fields = response_fields(self.session)
        return {
            "object": "realtime.response",
            "id": self.response_id,
            "status": status,
            "status_details": details,
            "output": output,
            "conversation_id": self.conversation_id,
            **fields,
            "usage": usage,
            "metadata": self.metadata,
        }


def answer_events(answer: Answer, frame: ResponseFrame, mint: IdMint) -> Iterator[Json]:
    """The events of one response, canonical, without event ids and previous ids."""
    yield {"type": "response.created", "response": frame.response("in_progress", [], None)}
    if isinstance(answer, Call):
        item, middle = _call(answer, mint)
    else:
        text_only = frame.session.get("output_modalities") == ["text"]
        item, middle = _text(_words_of(answer), mint) if text_only else _speech(_spoken(answer), mint)
    item_id = item["id"]
    started: Json = {**item, "status": "in_progress"}
    started.update(arguments="") if isinstance(answer, Call) else started.update(content=[])
    place = {"response_id": frame.response_id, "output_index": 0}
    yield {"type": "response.output_item.added", **place, "item": started}
    yield {"type": "conversation.item.added", "previous_item_id": None, "item": copy.deepcopy(started)}
    for event in middle:
        yield {"type": event.pop("type"), "response_id": frame.response_id, "item_id": item_id, **event}
    yield {"type": "conversation.item.done", "previous_item_id": None, "item": copy.deepcopy(item)}
    yield {"type": "response.output_item.done", **place, "item": copy.deepcopy(item)}
    usage = _usage(answer, frame)
    yield {"type": "response.done", "response": frame.response("completed", [item], usage)}


def _words_of(answer: Speech | Text) -> str:
    return answer.transcript if isinstance(answer, Speech) else answer.text


def _spoken(answer: Speech | Text) -> tuple[str, bytes]:
    if isinstance(answer, Speech):
        return answer.transcript, answer.audio.pcm
    # A written answer in a session that wants speech: 100 ms of silence a word stands for its sound.
    return answer.text, bytes(100 * _BYTES_PER_MS * len(answer.text.split()))


def _message(mint: IdMint, part: Json) -> Json:
    return {
        "id": mint.mint("item"),
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def _text(text: str, mint: IdMint) -> tuple[Json, list[Json]]:
    at = {"output_index": 0, "content_index": 0}
    events: list[Json] = [{"type": "response.content_part.added", **at, "part": {"type": "text", "text": ""}}]
    events.extend(
        {"type": "response.output_text.delta", **at, "delta": token, **_padding(token, mint)}
        for token in tokens(text)
    )
    events.append({"type": "response.output_text.done", **at, "text": text})
    events.append({"type": "response.content_part.done", **at, "part": {"type": "text", "text": text}})
    return _message(mint, {"type": "output_text", "text": text}), events


def _speech(spoken: tuple[str, bytes], mint: IdMint) -> tuple[Json, list[Json]]:
    transcript, pcm = spoken
    at = {"output_index": 0, "content_index": 0}
    words: list[Json] = [
        {"type": "response.output_audio_transcript.delta", **at, "delta": token, **_padding(token, mint)}
        for token in tokens(transcript)
    ]
    sounds: list[Json] = [
        {"type": "response.output_audio.delta", **at, "delta": base64.b64encode(chunk).decode("ascii")}
        for chunk in audio_chunks(pcm)
    ]
    events: list[Json] = [
        {"type": "response.content_part.added", **at, "part": {"type": "audio", "transcript": ""}}
    ]
    events.extend(words[:_LEADING_TRANSCRIPTS])
    rest = words[_LEADING_TRANSCRIPTS:]
    for index in range(max(len(rest), len(sounds))):
        events.extend(sounds[index : index + 1])
        events.extend(rest[index : index + 1])
    events.append({"type": "response.output_audio.done", **at})
    events.append({"type": "response.output_audio_transcript.done", **at, "transcript": transcript})
    events.append(
        {"type": "response.content_part.done", **at, "part": {"type": "audio", "transcript": transcript}}
    )
    return _message(mint, {"type": "output_audio", "transcript": transcript}), events


def _call(answer: Call, mint: IdMint) -> tuple[Json, list[Json]]:
    call_id = mint.mint("call")
    at = {"output_index": 0, "call_id": call_id}
    item = {
        "id": mint.mint("item"),
        "type": "function_call",
        "status": "completed",
        "name": answer.name,
        "call_id": call_id,
        "arguments": answer.arguments,
    }
    events: list[Json] = [
        {"type": "response.function_call_arguments.delta", **at, "delta": token, **_padding(token, mint)}
        for token in tokens(answer.arguments)
    ]
    done = {"type": "response.function_call_arguments.done", **at, "name": answer.name}
    events.append({**done, "arguments": answer.arguments})
    return item, events


def tokens(text: str) -> list[str]:
    """Text in pieces of at most sixteen characters that add up to it, as deltas carry it."""
    pieces = re.findall(r"\s*[\w']+|\s*[^\w\s]|\s+", text)
    return [piece[start : start + 16] for piece in pieces for start in range(0, len(piece), 16)]


def audio_chunks(pcm: bytes) -> list[bytes]:
    """Audio cut as the service cuts it; the chunks add up to the whole."""
    chunks: list[bytes] = []
    for size in _FIRST_CHUNKS:
        if len(pcm) > size:
            chunks.append(pcm[:size])
            pcm = pcm[size:]
    while len(pcm) > _LONGEST_TAIL:
        chunks.append(pcm[:_CHUNK])
        pcm = pcm[_CHUNK:]
    if pcm:
        chunks.append(pcm)
    return chunks


def _padding(delta: str, mint: IdMint) -> Json:
    """`obfuscation` fills a text-like delta up to sixteen characters (181 of 181 captured)."""
    return {"obfuscation": mint.characters(max(16 - len(delta), 0))}


def _usage(answer: Answer, frame: ResponseFrame) -> Json:
    spoken = not isinstance(answer, Call) and frame.session.get("output_modalities") != ["text"]
    words = answer.arguments if isinstance(answer, Call) else _words_of(answer)
    text_tokens = len(tokens(words))
    audio_tokens = 0
    if spoken and not isinstance(answer, Call):
        audio_tokens = len(_spoken(answer)[1]) // _BYTES_PER_MS // _MS_PER_AUDIO_TOKEN
    cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": 32 + text_tokens + audio_tokens,
        "input_tokens": 32,
        "output_tokens": text_tokens + audio_tokens,
        "input_token_details": {
            "text_tokens": 32,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": cached,
        },
        "output_token_details": {"text_tokens": text_tokens, "audio_tokens": audio_tokens},
    }
