"""What the service really sent, answer by answer: what a client was handed is compared with this.

A cassette says what an answer is; cut short, failed or lost with its
connection it is less, and what a fault took or changed nobody can hand on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.checks.record import CaseRecord
from harness.checks.scripted import is_outside
from harness.messages import Json, decode_audio
from harness.service import Entry, Origin


@dataclass
class Served:
    """One response as it was sent. `done` is its `response.done`, None where none came."""

    id: str
    origin: Origin
    connection: int
    at: int
    outside: bool
    """Out of band: its items are not the conversation's."""
    text: str = ""
    transcript: str = ""
    audio: bytearray = field(default_factory=bytearray)
    calls: list[Json] = field(default_factory=list)
    item_ids: set[str] = field(default_factory=set)
    done: Json | None = None
    done_at: int | None = None
    spoilt: bool = False
    """A fault took or changed something of it."""
    lost: bool = False
    """The service ended the connection before its end."""

    @property
    def status(self) -> str | None:
        return str(self.done.get("status")) if self.done is not None else None

    @property
    def details(self) -> Json:
        """Why it ended as it did."""
        return (self.done or {}).get("status_details") or {}

    @property
    def interrupted(self) -> bool:
        """The user spoke over it."""
        return self.status == "cancelled" and self.details.get("reason") == "turn_detected"

    @property
    def required(self) -> bool:
        """All of it must reach the user: the scenario asks for it, and it came whole."""
        partly = self.status in ("cancelled", "failed") or self.lost
        return self.origin is not Origin.MODELLED and not partly and not self.spoilt


@dataclass(frozen=True)
class Piece:
    """Audio of one answer that came in one go."""

    answer: Served
    audio: bytearray


def served_answers(record: CaseRecord) -> list[Served]:
    """Every answer that began, in order."""
    return _walk(record)[0]


def audio_pieces(record: CaseRecord) -> list[Piece]:
    """All audio in the order it was sent; answers beside each other take turns."""
    return _walk(record)[1]


def _walk(record: CaseRecord) -> tuple[list[Served], list[Piece]]:
    origins = {start.entry: start.origin for start in record.exchange.responses}
    answers: dict[str, Served] = {}
    pieces: list[Piece] = []
    for entry in record.exchange.server_entries():
        for event in entry.canonical:
            if event["type"] == "response.created":
                origin = origins.get(entry.number) or entry.origin or Origin.MODELLED
                answers[event["response"]["id"]] = Served(
                    event["response"]["id"], origin, entry.connection, entry.number, is_outside(entry)
                )
            elif event["type"] == "response.done":
                answer = answers.get(event["response"].get("id"))
                if answer is not None:
                    answer.done, answer.done_at = event["response"], entry.number
            elif event.get("response_id") in answers:
                _take(answers[event["response_id"]], event, pieces)
        answer = answers.get(_response_of(entry))
        if answer is not None and entry.fault is not None:
            answer.spoilt = answer.spoilt or _spoils(entry)
    for answer in answers.values():
        answer.lost = answer.done is None and record.ending_of(answer.connection) is not None
    return list(answers.values()), pieces


def _response_of(entry: Entry) -> str:
    """The response that a message belongs to, as the service meant it; empty where to none."""
    event = (*entry.canonical, entry.event or {})[0]
    response = event.get("response")
    return str(response.get("id") if isinstance(response, dict) else event.get("response_id", ""))


def _spoils(entry: Entry) -> bool:
    """Whether what a fault made of a message takes something from the answer: its usage is nobody's loss."""
    meant = entry.canonical[0].get("response") if entry.canonical else None
    sent = (entry.event or {}).get("response")
    if meant is None:
        return entry.event is not None
    return not isinstance(sent, dict) or any(sent.get(key) != meant[key] for key in ("id", "status"))


def _take(answer: Served, event: Json, pieces: list[Piece]) -> None:
    type_, delta = event["type"], event.get("delta")
    if type_ == "response.output_item.added":
        answer.item_ids.add(str(event["item"].get("id")))
    elif type_ == "response.output_item.done" and event["item"]["type"] == "function_call":
        if event["item"].get("status") != "incomplete":
            answer.calls.append(event["item"])
    elif type_ == "response.output_text.delta" and isinstance(delta, str):
        answer.text += delta
    elif type_ == "response.output_audio_transcript.delta" and isinstance(delta, str):
        answer.transcript += delta
    elif type_ == "response.output_audio.delta":
        pcm = decode_audio(delta) or b""
        answer.audio += pcm
        if pieces and pieces[-1].answer is answer:
            pieces[-1].audio.extend(pcm)
        else:
            pieces.append(Piece(answer, bytearray(pcm)))
