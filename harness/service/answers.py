"""What a response looks like on the wire, made from a scripted answer.

The order of events and the sizes of audio deltas are those of the captures:
transcript deltas lead, audio comes as 4800, 7200, then 12000 bytes with a long
last one; `conversation.item.done` stands directly before
`response.output_item.done`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, repeat

from harness.audio import PCM_BYTES_PER_MS, bytes_per_ms, encoded, format_of
from harness.dialects import Evidence
from harness.messages import Json, copied
from harness.scenario import Answer, Call, Cut, Failure, Incomplete, Several, Speech, Text
from harness.service.effective import response_fields
from harness.service.ids import IdMint
from harness.service.registry import CAPTURES, TYPES, rule
from harness.service.usage import MS_PER_AUDIO_TOKEN, Cost, usage

_FIRST_CHUNKS_MS = (100, 150)
_CHUNK_MS = 250
_LONGEST_TAIL_MS = 700
_LEADING_TRANSCRIPTS = 3


@dataclass(frozen=True)
class ResponseFrame:
    """The ids and the settings one response is made with."""

    response_id: str
    conversation_id: str | None
    session: Json
    metadata: Json | None

    def response(self, status: str, output: list[Json], usage: Json | None, **details: object) -> Json:
        """The response object; `details` are the reason or the error of a status that needs one."""
        plain = status in ("in_progress", "completed")
        return {
            "object": "realtime.response",
            "id": self.response_id,
            "status": status,
            "status_details": None if plain else {"type": status, **details},
            "output": output,
            "conversation_id": self.conversation_id,
            **response_fields(self.session),
            "usage": usage,
            "metadata": self.metadata,
        }


@dataclass(frozen=True)
class _Content:
    """What one item of an answer holds: words, the sound of them where they are spoken, or a call."""

    words: str
    sound: bytes | None = None
    call: str | None = None
    """The name of the function whose arguments the words are."""
    sound_ms: int = 0
    whole: bool = True

    @property
    def cost(self) -> Cost:
        return Cost(len(tokens(self.words)), self.sound_ms // MS_PER_AUDIO_TOKEN)

    def within(self, budget: int) -> _Content:
        """As much of it as a number of tokens pays for."""
        cost = self.cost.output
        if cost <= budget:
            return self
        words = tokens(self.words)
        sound, ms = self.sound, self.sound_ms * budget // cost
        if sound:
            sound = sound[: ms * (len(sound) // max(self.sound_ms, 1))]
        said = "".join(words[: len(words) * budget // cost])
        return replace(self, words=said, sound=sound, sound_ms=ms, whole=False)


@dataclass(frozen=True)
class _Made:
    """One item: as it begins, what is streamed of it, what closes it, and as it ends."""

    started: Json
    streamed: list[Json]
    closing: list[Json]
    finished: Json


@rule(
    "responses.order",
    "created, output_item.added, item added, parts and deltas, item done, output_item.done, done",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES} and OpenAI beta captures: 20 of 20 responses",
)
@rule(
    "responses.several-items",
    "of several items in one response, one is closed only when the next was streamed",
    evidence=Evidence.RECORDED,
    source="pydantic-ai cassette of gpt-realtime-2.1 (OpenAI GA, 2026-07): a message and a call",
)
@rule(
    "responses.failed",
    "a response that fails has no items here; response.done says `failed` and why, and no error event comes",
    evidence=Evidence.REPORTED,
    source="a shared Azure GA deployment out of quota, 2026-09-22; livekit/agents#2341 (Azure preview)",
)
@rule(
    "responses.incomplete",
    "what breaks off is closed as ever; its item and the response are `incomplete`, with the reason",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: RealtimeResponseStatus.reason",
)
def answer_events(answer: Answer, frame: ResponseFrame, mint: IdMint) -> Iterator[Json]:
    """The events of one response, canonical, without event ids and previous ids."""
    yield {"type": "response.created", "response": frame.response("in_progress", [], None)}
    if isinstance(answer, Failure):
        error = {"type": answer.type, "code": answer.code, "message": answer.message}
        yield {"type": "response.done", "response": frame.response("failed", [], usage(None), error=error)}
        return
    contents, reason = _contents(answer, frame)
    made = [_made(content, frame, mint) for content in contents]
    before: list[Json] = []
    for index, item in enumerate(made):
        yield from _opening(item, frame, index)
        yield from (_placed(event, item, frame, index) for event in item.streamed)
        yield from before
        before = list(_end(item, frame, index))
    yield from before
    cost = Cost(sum(c.cost.text for c in contents), sum(c.cost.audio for c in contents))
    items = [item.finished for item in made]
    done = (
        frame.response("completed", items, usage(cost))
        if reason is None
        else frame.response("incomplete", items, usage(cost), reason=reason)
    )
    yield {"type": "response.done", "response": done}


def _opening(item: _Made, frame: ResponseFrame, index: int) -> Iterator[Json]:
    added = {"response_id": frame.response_id, "output_index": index, "item": item.started}
    yield {"type": "response.output_item.added", **added}
    yield {
        "type": "conversation.item.added",
        "previous_item_id": None,
        "item": copied(item.started),
    }


def _placed(event: Json, item: _Made, frame: ResponseFrame, index: int) -> Json:
    where = {"response_id": frame.response_id, "item_id": item.started["id"], "output_index": index}
    return {"type": event.pop("type"), **where, **event}


def _end(item: _Made, frame: ResponseFrame, index: int) -> Iterator[Json]:
    yield from (_placed(event, item, frame, index) for event in item.closing)
    done = copied(item.finished)
    yield {"type": "conversation.item.done", "previous_item_id": None, "item": done}
    done = copied(done)
    yield {
        "type": "response.output_item.done",
        "response_id": frame.response_id,
        "output_index": index,
        "item": done,
    }


@rule(
    "responses.max-output-tokens",
    "an answer, calls included, ends with the last token it may have; then it is incomplete",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: RealtimeResponseCreateParams.max_output_tokens",
)
def _contents(answer: Answer, frame: ResponseFrame) -> tuple[list[_Content], str | None]:
    """What an answer's items hold, and why it is incomplete."""
    if isinstance(answer, Cut):
        answer = answer.answer
    reason = answer.reason if isinstance(answer, Incomplete) else None
    answer = answer.answer if isinstance(answer, Incomplete) else answer
    assert not isinstance(answer, Failure)
    wanted = answer.answers if isinstance(answer, Several) else (answer,)
    limit = frame.session.get("max_output_tokens")
    budget = max(limit, 0) if isinstance(limit, int) else None
    contents: list[_Content] = []
    for part in wanted:
        content = _content(part, frame)
        if budget is not None:
            content = content.within(budget)
            budget -= content.cost.output
        contents.append(content)
        if not content.whole:
            return contents, "max_output_tokens"
    if reason is not None:
        contents[-1] = replace(contents[-1], whole=False)
    return contents, reason


