"""What one more event of an answer costs the server, against writing a frame that was built beforehand.

Processor time of the server's process, of a long answer less a short one: so the handshake, the
client's messages and what begins and ends a turn do not count. Server and client have a processor
each: on one they take turns, the client is never woken, and a write costs half as much or less, now and then.
"""

from __future__ import annotations

import os
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
LEAST_SECONDS = 0.15
"""How long a round goes on with sessions, one after the other."""
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
            keep_apart(raw, ours)
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


def keep_apart(*servers: Server) -> None:
    """Gives this process, the client, a processor that the servers do not use."""
    *others, last = sorted(os.sched_getaffinity(0))
    assert others, "a processor each is more than there is"
    os.sched_setaffinity(0, {last})
    for server in servers:
        os.sched_setaffinity(server.process.pid, others)


def spent(server: Server, talk: Talk) -> float:
    """Seconds of CPU time a session."""
    cpu, began, sessions = server.cpu_seconds, time.monotonic(), 0
    while time.monotonic() - began < LEAST_SECONDS:
        call(server, [talk])
        sessions += 1
    time.sleep(SETTLING)
    return (server.cpu_seconds - cpu) / sessions


if __name__ == "__main__":
    sys.exit(main())
