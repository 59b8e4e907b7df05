"""Sessions written down by hand from what is known of real ones, as a published capture would hold them.

No event here comes from the service model or a table of this project, so what
they show is that the rules fit the service and not only our idea of it.
"""

from __future__ import annotations

import itertools
from typing import Any

from harness.messages import Json
from tests.lint.made import Said

USAGE = {
    "total_tokens": 60,
    "input_tokens": 40,
    "output_tokens": 20,
    "input_token_details": {"text_tokens": 30, "audio_tokens": 10, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 5, "audio_tokens": 15},
}
NO_USAGE = {"total_tokens": 0, "input_tokens": 0, "output_tokens": 0}
VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}


class Session:
    """Writes one session down, in GA names or in flat ones (`ga=False`)."""

    def __init__(self, *, ga: bool, azure: bool = False, number: int = 1) -> None:
        self.ga = ga
        self.azure = azure
        self.number = number
        self.said: list[Said] = []
        self._ids = itertools.count(1)
        self._previous: str | None = None

    def new(self, prefix: str) -> str:
        return f"{prefix}_{self.number}{next(self._ids):04d}AbCdEfGhIjKlMnOp"

    def client(self, type_: str, **fields: Any) -> None:
        self.said.append(("client", {"type": type_, **fields}))

    def server(self, type_: str, **fields: Any) -> None:
        self.said.append(("server", {"type": type_, "event_id": self.new("event"), **fields}))

    def session(self, **more: Any) -> Json:
        head = {"object": "realtime.session", "id": f"sess_{self.number}AbCdEfGhIjKlMnOpQrStU"}
        common = {"model": "gpt-realtime", "instructions": "Be kind.", "tools": [], "tool_choice": "auto"}
        if not self.ga:
            flat = {"modalities": ["audio", "text"], "voice": "verse", "turn_detection": dict(VAD)}
            formats = {"input_audio_format": "pcm16", "output_audio_format": "pcm16"}
            rest = {
                "input_audio_transcription": None,
                "temperature": 0.8,
                "max_response_output_tokens": "inf",
            }
            return {**head, "expires_at": 1729000000, **common, **flat, **formats, **rest, **more}
        pcm = {"type": "audio/pcm", "rate": 24000}
        heard = {"format": pcm, "transcription": None, "noise_reduction": None, "turn_detection": {**VAD}}
        audio = {"input": heard, "output": {"format": pcm, "voice": "alloy", "speed": 1.0}}
        newer = {"max_output_tokens": "inf", "tracing": None, "truncation": "auto", "prompt": None}
        return {
            "type": "realtime", **head, "output_modalities": ["audio"], **common, **newer,
            "expires_at": 1784000000, "audio": audio, "include": None, **more,
        }  # fmt: skip

    def open(self, **more: Any) -> None:
        self.server("session.created", session=self.session(**more))

    def item(self, item: Json, *, done: bool = True) -> str:
        """An item that is added, and on GA done at once where it is not the model's."""
        item = {**({} if self.ga else {"object": "realtime.item"}), **item}
        name = "conversation.item.added" if self.ga else "conversation.item.created"
        self.server(name, previous_item_id=self._previous, item=item)
        if self.ga and done:
            self.server("conversation.item.done", previous_item_id=self._previous, item=item)
        self._previous = item["id"]
        return str(item["id"])

    def user(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        self.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        self.item(
            {
                "id": self.new("item"),
                "type": "message",
                "status": "completed",
                "role": "user",
                "content": content,
            }
        )

    def start_speech(self) -> str:
        item = self.new("item")
        self.server("input_audio_buffer.speech_started", audio_start_ms=1200, item_id=item)
        return item

    def end_speech(self, item: str) -> None:
        self.server("input_audio_buffer.speech_stopped", audio_end_ms=2600, item_id=item)
        self.commit(item)

    def commit(self, item: str) -> None:
        self.server("input_audio_buffer.committed", previous_item_id=self._previous, item_id=item)
        heard = [{"type": "input_audio", "transcript": None}]
        self.item({"id": item, "type": "message", "status": "completed", "role": "user", "content": heard})

    def transcribed(self, item: str, text: str = "Hello.") -> None:
        self.server(
            "conversation.item.input_audio_transcription.completed",
            item_id=item,
            content_index=0,
            transcript=text,
        )

    def not_transcribed(self, item: str) -> None:
        message = "The API deployment for this resource does not exist."
        error = {"type": "server_error", "code": "DeploymentNotFound", "message": message, "param": None}
        self.server(
            "conversation.item.input_audio_transcription.failed", item_id=item, content_index=0, error=error
        )

    def response(self, **more: Any) -> Response:
        return Response(self, **more)

    def error(self, code: str | None, message: str) -> None:
        body = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
        self.server("error", error={**body, "event_id": None})


class Response:
    """One response being written down."""

    def __init__(self, session: Session, *, limits: str | None = None, bare: bool = False) -> None:
        self.of = session
        self.id = session.new("resp")
        self.output: list[Json] = []
        self.limits = limits
        self.bare = bare
        """As of October 2024: without what later responses repeat of their session."""
        session.server("response.created", response=self.body("in_progress", None, None))
        if limits == "early":
            self.rate_limits("requests", "tokens")

    def rate_limits(self, *names: str) -> None:
        limits = [{"name": n, "limit": 20000, "remaining": 19500, "reset_seconds": 1.5} for n in names]
        self.of.server("rate_limits.updated", rate_limits=limits)

    def body(self, status: str, details: Json | None, usage: Json | None) -> Json:
        head = {"object": "realtime.response", "id": self.id, "status": status, "status_details": details}
        body = {**head, "output": [*self.output], "usage": usage}
        if self.of.ga:
            voice = {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}}
            said = {"conversation_id": "conv_1AbCdEfGhIjKlMnOpQrStU", "output_modalities": ["audio"]}
            return {**body, **said, "max_output_tokens": "inf", "audio": voice, "metadata": None}
        if self.bare:
            return body
        said = {"conversation_id": "conv_1AbCdEfGhIjKlMnOpQrStU", "modalities": ["text", "audio"]}
        return {**body, **said, "voice": "verse", "temperature": 0.8, "metadata": None}

    def audio(self, words: tuple[str, ...], *, cut: bool = False, sound: bool = True, **more: Any) -> Audio:
        return Audio(self, words, cut=cut, sound=sound, **more)

    def done(self, status: str = "completed", reason: str | None = None, usage: Json | None = None) -> None:
        details = {"type": status, "reason": reason} if reason else None
        self.of.server("response.done", response=self.body(status, details, usage or USAGE))
        if self.limits == "late":
            self.rate_limits("tokens")


