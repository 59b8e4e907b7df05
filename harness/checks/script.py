"""Whether the scenario came to its end; where it did not, what was needed and what came nearest to it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, NotProven, check
from harness.checks.scripted import answers_given, said
from harness.dialects import Dialect
from harness.diff import changes
from harness.findings import Finding, Severity
from harness.messages import Json, Side
from harness.recording import Waiting, without_event_ids
from harness.service import Entry, Exchange, Origin

_AWAITED = (
    "conversation.item.create",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "response.create",
)
"""What an answer waits for; the rest of a script is judged by its effects."""

_ASK = "response.create"

_PUT_IN = ("conversation.item.create", "input_audio_buffer.commit")
"""What a client puts into the conversation before it asks for an answer."""

_LAST_LINES = 8

_PAUSE = 0.9
"""Seconds without a sound, not even silence, that no open microphone makes."""

_ENDS = ("close", "drop", "stall")
"""Faults after which nothing more comes on a connection."""


@check("script.finished", "the implementation went through the whole scenario")
def finished(record: CaseRecord) -> Iterator[Finding]:
    if record.refused_by_fault:
        raise NotApplicable("a fault refused the handshake, and the client need not try again")
    if not record.connected:
        raise NotProven("no session was opened")
    if not record.exchange.unplayed:
        return
    if record.unable:
        raise NotApplicable(record.unable)
    first, *more = record.exchange.unplayed
    needed, other = _needed(first, _sent_since(record))
    nearest = _nearest(needed, other, record.dialect) if needed is not None else None
    early = None
    if needed is None or (nearest is None and needed["type"] == _ASK):
        early = _asked_too_early(record, first)
        needed = None if early else needed
    beyond = f" ({len(more)} more after it)" if more else ""
    yield Finding(
        code="script.finished",
        severity=Severity.NOT_PROVEN,
        path="script",
        message=f"the session stopped short of {first.holds}{beyond}, which waits for {first}."
        f"{_fell_silent(record)}{_still_speaking(record)}{_of_faults(record)}{_came_near(needed, nearest)}"
        f"{_in_another_order(early)}{_opened_more(record)}",
        expected=needed if needed is not None else f"a client that comes to: {first}",
        actual=_so_far(record.exchange),
        basis=(record.basis,),
        mend="see what the implementation did instead in the last messages above"
        + (", and in its log" if record.observed.log else ""),
        diff=changes(needed, nearest.event) if needed is not None and nearest is not None else (),
        at=nearest.at if nearest is not None else early[0].at if early is not None else None,
    )


@dataclass(frozen=True)
class _Sent:
    """A client event as people compare it, and the number of its message."""

    event: Json
    at: int


def _sent_since(record: CaseRecord) -> list[_Sent]:
    """What the client sent since the last answer of the scenario began."""
    given = answers_given(record)
    last = given[-1].start.entry if given else -1
    return [
        _Sent(_plain(event), entry.number)
        for entry in record.exchange.client_entries()
        if entry.number > last
        for event in entry.canonical
    ]


def _needed(waiting: Waiting, sent: list[_Sent]) -> tuple[Json | None, list[_Sent]]:
    """The first event that is waited for and did not come, and what came in place of any such.

    Barriers count items and do not read them, so an event of which nothing of the
    kind came goes before one that came in other words.
    """
    other, absent = list(sent), []
    for event in (*waiting.met, *waiting.needed):
        match = next((one for one in other if _same(_plain(event), one.event)), None)
        if match is not None:
            other.remove(match)
        elif event in waiting.needed and event["type"] in _AWAITED:
            absent.append(_plain(event))
    kinds = [_kind(one.event) for one in other]
    for event in absent:
        if _kind(event) not in kinds:
            return event, other
        kinds.remove(_kind(event))
    return (absent[0] if absent else None), other


def _asked_too_early(record: CaseRecord, waiting: Waiting) -> tuple[_Sent, _Sent] | None:
    """The first `response.create` that the cassette could not answer yet, and what came only after it."""
    if not any(event["type"] == _ASK for event in (*waiting.met, *waiting.needed)):
        return None
    sent = [
        _Sent(_plain(event), entry.number)
        for entry in record.exchange.client_entries()
        for event in entry.canonical
        if event["type"] in (_ASK, *_PUT_IN)
    ]
    for start in record.exchange.responses:
        before = [one for one in sent if one.at < start.entry and one.event["type"] == _ASK]
        after = [one for one in sent if before and one.at > before[-1].at]
        if start.origin is Origin.MODELLED and after and after[0].event["type"] in _PUT_IN:
            return before[-1], after[0]
    return None


def _kind(event: Json) -> tuple[str, object]:
    item = event.get("item")
    return event["type"], item.get("type") if isinstance(item, dict) else None


def _nearest(needed: Json, sent: list[_Sent], dialect: Dialect) -> _Sent | None:
    """The same type with another content, else a type nobody knows that looks like it."""
    alike = [one for one in sent if one.event["type"] == needed["type"]]
    if alike:
        return min(alike, key=lambda one: len(changes(needed, one.event)))
    known = {dialect.translation.client_events.get(name, name) for name in dialect.client.events}
    strange = {one.event["type"]: one for one in sent if one.event["type"] not in known}
    close = difflib.get_close_matches(needed["type"], strange, 1)
    return strange[close[0]] if close else None


def _same(needed: Any, sent: Any) -> bool:
    """Whether an event is the one that is needed; a client may say more, and tool results in its own form."""
    if isinstance(needed, dict) and isinstance(sent, dict):
        return all(
            key == "output" or (key in sent and _same(value, sent[key])) for key, value in needed.items()
        )
    if isinstance(needed, list) and isinstance(sent, list):
        return len(needed) == len(sent) and all(map(_same, needed, sent))
    if isinstance(needed, str) and isinstance(sent, str):
        return needed.strip() == sent.strip()
    return bool(needed == sent)


def _plain(event: Json) -> Json:
    """An event without ids and audio, which say nothing to people."""
    bare = without_event_ids(event)
    bare.pop("audio", None)
    return bare


def _in_another_order(early: tuple[_Sent, _Sent] | None) -> str:
    if early is None:
        return ""
    asked, late = early
    return (
        f" It came in another order: {_ASK}, message #{asked.at}, before {_named(late.event)},"
        f" message #{late.at}; an answer is made of what was there before it."
    )


def _named(event: Json) -> str:
    words = said(event["item"]).rstrip(": ") if isinstance(event.get("item"), dict) else ""
    return f"{event['type']} ({words})" if words else str(event["type"])


def _came_near(needed: Json | None, nearest: _Sent | None) -> str:
    if needed is None:
        return ""
    what = needed["type"]
    never = f" {_named(needed)} never came"
    if nearest is None:
        return f"{never}, nor anything like it."
    if nearest.event["type"] == what:
        return f"{never}; nearest to it is message #{nearest.at}, which says something else."
    return f"{never}; nearest to it is {nearest.event['type']}, message #{nearest.at}."


def _fell_silent(record: CaseRecord) -> str:
    """Says so where the last thing the client did was refused: it is mute from then on."""
    sent = record.exchange.client_entries()
    if not sent or not sent[-1].refusals or sent[-1].event is None:
        return ""
    return f" The client has been mute since its {sent[-1].event['type']} was refused."


def _still_speaking(record: CaseRecord) -> str:
    """Says so where the service heard the user begin, and then heard nothing for a time, not even silence."""
    heard: float | None = None
    for entry in record.exchange.entries:
        if heard is not None and entry.t - heard >= _PAUSE:
            break
        name = entry.event["type"] if entry.event else ""
        if name == "input_audio_buffer.speech_stopped":
            heard = None
        elif name == "input_audio_buffer.speech_started" or (
            heard is not None and name == "input_audio_buffer.append"
        ):
            heard = entry.t
    if heard is None:
        return ""
    return (
        " The service heard the user begin to speak and not stop: no silence followed"
        " (an open microphone goes on; a second of zeros is enough)."
    )


def _of_faults(record: CaseRecord) -> str:
    """Says so where the cause is rather a fault, or that one did not come, than the client."""
    ended = [text for text in record.struck if text.partition(":")[0] in _ENDS]
    waited = [text for text in record.never_struck if text.partition(":")[0] in _ENDS]
    said = f" After the fault {', '.join(ended)} nothing more comes on its connection." if ended else ""
    return said + (f" The fault {', '.join(waited)} never struck." if waited else "")


def _opened_more(record: CaseRecord) -> str:
    """Says so where the client went on over a connection that the scenario does not have."""
    more = [one for one in record.exchange.entries if one.connection > len(record.scenario.connections)]
    if not more:
        return ""
    return (
        f" The client opened connection {more[0].connection} (from message #{more[0].number} on,"
        f" at {more[0].t:.2f} s); nothing of the scenario is played there."
    )


def _so_far(exchange: Exchange) -> str:
    """The last messages with their numbers, for people; what comes many times over is one line."""
    lines: list[str] = []
    runs = groupby(exchange.entries, key=_shown)
    for shown, entries in runs:
        first, *more = (entry.number for entry in entries)
        lines.append(f"#{first} {shown}" + (f" (to #{more[-1]})" if more else ""))
    left_out = len(lines) - _LAST_LINES
    return "\n".join(([f"… {left_out} lines before"] if left_out > 0 else []) + lines[-_LAST_LINES:])


def _shown(entry: Entry) -> str:
    arrow = "client" if entry.side is Side.CLIENT else "service"
    name = entry.event["type"] if entry.event else f"(no event) {entry.raw!r:.60}"
    mark = f" [{entry.origin}]" if entry.origin not in (None, Origin.RECORDED) else ""
    refused = f" REFUSED: {entry.refusals[0].path}" if entry.refusals else ""
    return f"{arrow}: {name}{mark}{refused}"
