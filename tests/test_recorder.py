"""Recording over a real socket, against our own server, which replays a constructed cassette."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.bundled import cassettes_folder, scenarios_folder
from harness.cassette import Cassette, Provenance, load_cassette
from harness.dialects import Dialect, bundled_dialect, default_dialect_names
from harness.exceptions import CassetteFault, FileFault, RecordingFault
from harness.playback import Playback
from harness.recorder import Target, record, websocket_url, with_intent
from harness.scenario import Wait, load_scenario
from harness.server import Opening, RealtimeServer
from tests.cases import SCENARIOS, scenario

KEY = "a-key-nobody-may-see-0123456789"


def _server(dialect: Dialect, *cassettes: Cassette) -> RealtimeServer:
    """A server that plays one cassette a connection, and the last one from then on."""
    left = list(cassettes)

    def new_playback(opening: Opening) -> Playback:
        cassette = left.pop(0) if len(left) > 1 else left[0]
        now = int(time.time())
        return Playback(dialect, cassette, seed=1, unix_time=now, transcription=opening.transcription)

    return RealtimeServer(dialect, KEY, new_playback)


def _target(
    server: RealtimeServer, dialect: Dialect, key: str = KEY, *, transcription: bool = False
) -> Target:
    right = dialect.handshake.right_query("gpt-realtime", transcription=transcription)
    query = "&".join(f"{name}={value}" for name, value in right)
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


IN_TIME = ("idle-timeout",)
"""What takes the seconds it takes; its cassette is played on a virtual clock in tests/playback."""


@pytest.mark.parametrize(
    ("dialect_name", "name"),
    [
        (d, s)
        for d in default_dialect_names()
        for s in SCENARIOS
        if scenario(s).applies_to(d) and s not in IN_TIME
    ],
)
async def test_recording_our_own_server_gives_the_constructed_cassettes_but_for_ids_and_times(
    tmp_path: Path, dialect_name: str, name: str
) -> None:
    dialect, played = bundled_dialect(dialect_name), scenario(name)
    constructed = [load_cassette(cassettes_folder() / dialect_name / file) for file in played.cassette_names]
    async with _server(dialect, *constructed) as server:
        recorded = await record(
            played, _target(server, dialect, transcription=played.of_transcription), tmp_path / "new.jsonl"
        )

    for made, again in zip(constructed, recorded, strict=True):
        assert again.header.provenance is Provenance.RECORDED
        assert made.header.provenance is Provenance.CONSTRUCTED
        assert _lanes(made) == _lanes(again)
        assert again.header.query == made.header.query
        assert again.close == made.close
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert names == sorted(["new.jsonl", *(f"new.{n}.jsonl" for n in range(2, len(constructed) + 1))])


def _lanes(cassette: Cassette) -> tuple[list[Any], list[Any]]:
    """What each side said, in order; what floats is compared by what it says and not by its place."""
    floats = "conversation.item.input_audio_transcription."
    events = [(i.side, _lasting(i.event)) for i in cassette.interactions if i.event]
    return (
        [event for event in events if not event[1]["type"].startswith(floats)],
        [event for event in events if event[1]["type"].startswith(floats)],
    )


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


async def test_a_wait_takes_its_time_and_what_comes_in_it_is_kept(tmp_path: Path) -> None:
    dialect, whole = bundled_dialect("azure-v1"), scenario("text-turn")
    cassette = load_cassette(cassettes_folder() / "azure-v1" / "text-turn.jsonl")
    # The answer comes while the client waits; it is expected afterwards.
    waiting = replace(whole, steps=(*whole.steps[:5], Wait(0.6), *whole.steps[5:]))
    async with _server(dialect, cassette) as server:
        began = time.monotonic()
        (recorded,) = await record(waiting, _target(server, dialect), tmp_path / "new.jsonl")
    assert time.monotonic() - began >= 0.6
    assert _lanes(recorded) == _lanes(cassette)


async def test_two_waits_take_the_time_of_both(tmp_path: Path) -> None:
    dialect, whole = bundled_dialect("azure-v1"), scenario("text-turn")
    cassette = load_cassette(cassettes_folder() / "azure-v1" / "text-turn.jsonl")
    waiting = replace(whole, steps=(*whole.steps, Wait(0.3), Wait(0.4)))
    async with _server(dialect, cassette) as server:
        began = time.monotonic()
        await record(waiting, _target(server, dialect), tmp_path / "new.jsonl")
    assert time.monotonic() - began >= 0.7


async def test_a_session_without_an_end_is_given_up_and_that_is_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.recorder.TOTAL_SECONDS", -0.9)
    dialect, whole = bundled_dialect("azure-v1"), scenario("text-turn")
    cassette = load_cassette(cassettes_folder() / "azure-v1" / "text-turn.jsonl")
    endless = replace(whole, steps=(*whole.steps[:1], Wait(1.0), *whole.steps[1:]))
    async with _server(dialect, cassette) as server:
        with pytest.raises(RecordingFault, match=r"no end after 0\.1 s"):
            await record(endless, _target(server, dialect), tmp_path / "new.jsonl")


@pytest.mark.parametrize("place", ["127.0.0.1:99999", "127.0.0.1:x", "[::1", "127.0.0.1\udcff", ""])
async def test_a_url_that_is_none_is_a_fault_and_no_traceback(tmp_path: Path, place: str) -> None:
    url = f"ws://{place}/openai/v1/realtime?model=m&api-key={KEY}"
    target = Target(url, KEY, bundled_dialect("azure-v1"))
    with pytest.raises(RecordingFault, match="no URL to dial") as raised:
        await record(scenario("text-turn"), target, tmp_path / "new.jsonl")
    assert KEY not in str(raised.value)
    assert not list(tmp_path.iterdir())


async def test_a_place_that_cannot_be_written_is_a_fault_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    target = Target("ws://127.0.0.1:9/openai/v1/realtime?model=m", KEY, bundled_dialect("azure-v1"))
    with pytest.raises(FileFault, match="cannot be written"):
        await record(scenario("text-turn"), target, tmp_path / "file" / "new.jsonl")


async def test_the_key_does_not_follow_a_redirection(tmp_path: Path) -> None:
    """Who is dialled may be anybody's; the key is for the one that was named."""
    dialled: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialled.append(await reader.read(4096))
        writer.close()

    async with await asyncio.start_server(elsewhere, "127.0.0.1", 0) as other:
        there = other.sockets[0].getsockname()[1]

        async def redirects(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            place = f"Location: ws://127.0.0.1:{there}/\r\nContent-Length: 0\r\n\r\n"
            writer.write(f"HTTP/1.1 302 Found\r\n{place}".encode())
            writer.close()

        async with await asyncio.start_server(redirects, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/openai/v1/realtime?model=m"
            target = Target(url, KEY, bundled_dialect("azure-v1"))
            with pytest.raises(RecordingFault, match="HTTP 302"):
                await record(scenario("text-turn"), target, tmp_path / "new.jsonl")
    assert dialled == []


async def test_an_end_of_the_session_that_the_scenario_does_not_expect_is_named(tmp_path: Path) -> None:
    dialect, whole = bundled_dialect("azure-v1"), scenario("session-expiry")
    cassette = load_cassette(cassettes_folder() / "azure-v1" / "session-expiry.jsonl")
    unexpected = replace(whole, steps=(*whole.steps[:-1], Wait(5.0)))
    async with _server(dialect, cassette) as server:
        with pytest.raises(RecordingFault, match="the server closed the session: 1001 session_expired"):
            await record(unexpected, _target(server, dialect), tmp_path / "new.jsonl")


def test_a_session_that_only_hears_is_asked_for_in_the_query_once() -> None:
    assert with_intent("wss://h/p?model=m") == "wss://h/p?model=m&intent=transcription"
    assert with_intent("wss://h/p") == "wss://h/p?intent=transcription"
    assert with_intent("wss://h/p?intent=transcription&x=1") == "wss://h/p?intent=transcription&x=1"
