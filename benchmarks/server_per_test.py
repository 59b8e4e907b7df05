"""What it costs to give each test a server of its own, against one that all share.

As in a test, the server lives in the process that dials it. A test dials, waits for `session.created`
and closes; with a server of its own it also opens that on a free port, and closes it.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from benchmarks.client import GOODBYE, HOST, Talk, talk_of
from benchmarks.measure import Row, report
from benchmarks.peers.process import KEY
from benchmarks.turns import DIALECT, text_turn
from harness.dialects import bundled_dialect
from harness.playback import Playback
from harness.server import Opening, RealtimeServer

MILLISECONDS = 1.0
TESTS = 30
ROUNDS = 9

TURN = text_turn(61, 20)


def new_server() -> RealtimeServer:
    dialect = bundled_dialect(DIALECT)

    def new_service(opening: Opening) -> Playback:
        return Playback(dialect, TURN, seed=opening.number, unix_time=int(time.time()), model=opening.model)

    return RealtimeServer(dialect, KEY, new_service)


async def dial(server: RealtimeServer, talk: Talk) -> None:
    """Opens a session, hears its first event, and closes it as the protocol wants it."""
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(talk.request)
    await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b'{"type":"session.created"')
    writer.write(GOODBYE)
    await reader.read()
    writer.close()
    await writer.wait_closed()


async def own(talk: Talk) -> None:
    async with new_server() as server:
        await dial(server, talk)


async def measure(talk: Talk) -> dict[str, tuple[float, float]]:
    """Seconds of a test, on the clock and of the processor: medians of rounds in which both take turns."""
    async with new_server() as common:
        tests: dict[str, Callable[[], Awaitable[None]]] = {
            "own": lambda: own(talk),
            "shared": lambda: dial(common, talk),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in tests}
        for _ in range(ROUNDS):
            for name, test in tests.items():
                gc.collect()
                began, cpu = time.perf_counter(), time.process_time()
                for _ in range(TESTS):
                    await test()
                took = (time.perf_counter() - began, time.process_time() - cpu)
                found[name].append((took[0] / TESTS, took[1] / TESTS))
                for connection in tuple(common.connections):
                    common.forget(connection)
    return {
        name: (statistics.median(wall for wall, _ in times), statistics.median(cpu for _, cpu in times))
        for name, times in found.items()
    }


def main() -> int:
    """Prints the table; the exit status says whether all limits are kept."""
    took = asyncio.run(measure(talk_of(TURN, "turn")))
    rows = [
        Row(
            f"ms more for a server of its own, {what}",
            (took["own"][place] - took["shared"][place]) * 1000,
            at_most=MILLISECONDS,
            note=f"{took['own'][place] * 1000:.2f} ms : {took['shared'][place] * 1000:.2f} ms",
        )
        for place, what in enumerate(("on the clock", "of the processor"))
    ]
    return report("server_per_test: open a server, dial once, close it", rows)


if __name__ == "__main__":
    sys.exit(main())
