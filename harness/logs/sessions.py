"""One session out of a log that holds several."""

from __future__ import annotations

from dataclasses import replace

from harness.logs.model import Log
from harness.logs.url import dialect_name_at


def session_of(log: Log, number: int) -> Log:
    """The log of one session alone, its times from its own first message on."""
    if log.sessions == (number,):
        return log
    entries = [entry for entry in log.entries if entry.session == number]
    first = min((entry.t for entry in entries if entry.t is not None), default=0.0)
    url = dict(log.urls).get(number, log.url)
    return replace(
        log,
        entries=tuple(
            entry if entry.t is None else replace(entry, t=round(entry.t - first, 6)) for entry in entries
        ),
        dialect=dialect_name_at(url) or log.dialect,
        url=url,
        close=log.close if number == max(log.sessions, default=number) else None,
        began=None if log.began is None else log.began + first,
    )