class Audio:
    """A spoken message of a response; `cut`: somebody spoke into it."""

    def __init__(
        self,
        response: Response,
        words: tuple[str, ...],
        *,
        cut: bool = False,
        sound: bool = True,
        **more: Any,
    ) -> None:
        self.response, self.of = response, response.of
        self.cut, self.sound, self.words, self.more = cut, sound, words, more
        self.id = self.of.new("item")
        self.at = {"response_id": response.id, "item_id": self.id, "output_index": len(response.output)}
        self.part = {**self.at, "content_index": 0}
        item = {"id": self.id, "type": "message", "status": "in_progress", "role": "assistant", **more}
        self.new = {**({} if self.of.ga else {"object": "realtime.item"}), **item, "content": []}
        where = {"response_id": response.id, "output_index": self.at["output_index"]}
        self.where = where
        self.of.server("response.output_item.added", **where, item=self.new)
        self.of.item({**item, "content": []}, done=False)
        self.content_part("added", {"type": "audio", "transcript": ""})

    def content_part(self, stage: str, part: Json) -> None:
        copy = {"content": part} if self.of.azure else {}
        self.of.server(f"response.content_part.{stage}", **self.part, part=part, **copy)

    def speak(self) -> Audio:
        prefix = "response.output_audio" if self.of.ga else "response.audio"
        for number, word in enumerate(self.words):
            self.of.server(f"{prefix}_transcript.delta", **self.part, delta=word)
            if self.sound and number > 1:
                self.of.server(f"{prefix}.delta", **self.part, delta="AAAA" * 11)
        return self

    def end(self, said: str | None = None) -> None:
        prefix = "response.output_audio" if self.of.ga else "response.audio"
        whole = said if said is not None else "".join(self.words)
        self.of.server(f"{prefix}.done", **self.part)
        self.of.server(f"{prefix}_transcript.done", **self.part, transcript=whole)
        self.content_part("done", {"type": "audio", "transcript": whole})
        kind = "output_audio" if self.of.ga else "audio"
        status = "incomplete" if self.cut else "completed"
        item = {**self.new, "status": status, "content": [{"type": kind, "transcript": whole}]}
        if self.of.ga:
            self.of.server("conversation.item.done", previous_item_id=None, item=item)
        self.of.server("response.output_item.done", **self.where, item=item)
        self.response.output.append(item)
