"""Servers that mint keys, and what it takes to ask for one and to use it."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from harness.dialects import Dialect, bundled_dialect, dialect_names
from harness.messages import Json
from harness.playback import Playback
from harness.server import Opening, RealtimeServer
from harness.service import Service
from tests.cases import cassette
from tests.server.raw import CLOSE, Answer, Peer, deserted, frame, minting, newest, opening, peer
from tests.server.serving import KEY
from tests.talk import NOW

MINTING = tuple(name for name in dialect_names() if bundled_dialect(name).keys is not None)
AZURE = ("azure-v1", "azure-2025-04-01-preview")

ASKED: Json = {
    "instructions": "Answer like a pirate.",
    "tools": [
        {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}
    ],
}
"""What stands in the settings of every generation under these names."""


def rules_of(dialect: Dialect) -> Any:
    assert dialect.keys is not None
    return dialect.keys


def nested(dialect: Dialect) -> bool:
    """Whether the settings stand in a field of the body, in the words of GA."""
    return rules_of(dialect).settings is not None


def voice(dialect: Dialect, name: str) -> Json:
    return {"audio": {"output": {"voice": name}}} if nested(dialect) else {"voice": name}


def voice_of(session: Json) -> Any:
    return session["voice"] if "voice" in session else session["audio"]["output"]["voice"]


def body_of(dialect: Dialect, settings: Json) -> Json:
    """The body of a request for a key for such a session."""
    return {"session": {"type": "realtime", **settings}} if nested(dialect) else settings


def key_in(dialect: Dialect, answer: Json) -> tuple[str, int]:
    """The key in an answer, and when it expires."""
    found = answer["client_secret"] if rules_of(dialect).within else answer
    return found["value"], found["expires_at"]


@asynccontextmanager
async def minting_server(name: str, *, played: str | None = None) -> AsyncIterator[RealtimeServer]:
    """A server of the model, or of a cassette; nothing is left of its connections in the end."""
    dialect = bundled_dialect(name)

    def new_service(asked: Opening) -> Service:
        options: dict[str, Any] = {
            "seed": asked.number,
            "unix_time": NOW,
            "model": asked.model,
            "transcription": asked.transcription,
            "settings": asked.settings,
        }
        if played is None:
            return Service(dialect, **options)
        return Playback(dialect, cassette(name, played), **options)

    async with RealtimeServer(dialect, KEY, new_service) as server:
        yield server
        await deserted(server)


async def ask(
    server: RealtimeServer,
    body: Json | bytes | None = None,
    *headers: str,
    key: str = KEY,
    trusted: ssl.SSLContext | None = None,
) -> Answer:
    """Asks for a key."""
    said = minting({}, *headers, dialect=server.dialect.name, key=key)
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = said.replace(b"Content-Length: 2\r\n", f"Content-Length: {len(data)}\r\n".encode())
        said = said.removesuffix(b"{}") + data
    async with peer(server, tls=trusted) as one:
        await one.say(said)
        return await one.answer()


async def mint(
    server: RealtimeServer, settings: Json | None = None, trusted: ssl.SSLContext | None = None
) -> str:
    answer = await ask(server, body_of(server.dialect, settings or {}), trusted=trusted)
    assert answer.status == 200, answer
    return key_in(server.dialect, answer.json)[0]


def target_of(server: RealtimeServer, *, model: str | None = None, **more: str) -> str:
    """Where a session is opened; without a model the key has to say which."""
    query: dict[str, str] = {}
    for rule in server.dialect.handshake.query:
        if rule.means == "deployment":
            query.update({rule.name: model} if model else {})
        elif rule.required and rule.value is not None:
            query[rule.name] = rule.value
    query.update(more)
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return server.dialect.handshake.path + (f"?{asked}" if asked else "")


WAYS = ("header", "bearer", "query", "subprotocol")


def opening_with(server: RealtimeServer, way: str, key: str, *, model: str | None = "gpt-realtime") -> bytes:
    """A handshake with a key in one of the ways in which one may come."""
    beta = ["OpenAI-Beta: realtime=v1"] if server.dialect.name == "openai-beta" else []
    query = {"api-key": key} if way == "query" else {}
    headers = {
        "header": [f"api-key: {key}"],
        "bearer": [f"Authorization: Bearer {key}"],
        "query": [],
        "subprotocol": [f"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{key}"],
    }[way]
    return opening("", *beta, *headers, target=target_of(server, model=model, **query), key=None)


@asynccontextmanager
async def session_with(
    server: RealtimeServer, key: str, way: str = "header", *, model: str | None = "gpt-realtime"
) -> AsyncIterator[tuple[Peer, Json]]:
    """An open session and its `session.created`."""
    async with peer(server) as one:
        await one.say(opening_with(server, way, key, model=model))
        created = await one.opened()
        assert created["type"] == "session.created"
        yield one, created["session"]


async def refusal_of(server: RealtimeServer, said: bytes) -> str | None:
    """The name of the refusal of a request, which the client saw as the dialect's table has it."""
    async with peer(server) as one:
        await one.say(said)
        answer = await one.answer()
        name = newest(server).handshake.refusal
        rules = server.dialect.handshake
        late = rules.late.get(name or "")
        if late is not None:
            spec = server.dialect.errors[late.error]
            error = (await one.frame()).event["error"]
            assert (answer.status, error["code"], error["message"]) == (101, spec.code, spec.message)
            assert answer.headers["x-harness-evidence"] == spec.fact.evidence
            heard = await one.frame()
            assert (heard.code, heard.payload[2:].decode()) == (late.close, f"{spec.type}.{spec.code}")
            await one.say(frame(heard.payload, CLOSE))
            await one.ended()
        elif name is not None:
            known = rules.refusals[name]
            assert answer.status == known.status
            assert answer.headers["x-harness-evidence"] == known.body_evidence
            sentence, _, rest = known.message.partition("{name}")
            assert answer.json["error"]["message"].startswith(sentence)
            assert answer.json["error"]["message"].endswith(rest)
        return name
