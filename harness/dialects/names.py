"""The one place that knows every event's name, in all dialects, canonical and as on the wire.

A misspelt name asks for what never comes, and silence looks like success: so
names are looked up here before anything runs.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from functools import cache

from harness.dialects.load import bundled_dialect, dialect_names
from harness.dialects.model import Dialect
from harness.exceptions import UsageFault


def server_event_names(more: Iterable[Dialect] = ()) -> frozenset[str]:
    """What the service may say in some bundled dialect, or in one of `more`, under either name."""
    own = (dialect.canonical_server_events.union(dialect.server.events) for dialect in more)
    return _bundled_server_events().union(*own)


@cache
def client_event_names() -> frozenset[str]:
    """What a client may say in some bundled dialect, under either name."""
    names: set[str] = set()
    for dialect in map(bundled_dialect, dialect_names()):
        names.update(dialect.client.events, dialect.translation.client_events.values())
    return frozenset(names)


def near(name: str, known: Collection[str]) -> str | None:
    """A hint at the name that was meant, if there is one like it."""
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f"{close[0]!r} is near" if close else None


def check_event_pattern(pattern: str, what: str, more: Iterable[Dialect] = ()) -> None:
    """Raises UsageFault where a part of the pattern (`*` anything, `|` or) fits no event of the service."""
    known = server_event_names(more)
    for part in pattern.split("|"):
        if not any(fnmatchcase(name, part) for name in known):
            raise UsageFault(
                f"{what}: no dialect has a server event {part!r}",
                hint=near(part, known) or "`realtime-harness dialects NAME` lists the events of a dialect",
            )


@cache
def _bundled_server_events() -> frozenset[str]:
    names: set[str] = set()
    for dialect in map(bundled_dialect, dialect_names()):
        names.update(dialect.canonical_server_events, dialect.server.events)
    return frozenset(names)
