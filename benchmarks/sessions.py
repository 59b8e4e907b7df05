"""500 sessions at once: how soon each hears something, how much memory it takes, and that all are served.

Among them are clients that read slowly or not at all, and some that ask for an answer of megabytes and
read as fast as they can. All dial at once, so what is compared is how long the queue is.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from benchmarks.awkward import awkward_clients
from benchmarks.client import Caller, Goal, call, further, talk_of
from benchmarks.measure import Row, report
from benchmarks.peers.process import Server, serving, written
from benchmarks.turns import DIALECT, exchanges, text_turn, voice_turn
from harness.cassette import Cassette
from harness.dialects import bundled_dialect
from harness.messages import render_event
from harness.playback import Playback

TO_RAW = 2
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
            at_most=TO_RAW,
            note=f"{ours[what] * 1000:.0f} ms : {raw[what] * 1000:.0f} ms",
        )
        for what, event, said in (
            ("opened", "session.created", "dialling"),
            ("answered", "response.created", "asking"),
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
    """Memory of the server's process for each session, beside the cassettes and the log of what crossed."""
    talk = talk_of(TURN, "turn")
    with serving("ours", *paths) as server:
        call(server, [talk] * WARM_UP, WARM_UP)
        before = server.resident
        callers = call(server, [talk] * SESSIONS, SESSIONS, Goal.OPENED)
        opened = (server.resident - before) / SESSIONS
        further(callers, Goal.ANSWERED)
        answered = (server.resident - before) / SESSIONS
        further(callers, Goal.OVER)
    log = bytes_of_log(TURN)
    rows = [
        Row("kB a session that is open", opened / 1000, at_most=KILOBYTES),
        Row(
            "kB a session that has had its turn, less its log",
            (answered - log) / 1000,
            at_most=KILOBYTES,
            note=f"{answered / 1000:.0f} kB, and {log / 1000:.0f} kB of them the log",
        ),
    ]
    return report(f"sessions: memory of {SESSIONS} that are open", rows)


def bytes_of_log(cassette: Cassette, sessions: int = 50) -> float:
    """What becomes free where the log of a session is forgotten that has had its turn."""
    dialect = bundled_dialect(DIALECT)
    _, *asked = exchanges(cassette)
    _played(Playback(dialect, cassette, seed=0, unix_time=0), asked)
    tracemalloc.start()
    kept = [Playback(dialect, cassette, seed=number, unix_time=0) for number in range(sessions)]
    for playback in kept:
        _played(playback, asked)
    gc.collect()
    full = tracemalloc.get_traced_memory()[0]
    for playback in kept:
        playback.exchange.entries.clear()
    gc.collect()
    freed = full - tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return freed / sessions


def _played(playback: Playback, asked: Iterable[tuple[dict[str, object], object]]) -> None:
    playback.start()
    _told(playback)
    for event, _ in asked:
        playback.receive(render_event(event))
        _told(playback)
    assert playback.idle


def _told(playback: Playback) -> None:
    while (outgoing := playback.pop()) is not None:
        playback.sent(outgoing.number, 1)


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
