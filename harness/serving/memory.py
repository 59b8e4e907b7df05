"""Memory of a server that runs for days, and is in a hurry."""

from __future__ import annotations

import gc

_BETWEEN = 50_000
"""New objects between two looks of the collector: some twenty sessions' worth."""


_KEPT_FREE = 1024 * 1024
"""Bytes."""


def calm_collector() -> None:
    """What is loaded stays: the collector need not look through tables and cassettes again and again.

    For a process that serves and does nothing else; a third of a short session's
    time went there. What a session leaves behind is collected all the same.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN, 20, 50)
    # glibc gives memory back whenever 128 kB lie free, and takes it again for the next write: page by page,
    # that costs more than the write. Once a larger block was freed it keeps twice as much (mallopt(3)).
    del [bytes(_KEPT_FREE)][0]
