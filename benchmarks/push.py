"""What one more event of an answer costs the server, against writing a frame that was built beforehand.

Processor time of the server's process, of a long answer less a short one: so the handshake, the
client's messages and what begins and ends a turn do not count.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import Talk, call, talk_of
from benchmarks.measure import Row, report
from benchmarks.peers.process import Server, serving, written
from benchmarks.turns import text_turn, voice_turn
from harness.cassette import Cassette

TO_RAW = 1.5
ROUNDS = 7
SESSIONS = 3
"""In each round, one after the other."""
SHORT = 100
SETTLING = 0.02
"""Seconds for a server to be done with a connection that is over for the client."""


@dataclass(frozen=True)
class Kind:
    """A kind of answer: how it is made, of how many events, in pieces of what size."""

    make: Callable[[int, int], Cassette]
    events: int
    piece: int


KINDS = {"text": Kind(text_turn, 4000, 20), "voice": Kind(voice_turn, 2000, 4800)}


def main() -> int:
    """Prints the table; the exit status says whether all limits are kept."""
    cassettes, sizes = {}, {}
    for name, kind in KINDS.items():
        cassettes[f"{name}-long"] = answer = kind.make(kind.events, kind.piece)
        cassettes[f"{name}-short"] = kind.make(SHORT, kind.piece)
        sizes[name] = statistics.median(len(line) for line in answer.lines() if ".delta" in line)
    talks = {name: talk_of(cassette, name) for name, cassette in cassettes.items()}
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        paths = written(Path(folder), **cassettes)
        with serving("raw", *paths) as raw, serving("ours", *paths) as ours:
            for number in range(ROUNDS + 1):
                for name, server in ((name, server) for name in KINDS for server in (raw, ours)):
                    long, short = (spent(server, talks[f"{name}-{length}"]) for length in ("long", "short"))
                    if number:  # the first is for warming up
                        found[name, server.name].append((long - short) / (KINDS[name].events - SHORT))
    rows = []
    for name, size in sizes.items():
        ours_took, raw_took = (statistics.median(found[name, server]) for server in ("ours", "raw"))
        rows.append(
            Row(
                f"an event of {size / 1000:.1f} kB ({name}), ours : raw",
                ours_took / raw_took,
                at_most=TO_RAW,
                note=f"{ours_took * 1e6:.1f} us : {raw_took * 1e6:.1f} us",
            )
        )
    return report("push: the server's CPU time for one more event of an answer", rows)


def spent(server: Server, talk: Talk) -> float:
    """Seconds of CPU time a session."""
    before = server.cpu_seconds
    call(server, [talk] * SESSIONS)
    time.sleep(SETTLING)
    return (server.cpu_seconds - before) / SESSIONS


if __name__ == "__main__":
    sys.exit(main())
