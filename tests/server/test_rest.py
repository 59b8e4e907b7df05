"""What is served by plain HTTP, to whom, and what is told of it."""

from __future__ import annotations

import asyncio
import json
import urllib.request

import pytest

from harness import __version__
from harness.dialects import bundled_dialect, dialect_names
from harness.server import Asked
from tests.server.keyed import MINTING, ask, mint, minting_server, rules_of, session_with
from tests.server.raw import Answer, among_others, minting, peer, request
from tests.server.serving import KEY
from tests.talk import GA, PREVIEW

FLAT = "azure-2025-04-01-preview"
every = pytest.mark.parametrize("name", MINTING)


async def answer_of(name: str, said: bytes) -> tuple[Answer, Asked]:
    async with minting_server(name) as server, peer(server) as one:
        await one.say(said)
        return await one.answer(), server.asked[-1]


# Who may ask.


@every
@pytest.mark.parametrize("way", ["api-key", "bearer", "query"])
async def test_the_servers_own_key_mints_however_it_comes(name: str, way: str) -> None:
    said = minting(dialect=name, key="another").replace(b"api-key: another\r\n", b"")
    target = said.split(b" ")[1]
    joined = target + (b"&" if b"?" in target else b"?") + f"api-key={KEY}".encode()
    said = {
        "api-key": said.replace(b"Host:", f"API-KEY: {KEY}\r\nHost:".encode()),
        "bearer": said.replace(b"Host:", f"Authorization: bearer {KEY}\r\nHost:".encode()),
        "query": said.replace(target, joined),
    }[way]
    assert (await answer_of(name, said))[0].status == 200


@every
@pytest.mark.parametrize(
    "header", ["", "api-key: another", f"Authorization: {KEY}", f"Authorization: Basic {KEY}", "api-key:"]
)
async def test_a_wrong_key_is_401(name: str, header: str) -> None:
    said = minting(dialect=name).replace(f"api-key: {KEY}".encode(), (header or "X: y").encode())
    answer, asked = await answer_of(name, said)
    known = bundled_dialect(name).handshake.refusals["wrong_key"]
    assert answer.status == asked.status == 401
    assert answer.json == {"error": {"code": known.code, "message": known.message}}
    assert answer.headers["x-harness-evidence"] == known.body_evidence == asked.evidence


@every
async def test_no_key_is_minted_for_a_subprotocol(name: str) -> None:
    """A browser's WebSocket has no other way; a request has."""
    said = minting(
        None, f"Sec-WebSocket-Protocol: openai-insecure-api-key.{KEY}", dialect=name, key="another"
    )
    assert (await answer_of(name, said))[0].status == 401


# What they may ask.


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("", "is missing"),
        ("?api-version=2024-10-01-preview", "not supported"),
        ("?api-version=", "is missing"),
    ],
)
async def test_a_wrong_api_version_is_400_and_named(query: str, word: str) -> None:
    path = rules_of(bundled_dialect(FLAT)).path
    answer, asked = await answer_of(FLAT, request("POST", path + query, b"{}", f"api-key: {KEY}"))
    assert answer.status == asked.status == 400
    assert "'api-version'" in answer.json["error"]["message"]
    assert word in answer.json["error"]["message"]
    assert answer.headers["x-harness-evidence"] == "assumed"


@pytest.mark.parametrize("name", [name for name in dialect_names() if name not in MINTING])
async def test_a_dialect_without_keys_has_no_such_path(name: str) -> None:
    async with minting_server(name) as server:
        for path in {rules_of(bundled_dialect(other)).path for other in MINTING}:
            async with peer(server) as one:
                await one.say(request("POST", path, b"{}", f"api-key: {KEY}"))
                answer = await one.answer()
                assert answer.status == 404
                assert answer.headers["x-harness-evidence"] == "assumed"
        async with peer(server) as one:
            await one.say(request("GET", "/health"))
            assert (await one.answer()).json["keys"] is None


@every
async def test_the_path_of_another_generation_is_404(name: str) -> None:
    for other in MINTING:
        path = rules_of(bundled_dialect(other)).path
        if path != rules_of(bundled_dialect(name)).path:
            answer, _ = await answer_of(name, request("POST", path, b"{}", f"api-key: {KEY}"))
            assert answer.status == 404


# The health page.


@pytest.mark.parametrize("name", [GA, PREVIEW])
async def test_the_health_page_says_what_is_served_and_asks_for_no_key(name: str) -> None:
    async with among_others(name) as server, peer(server) as one:
        await one.say(request("GET", "/health?x=y"))
        answer = await one.answer()
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json == {
            "status": "ok",
            "tool": f"realtime-harness {__version__}",
            "dialect": name,
            "api_version": server.dialect.api_version,
            "path": server.dialect.handshake.path,
            "keys": server.dialect.keys.path if server.dialect.keys else None,
            "sessions": 1,
        }
        assert KEY not in answer.body.decode()
        assert len(server.connections) == 1  # no attempt to connect


async def test_the_health_page_counts_the_open_sessions() -> None:
    async with minting_server(GA) as server:

        async def count() -> int:
            async with peer(server) as one:
                await one.say(request("GET", "/health"))
                return int((await one.answer()).json["sessions"])

        assert await count() == 0
        async with session_with(server, KEY), session_with(server, await mint(server)):
            assert await count() == 2


async def test_a_client_of_the_standard_library_gets_page_and_key() -> None:
    async with minting_server(GA) as server:

        def get() -> tuple[object, object]:
            with urllib.request.urlopen(f"{server.origin}/health") as page:
                health = json.load(page)
            asked = urllib.request.Request(
                f"{server.origin}{rules_of(server.dialect).path}", b"{}", {"api-key": KEY}
            )
            with urllib.request.urlopen(asked) as minted:
                return health["status"], json.load(minted)["value"][:3]

        assert await asyncio.to_thread(get) == ("ok", "ek_")


# What is told.


async def test_every_request_is_told_of_without_what_is_secret() -> None:
    async with minting_server(GA) as server:
        key = (await ask(server)).json["value"]
        await ask(server, {"session": {"voise": 1}})
        await ask(server, key=key)
        told = [(asked.method, asked.path, asked.status) for asked in server.asked]
        path = rules_of(server.dialect).path
        assert told == [("POST", path, 200), ("POST", path, 400), ("POST", path, 401)]
        assert "session.voise" in server.asked[1].problem
        assert server.asked[0].problem == ""
        assert server.asked[0].evidence is None
        assert key not in repr(server.asked)
