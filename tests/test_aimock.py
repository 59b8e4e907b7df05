"""aimock, a server for tests that is not what the service is: recorded over a socket, judged by lint."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from harness.messages import Json
from tests.service.sound import speech_and_silence

ROOT = Path(__file__).resolve().parents[1]
AIMOCK = ROOT / "tests" / "aimock"
GA = "azure-v1"
FLAT = "azure-2025-04-01-preview"
PATH = "/v1/realtime?model=gpt-realtime"
WRONG_GUID = "258EAFA5-E914-47DA-95CA-5AB5DC799C07"
"""The one aimock hashes with up to 1.42.1; RFC 6455 has another, and clients that check it hang up."""

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(shutil.which("npm") is None, reason="aimock is installed with npm"),
]

Found = set[tuple[str, str, str]]
"""Severity, code and path of every finding."""


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both versions, as the lock file pins them."""
    folder = tmp_path_factory.mktemp("aimock")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(AIMOCK / name, folder)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-fund", "--no-audit"], cwd=folder, check=True, timeout=300
    )
    return folder / "node_modules"


@contextmanager
def serving(package: Path) -> Iterator[int]:
    """aimock as a program of its own; gives its port."""
    command = [
        "node",
        str(package / "dist" / "cli.js"),
        "--port",
        "0",
        "--fixtures",
        str(AIMOCK / "answers.json"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if port := re.search(r"listening on http://[\d.]+:(\d+)", line):
                    yield int(port[1])
                    break
            else:
                raise AssertionError(f"it never listened: {said}")
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def aimock(installed: Path) -> Iterator[int]:
    with serving(installed / "aimock") as port:
        yield port


def realtime_harness(*arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "AZURE_OPENAI_API_KEY": "a-key-for-nobody"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def lint(log: Path, dialect: str) -> Found:
    done = realtime_harness("lint", "--json", "--dialect", dialect, log)
    assert done.returncode == 1, done.stderr
    (report,) = json.loads(done.stdout)
    return {(one["severity"], one["code"], one["path"]) for one in report["findings"]}


def talked(port: int, says: list[Json], log: Path, headers: dict[str, str]) -> list[Json]:
    """Says one thing after another over a socket and writes all that is said to a log."""

    async def conversation() -> list[tuple[str, Any]]:
        said: list[tuple[str, Any]] = []
        async with connect(
            f"ws://127.0.0.1:{port}{PATH}", additional_headers=headers, compression=None
        ) as socket:

            async def hear() -> None:
                while True:
                    try:
                        said.append(("server", json.loads(await asyncio.wait_for(socket.recv(), 0.4))))
                    except TimeoutError:
                        return

            await hear()
            for event in says:
                said.append(("client", event))
                await socket.send(json.dumps(event))
                await hear()
        return said

    said = asyncio.run(conversation())
    log.write_text("".join(json.dumps({"dir": side, "event": event}) + "\n" for side, event in said), "utf-8")
    return [event for side, event in said if side == "server"]


def user_says(text: str) -> Json:
    content = [{"type": "input_text", "text": text}]
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": content},
    }


def append(pcm: bytes) -> Json:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}


def conversation(session: Json) -> list[Json]:
    """Everything PEERS lists, once: an update that is refused, two answers, 10 ms committed, a turn
    spoken, and a word in writing after it."""
    return [
        {"type": "session.update", "session": session},
        user_says("Hello there!"),
        {"type": "response.create"},
        append(bytes(480)),
        {"type": "input_audio_buffer.commit"},
        {"type": "response.cancel"},
        user_says("How is the weather?"),
        {"type": "response.create"},
        append(speech_and_silence(silent=1.2)),
        user_says("Are you still there?"),
    ]


NESTED = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "voice": "alloy",  # belongs to the other generation
    "made_up": True,
    "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
}
OLD = {
    "modalities": ["text", "audio"],
    "made_up": True,
    "turn_detection": {"type": "server_vad"},
    "output_modalities": ["audio"],  # belongs to the other generation
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ga") / "aimock.jsonl"


@pytest.fixture(scope="module")
def heard(aimock: int, log: Path) -> list[Json]:
    return talked(aimock, conversation(NESTED), log, {"api-key": "a-key-for-nobody"})


@pytest.fixture(scope="module")
def found(heard: list[Json], log: Path) -> Found:
    return lint(log, GA)


@pytest.fixture(scope="module")
def with_beta(installed: Path) -> Iterator[int]:
    with serving(installed / "aimock-with-beta") as port:
        yield port


class TestAsTheGaService:
    @pytest.mark.parametrize(
        ("what", "finding"),
        [
            ("content parts of the wrong type", ("fail", "schema.server-event", "part.type")),
            ("the answer's item never added", ("fail", "order.item-added", "item.id")),
            ("done what was never added", ("fail", "order.item-done", "type")),
            ("no usage", ("deviation", "order.usage-counted", "response.usage")),
            ("commits an empty buffer", ("fail", "order.commit-empty", "input_audio_buffer.committed")),
            ("commits no item", ("fail", "schema.server-event", "item_id")),
            ("accepts any session", ("deviation", "order.update-answered", "type")),
            (
                "which the client should not have sent",
                ("fail", "session.unknown-parameter", "session.made_up"),
            ),
            ("nor this", ("fail", "rename.session-shape", "session.voice")),
            ("a session of two generations", ("fail", "modality.field", "session.modalities")),
            ("the same", ("fail", "rename.session-shape", "session.max_response_output_tokens")),
            ("the same, with no place here", ("deviation", "rename.session-shape", "session.temperature")),
            ("an update that shows no id", ("fail", "schema.server-event", "session.id")),
            ("items without a status", ("fail", "schema.server-event", "item.status")),
            ("answers without settings", ("fail", "schema.server-event", "response.output_modalities")),
            ("no audio out", ("deviation", "order.modality-kept", "part.type")),
            ("no VAD", ("note", "order.speech-heard", "audio")),
            ("an event nobody knows", ("deviation", "schema.new-event", "type")),
        ],
    )
    def test_lint_finds(self, found: Found, what: str, finding: tuple[str, str, str]) -> None:
        assert finding in found, what

    def test_import_keeps_it_and_lint_finds_the_same(self, found: Found, log: Path, tmp_path: Path) -> None:
        cassette = tmp_path / "aimock.jsonl"
        done = realtime_harness("import", "--dialect", GA, "-o", cassette, log)
        assert done.returncode == 1
        assert f"not {GA} throughout" in done.stderr
        assert lint(cassette, GA) == found


class TestRecorded:
    def test_by_a_scenario_that_expects_no_more_it_becomes_a_cassette(
        self, aimock: int, tmp_path: Path
    ) -> None:
        cassette = tmp_path / "aimock.jsonl"
        url = f"ws://127.0.0.1:{aimock}/openai{PATH}"
        done = realtime_harness(
            "record", AIMOCK / "as-it-answers.yaml", "--url", url, "--dialect", GA, "-o", cassette
        )
        assert done.returncode == 0, done.stderr
        assert {
            ("fail", "schema.server-event", "part.type"),
            ("fail", "order.item-added", "item.id"),
            ("deviation", "order.usage-counted", "response.usage"),
            ("fail", "modality.field", "session.modalities"),
        } <= lint(cassette, GA)

    def test_by_a_scenario_of_the_service_it_stops_where_the_server_departs(
        self, aimock: int, tmp_path: Path
    ) -> None:
        cassette = tmp_path / "aimock.jsonl"
        url = f"ws://127.0.0.1:{aimock}/openai{PATH}"
        done = realtime_harness("record", "text-modality", "--url", url, "--dialect", GA, "-o", cassette)
        assert done.returncode != 0
        assert "session.updated" in done.stderr
        assert not cassette.exists()
        part = cassette.with_name(cassette.name + ".part")
        assert ("fail", "modality.field", "session.modalities") in lint(part, GA)


class TestTheBetaShim:
    """Versions up to 1.42.1 still speak beta to who asks for it; 1.43.0 has removed it."""

    def test_nobody_who_checks_the_handshake_gets_in(self, with_beta: int, tmp_path: Path) -> None:
        url = f"ws://127.0.0.1:{with_beta}/openai{PATH}"
        output = tmp_path / "aimock.jsonl"
        done = realtime_harness("record", "text-turn", "--url", url, "--dialect", GA, "-o", output)
        assert done.returncode != 0
        assert "Sec-WebSocket-Accept" in done.stderr

    def test_lint_finds_its_faults_in_the_old_generation_too(
        self, with_beta: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def accept_key(key: str) -> str:
            return base64.b64encode(hashlib.sha1((key + WRONG_GUID).encode()).digest()).decode()

        monkeypatch.setattr("websockets.client.accept_key", accept_key)
        log = tmp_path / "beta.jsonl"
        heard = talked(with_beta, conversation(OLD), log, {"OpenAI-Beta": "realtime=v1"})
        assert "response.text.delta" in {event["type"] for event in heard}
        found = lint(log, FLAT)
        assert {
            ("fail", "order.item-added", "item.id"),
            ("deviation", "order.usage-counted", "response.usage"),
            ("fail", "order.commit-empty", "input_audio_buffer.committed"),
            ("fail", "schema.server-event", "item_id"),
            ("deviation", "order.update-answered", "type"),
            ("fail", "session.unknown-parameter", "session.made_up"),
            ("fail", "schema.server-event", "session.output_audio_format"),
            ("fail", "schema.server-event", "session.id"),
        } <= found
        # What the shim renames, it renames in content parts too.
        assert ("fail", "schema.server-event", "part.type") not in found

    def test_the_newer_version_has_retired_it(self, aimock: int, tmp_path: Path) -> None:
        from websockets.exceptions import ConnectionClosed

        with pytest.raises(ConnectionClosed, match="beta_api_shape_disabled"):
            talked(aimock, conversation(OLD), tmp_path / "beta.jsonl", {"OpenAI-Beta": "realtime=v1"})
