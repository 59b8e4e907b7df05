"""What the scenario has said and held by the time each of its answers begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.checks.record import CaseRecord
from harness.messages import Json
from harness.scenario import Expect, Scenario, Send, Step
from harness.scenario.sequence import One, every
from harness.service import Entry, Origin, ResponseStart


@dataclass(frozen=True)
class Due:
    """The state of the script at one answer: what was sent for it, what the conversation holds."""

    connection: int
    sends: tuple[Json, ...]
    """The client events since the answer before."""
    held: tuple[str, ...]
    deleted: tuple[str, ...]

    @property
    def outside(self) -> bool:
        """Asked for outside the conversation."""
        asked = [event.get("response") or {} for event in self.sends if event["type"] == "response.create"]
        return any(one.get("conversation") == "none" for one in asked)


def due_answers(scenario: Scenario) -> list[Due]:
    """The scenario's answers, in order, over all its connections."""
    found: list[Due] = []
    for number, steps in enumerate(scenario.connections, 1):
        found.extend(_Script(number).answers(steps))
    return found


@dataclass(frozen=True)
class Given:
    """An answer of the scenario that began, what was due with it, and which of the scenario's it is."""

    start: ResponseStart
    due: Due
    place: int


def answers_given(record: CaseRecord) -> list[Given]:
    """The answers of the scenario that began; those outside the conversation stand in for no others."""
    left = list(enumerate(due_answers(record.scenario)))
    found: list[Given] = []
    for start in record.exchange.responses:
        if start.origin is Origin.MODELLED:
            continue
        entry = record.exchange.entries[start.entry]
        outside = is_outside(entry)
        fitting = (one for one in left if one[1].connection == entry.connection and one[1].outside == outside)
        next_due = next(fitting, None)
        if next_due is not None:
            left.remove(next_due)
            found.append(Given(start, next_due[1], next_due[0]))
    return found


def is_outside(created: Entry) -> bool:
    """Whether a `response.created` says that its items are not the conversation's."""
    return any(
        event["type"] == "response.created" and event["response"].get("conversation_id", "") is None
        for event in created.canonical
    )


def said(item: Json) -> str:
    """What an item says, for comparison: role and text, or that it is audio."""
    content = item.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    words = [
        "(audio)" if "audio" in str(part.get("type")) else str(part.get("text", "")).strip() for part in parts
    ]
    return f"{item.get('role', item.get('type'))}: {' '.join(words)}"


_SPOKEN = "user: (audio)"


@dataclass
class _Script:
    connection: int
    held: list[tuple[str | None, str | None]] = field(default_factory=list)
    """Items by the names they were captured under; the model's say nothing here."""
    pending: list[str | None] = field(default_factory=list)
    """Sent, and not yet told of."""
    sends: list[Json] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def answers(self, steps: tuple[Step, ...]) -> Iterator[Due]:
        for step in steps:
            if isinstance(step, Send):
                self._send(step.event)
            elif isinstance(step, Expect):
                for one in every(step.sequence):
                    if one.type == "conversation.item.added":
                        self._added(one)
                    elif one.type == "response.created":
                        yield self._due()

    def _send(self, event: Json) -> None:
        self.sends.append(event)
        if event["type"] == "conversation.item.create":
            item = event["item"]
            self.pending.append(said(item) if item.get("type") == "message" else None)
        elif event["type"] == "input_audio_buffer.commit":
            self.pending.append(_SPOKEN)
        elif event["type"] == "conversation.item.delete":
            name = str(event["item_id"]).removeprefix("$")
            self.deleted.extend(words for known, words in self.held if known == name and words)
            self.held = [one for one in self.held if one[0] != name]

    def _added(self, one: One) -> None:
        names = [name for name, path in one.capture if path == "item.id"]
        names += [str(value)[1:] for path, value in one.where if path == "item.id"]
        role = next((value for path, value in one.where if path == "item.role"), None)
        words = _SPOKEN if role == "user" else None
        self.held.append((names[0] if names else None, self.pending.pop(0) if self.pending else words))

    def _due(self) -> Due:
        words = [words for _, words in self.held] + self.pending
        sends, self.sends = tuple(self.sends), []
        return Due(self.connection, sends, tuple(one for one in words if one), tuple(self.deleted))
