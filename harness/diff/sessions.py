"""Compares two logs: lanes first, then the messages of each pair of lanes, then their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.dialects import Dialect
from harness.diff.compare import Comparison, Echoes
from harness.diff.lanes import Lane, LaneKind, split
from harness.diff.model import Difference, DiffOptions, Kind, LaneDiff, SessionDiff, SideOf
from harness.diff.names import Canonical, renames, to_canonical
from harness.diff.pairing import LanePair, pair_lanes
from harness.logs.model import Log, LogEntry

_FOLDED = frozenset(
    {
        LaneKind.ITEM,
        LaneKind.RESPONSE,
        LaneKind.CALL,
        LaneKind.TRANSCRIPTION,
        LaneKind.OUTPUT_AUDIO,
        LaneKind.RATE_LIMITS,
    }
)
"""Lanes that are one thing: where only one side has it, that is one difference."""

_NAMES = {
    LaneKind.UNREADABLE: "unreadable lines",
    LaneKind.SESSION: "session",
    LaneKind.REQUESTS: "requests of the client",
    LaneKind.INPUT_AUDIO: "input audio",
    LaneKind.TRANSCRIPTION: "transcription",
    LaneKind.OUTPUT_AUDIO: "output audio buffer",
    LaneKind.RATE_LIMITS: "rate limits",
    LaneKind.ERRORS: "errors",
    LaneKind.OTHER: "other events",
    LaneKind.CLOSE: "close",
}


def diff_sessions(
    a: Log,
    b: Log,
    options: DiffOptions | None = None,
    *,
    dialect_a: Dialect | None = None,
    dialect_b: Dialect | None = None,
) -> SessionDiff:
    """What differs between two logs.

    With two different dialects, both are brought to canonical form first;
    otherwise events are compared as they stand on the wire.
    """
    options = options or DiffOptions()
    read_a, read_b = Canonical(a.entries, {}, ()), Canonical(b.entries, {}, ())
    canonical = bool(dialect_a and dialect_b and dialect_a.name != dialect_b.name and not options.as_wire)
    if canonical and dialect_a and dialect_b:
        read_a, read_b = to_canonical(a, dialect_a, dialect_b), to_canonical(b, dialect_b, dialect_a)
    sessions_a, sessions_b = _sessions(read_a.entries), _sessions(read_b.entries)
    found: list[LaneDiff] = []
    compared = 0
    count = max(len(sessions_a), len(sessions_b), 1)
    for index in range(count):
        last = index == count - 1
        lanes_a = _lanes(a, sessions_a, index, options, with_close=last and b.close is not None)
        lanes_b = _lanes(b, sessions_b, index, options, with_close=last and a.close is not None)
        differences, pairs = _diff(lanes_a, lanes_b, options, index + 1)
        found += differences
        compared += pairs
    return SessionDiff(
        _side_of(a, dialect_a, read_a, len(sessions_a)),
        _side_of(b, dialect_b, read_b, len(sessions_b)),
        options,
        canonical,
        renames(read_a, read_b),
        tuple(_notes(a, b, dialect_a, dialect_b, options)),
        tuple(found),
        compared,
    )


def _side_of(log: Log, dialect: Dialect | None, read: Canonical, sessions: int) -> SideOf:
    name = dialect.name if dialect else log.dialect
    return SideOf(log.path, log.format, name, len(log.entries), sessions, read.losses)


def _notes(
    a: Log, b: Log, dialect_a: Dialect | None, dialect_b: Dialect | None, options: DiffOptions
) -> Iterable[str]:
    unknown = [name for name, dialect in (("A", dialect_a), ("B", dialect_b)) if dialect is None]
    if len(unknown) == 1 and not options.as_wire:
        yield (
            f"The dialect of {unknown[0]} is not known, so names are compared as they stand on the wire; "
            f"name it with --dialect-{unknown[0].lower()}."
        )
    for name, log, other in (("A", a, b), ("B", b, a)):
        if log.close is None and other.close is not None:
            yield f"{name} does not say how the connection was closed, so that is not compared."


def _sessions(entries: Iterable[LogEntry]) -> list[list[LogEntry]]:
    found: dict[int, list[LogEntry]] = {}
    for entry in entries:
        found.setdefault(entry.session, []).append(entry)
    return [found[number] for number in sorted(found)]


def _lanes(
    log: Log, sessions: list[list[LogEntry]], index: int, options: DiffOptions, *, with_close: bool
) -> list[Lane]:
    entries = sessions[index] if index < len(sessions) else []
    return split(entries, log.close if with_close else None, options.counted)


def _diff(
    lanes_a: Sequence[Lane], lanes_b: Sequence[Lane], options: DiffOptions, session: int
) -> tuple[list[LaneDiff], int]:
    pairs, binder = pair_lanes(lanes_a, lanes_b)
    comparison = Comparison(binder, options)
    scopes: dict[int, Echoes] = {}
    found: list[LaneDiff] = []
    for pair in pairs:
        if pair.kind in _FOLDED and (pair.a is None or pair.b is None):
            differences: tuple[Difference, ...] = (_folded(pair),)
        else:
            scope = pair.parent[0] if pair.parent else pair.a
            echoes = scopes.setdefault(id(scope), Echoes()) if scope else Echoes()
            messages_a = pair.a.messages if pair.a else []
            messages_b = pair.b.messages if pair.b else []
            differences = comparison.lanes(messages_a, messages_b, echoes)
        if differences:
            name_a, name_b = _name(pair, of_a=True), _name(pair, of_a=False)
            found.append(LaneDiff(pair.kind, session, name_a, name_b, differences))
    return found, len(pairs)


def _folded(pair: LanePair) -> Difference:
    lane = pair.a or pair.b
    inner = [message for each in (lane, *pair.inner) if each for message in each.messages]
    messages = tuple(sorted(inner, key=lambda message: message.lines))
    if pair.a is not None:
        return Difference(Kind.ONLY_A, messages, ())
    return Difference(Kind.ONLY_B, (), messages)


def _name(pair: LanePair, *, of_a: bool) -> str | None:
    lane = pair.a if of_a else pair.b
    if lane is None:
        return None
    if lane.kind in _NAMES and lane.number == 1 and lane.kind is not LaneKind.TRANSCRIPTION:
        return _NAMES[lane.kind]
    name = f"{_NAMES.get(lane.kind, lane.kind)} {lane.number}"
    if lane.label:
        name += f", {lane.label}"
    return name if lane.home is None else f"response {lane.home}, {name}"
