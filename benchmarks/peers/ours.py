"""Our server with cassettes, as fast as it can: `python -m benchmarks.peers.ours CASSETTE…`.

As `serve --quiet` does, it plays by heart to clients that all say the same. What they said is judged, and
the logs are read, when it is told to end, with `--judge`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from benchmarks.peers.process import KEY
from harness.cassette import load_cassette
from harness.dialects import bundled_dialect
from harness.playback import Playback, Stage
from harness.server import Opening, RealtimeServer
from harness.service.pace import Pace
from harness.serving import calm_collector

PACE = Pace(thinking=0.0)
"""At once, and without the pause after `response.created`, which is there to catch a client at a fault."""

LOOK_SECONDS = 0.05


async def main(paths: list[Path]) -> list[Playback]:
    """Serves until it is told to end; returns the sessions that were had."""
    cassettes = {path.stem: load_cassette(path) for path in paths}
    dialect = bundled_dialect(next(iter(cassettes.values())).header.dialect)

    stages = {name: Stage(dialect, cassette) for name, cassette in cassettes.items()}

    def new_service(opening: Opening) -> Playback:
        return stages[opening.model or ""].enter(
            seed=opening.number,
            unix_time=int(time.time()),
            model=opening.model,
        )

    over: list[Playback] = []
    told_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_end.set)
    async with RealtimeServer(dialect, KEY, new_service, pace=PACE) as server:
        calm_collector()
        print(f"listening on {server.origin}")
        while not told_to_end.is_set():
            for connection in [one for one in server.connections if one.over]:
                assert connection.failure is None, connection.failure
                assert connection.playback is not None
                over.append(connection.playback)
                server.forget(connection)
            try:
                await asyncio.wait_for(told_to_end.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue
    return over


def judge(playbacks: list[Playback]) -> None:
    """Reads the log of each session: every message was judged, and none was refused."""
    assert playbacks
    for playback in playbacks:
        entries = playback.exchange.client_entries()
        assert not [entry for entry in entries if entry.refused], entries


if __name__ == "__main__":
    had = asyncio.run(main([Path(name) for name in sys.argv[1:] if name != "--judge"]))
    if "--judge" in sys.argv:
        judge(had)
