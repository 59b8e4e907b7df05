"""The block at the start of `serve`: what it says to paste is pasted, into a shell and into Python."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.bundled import cassettes_folder
from harness.cli.main import build_parser
from harness.cli.sdk_lines import FAMILIES, Place, pasted
from harness.cli.serve import serving_of
from harness.cli.serve_start import start_lines
from harness.dialects import bundled_dialect, dialect_names
from tests.cli.served import KEY, served
from tests.talk import GA, PREVIEW

VOICE_LIVE = "azure-voice-live"

TURN = """
import asyncio, os
from openai import AsyncAzureOpenAI, AsyncOpenAI

async def turn():
    async with {code} as connection:
        item = {{"type": "message", "role": "user", "content": [{{"type": "input_text", "text": "Hello"}}]}}
        await connection.conversation.item.create(item=item)
        await connection.response.create()
        async for event in connection:
            if event.type == "response.done":
                print(event.response.output[0].content[0].transcript)
                return

asyncio.run(turn())
"""

FIRST = """
import asyncio
from openai import AsyncOpenAI

async def first():
    async with {code} as connection:
        print((await connection.recv()).type)

asyncio.run(first())
"""


def block(start: str) -> dict[str, dict[str, str]]:
    """The lines of each SDK, by the export they come under."""
    found: dict[str, dict[str, str]] = {}
    for label, text in re.findall(r"^  ([a-z-]+) +(.+)$", start, re.MULTILINE):
        if label == "shell":
            lines = found.setdefault(text, {})
        elif found and label != "stop":
            lines[label] = text
    return found


async def pasted_into_a_shell(export: str, program: str, **environment: str) -> str:
    """What a program says in a shell in which that was exported, and nothing else of the kind."""
    kept = {name: value for name, value in os.environ.items() if "OPENAI" not in name}
    command = f"{export}\nexec {shlex.quote(sys.executable)} -c {shlex.quote(program)}"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command, env={**kept, **environment}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    return out.decode().strip()


@pytest.mark.parametrize("dialect", [GA, PREVIEW, "azure-2025-08-28", "openai-ga", "openai-beta"])
async def test_what_is_shown_for_the_openai_package_has_a_turn(dialect: str) -> None:
    async with served("--model", "-d", dialect) as running:
        (family,) = [(export, lines) for export, lines in block(running.said).items() if "openai" in lines]
        said = await pasted_into_a_shell(family[0], TURN.format(code=family[1]["openai"]))
        assert said == "You said: Hello"
        await running.until("closed by the client")
    assert "0 refused events" in running.line("closed by")


async def test_what_is_shown_for_a_cassette_of_transcription_asks_for_transcription() -> None:
    path = cassettes_folder() / GA / "transcription-session.jsonl"
    async with served(str(path)) as running:
        ((export, lines),) = block(running.said).items()
        assert list(lines) == ["openai"]
        assert await pasted_into_a_shell(export, FIRST.format(code=lines["openai"])) == "session.created"
        assert "intent=transcription" in running.line("  open ")


async def test_a_key_out_of_the_environment_is_left_there_and_one_with_signs_of_the_shell_arrives() -> None:
    odd = "key-$HOME-\"'`;#"
    async with served("--model", "--key", odd) as running:
        export, lines = next(iter(block(running.said).items()))
        assert await pasted_into_a_shell(export, TURN.format(code=lines["openai"])) == "You said: Hello"
    serving = serving_of(build_parser().parse_args(["serve", "--model", "--key", odd]))
    shown = [
        "".join(text for text, _ in line) for line in start_lines(serving, "http://x", "", from_variable=True)
    ]
    assert odd not in "\n".join(shown)
    said = await pasted_into_a_shell(
        next(line for line in shown if "shell" in line).split(maxsplit=1)[1],
        "import os; print(os.environ['OPENAI_API_KEY'])",
        REALTIME_HARNESS_KEY=odd,
    )
    assert said == odd


def test_with_a_certificate_every_export_names_it_and_the_lines_are_those_for_tls() -> None:
    options = build_parser().parse_args(["serve", "--model", "-d", PREVIEW, "--key", KEY])
    serving = replace(serving_of(options), ca_file=Path("/tmp/my ca.pem"))
    lines = start_lines(serving, "https://127.0.0.1:1", "", from_variable=False)
    shown = "\n".join("".join(text for text, _ in line) for line in lines)
    assert "  url        wss://127.0.0.1:1/openai/realtime?" in shown
    ((export, sdks),) = block(shown).items()
    assert export.endswith("SSL_CERT_FILE='/tmp/my ca.pem' NODE_EXTRA_CA_CERTS='/tmp/my ca.pem'")
    assert sdks["openai"].startswith("AsyncAzureOpenAI().beta")
    assert "openai-js" in sdks


@pytest.mark.parametrize("dialect", dialect_names())
@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
def test_the_block_is_short_and_has_a_line_for_some_sdk(dialect: str, origin: str) -> None:
    options = build_parser().parse_args(["serve", "--model", "-d", dialect, "--key", KEY])
    lines = list(start_lines(serving_of(options), origin, "a model", from_variable=False))
    assert len(lines) <= 18
    assert list(pasted(Place(bundled_dialect(dialect), origin)))


def test_every_family_is_that_of_some_dialect() -> None:
    dialects = [bundled_dialect(name) for name in dialect_names()]
    assert [family for family in FAMILIES if not any(map(family.fits, dialects))] == []


def test_a_handshake_that_is_nobodys_has_an_address_and_a_key_alone() -> None:
    dialect = bundled_dialect(VOICE_LIVE)
    strange = replace(dialect, handshake=replace(dialect.handshake, path="/brook/realtime"))
    assert list(pasted(Place(strange, "http://127.0.0.1:1"))) == []


AGENTS_JS = """
import { RealtimeAgent, RealtimeSession } from '@openai/agents-realtime';
const session = new RealtimeSession(new RealtimeAgent({ name: 'a' }), { transport: 'websocket' });
session.transport.on('turn_done', () => { console.log('done'); process.exit(0); });
await CODE;
session.sendMessage('Hello');
setTimeout(() => process.exit(1), 10000);
"""


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("npm") is None, reason="the package is installed with npm")
@pytest.mark.parametrize("dialect", [GA, "openai-ga"])
async def test_what_is_shown_for_the_agents_package_of_javascript_has_a_turn(
    dialect: str, tmp_path: Path
) -> None:
    packages = ["@openai/agents-realtime@0.20.0", "zod@4"]
    install = ["npm", "install", "--ignore-scripts", "--no-fund", "--no-audit", "--silent", *packages]
    await asyncio.to_thread(subprocess.run, install, cwd=tmp_path, check=True, timeout=300)
    async with served("--model", "-d", dialect) as running:
        export, lines = next(iter(block(running.said).items()))
        (tmp_path / "turn.mjs").write_text(AGENTS_JS.replace("CODE", lines["agents-js"]), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            f"{export}\nexec node turn.mjs",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        assert out.decode().strip().endswith("done")
        await running.until("closed")
    assert "REFUSED" not in running.said
