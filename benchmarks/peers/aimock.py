"""aimock, a mock server in JavaScript: installed with npm as `tests/aimock` pins it, run by node.

It serves text only, and makes each event when it sends it. Its fixture is one answer, cut by it into
pieces of a size.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.process import Server, running

PINNED = Path(__file__).resolve().parents[2] / "tests" / "aimock"
PLAIN_EVENTS = 11
"""What it sends of a turn beside the pieces of the answer, from `session.created` to `response.done`."""


def installed(folder: Path) -> Path:
    """Its program, in a folder of the caller's."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINNED / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-fund", "--no-audit"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=300)
    return folder / "node_modules" / "aimock" / "dist" / "cli.js"


@contextmanager
def mocking(program: Path, events: int, piece: int) -> Iterator[Server]:
    """It serves a turn of so many events, the answer in pieces of so many characters."""
    fixture = program.parent / f"answer-{events}-{piece}.json"
    text = "x" * piece * (events - PLAIN_EVENTS)
    answer = {"match": {"userMessage": "Hello"}, "chunkSize": piece, "response": {"content": text}}
    fixture.write_text(json.dumps({"fixtures": [answer]}), "utf-8")
    command = ("node", str(program), "--port", "0", "--fixtures", str(fixture))
    with running("aimock", *command) as server:
        yield server
