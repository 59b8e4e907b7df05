"""One server for clients that nobody here wrote, and what each of them is to say to it."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from harness.dialects import Dialect, bundled_dialect
from harness.messages import Json
from harness.playback import Playback
from harness.server import Connection, Opening, RealtimeServer
from harness.service import Origin
from tests.cases import cassette
from tests.server.keyed import mint
from tests.server.raw import deserted
from tests.server.serving import KEY
from tests.talk import NOW

DIALECTS = ("azure-v1", "azure-2025-04-01-preview")
SCENARIOS = ("text-turn", "audio-turn")


@dataclass(frozen=True)
class Client:
    """What a client can do: the ways in which it brings its key, of header, query and subprotocol."""

    name: str
    ways: tuple[str, ...]
    tells_status: bool = True
    """A refused handshake is told of with its status; browsers keep that to themselves."""
    tries: int = 1
    """How often it dials with a key that is refused."""


@asynccontextmanager
async def serving(name: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[RealtimeServer]:
    """Plays the cassette that the address names, so that one server does for all conversations."""
    dialect = bundled_dialect(name)

    def new_playback(asked: Opening) -> Playback:
        return Playback(
            dialect,
            cassette(name, asked.query["scenario"]),
            seed=asked.number,
            unix_time=NOW,
            model=asked.model,
            settings=asked.settings,
        )

    async with RealtimeServer(dialect, KEY, new_playback, tls=tls) as server:
        yield server
        await deserted(server)


def said_in(name: str, scenario: str) -> list[Json]:
    return [one.event for one in cassette(name, scenario).interactions if one.side == "client" and one.event]


def heard_in(name: str, scenario: str) -> list[Json]:
    return [one.event for one in cassette(name, scenario).interactions if one.side == "server" and one.event]


def audio_in(events: Iterable[Json]) -> int:
    deltas = [event["delta"] for event in events if event["type"].endswith("audio.delta")]
    return sum(len(base64.b64decode(delta)) for delta in deltas)


def _query(dialect: Dialect) -> str:
    return "&".join(f"{name}={value}" for name, value in dialect.handshake.right_query("gpt-realtime"))


def plan(server: RealtimeServer, scenario: str, way: str, key: str, *, offered: Iterable[str] = ()) -> Json:
    """One conversation; the key comes by that way."""
    dialect = server.dialect
    url = f"{server.origin.replace('http', 'ws', 1)}{dialect.handshake.path}?{_query(dialect)}"
    by_subprotocol = [f"openai-insecure-api-key.{key}"] if way == "subprotocol" else []
    return {
        "name": f"{scenario} by {way}",
        "url": f"{url}&scenario={scenario}" + (f"&api-key={key}" if way == "query" else ""),
        "protocols": [*offered, *by_subprotocol],
        "headers": {"header": {"api-key": key}, "bearer": {"Authorization": f"Bearer {key}"}}.get(way, {}),
        "say": said_in(dialect.name, scenario),
    }


PIRATE = "Answer like a pirate."


async def plans_for(
    server: RealtimeServer, client: Client, trusted: ssl.SSLContext | None = None
) -> list[Json]:
    """Both turns by each way in which the client can bring its key, and a key that is wrong.

    By subprotocol it is a minted one, which is all that Azure would perhaps take there; otherwise
    the server's own. The first conversation offers no subprotocol where the client need not.
    """
    minted = await mint(server, {"instructions": PIRATE, "model": "gpt-realtime"}, trusted)
    plans = []
    for number, way in enumerate(client.ways):
        key = minted if way == "subprotocol" else KEY
        offered = ["realtime"] if number or way == "subprotocol" else []
        plans += [plan(server, scenario, way, key, offered=offered) for scenario in SCENARIOS]
    wrong = plan(server, "text-turn", client.ways[0], "another-key-0123456789")
    return [*plans, {**wrong, "name": "a wrong key"}]


def check(server: RealtimeServer, client: Client, plans: list[Json], results: list[Json]) -> None:
    """What the client heard, and what the server made of it."""
    assert [one["name"] for one in results] == [one["name"] for one in plans]
    dialed = [one for one in server.connections if "scenario" in dict(one.handshake.query)]
    opened = [one for one in dialed if one.handshake.status == 101]
    *turns, wrong = plans
    assert len(opened) == len(turns), results
    for asked, result, connection in zip(turns, results, opened, strict=False):
        _check_turn(server, asked, result, connection)
    assert wrong["name"] == results[-1]["name"] == "a wrong key"
    refused = [one.handshake.status for one in dialed[len(turns) :]]
    assert refused == [401] * client.tries, refused
    assert results[-1]["types"] == []
    assert results[-1]["error"]
    assert not client.tells_status or "401" in results[-1]["error"], results[-1]
    kept = repr([one.handshake for one in server.connections])
    assert KEY not in kept


def _check_turn(server: RealtimeServer, asked: Json, result: Json, connection: Connection) -> None:
    about: Any = (server.dialect.name, asked["name"], result)
    scenario = dict(connection.handshake.query)["scenario"]
    want = heard_in(server.dialect.name, scenario)
    assert result["error"] is None, about
    assert result["types"] == [event["type"] for event in want], about
    assert result["audio"] == audio_in(want) > 0, about
    offered = asked["protocols"]
    assert result["subprotocol"] == ("realtime" if "realtime" in offered else None), about
    assert list(connection.handshake.subprotocols[:1]) == offered[:1], about
    minted = any("openai-insecure" in name for name in offered)
    assert (result["session"]["instructions"] == PIRATE) is minted, about
    exchange = connection.exchange
    assert exchange is not None
    assert exchange.unplayed == []
    assert {start.origin for start in exchange.responses} == {Origin.RECORDED}
    assert (exchange.close_by, exchange.close_code, result["code"]) == ("client", 1000, 1000), about
