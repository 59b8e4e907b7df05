"""Replaying without a pace: sessions a second, and events a second of a long answer, against aimock.

The servers are processes of their own, one client dials all of them in turn, and each round is as long
as a server's sessions take. A server in Python that only writes what was built beforehand
(`peers/raw.py`) says what the machine gives.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import Caller, Talk, call, talk_of
from benchmarks.measure import Row, report
from benchmarks.peers import aimock
from benchmarks.peers.process import Server, judged, serving, written
from benchmarks.turns import text_turn, voice_turn

SESSIONS_TO_AIMOCK = 2
EVENTS_TO_AIMOCK = 5
ROUNDS = 7

EVENTS, PIECE = 61, 20
"""A turn, and characters of a piece of its answer."""
SESSIONS = {1: 100, 50: 250}
"""How many sessions a round has, by how many go on at once."""
WARM_UP = 200
"""Sessions before anything is measured: node compiles what is called often."""

LONG_EVENTS, LONG_PIECE = 1500, 8448
"""Events, and characters of a piece: of text, or of base64."""
LONG_WARM_UP = 2


@dataclass(frozen=True)
class Measured:
    """What a session took in one round of one server, in seconds."""

    seconds: float
    cpu: float


def main() -> int:
    """Prints the tables; the exit status says whether all limits are kept."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = aimock.installed(folder)
        return max(sessions(folder, program), long_answer(folder, program))


def sessions(folder: Path, program: Path) -> int:
    """Whole sessions of a short turn."""
    cassette = text_turn(EVENTS, PIECE)
    paths, talk = written(folder, turn=cassette), talk_of(cassette, "turn")
    with ExitStack() as stack:
        servers = [
            stack.enter_context(aimock.mocking(program, EVENTS, PIECE)),
            stack.enter_context(serving("raw", *paths)),
            stack.enter_context(serving("ours", *paths, judge=True)),
        ]
        for server in servers:
            call(server, [talk] * WARM_UP, 50)
        rows = []
        for at_once, count in SESSIONS.items():
            took = rounds(servers, talk, count, at_once)
            rows += _session_rows(took, at_once)
        judged(servers[-1])
    return report(f"replay: a text turn of {EVENTS} events, unpaced", rows)


def rounds(servers: list[Server], talk: Talk, count: int, at_once: int) -> dict[str, Measured]:
    """The medians of rounds in which all servers take turns."""
    found: dict[str, list[Measured]] = defaultdict(list)
    for _ in range(ROUNDS):
        for server in servers:
            cpu, began = server.cpu_seconds, time.perf_counter()
            callers = call(server, [talk] * count, at_once)
            took = max(one.done_at for one in callers) - began
            found[server.name].append(Measured(took / count, (server.cpu_seconds - cpu) / count))
    return {
        name: Measured(
            statistics.median(one.seconds for one in all_), statistics.median(one.cpu for one in all_)
        )
        for name, all_ in found.items()
    }


def _session_rows(took: dict[str, Measured], at_once: int) -> list[Row]:
    ours = took["ours"]
    rows = []
    for peer in ("aimock", "raw"):
        other = took[peer]
        rows += [
            Row(
                f"{at_once} at once: sessions a second, ours : {peer}",
                other.seconds / ours.seconds,
                at_least=SESSIONS_TO_AIMOCK if peer == "aimock" else None,
                note=f"{1 / ours.seconds:.0f} : {1 / other.seconds:.0f}",
            ),
            Row(
                f"{at_once} at once: the server's CPU time a session, ours : {peer}",
                ours.cpu / other.cpu,
                note=f"{ours.cpu * 1e6:.0f} us : {other.cpu * 1e6:.0f} us",
            ),
        ]
    return rows


def long_answer(folder: Path, program: Path) -> int:
    """Events a second of one long answer, from the request for it to its end."""
    cassettes = {
        "voice": voice_turn(LONG_EVENTS, LONG_PIECE * 3 // 4),
        "text": text_turn(LONG_EVENTS, LONG_PIECE),
    }
    paths = written(folder, **cassettes)
    talks = {name: talk_of(cassette, name) for name, cassette in cassettes.items()}
    with ExitStack() as stack:
        mock = stack.enter_context(aimock.mocking(program, LONG_EVENTS, LONG_PIECE))
        own = stack.enter_context(serving("ours", *paths))
        raw = stack.enter_context(serving("raw", *paths))
        asked = {
            "aimock, text": (mock, talks["text"]),
            "ours, text": (own, talks["text"]),
            "ours, voice": (own, talks["voice"]),
            "raw, voice": (raw, talks["voice"]),
        }
        found: dict[str, list[float]] = defaultdict(list)
        for number in range(LONG_WARM_UP + ROUNDS):
            for name, (server, talk) in asked.items():
                (caller,) = call(server, [talk])
                if number >= LONG_WARM_UP:
                    found[name].append(_events_a_second(caller))
    speed = {name: statistics.median(all_) for name, all_ in found.items()}
    rows = [
        Row(
            f"{name} : {peer}",
            speed[name] / speed[peer],
            at_least=EVENTS_TO_AIMOCK if (name, peer) == ("ours, voice", "aimock, text") else None,
            note=f"{speed[name]:.0f} : {speed[peer]:.0f} events a second",
        )
        for name, peer in (
            ("ours, voice", "aimock, text"),
            ("ours, text", "aimock, text"),
            ("ours, voice", "raw, voice"),
        )
    ]
    return report(f"replay: an answer of {LONG_EVENTS} events of {LONG_PIECE} characters", rows)


def _events_a_second(caller: Caller) -> float:
    return caller.frames / (caller.done_at - caller.said_at)


if __name__ == "__main__":
    sys.exit(main())
