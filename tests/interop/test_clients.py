"""Whole turns with clients that nobody here wrote: by each way of bringing a key, plain and over TLS."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from harness.messages import Json
from tests.interop.conftest import Tls
from tests.interop.serving import DIALECTS, Client, check, plan, plans_for, serving
from tests.server.keyed import mint

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
AIOHTTP = "3.14.5"

dialects = pytest.mark.parametrize("dialect", DIALECTS)


@pytest.fixture(params=["plain", "tls"])
def over(request: pytest.FixtureRequest) -> Tls | None:
    """None is without TLS."""
    found: Tls | None = request.getfixturevalue("tls") if request.param == "tls" else None
    return found


async def run(command: list[object], plans: list[Json], folder: Path, **environment: str) -> list[Json]:
    """What a program says of its conversations."""
    file = folder / "plans.json"
    file.write_text(json.dumps(plans), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *map(str, [*command, file]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    results: list[Json] = json.loads(out)
    return results


async def talk(
    client: Client, dialect: str, tls: Tls | None, command: list[object], folder: Path, **env: str
) -> None:
    trusted = {"SSL_CERT_FILE": str(tls.ca_file), "NODE_EXTRA_CA_CERTS": str(tls.ca_file)} if tls else {}
    async with serving(dialect, tls.context if tls else None) as server:
        plans = await plans_for(server, client, tls.trusted if tls else None)
        results = await run(command, plans, folder, **trusted, **env)
        check(server, client, plans, results)


# Python.


@dialects
async def test_websockets(dialect: str, over: Tls | None, tmp_path: Path) -> None:
    client = Client("websockets", ("header", "bearer", "query", "subprotocol"))
    command: list[object] = [sys.executable, PROGRAMS / "websockets_client.py"]
    await talk(client, dialect, over, command, tmp_path)


@dialects
async def test_the_openai_package(dialect: str, over: Tls | None, tmp_path: Path) -> None:
    """GA by `AsyncOpenAI` with a bearer token, a preview by `AsyncAzureOpenAI` with a header."""
    client = Client("openai", ("bearer",) if dialect == "azure-v1" else ("header",))
    command: list[object] = [sys.executable, PROGRAMS / "openai_client.py"]
    await talk(client, dialect, over, command, tmp_path)


@pytest.fixture(scope="session")
def with_aiohttp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has aiohttp."""
    folder = tmp_path_factory.mktemp("aiohttp") / "environment"
    uv, found = find_uv_bin(), folder / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", found, f"aiohttp=={AIOHTTP}"], check=True)
    return found


@pytest.mark.heavy
@dialects
async def test_aiohttp(dialect: str, over: Tls | None, tmp_path: Path, with_aiohttp: Path) -> None:
    client = Client("aiohttp", ("header", "bearer", "query", "subprotocol"))
    command: list[object] = [with_aiohttp, PROGRAMS / "aiohttp_client.py"]
    await talk(client, dialect, over, command, tmp_path)


# Node.

NODE = ("built-in", "undici", "ws")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the packages for Node, as the lock file pins them."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-fund", "--no-audit"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    return folder


def node_version() -> int:
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return int(re.findall(r"\d+", done.stdout)[0])


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on this machine")
@pytest.mark.parametrize("package", NODE)
@dialects
async def test_node(package: str, dialect: str, over: Tls | None, tmp_path: Path, packages: Path) -> None:
    """All three take headers, though the standard that two of them follow knows none."""
    client = Client(
        package,
        ("header", "bearer", "query", "subprotocol"),
        tells_status=package == "ws",
        tries=2 if package == "undici" else 1,  # as the standard of fetch has it for any request with 401
    )
    await talk(client, dialect, over, node(package), tmp_path, PACKAGES=str(packages))


def node(package: str) -> list[object]:
    flags = ["--experimental-websocket"] if package == "built-in" and node_version() < 22 else []
    return ["node", *flags, PROGRAMS / "node.mjs", package]


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on this machine")
@pytest.mark.parametrize("package", ["built-in", "ws"])  # undici 7.30.2 falls silent and stays
async def test_node_hangs_up_where_none_of_the_subprotocols_it_offers_comes_back(
    package: str, tmp_path: Path, packages: Path
) -> None:
    """As browsers do (RFC 6455 4.1 leaves it to them), so whoever has a key there offers `realtime`, too."""
    async with serving("azure-v1") as server:
        asked = plan(server, "text-turn", "subprotocol", await mint(server))
        (result,) = await run(node(package), [asked], tmp_path, PACKAGES=str(packages))
        assert result["types"] == []
        assert result["error"]
        (connection,) = server.connections
        assert connection.handshake.status == 101
