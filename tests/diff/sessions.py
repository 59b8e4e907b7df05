"""Sessions for the tests of the comparison: made here, and made to look like another run of themselves."""

from __future__ import annotations

import base64
import copy
import json
import random
import re
from collections.abc import Iterable
from typing import Any

from harness.cassette import Close
from harness.logs import Log, LogEntry
from harness.messages import Side

Entry = tuple[str, dict[str, Any]]
"""`client` or `server`, and the event."""

_ID = re.compile(r'"((?:event|sess|conv|item|resp|call)_[0-9a-f]{20})"')


def log_of(entries: Iterable[Entry], path: str = "a.jsonl", close: Close | None = None) -> Log:
    listed = tuple(LogEntry(line, Side(side), event) for line, (side, event) in enumerate(entries, 1))
    return Log(path, "JSON Lines", listed, close=close)


class Talk:
    """Writes the events of a voice session in GA form, with ids of its own; `chunk` in bytes of audio."""

    def __init__(self, seed: int = 1, chunk: int = 60) -> None:
        self.random = random.Random(seed)
        self.chunk = chunk
        self.sound = base64.b64encode(self.random.randbytes(9 * chunk)).decode()
        self.entries: list[Entry] = []
        self.last_item: str | None = None
        self.session = self.id("sess")
        self.conversation = self.id("conv")

    def id(self, kind: str) -> str:
        return f"{kind}_{self.random.getrandbits(80):020x}"

    def audio(self) -> str:
        """About as much audio as one event carries."""
        start = self.random.randrange(self.chunk) * 4
        return self.sound[start : start + self.random.randrange(self.chunk // 3, self.chunk // 2) * 4]

    def client(self, type_: str, **fields: Any) -> None:
        self.entries.append(("client", {"type": type_, **fields}))

    def server(self, type_: str, **fields: Any) -> None:
        self.entries.append(("server", {"type": type_, "event_id": self.id("event"), **fields}))

    def begin(self) -> None:
        session = {
            "type": "realtime",
            "object": "realtime.session",
            "id": self.session,
            "model": "gpt-realtime",
            "output_modalities": ["audio"],
            "instructions": "Be kind.",
            "tools": [],
            "expires_at": 1784688021,
            "audio": {
                "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": None},
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"},
            },
        }
        self.server("session.created", session=session)
        self.client("session.update", session={"type": "realtime", "instructions": "Be brief."})
        self.server("session.updated", session={**session, "instructions": "Be brief."})

    def item(self, **fields: Any) -> dict[str, Any]:
        return {"id": self.id("item"), **fields}

    def in_conversation(self, item: dict[str, Any]) -> None:
        for half in ("added", "done"):
            self.server(
                f"conversation.item.{half}", previous_item_id=self.last_item, item=copy.deepcopy(item)
            )
        self.last_item = item["id"]

    def said(self, words: str, chunks: int = 4) -> None:
        """A spoken turn of the user, committed by the client."""
        for _ in range(chunks):
            self.client("input_audio_buffer.append", audio=self.audio())
        self.client("input_audio_buffer.commit")
        item = self.item(
            type="message",
            role="user",
            status="completed",
            content=[{"type": "input_audio", "transcript": None}],
        )
        self.server("input_audio_buffer.committed", previous_item_id=self.last_item, item_id=item["id"])
        self.in_conversation(item)
        about = {"item_id": item["id"], "content_index": 0}
        for word in words.split(" "):
            self.server(
                "conversation.item.input_audio_transcription.delta",
                **about,
                delta=word + " ",
                obfuscation=self.id("x"),
            )
        self.server("conversation.item.input_audio_transcription.completed", **about, transcript=words)

    def typed(self, words: str) -> None:
        content = [{"type": "input_text", "text": words}]
        self.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        self.in_conversation(
            self.item(type="message", role="user", status="completed", content=copy.deepcopy(content))
        )

    def response(self, *outputs: Any) -> None:
        """Asks for an answer; each output is a text that is spoken or (name, arguments) of a call."""
        self.client("response.create")
        response = {
            "object": "realtime.response",
            "id": self.id("resp"),
            "status": "in_progress",
            "output": [],
            "conversation_id": self.conversation,
            "usage": None,
        }
        self.server("response.created", response=copy.deepcopy(response))
        items = []
        for index, output in enumerate(outputs):
            make = self._message if isinstance(output, str) else self._call
            items.append(make(output, {"response_id": response["id"], "output_index": index}))
        usage = {"total_tokens": self.random.randrange(50, 5000), "input_tokens": 12}
        done = {**response, "status": "completed", "output": items, "usage": usage}
        self.server("response.done", response=copy.deepcopy(done))
        limit = {"name": "tokens", "limit": 40000, "remaining": self.random.randrange(40000)}
        self.server("rate_limits.updated", rate_limits=[limit])

    def _message(self, words: str, about: dict[str, Any]) -> dict[str, Any]:
        item = self.item(type="message", role="assistant", status="in_progress", content=[])
        self.server("response.output_item.added", **about, item=copy.deepcopy(item))
        self.server("conversation.item.added", previous_item_id=self.last_item, item=copy.deepcopy(item))
        part = {**about, "item_id": item["id"], "content_index": 0}
        self.server("response.content_part.added", **part, part={"type": "audio", "transcript": ""})
        for word in words.split(" "):
            self.server(
                "response.output_audio_transcript.delta", **part, delta=word + " ", obfuscation=self.id("x")
            )
            self.server("response.output_audio.delta", **part, delta=self.audio())
        self.server("response.output_audio.done", **part)
        self.server("response.output_audio_transcript.done", **part, transcript=words)
        self.server("response.content_part.done", **part, part={"type": "audio", "transcript": words})
        content = [{"type": "output_audio", "transcript": words}]
        return self._done({**item, "status": "completed", "content": content}, about)

    def _call(self, output: tuple[str, str], about: dict[str, Any]) -> dict[str, Any]:
        name, arguments = output
        item = self.item(
            type="function_call", status="in_progress", name=name, call_id=self.id("call"), arguments=""
        )
        self.server("response.output_item.added", **about, item=copy.deepcopy(item))
        self.server("conversation.item.added", previous_item_id=self.last_item, item=copy.deepcopy(item))
        part = {**about, "item_id": item["id"], "call_id": item["call_id"]}
        for start in range(0, len(arguments), 5):
            self.server("response.function_call_arguments.delta", **part, delta=arguments[start : start + 5])
        self.server("response.function_call_arguments.done", **part, arguments=arguments)
        return self._done({**item, "status": "completed", "arguments": arguments}, about)

    def _done(self, item: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
        self.server("conversation.item.done", previous_item_id=self.last_item, item=copy.deepcopy(item))
        self.server("response.output_item.done", **about, item=copy.deepcopy(item))
        self.last_item = item["id"]
        return item

    def tool_result(self, text: str) -> None:
        calls = [
            event["item"]["call_id"]
            for _, event in self.entries
            if event["type"] == "response.output_item.done" and event["item"]["type"] == "function_call"
        ]
        item = {"type": "function_call_output", "call_id": calls[-1], "output": text}
        self.client("conversation.item.create", item=item)
        self.in_conversation(self.item(**item))


def voice_session(seed: int = 1, turns: int = 3, chunk: int = 60) -> list[Entry]:
    """Spoken and typed turns, answers, and a call with its result."""
    talk = Talk(seed, chunk)
    talk.begin()
    for turn in range(turns):
        number = talk.random.randrange(10**6)
        if turn % 3 == 1:
            talk.typed(f"How far is it to number {number}?")
            talk.response(f"One moment for {number}.", ("distance", json.dumps({"to": number})))
            talk.tool_result(f"{number} km")
            talk.response(f"It is {number} km.")
        else:
            talk.said(f"Please tell me a story about {number} lions.", chunks=3 + turn % 4)
            talk.response(f"Once upon a time {number} lions lived in a wide and sunny land.")
    return talk.entries


def with_fresh_ids(entries: Iterable[Entry], seed: int = 99) -> list[Entry]:
    """The same session as another run of it would have been: every id is another."""
    fresh: dict[str, str] = {}
    source = random.Random(seed)

    def replaced(match: re.Match[str]) -> str:
        kind = match[1].partition("_")[0]
        return '"' + fresh.setdefault(match[1], f"{kind}_{source.getrandbits(80):020x}") + '"'

    return [(side, json.loads(_ID.sub(replaced, json.dumps(event)))) for side, event in entries]


def with_other_chunks(entries: Iterable[Entry], seed: int = 5) -> list[Entry]:
    """The same session with its deltas and its audio cut elsewhere, and other padding and times."""
    source = random.Random(seed)
    found: list[Entry] = []
    for side, original in entries:
        event = copy.deepcopy(original)
        if "obfuscation" in event:
            event["obfuscation"] = "y" * source.randrange(20)
        if isinstance(event.get("session"), dict) and "expires_at" in event["session"]:
            event["session"]["expires_at"] += source.randrange(1000)
        field = "audio" if event["type"] == "input_audio_buffer.append" else "delta"
        text = event.get(field)
        if not isinstance(text, str) or len(text) < 2:
            found.append((side, event))
            continue
        sound = field == "audio" or event["type"].endswith("audio.delta")
        at = source.randrange(0, len(text), 4) if sound else source.randrange(len(text))
        pieces = [piece for piece in (text[:at], text[at:]) if piece]
        found += [(side, {**event, field: piece}) for piece in pieces]
    return found
