"""Recording over a real socket, against our own server, which replays a constructed cassette."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from harness.bundled import cassettes_folder, scenario_files, scenarios_folder
from harness.cassette import Cassette, Provenance, load_cassette
from harness.dialects import Dialect, bundled_dialect, default_dialect_names
from harness.exceptions import CassetteFault, RecordingFault
from harness.playback import Playback
from harness.recorder import Target, record, websocket_url
from harness.scenario import load_scenario
from harness.server import Opening, RealtimeServer

KEY = "a-key-nobody-may-see-0123456789"


def _server(dialect: Dialect, cassette: Cassette) -> RealtimeServer:
    def new_playback(_: Opening) -> Playback:
        return Playback(dialect, cassette, seed=1, unix_time=int(time.time()))

    return RealtimeServer(dialect, KEY, new_playback)


def _target(server: RealtimeServer, dialect: Dialect, key: str = KEY) -> Target:
    query = "&".join(f"{name}={value}" for name, value in dialect.handshake.right_query("gpt-realtime"))
    return Target(f"{server.origin}{dialect.handshake.path}?{query}", key, dialect)


_VOLATILE = {"event_id", "id", "item_id", "previous_item_id", "response_id", "conversation_id", "call_id",
             "expires_at", "obfuscation"}  # fmt: skip


def _lasting(value: Any) -> Any:
    """A value without what differs between any two sessions: ids and times."""
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if key not in _VOLATILE}
    if isinstance(value, list):
        return [_lasting(inner) for inner in value]
    return value


@pytest.mark.parametrize("dialect_name", default_dialect_names())
@pytest.mark.parametrize("scenario_file", scenario_files(), ids=lambda path: path.stem)
async def test_recording_our_own_server_gives_the_constructed_cassette_but_for_ids_and_times(
    tmp_path: Path, dialect_name: str, scenario_file: Path
) -> None:
    dialect = bundled_dialect(dialect_name)
    constructed = load_cassette(cassettes_folder() / dialect_name / f"{scenario_file.stem}.jsonl")
    async with _server(dialect, constructed) as server:
        (recorded,) = await record(
            load_scenario(scenario_file), _target(server, dialect), tmp_path / "new.jsonl"
        )

    assert recorded.header.provenance is Provenance.RECORDED
    assert constructed.header.provenance is Provenance.CONSTRUCTED
    assert [(i.side, _lasting(i.event)) for i in constructed.interactions] == [
        (i.side, _lasting(i.event)) for i in recorded.interactions
    ]
    assert recorded.header.query == constructed.header.query
    assert recorded.close == constructed.close


async def test_the_key_never_reaches_the_disk_wherever_it_stands(tmp_path: Path) -> None:
    dialect = bundled_dialect("azure-v1")
    cassette = load_cassette(cassettes_folder() / "azure-v1" / "text-turn.jsonl")
    async with _server(dialect, cassette) as server:
        target = _target(server, dialect)
        target = Target(f"{target.url}&api-key={KEY}", KEY, dialect)
        await record(load_scenario(scenarios_folder() / "text-turn.yaml"), target, tmp_path / "new.jsonl")

    for path in tmp_path.rglob("*"):
        assert KEY not in path.read_text("utf-8")
        assert "127.0.0.1" not in path.read_text("utf-8")


async def test_a_refused_handshake_says_so_with_its_status(tmp_path: Path) -> None:
    dialect = bundled_dialect("azure-v1")
    cassette = load_cassette(cassettes_folder() / "azure-v1" / "text-turn.jsonl")
    async with _server(dialect, cassette) as server:
        with pytest.raises(RecordingFault, match="HTTP 401"):
            await record(
                load_scenario(scenarios_folder() / "text-turn.yaml"),
                _target(server, dialect, key="wrong"),
                tmp_path / "new.jsonl",
            )

    assert not (tmp_path / "new.jsonl").exists()


async def test_a_server_that_does_otherwise_is_named_and_what_was_recorded_is_kept(tmp_path: Path) -> None:
    dialect = bundled_dialect("azure-v1")
    spoken = load_cassette(cassettes_folder() / "azure-v1" / "text-turn.jsonl")
    async with _server(dialect, spoken) as server:
        with pytest.raises(RecordingFault) as raised:
            await record(
                load_scenario(scenarios_folder() / "text-modality.yaml"),
                _target(server, dialect),
                tmp_path / "new.jsonl",
            )

    assert "which the scenario does not expect" in str(raised.value)
    assert "matched until here" in str(raised.value)
    part = tmp_path / "new.jsonl.part"
    assert str(part) in str(raised.value)
    assert len(part.read_text("utf-8").splitlines()) > 3
    with pytest.raises(CassetteFault, match="without its footer"):
        load_cassette(part)


async def test_a_port_where_nobody_listens_is_a_fault_and_no_traceback(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    dialect = bundled_dialect("azure-v1")
    target = Target(f"ws://127.0.0.1:{port}/openai/v1/realtime?model=m", KEY, dialect)
    with pytest.raises(RecordingFault, match="cannot connect"):
        await record(load_scenario(scenarios_folder() / "text-turn.yaml"), target, tmp_path / "new.jsonl")


def test_the_host_is_remembered_by_its_class_alone() -> None:
    dialect = bundled_dialect("azure-v1")
    assert (
        Target("wss://secret-resource.openai.azure.com/openai/v1/realtime", KEY, dialect).host_class
        == "azure"
    )
    assert Target("ws://127.0.0.1:1/", KEY, dialect).host_class == "loopback"
    assert Target("wss://gateway.example/", KEY, dialect).host_class == "other"


def test_http_urls_are_dialled_as_websockets() -> None:
    assert websocket_url("https://x/openai/v1/realtime?model=m") == "wss://x/openai/v1/realtime?model=m"
    assert websocket_url("http://127.0.0.1:1/p") == "ws://127.0.0.1:1/p"


def test_a_recorded_header_holds_date_and_class_of_host(tmp_path: Path) -> None:
    dialect = bundled_dialect("azure-v1")
    cassette = load_cassette(cassettes_folder() / "azure-v1" / "text-modality.jsonl")

    async def run() -> None:
        async with _server(dialect, cassette) as server:
            target = _target(server, dialect)
            await record(
                load_scenario(scenarios_folder() / "text-modality.yaml"), target, tmp_path / "c.jsonl"
            )

    asyncio.run(run())
    provenance = json.loads((tmp_path / "c.jsonl").read_text("utf-8").splitlines()[0])["provenance"]
    assert provenance["kind"] == "recorded"
    assert provenance["host_class"] == "loopback"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", provenance["date"])
