"""A server as a process of its own: started, measured from outside, told to end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.cassette import Cassette

START_SECONDS = 30.0
END_SECONDS = 30.0

KEY = "a-key-for-nobody"
"""What clients dial with; only ours asks for it."""


@dataclass(frozen=True)
class Server:
    """One that runs."""

    name: str
    process: subprocess.Popen[bytes] = field(repr=False)
    port: int

    @property
    def cpu_seconds(self) -> float:
        """What it has had of a processor, all its threads together: node collects garbage in others."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    @property
    def resident(self) -> int:
        """Bytes of memory that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    def end(self) -> tuple[float, int]:
        """Tells it to end; gives the seconds it took, and its exit status."""
        began = time.monotonic()
        self.process.terminate()
        status = self.process.wait(END_SECONDS)
        return time.monotonic() - began, status


@contextmanager
def running(name: str, *command: str) -> Iterator[Server]:
    """A server that says, when it is ready, that it is `listening on http://HOST:PORT`."""
    # A file, not a pipe: nobody reads what it says later on, and it must not wait for that.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=_environment())
        try:
            yield Server(name, process, _port(name, process, said.fileno()))
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def judged(server: Server) -> None:
    """Ends one that judges what it was told, and checks that it found nothing wrong."""
    _, status = server.end()
    assert status == 0, "what the clients said was refused"


@contextmanager
def serving(name: str, *cassettes: Path, judge: bool = False) -> Iterator[Server]:
    """`ours` or `raw`, with cassettes; a client names the one it wants, by its file's name, as the model."""
    paths = [*map(str, cassettes), *(["--judge"] if judge else [])]
    with running(name, sys.executable, "-m", f"benchmarks.peers.{name}", *paths) as server:
        yield server


def written(folder: Path, **cassettes: Cassette) -> list[Path]:
    """The cassettes as files of these names."""
    paths = []
    for name, cassette in cassettes.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(f"{line}\n" for line in cassette.lines()), "utf-8")
        paths.append(path)
    return paths


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


def _port(name: str, process: subprocess.Popen[bytes], said: int) -> int:
    began = time.monotonic()
    text = ""
    while process.poll() is None and time.monotonic() - began < START_SECONDS:
        text = os.pread(said, 65536, 0).decode(errors="replace")
        if port := re.search(r"listening on http://[\d.]+:(\d+)\s", text):
            return int(port[1])
        time.sleep(0.02)
    raise RuntimeError(f"{name} never listened: {text}")
