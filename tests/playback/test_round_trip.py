"""Published captures: imported, replayed over a real socket, recorded again, and compared."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cassette import Cassette, Close, Interaction, load_cassette
from harness.dialects import Dialect, bundled_dialect
from harness.diff import diff_sessions, text_lines
from harness.logs import carry, read_log
from harness.playback import Playback
from harness.recorder import Target, record
from harness.recording import scenario_of
from harness.report import CaseResult
from harness.runner import CasePlan
from harness.server import Opening, RealtimeServer
from harness.service import Origin
from tests.cases import implementation, run

KEY = "key-0123456789abcdef"

CAPTURES = {
    "azure-ws-audio-in-server-vad-transcribes": "azure-v1",
    "azure-ws-message-history-seeding": "azure-v1",
    "azure-ws-text-in-audio-out-turn": "azure-v1",
    "azure-ws-tool-call-round": "azure-v1",
    "parity-ws-history-seeding-parity-azure-current": "azure-v1",
    "azure-voice-live-ws-audio-in-server-vad-turn": "azure-voice-live",
    "azure-voice-live-ws-text-in-audio-out-turn": "azure-voice-live",
    "azure-voice-live-ws-text-output-modality-returns-text": "azure-voice-live",
    "openai-ws-audio-in-server-vad-turn": "openai-ga",
    "openai-ws-message-history-seeding": "openai-ga",
    "openai-ws-sideband-webrtc-sideband-text-turn": "openai-ga",
    "openai-ws-text-in-audio-out-turn": "openai-ga",
    "parity-ws-text-tool-round-parity-openai-current": "openai-ga",
}

SIDEBAND = "wss://api.openai.com/v1/realtime?call_id=rtc_u0_E4TeWIkEAnw5DOa1vyO18"
"""The capture does not say its URL; that it joined a call is what its file name says."""

each = pytest.mark.parametrize("name", CAPTURES)


def imported(name: str, folder: Path) -> Path:
    """The capture as `import` makes a cassette of it, in a file."""
    captures = os.environ.get("REALTIME_HARNESS_CAPTURES")
    if not captures:
        pytest.skip("REALTIME_HARNESS_CAPTURES names no folder of captures")
    log = read_log(Path(captures) / f"{name}.jsonl")
    if "sideband" in name:
        log = replace(log, url=SIDEBAND)
    carried = carry(log, bundled_dialect(CAPTURES[name]), "a published capture")
    assert carried.left_out == ()
    path = folder / f"{name}.jsonl"
    path.write_text("".join(line + "\n" for line in carried.cassette.lines()), encoding="utf-8")
    return path


def differences(a: Path, b: Path, *free: str) -> list[str]:
    """What differs but for ids and times; none of the captures says how it was closed.

    `free` are paths of values that may differ.
    """
    diff = diff_sessions(replace(read_log(a), close=None), replace(read_log(b), close=None))
    found = [one for lane in diff.lanes for one in lane.differences]
    if found and all(
        one.changes and all(change.path.split("[")[0] in free for change in (*one.changes, *one.echoes))
        for one in found
    ):
        return []
    return [] if diff.same else list(text_lines(diff))


async def performed(cassette: Cassette, dialect: Dialect, path: Path) -> list[Playback]:
    """The cassette's own client, performed again against the server that replays it."""
    played: list[Playback] = []

    def new_playback(_: Opening) -> Playback:
        played.append(Playback(dialect, cassette, seed=1, unix_time=int(time.time())))
        return played[-1]

    query = "&".join(f"{key}={value}" for key, value in cassette.header.query)
    async with RealtimeServer(dialect, KEY, new_playback) as server:
        target = Target(f"{server.origin}{cassette.header.path}?{query}", KEY, dialect)
        await record(scenario_of(cassette, dialect), target, path)
    return played


@each
async def test_a_capture_comes_back_the_same_but_for_ids_and_times(name: str, tmp_path: Path) -> None:
    dialect = bundled_dialect(CAPTURES[name])
    source = imported(name, tmp_path)

    (playback,) = await performed(load_cassette(source), dialect, tmp_path / "again.jsonl")

    assert differences(source, tmp_path / "again.jsonl") == []
    assert playback.exchange.unplayed == []
    assert {entry.origin for entry in playback.exchange.server_entries()} == {Origin.RECORDED}


def wire_log(source: Cassette, result: CaseResult, path: Path) -> Path:
    """What crossed the server's wire, as a cassette.

    Silence that was still under way when the service had heard enough is the driver's own.
    """
    entries = result.exchange.entries
    types = [entry.event["type"] if entry.event else "" for entry in entries]
    heard = max((n for n, type_ in enumerate(types) if type_ == "input_audio_buffer.committed"), default=0)
    interactions = tuple(
        Interaction(entry.t, entry.side, entry.event, entry.raw)
        for number, entry in enumerate(entries)
        if number < heard or types[number] != "input_audio_buffer.append"
    )
    made = replace(source, interactions=interactions, close=Close("client", 1000))
    path.write_text("".join(line + "\n" for line in made.lines()), encoding="utf-8")
    return path


HEAVY = (pytest.mark.heavy,)

IN_DEFAULT = (
    "azure-ws-audio-in-server-vad-transcribes",
    "parity-ws-text-tool-round-parity-openai-current",
)
"""Speech, and a call; the rest costs a process each and shows the same."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in IN_DEFAULT else HEAVY) for n in CAPTURES])
async def test_the_reference_driver_brings_a_capture_back(name: str, tmp_path: Path) -> None:
    """Two things are the driver's own: the silence that ends its speech, and the order of a set."""
    dialect = bundled_dialect(CAPTURES[name])
    source = imported(name, tmp_path)
    cassette = load_cassette(source)
    plan = CasePlan(implementation("reference"), dialect, scenario_of(cassette, dialect), (cassette,))

    result = await run(plan, patience=2.0)

    again = wire_log(cassette, result, tmp_path / "again.jsonl")
    assert differences(source, again, "appended_bytes", "session.modalities") == []
    assert result.exchange.unplayed == []
    assert {entry.origin for entry in result.exchange.server_entries()} == {Origin.RECORDED}
