"""A comparison in words, line by line, so that it can be read aloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.diff.model import Difference, Kind, LaneDiff, Message, SessionDiff, SideOf
from harness.findings import Change
from harness.messages import Side

_LONGEST = 160
_CONTEXT = 40
_FROM = {Side.CLIENT: "from the client", Side.SERVER: "from the service", None: "from nobody named"}


def text_lines(diff: SessionDiff) -> Iterator[str]:
    """The report. A heading begins at the margin; what a log says can end no line and color none."""
    for line in _lines(diff):
        yield "".join(char if char.isprintable() else _escaped(char) for char in line)


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _lines(diff: SessionDiff) -> Iterator[str]:
    yield f"A: {_side(diff.a)}"
    yield f"B: {_side(diff.b)}"
    yield _how(diff)
    for note in diff.notes:
        yield f"Note: {note}"
    for name, side in (("A", diff.a), ("B", diff.b)):
        for loss in side.losses:
            yield f"Not compared: {name}:{loss.line} {loss.path}: {loss.reason}"
    if diff.renames:
        yield ""
        yield f"Differ by name only: {_counted(len(diff.renames), 'name')}"
        for rename in diff.renames:
            yield f"  {rename.kind}: {rename.a} in A is {rename.b} in B"
    many = max(diff.a.sessions, diff.b.sessions) > 1
    for lane in diff.lanes:
        yield ""
        yield from _lane(lane, many=many)
    yield ""
    yield _sum(diff)


def _side(side: SideOf) -> str:
    dialect = side.dialect or "dialect unknown"
    sessions = f" in {side.sessions} sessions" if side.sessions > 1 else ""
    return f"{side.path} ({side.format}, {dialect}, {_counted(side.messages, 'message')}{sessions})"


def _how(diff: SessionDiff) -> str:
    words = {
        "ids": "ids (what they refer to counts)",
        "audio": "audio (its amount counts)",
    }
    out = [words.get(name, name) for name in diff.options.left_out]
    form = "in canonical form, for the dialects differ" if diff.canonical else "as they stand on the wire"
    return f"Compared {form}; left out: {', '.join(out) or 'nothing'}."


def _sum(diff: SessionDiff) -> str:
    lanes = f"{_counted(diff.compared, 'lane')} compared"
    if diff.same:
        return f"No difference. {lanes}."
    counts = diff.counts
    parts = [
        f"{counts[kind]} {words}"
        for kind, words in (
            ("changed", "in values"),
            ("only-a", "only in A"),
            ("only-b", "only in B"),
            ("moved", "moved"),
        )
        if counts[kind]
    ]
    return f"{_counted(diff.count, 'difference')}: {', '.join(parts)}. {lanes}, {len(diff.lanes)} differ."


def _lane(lane: LaneDiff, *, many: bool) -> Iterator[str]:
    name = lane.name_a or lane.name_b or ""
    if lane.name_a and lane.name_b and lane.name_a != lane.name_b:
        name = f"{lane.name_a} in A; {lane.name_b} in B"
    yield f"session {lane.session}: {name}" if many else name
    silent: list[Difference] = []
    for difference in lane.differences:
        if difference.kind is Kind.CHANGED and not difference.changes:
            silent.append(difference)
        else:
            yield from _difference(difference)
    for difference in silent:
        yield f"  again in {_message(difference)}: {_counted(len(difference.echoes), 'change')} named above"


def _difference(difference: Difference) -> Iterator[str]:
    if difference.kind is Kind.CHANGED:
        yield f"  {_message(difference)}"
    elif difference.kind is Kind.MOVED:
        yield f"  at another place: {_message(difference)}"
    else:
        side = "A" if difference.kind is Kind.ONLY_A else "B"
        yield f"  only in {side}: {_message(difference)}"
    for change in difference.changes:
        yield f"    {_change(change)}"
    if difference.echoes:
        yield f"    and {_counted(len(difference.echoes), 'change')} named above"


def _message(difference: Difference) -> str:
    messages = difference.a or difference.b
    places = [
        f"{name}:{_span(side)}" for name, side in (("A", difference.a), ("B", difference.b)) if _span(side)
    ]
    first = messages[0]
    name = _name(first)
    if len(messages) > 1:
        name = f"{_counted(len(messages), 'message')}, {first.type} to {messages[-1].type}"
    return f"{name} {_FROM[first.side]}, {' '.join(places)}" if places else name


def _name(message: Message) -> str:
    return f"{message.type} ({len(message.lines)} joined)" if len(message.lines) > 1 else message.type


def _span(messages: tuple[Message, ...]) -> str:
    lines = [line for message in messages for line in message.lines]
    if not lines:
        return ""
    first, last = min(lines), max(lines)
    return str(first) if first == last else f"{first}-{last}"


def _change(change: Change) -> str:
    if change.kind == "added":
        return f"{change.path}: only B has it, {_value(change.actual)}"
    if change.kind == "removed":
        return f"{change.path}: only A has it, {_value(change.expected)}"
    old, new = change.expected, change.actual
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > _LONGEST:
        at = next((n for n, (x, y) in enumerate(zip(old, new, strict=False)) if x != y), None)
        at = min(len(old), len(new)) if at is None else at
        return f"{change.path}: from character {at + 1} on, A has {_part(old, at)}, B has {_part(new, at)}"
    return f"{change.path}: A has {_value(old)}, B has {_value(new)}"


def _part(text: str, at: int) -> str:
    """What stands around a place in a long text."""
    start = max(at - _CONTEXT, 0)
    end = at + _LONGEST - _CONTEXT
    shown = json.dumps(text[start:end], ensure_ascii=False)
    return f"{'… ' if start else ''}{shown}{' …' if end < len(text) else ''}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 20]} … ({len(text)} characters)"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