@rule(
    "responses.g711",
    "deltas of G.711 audio last as long as those of PCM",
    evidence=Evidence.ASSUMED,
    source="no capture of G.711",
)
def _content(answer: Speech | Text | Call, frame: ResponseFrame) -> _Content:
    if isinstance(answer, Call):
        return _Content(answer.arguments, call=answer.name)
    words = answer.transcript if isinstance(answer, Speech) else answer.text
    if frame.session.get("output_modalities") == ["text"]:
        return _Content(words)
    # A written answer in a session that wants speech: 100 ms of silence a word stands for its sound.
    pcm = (
        answer.audio.pcm if isinstance(answer, Speech) else bytes(100 * PCM_BYTES_PER_MS * len(words.split()))
    )
    sound = encoded(pcm, format_of(frame.session, "output"))
    return _Content(words, sound, sound_ms=len(pcm) // PCM_BYTES_PER_MS)


def _made(content: _Content, frame: ResponseFrame, mint: IdMint) -> _Made:
    status = "completed" if content.whole else "incomplete"
    if content.call is not None:
        return _call(content, content.call, status, mint)
    at = {"content_index": 0}
    if content.sound is None:
        kind, key = "text", "text"
        deltas = _words(content, "response.output_text", at, mint)
        closing: list[Json] = [{"type": "response.output_text.done", **at, "text": content.words}]
    else:
        kind, key = "audio", "transcript"
        words = _words(content, "response.output_audio_transcript", at, mint)
        chunks = audio_chunks(content.sound, bytes_per_ms(format_of(frame.session, "output")))
        sounds = (base64.b64encode(chunk).decode("ascii") for chunk in chunks)
        deltas = _interleaved(
            words, [{"type": "response.output_audio.delta", **at, "delta": sound} for sound in sounds]
        )
        closing = [
            {"type": "response.output_audio.done", **at},
            {"type": "response.output_audio_transcript.done", **at, "transcript": content.words},
        ]
    part = {"type": kind, key: content.words}
    closing.append({"type": "response.content_part.done", **at, "part": part})
    item = {"id": mint.mint("item"), "type": "message", "status": status, "role": "assistant"}
    return _Made(
        {**item, "status": "in_progress", "content": []},
        [{"type": "response.content_part.added", **at, "part": {"type": kind, key: ""}}, *deltas],
        closing,
        {**item, "content": [{"type": f"output_{kind}", key: content.words}]},
    )


def _call(content: _Content, name: str, status: str, mint: IdMint) -> _Made:
    call_id = mint.mint("call")
    started = {
        "id": mint.mint("item"),
        "type": "function_call",
        "status": "in_progress",
        "name": name,
        "call_id": call_id,
        "arguments": "",
    }
    at = {"call_id": call_id}
    done = {"type": "response.function_call_arguments.done", **at, "name": name}
    return _Made(
        started,
        _words(content, "response.function_call_arguments", at, mint),
        [{**done, "arguments": content.words}],
        {**started, "status": status, "arguments": content.words},
    )


@rule(
    "responses.transcript-leads",
    "three transcript deltas come before the first of the audio",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: three or four in 8 of 8",
)
def _interleaved(words: list[Json], sounds: list[Json]) -> list[Json]:
    events, rest = words[:_LEADING_TRANSCRIPTS], words[_LEADING_TRANSCRIPTS:]
    for index in range(max(len(rest), len(sounds))):
        events.extend(sounds[index : index + 1])
        events.extend(rest[index : index + 1])
    return events


@rule(
    "responses.obfuscation",
    "`obfuscation` fills a text-like delta up to sixteen characters",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES} and an OpenAI beta capture of August 2025: 181 of 181",
)
def _words(content: _Content, stream: str, at: Json, mint: IdMint) -> list[Json]:
    return [
        {
            "type": f"{stream}.delta",
            **at,
            "delta": token,
            "obfuscation": mint.characters(max(16 - len(token), 0)),
        }
        for token in tokens(content.words)
    ]


def tokens(text: str) -> list[str]:
    """Text in pieces of at most sixteen characters that add up to it, as deltas carry it."""
    pieces = re.findall(r"\s*[\w']+|\s*[^\w\s]|\s+", text)
    return [piece[start : start + 16] for piece in pieces for start in range(0, len(piece), 16)]


@rule(
    "responses.audio-sizes",
    "audio deltas of 100, 150, then 250 ms, and a long last one",
    evidence=Evidence.RECORDED,
    source="samples of Microsoft's documents, an OpenAI beta capture: 4800, 7200, 12000, ..., 28800 bytes",
)
def audio_chunks(audio: bytes, size: int = PCM_BYTES_PER_MS) -> list[bytes]:
    """Audio of `size` bytes a millisecond, cut as the service cuts it; the chunks add up to the whole."""
    chunks: list[bytes] = []
    at = 0
    for ms in chain(_FIRST_CHUNKS_MS, repeat(_CHUNK_MS)):
        if len(audio) - at <= (ms if ms < _CHUNK_MS else _LONGEST_TAIL_MS) * size:
            break
        chunks.append(audio[at : at + ms * size])
        at += ms * size
    return [*chunks, audio[at:]] if at < len(audio) else chunks
