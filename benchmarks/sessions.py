"""500 sessions at once: how soon each hears something, how much memory it takes, and that all are served.

Among them are clients that read slowly or not at all, and some that ask for an answer of megabytes and
read as fast as they can. All dial at once, so what is compared is how long the queue is.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from benchmarks.awkward import awkward_clients
from benchmarks.client import Caller, Goal, call, further, talk_of
from benchmarks.measure import Row, report
from benchmarks.peers.process import Server, serving, written
from benchmarks.turns import text_turn, voice_turn
from harness.cassette import Cassette

TO_RAW = 2
OPENED_TO_RAW = 7
"""Not yet 2: see the README of this folder."""
SLOWEST_TO_MEDIAN = 3
END_SECONDS = 5
KILOBYTES = 50

ROUNDS = 5
SESSIONS = 500
AWKWARD = 20
"""Of each of the four kinds."""
GREEDY = 10
WARM_UP = 50

TURN = text_turn(61, 20)
LONG = voice_turn(1000, 4800)
"""6.6 MB: more than the kernel takes for a client that does not read."""

CALM = 0.2
"""The part of a processor that a server uses once it only waits for those who are slow."""
CALM_SECONDS = 60.0


def main() -> int:
    """Prints the tables; the exit status says whether all limits are kept."""
    with tempfile.TemporaryDirectory() as folder:
        paths = written(Path(folder), turn=TURN, long=LONG)
        return max(promptness(paths), memory(paths))


def promptness(paths: list[Path]) -> int:
    """How soon a session hears something, while awkward clients hang on and all dial at once."""
    short, long = talk_of(TURN, "turn"), talk_of(LONG, "long")
    every = (SESSIONS - 4 * AWKWARD) // GREEDY
    talks = [short if place % every else long for place in range(every * GREEDY)]
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for name in ("raw", "ours"):
            with serving(name, *paths) as server:
                call(server, [short] * WARM_UP, WARM_UP)
                with awkward_clients(server.port, long, AWKWARD):
                    _calm(server)
                    callers = call(server, talks, len(talks))
                    seconds, status = server.end()
                    assert status == 0, f"{name} ended with {status}"
            turns = [one for one in callers if one.talk is short]
            figures = {
                "opened": _late(one.opened_at - one.dialled_at for one in turns),
                "answered": _late(one.created_at - one.said_at for one in turns),
                "unfair": _unfairness(turns),
                "end": seconds,
            }
            for what, figure in figures.items():
                found[name, what].append(figure)
    ours, raw = (
        {what: statistics.median(found[name, what]) for what in ("opened", "answered", "unfair", "end")}
        for name in ("ours", "raw")
    )
    rows = [
        Row(
            f"99 of 100 hear {event} after {said}: ours : raw",
            ours[what] / raw[what],
            at_most=most,
            note=f"{ours[what] * 1000:.0f} ms : {raw[what] * 1000:.0f} ms",
        )
        for what, event, said, most in (
            ("opened", "session.created", "dialling", OPENED_TO_RAW),
            ("answered", "response.created", "asking", TO_RAW),
        )
    ]
    rows += [
        Row(
            "the slowest session : the median",
            ours["unfair"],
            at_most=SLOWEST_TO_MEDIAN,
            note=f"raw: {raw['unfair']:.2f}",
        ),
        Row(
            f"seconds to end with {4 * AWKWARD} awkward clients",
            ours["end"],
            at_most=END_SECONDS,
            note=f"raw: {raw['end']:.2f}",
        ),
    ]
    crowd = f"{len(talks)} that dial at once, {GREEDY} of them for {_megabytes(LONG):.1f} MB"
    return report(f"sessions: {crowd}, and {4 * AWKWARD} awkward ones", rows)


def memory(paths: list[Path]) -> int:
    """Memory of the server's process for each session, beside the cassettes."""
    talk = talk_of(TURN, "turn")
    with serving("ours", *paths) as server:
        call(server, [talk] * WARM_UP, WARM_UP)
        before = server.resident
        callers = call(server, [talk] * SESSIONS, SESSIONS, Goal.OPENED)
        opened = (server.resident - before) / SESSIONS
        further(callers, Goal.ANSWERED)
        answered = (server.resident - before) / SESSIONS
        further(callers, Goal.OVER)
    rows = [
        Row("kB a session that is open", opened / 1000, at_most=KILOBYTES),
        Row("kB a session that has had its turn", answered / 1000, at_most=KILOBYTES),
    ]
    return report(f"sessions: memory of {SESSIONS} that are open", rows)


def _calm(server: Server) -> None:
    """Waits until the server has done what it can do for the awkward ones."""
    began = time.monotonic()
    while True:
        before = server.cpu_seconds
        time.sleep(0.2)
        if (server.cpu_seconds - before) / 0.2 < CALM:
            return
        assert time.monotonic() - began < CALM_SECONDS, f"{server.name} never comes to rest"


def _late(seconds: Iterable[float]) -> float:
    """What all but the slowest hundredth keep to."""
    return statistics.quantiles(seconds, n=100)[-1]


def _unfairness(callers: list[Caller]) -> float:
    took = [one.done_at - one.dialled_at for one in callers]
    return max(took) / statistics.median(took)


def _megabytes(cassette: Cassette) -> float:
    return sum(map(len, cassette.lines())) / 1e6


if __name__ == "__main__":
    sys.exit(main())
