"""Loading a cassette, against the JSON parser alone and against vcrpy's YAML.

The session has ten minutes: an append and an audio delta each 100 ms, and the small events
of a turn each five seconds. vcrpy records HTTP: its file, in YAML by its own serializer, holds
the same texts as the bodies of requests and of their responses, without headers, and it leaves
them unparsed: a bound in its favour.
"""

from __future__ import annotations

import base64
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from benchmarks.measure import Row, median_times, report
from harness.cassette import Cassette, Close, Header, Interaction, Provenance, load_cassette
from harness.messages import Side, render_event

TO_PARSER = 1.5
TO_YAML = 0.1
PEAK = 1.3
"""Memory above an idle process, as a multiple of the file's size beside `SMALL_CHANGE` megabytes."""
SMALL_CHANGE = 16
ROUNDS = 7

SECONDS = 600
CHUNK = 4800
"""Bytes of 100 ms of 24 kHz PCM."""
TURN: tuple[dict[str, Any], ...] = (
    {"type": "input_audio_buffer.speech_started", "audio_start_ms": 1000, "item_id": "item_1"},
    {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 2000, "item_id": "item_1"},
    {"type": "input_audio_buffer.committed", "item_id": "item_1", "previous_item_id": None},
    {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
    *({"type": "response.output_audio_transcript.delta", "delta": f" word{n}"} for n in range(8)),
    {"type": "response.done", "response": {"id": "resp_1", "status": "completed", "usage": {"n": 1}}},
)


def session() -> Cassette:
    """The same ten minutes each time."""
    header = Header(
        "azure-v1", "v1", "/openai/v1/realtime", (), None, Provenance.CONSTRUCTED, (), "benchmark"
    )
    chance = random.Random(1)  # noqa: S311 - nothing is kept secret by it
    return Cassette(header, tuple(_interactions(chance)), Close("client", 1000))


def _interactions(chance: random.Random) -> Iterator[Interaction]:
    def audio() -> str:
        return base64.b64encode(chance.randbytes(CHUNK)).decode()

    place = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    for tick in range(SECONDS * 10):
        t = tick / 10
        append = {"type": "input_audio_buffer.append", "audio": audio()}
        yield Interaction(t, Side.CLIENT, append)
        delta = {"type": "response.output_audio.delta", "event_id": f"event_{tick}", **place}
        yield Interaction(t + 0.05, Side.SERVER, {**delta, "delta": audio()})
        if tick % 50 == 0:
            yield from (Interaction(t + 0.06, Side.SERVER, event) for event in TURN)


def parse(path: Path) -> list[Any]:
    """The peer: the lines through the fastest JSON parser we depend on, the standard library's."""
    with path.open("rb", buffering=256 * 1024) as file:
        return [json.loads(line) for line in file]


def as_vcrpy_has_it(cassette: Cassette) -> dict[str, Any]:
    """The same session in vcrpy's form: each frame of the client a request, answered by one of the server."""
    sent, received = (
        [render_event(one.event or {}) for one in cassette.interactions if one.side is side]
        for side in (Side.CLIENT, Side.SERVER)
    )
    pairs = zip_longest(sent, received, fillvalue="")
    return {"version": 1, "interactions": [_exchange(asked, answered) for asked, answered in pairs]}


def _exchange(asked: str, answered: str) -> dict[str, Any]:
    # Made anew for each: what is shared becomes an alias in YAML, which vcrpy's files do not have.
    return {
        "request": {"method": "POST", "uri": "wss://example.com/openai", "headers": {}, "body": asked},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {},
            "body": {"string": answered},
        },
    }


def peak_megabytes(path: Path, loaded: bool) -> float:
    """The most memory that a new process has held, with the cassette loaded or without."""
    command = [sys.executable, "-m", "benchmarks.load", "--peak", *([str(path)] if loaded else [])]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(paths: list[str]) -> None:
    """What the new process does."""
    kept = [load_cassette(Path(path)) for path in paths]
    status = Path("/proc/self/status")
    if status.exists():  # of this program alone; `ru_maxrss` starts at what the parent has held
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        print(int(line.split()[1]) / 2**10)
    else:
        unit = 2**20 if sys.platform == "darwin" else 2**10
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
    assert len(kept) == len(paths)


def main() -> int:
    """Prints the table; the exit status says whether all limits are kept."""
    if sys.argv[1:2] == ["--peak"]:
        print_peak(sys.argv[2:])
        return 0
    cassette = session()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.jsonl"
        path.write_text("".join(f"{line}\n" for line in cassette.lines()), "utf-8")
        size = path.stat().st_size / 2**20
        peak = peak_megabytes(path, loaded=True) - peak_megabytes(path, loaded=False)
        yaml = Path(folder) / "session.yaml"
        yaml.write_text(yamlserializer.serialize(as_vcrpy_has_it(cassette)), "utf-8")
        ours = {"load": lambda: load_cassette(path)}
        times = median_times({**ours, "parse": lambda: parse(path)}, rounds=ROUNDS)
        beside_yaml = median_times(
            {**ours, "yaml": lambda: FilesystemPersister.load_cassette(yaml, yamlserializer)}, rounds=3
        )
    rows = [
        Row(
            "loading : parsing its lines",
            times["load"] / times["parse"],
            at_most=TO_PARSER,
            note=f"{times['load']:.3f} s : {times['parse']:.3f} s",
        ),
        Row(
            "loading : vcrpy's YAML",
            beside_yaml["load"] / beside_yaml["yaml"],
            at_most=TO_YAML,
            note=f"{beside_yaml['load']:.3f} s : {beside_yaml['yaml']:.2f} s",
        ),
        Row(
            "peak memory : size of the file",
            max(peak - SMALL_CHANGE, 0) / size,
            at_most=PEAK,
            note=f"{peak:.0f} MB, less {SMALL_CHANGE} MB : {size:.0f} MB",
        ),
    ]
    return report(f"load: a session of {len(cassette.interactions)} events", rows)


if __name__ == "__main__":
    sys.exit(main())
