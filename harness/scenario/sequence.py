"""Expected sequences of events, matched one event at a time.

An expectation is a small expression (strict order, free interleaving, optional,
one or more). It is matched by derivatives (Brzozowski 1964): after each event
the expression is replaced by what may still follow. Captured values make
branches, so a matcher holds several states at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.messages import MISSING, Json, get_path

Bindings = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class One:
    """One event: its type, what must hold of it, and which of its values to keep."""

    type: str
    where: tuple[tuple[str, Any], ...] = ()
    capture: tuple[tuple[str, str], ...] = ()

    def matches(self, event: Json, bound: Bindings) -> Bindings | None:
        """The bindings after `event`, or None where it does not match."""
        if event["type"] != self.type:
            return None
        known = dict(bound)
        for path, wanted in self.where:
            value = get_path(event, path)
            if value is MISSING or not _equal(value, _meant(wanted, known)):
                return None
        for name, path in self.capture:
            value = get_path(event, path)
            if value is MISSING:
                return None
            known[name] = value
        return tuple(known.items())

    def __str__(self) -> str:
        conditions = ", ".join(f"{path} = {value!r}" for path, value in self.where)
        return self.type + (f" where {conditions}" if conditions else "")


def _equal(value: Any, wanted: Any) -> bool:
    """Equal as JSON values: in Python, 1 is True."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _meant(wanted: Any, known: Mapping[str, Any]) -> Any:
    """A wanted value, or the captured one that `$name` stands for."""
    return known.get(wanted[1:], MISSING) if isinstance(wanted, str) and wanted.startswith("$") else wanted


@dataclass(frozen=True)
class Chain:
    """Strict order."""

    parts: tuple[Sequence, ...]


@dataclass(frozen=True)
class Interleaved:
    """Free interleaving; each part is strict in itself."""

    parts: tuple[Sequence, ...]


@dataclass(frozen=True)
class Repeated:
    """Any number of times, at least `minimum` (0 or 1)."""

    part: Sequence
    minimum: int


@dataclass(frozen=True)
class Perhaps:
    """Once or not at all."""

    part: Sequence


Sequence = One | Chain | Interleaved | Repeated | Perhaps

NOTHING = Chain(())


def may_end(sequence: Sequence) -> bool:
    """Whether nothing more has to come."""
    if isinstance(sequence, One):
        return False
    if isinstance(sequence, (Chain, Interleaved)):
        return all(may_end(part) for part in sequence.parts)
    if isinstance(sequence, Repeated):
        return sequence.minimum == 0 or may_end(sequence.part)
    return True


def first(sequence: Sequence) -> Iterator[One]:
    """The events that may come next."""
    if isinstance(sequence, One):
        yield sequence
    elif isinstance(sequence, Chain):
        for part in sequence.parts:
            yield from first(part)
            if not may_end(part):
                return
    elif isinstance(sequence, Interleaved):
        for part in sequence.parts:
            yield from first(part)
    else:
        yield from first(sequence.part)


def every(sequence: Sequence) -> Iterator[One]:
    """All events that an expression names."""
    if isinstance(sequence, One):
        yield sequence
    elif isinstance(sequence, (Chain, Interleaved)):
        for part in sequence.parts:
            yield from every(part)
    else:
        yield from every(sequence.part)


def after(sequence: Sequence, event: Json, bound: Bindings) -> Iterator[tuple[Sequence, Bindings]]:
    """What may follow `event`, in every way it can be read; nothing where it does not fit."""
    if isinstance(sequence, One):
        matched = sequence.matches(event, bound)
        if matched is not None:
            yield NOTHING, matched
    elif isinstance(sequence, Chain):
        for index, part in enumerate(sequence.parts):
            for rest, found in after(part, event, bound):
                yield _chain(rest, *sequence.parts[index + 1 :]), found
            if not may_end(part):
                return
    elif isinstance(sequence, Interleaved):
        for index, part in enumerate(sequence.parts):
            others = sequence.parts[:index], sequence.parts[index + 1 :]
            for rest, found in after(part, event, bound):
                yield _interleaved(*others[0], rest, *others[1]), found
    elif isinstance(sequence, Repeated):
        for rest, found in after(sequence.part, event, bound):
            yield _chain(rest, Repeated(sequence.part, 0)), found
    else:
        yield from after(sequence.part, event, bound)


def _chain(*parts: Sequence) -> Sequence:
    kept = tuple(part for part in parts if part != NOTHING)
    return kept[0] if len(kept) == 1 else Chain(kept)


def _interleaved(*parts: Sequence) -> Sequence:
    kept = tuple(part for part in parts if part != NOTHING)
    return kept[0] if len(kept) == 1 else (Interleaved(kept) if kept else NOTHING)


class Matcher:
    """Matches server events, in canonical form, against one expected sequence."""

    def __init__(
        self, sequence: Sequence, floating: tuple[str, ...] = (), bindings: Mapping[str, Any] | None = None
    ) -> None:
        self._states: list[tuple[Sequence, Bindings]] = [(sequence, tuple((bindings or {}).items()))]
        self._floating = floating
        self.seen: list[str] = []

    def take(self, event: Json) -> bool:
        """Takes one event; False where nothing expected fits it (the state stays)."""
        found: list[tuple[Sequence, Bindings]] = []
        for sequence, bound in self._states:
            for state in after(sequence, event, bound):
                if state not in found:
                    found.append(state)
        if found:
            self._states = found
            self.seen.append(event["type"])
            return True
        if any(matches_name(pattern, event["type"]) for pattern in self._floating):
            self.seen.append(f"{event['type']} (floating)")
            return True
        return False

    @property
    def may_end(self) -> bool:
        return any(may_end(sequence) for sequence, _ in self._states)

    @property
    def finished(self) -> bool:
        """Nothing more has to come and nothing more can."""
        return any(sequence == NOTHING for sequence, _ in self._states)

    @property
    def next(self) -> tuple[str, ...]:
        """What may come next, for messages."""
        return tuple(dict.fromkeys(str(one) for sequence, _ in self._states for one in first(sequence)))

    @property
    def bindings(self) -> dict[str, Any]:
        ended = [bound for sequence, bound in self._states if may_end(sequence)] or [self._states[0][1]]
        return dict(ended[0])

    def script(self) -> str:
        """The script so far, and what was expected next."""
        lines = [f"  << {name}" for name in self.seen]
        lines.append("  ==== matched until here ====")
        lines.extend(f"  << expected: {name}" for name in self.next)
        return "\n".join(lines)


def matches_name(pattern: str, name: str) -> bool:
    """Whether an event type fits a pattern; a `*` at the end matches the rest."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
