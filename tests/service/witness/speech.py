"""The ear for input audio: turns of speech, what is committed, and the words heard in it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from harness.messages import Json
from tests.service.witness.names import bytes_per_ms
from tests.service.witness.settings import Settings

LEAST_COMMIT_MS = 100

_BEFORE: dict[str, list[list[str]]] = {
    "speech_started": [[]],
    "timeout_triggered": [[]],
    "speech_stopped": [["speech_started"]],
    # By hand, in the middle of speech, or after it; or as nobody said anything.
    "committed": [[], ["speech_started"], ["speech_started", "speech_stopped"], ["timeout_triggered"]],
}


@dataclass
class Words:
    """What is told of the words in one item."""

    model: Any
    """The model that hears them; None where none was asked for."""
    sure: bool
    deltas: list[str] = field(default_factory=list)
    over: bool = False


class Speech:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.stages: dict[str, list[str]] = {}
        self.open: str | None = None
        """The item that the speech now going on becomes, as far as we were told."""
        self.words: dict[str, Words] = {}
        self.buffer: bytes | None = b""
        """What a commit would take; None where the service may have taken some of it by itself."""
        self.at_most_ms = 0.0
        """A commit would take no more than this."""
        self.sounds: dict[str, bytes] = {}
        """The audio of items, where it is known for certain."""
        self._by_hand: list[bytes | None] = []
        """What the client committed and was not yet told of."""
        self._cleared = 0
        self._began: Json = {}

    # The client's wishes.

    def ask(self, name: str, event: Json) -> None:
        if name == "input_audio_buffer.append":
            audio = base64.b64decode(event["audio"])
            self.at_most_ms += len(audio) / bytes_per_ms(self._settings.now("audio.input.format"))
            self.buffer = None if self.buffer is None else self.buffer + audio
        elif name in ("input_audio_buffer.commit", "input_audio_buffer.clear"):
            if name == "input_audio_buffer.commit":
                self._by_hand.append(self.buffer)
            else:
                self._cleared += 1
            self.buffer, self.at_most_ms = b"", 0.0
        elif name == "session.update" and self.buffer:
            self.buffer = None  # it may be in another format now
        if self._settings.may_listen:
            self.buffer = None

    @property
    def too_little(self) -> bool | None:
        """Whether a commit must be refused; None: that hangs on what the service has heard."""
        if self.at_most_ms < LEAST_COMMIT_MS:
            return True
        return None if self.buffer is None else False

    # What the service says.

    def hear(self, stage: str, event: Json) -> list[str]:
        """What was heard of an item of the buffer, now this."""
        spoken, self.open = self.open, None
        if stage == "cleared":
            assert self._cleared, "input_audio_buffer.cleared answers nothing"
            self._cleared -= 1
            return []
        item_id = event["item_id"]
        assert spoken in (None, item_id), f"{stage} of another item than the speech going on"
        stages = self.stages.setdefault(item_id, [])
        assert stages in _BEFORE[stage], f"{stage} after {stages}"
        stages.append(stage)
        if stage == "speech_started":
            self.open, self._began = item_id, event
        elif stage == "speech_stopped":
            assert self._began["item_id"] == item_id, "one stretch of speech ends, another had begun"
            assert event["audio_end_ms"] >= self._began["audio_start_ms"], "speech ends before it begins"
        elif stage == "committed":
            if stages[-2:-1] in ([], ["speech_started"]):
                assert self._by_hand, "committed, and nobody asked for it"
                sound = self._by_hand.pop(0)
                if sound is not None:
                    self.sounds[item_id] = sound
            model = self._settings["audio.input.transcription"]
            sure = self._settings.sure and "timeout_triggered" not in stages  # nothing was said in that
            self.words[item_id] = Words(model.get("model") if model else None, sure)
        return stages

    def added(self, item: Json) -> list[str] | None:
        """What came before an item, where it is one of the buffer."""
        stages = self.stages.get(item["id"])
        if stages is None or stages[-1] == "added":
            return None
        before = list(stages)
        assert stages[-1] == "committed", f"an item is added after {stages}"
        assert [part["transcript"] for part in item["content"]] == [None], "what was said is known too soon"
        stages.append("added")
        return before

    def shown(self, item: Json) -> None:
        """An item with its sound."""
        if item["id"] in self.sounds:
            (part,) = item["content"]
            assert base64.b64decode(part["audio"]) == self.sounds[item["id"]], (
                "another sound than was committed"
            )

    def transcription(self, kind: str, event: Json) -> None:
        words = self.words.get(event["item_id"])
        assert words is not None, f"words of an item that was not committed: {event}"
        assert words.model or not words.sure, "words that nobody asked for"
        assert not words.over, f"{kind} after all the words were told"
        assert event["content_index"] == 0
        if kind == "delta":
            words.deltas.append(event["delta"])
            return
        words.over = True
        if kind == "completed" and words.deltas:
            said, all_of_it = "".join(words.deltas), event["transcript"]
            wanted = all_of_it if words.model == "whisper-1" else f" {all_of_it}"  # as captured
            assert said == wanted or not words.sure, f"the deltas say {said!r}, the whole is {all_of_it!r}"
        cost = event.get("usage") or {}
        if "total_tokens" in cost:
            assert cost["total_tokens"] == cost["input_tokens"] + cost["output_tokens"], cost

    def all_was_heard(self) -> None:
        assert not self._cleared, "input_audio_buffer.cleared never came"
        assert not self._by_hand, "a commit was never told of"
        for item, words in self.words.items():
            assert words.over or not (words.sure and words.model), f"what was said in {item} is never told"
