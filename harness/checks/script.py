"""Whether the scenario came to its end; where it did not, what was needed and what came nearest to it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, NotProven, check
from harness.checks.scripted import answers_given, due_answers
from harness.diff import changes
from harness.findings import Finding, Severity
from harness.messages import Json
from harness.scenario.model import PLACEHOLDER
from harness.service import Entry

_AWAITED = (
    "conversation.item.create",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "response.create",
)
"""What an answer waits for; the rest of a script is judged by its effects."""


@check("script.finished", "the implementation went through the whole scenario")
def finished(record: CaseRecord) -> Iterator[Finding]:
    if record.refused_by_fault:
        raise NotApplicable("a fault refused the handshake, and the client need not try again")
    if not record.connected:
        raise NotProven("no session was opened")
    unplayed = record.exchange.unplayed
    if not unplayed:
        return
    needed = _needed(record)
    nearest = _nearest(needed, record) if needed is not None else None
    yield Finding(
        code="script.finished",
        severity=Severity.NOT_PROVEN,
        path="script",
        message=f"{len(unplayed)} of the scenario's answers were never due: "
        f"the next waits for {unplayed[0]}.{_fell_silent(record)}{_came_near(needed, nearest)}",
        expected=needed if needed is not None else f"a client that comes to: {unplayed[0]}",
        actual=record.exchange.script(),
        basis=(record.basis,),
        mend="see what the implementation did instead in the last messages above, and in its log",
        diff=changes(needed, nearest.event) if needed is not None and nearest is not None else (),
        at=nearest.at if nearest is not None else None,
    )


@dataclass(frozen=True)
class _Candidate:
    """What the client sent that comes nearest to what was needed."""

    event: Json
    at: int


def _needed(record: CaseRecord) -> Json | None:
    """The first client event of the script that the next answer waits for and that never came."""
    given, dues = answers_given(record), due_answers(record.scenario)
    places = {one.place for one in given}
    next_due = next((due for place, due in enumerate(dues) if place not in places), None)
    if next_due is None:
        return None
    came = [event for _, event in _sent_since(record)]
    for event in next_due.sends:
        if event["type"] not in _AWAITED:
            continue
        match = next((other for other in came if _same(event, other)), None)
        if match is None:
            return _plain(event)
        came.remove(match)
    return None


def _sent_since(record: CaseRecord) -> list[tuple[Entry, Json]]:
    """What the client sent since the last answer of the scenario began."""
    given = answers_given(record)
    last = given[-1].start.entry if given else -1
    return [
        (entry, event)
        for entry in record.exchange.client_entries()
        if entry.number > last
        for event in entry.canonical
    ]


def _nearest(needed: Json, record: CaseRecord) -> _Candidate | None:
    """The same type with another content, else the type most like it."""
    sent = [(entry, _plain(event)) for entry, event in _sent_since(record)]
    alike = [one for one in sent if one[1]["type"] == needed["type"]]
    if alike:
        entry, event = min(alike, key=lambda one: len(changes(needed, one[1])))
    else:
        types = list(dict.fromkeys(event["type"] for _, event in sent))
        close = difflib.get_close_matches(needed["type"], types, 1, cutoff=0.4)
        if not close:
            return None
        entry, event = next(one for one in sent if one[1]["type"] == close[0])
    return _Candidate(event, entry.number)


def _same(needed: Any, sent: Any) -> bool:
    """Whether an event is the one that is needed; a client may say more, and ids are its own."""
    if isinstance(needed, str) and PLACEHOLDER.fullmatch(needed):
        return True
    if isinstance(needed, dict) and isinstance(sent, dict):
        return all(
            key == "audio" or (key in sent and _same(value, sent[key])) for key, value in needed.items()
        )
    if isinstance(needed, list) and isinstance(sent, list):
        return len(needed) == len(sent) and all(map(_same, needed, sent))
    if isinstance(needed, str) and isinstance(sent, str):
        return needed.strip() == sent.strip()
    return bool(needed == sent)


def _plain(event: Json) -> Json:
    """An event without ids and audio, which say nothing to people."""
    kept = {key: value for key, value in event.items() if key not in ("event_id", "audio")}
    if isinstance(kept.get("item"), dict):
        kept["item"] = {key: value for key, value in kept["item"].items() if key != "id"}
    return kept


def _came_near(needed: Json | None, nearest: _Candidate | None) -> str:
    if needed is None:
        return ""
    if nearest is None:
        return f" {needed['type']} never came, nor anything like it."
    return f" {needed['type']} never came; nearest to it is {nearest.event['type']}, message #{nearest.at}."


def _fell_silent(record: CaseRecord) -> str:
    """Says so where the last thing the client did was refused: it is mute from then on."""
    sent = record.exchange.client_entries()
    if not sent or not sent[-1].refusals or sent[-1].event is None:
        return ""
    return f" The client has been mute since its {sent[-1].event['type']} was refused."
