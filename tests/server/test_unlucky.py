"""Clients at the edges of a session: before its handshake is answered, when nobody reads, after its end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from harness.dialects import bundled_dialect
from harness.faults import FaultLine, parse_fault
from harness.messages import Side
from harness.playback import Playback
from harness.server import Limits, Opening, RealtimeServer, made_certificate
from harness.service.pace import AT_ONCE
from tests.cases import cassette
from tests.server.raw import CLOSE, PING, Peer, event, frame, newest, opening, peer, tight, until
from tests.server.serving import KEY
from tests.server.test_pace import Broken
from tests.talk import GA, NOW, user_item

LONG = event(user_item("x" * 200_000))
"""Its acknowledgement is more than the way to a client that does not read has room for."""


@asynccontextmanager
async def held_up(seconds: float) -> AsyncIterator[RealtimeServer]:
    """A server that answers handshakes late."""
    line = FaultLine([parse_fault(f"slow-handshake:seconds={seconds}")])
    found = bundled_dialect(GA)

    def new(_: Opening) -> Playback:
        return Playback(found, cassette(GA, "text-turn"), seed=1, unix_time=NOW, faults=line.connected())

    async with RealtimeServer(found, KEY, new, faults=line) as server:
        yield server


# Before the handshake is answered.


async def test_what_comes_with_a_handshake_that_is_held_up_is_heard_after_its_answer() -> None:
    async with held_up(0.1) as server, peer(server) as one:
        await one.say(opening() + frame(b"ping", PING) + event(user_item("Hello")))
        assert (await one.opened())["type"] == "session.created"
        assert (await one.frame()).payload == b"ping"
        assert (await one.until("conversation.item.done"))[0]["type"] == "conversation.item.added"
        exchange = newest(server).exchange
        assert exchange is not None
        sides = [entry.side for entry in exchange.entries]
        assert sides.count(Side.CLIENT) == 1


EARLY = {
    "no mask": frame("x", masked=False),
    "a close": frame(b"\x03\xe8", CLOSE),
    "reserved bits": frame("x", reserved=4),
    "more than is kept": event(user_item("x" * 100_000)),
}


@pytest.mark.parametrize("early", EARLY.values(), ids=EARLY)
async def test_no_early_frame_keeps_a_held_up_handshake_from_its_answer(early: bytes) -> None:
    async with held_up(0.05) as server, peer(server) as one:
        await one.say(opening() + early)
        assert (await one.answer()).status == 101
        assert (await one.frame()).event["type"] == "session.created"
        assert newest(server).failure is None


@pytest.mark.parametrize("early", EARLY.values(), ids=EARLY)
async def test_a_server_goes_down_whatever_stands_behind_a_held_up_handshake(early: bytes) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with held_up(30) as server:
            one = await stack.enter_async_context(peer(server))
            await one.say(opening() + early)
            await until(lambda: bool(server._delayed))
            await asyncio.sleep(0.01)
        assert (await one.answer()).status == 503
        assert server.connections[0].failure is None


async def test_a_refusal_comes_whole_to_who_has_sent_megabytes_behind_its_request() -> None:
    """A connection that is closed on bytes nobody read takes back what was sent last."""
    line = FaultLine([parse_fault("refuse-handshake:status=503")])
    found = bundled_dialect(GA)

    def new(_: Opening) -> Playback:
        raise AssertionError("nobody gets in")

    async with RealtimeServer(found, KEY, new, faults=line) as server, peer(server) as one:
        said = asyncio.create_task(one.say(opening() + frame("x" * 20_000_000)))
        assert (await one.answer()).status == 503
        await said
        assert await one.ended() == b""
        assert newest(server).handshake.status == 503


async def test_who_hangs_up_while_its_handshake_is_held_up_is_gone() -> None:
    async with held_up(30) as server, peer(server) as one:
        await one.say(opening())
        await until(lambda: bool(server._delayed))
        one.writer.write_eof()
        assert await one.ended() == b""
        await until(lambda: newest(server).over)
        assert server._delayed == {}


# When nobody reads.


async def deaf(server: RealtimeServer, stack: contextlib.AsyncExitStack) -> Peer:
    """A client that reads nothing, with more on the way to it than there is room for."""
    tight(server)
    one = await stack.enter_async_context(peer(server, room=4096))
    await one.say(opening())
    one.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await one.say(LONG)
    await until(lambda: any(getattr(there, "full", False) for there in server._present))
    return one


async def test_a_session_ends_in_its_time_although_its_client_reads_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.server.socket.CLOSING_SECONDS", 0.2)
    whole = bundled_dialect(GA)
    found = dataclasses.replace(whole, service=dataclasses.replace(whole.service, session_seconds=1))

    def new(_: Opening) -> Playback:
        return Playback(found, cassette(GA, "voice-turn"), seed=1, unix_time=NOW)

    async with contextlib.AsyncExitStack() as stack, RealtimeServer(found, KEY, new) as server:
        await deaf(server, stack)
        await until(lambda: newest(server).over)
        exchange = newest(server).exchange
        assert exchange is not None
        assert (exchange.close_by, exchange.close_code) == ("server", 1001)


async def test_the_limit_of_audio_holds_for_who_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.server.socket.CLOSING_SECONDS", 0.2)
    found = bundled_dialect(GA)

    def new(_: Opening) -> Playback:
        return Playback(found, cassette(GA, "text-turn"), seed=1, unix_time=NOW)

    second = event({"type": "input_audio_buffer.append", "audio": "AAAA" * 16_000})
    limits = Limits(audio_seconds=1.5)
    async with (
        contextlib.AsyncExitStack() as stack,
        RealtimeServer(found, KEY, new, limits=limits) as server,
    ):
        one = await deaf(server, stack)
        with contextlib.suppress(ConnectionError):
            await one.say(*[second] * 20)
        await until(lambda: newest(server).over)
        exchange = newest(server).exchange
        assert exchange is not None
        assert exchange.close_code == 1008
        assert sum(entry.side is Side.CLIENT for entry in exchange.entries) == 3  # the second was too much


@pytest.mark.parametrize("over_tls", [False, True])
async def test_what_was_sent_before_a_connection_drops_comes(over_tls: bool) -> None:
    line = FaultLine([parse_fault("drop:at=conversation.item.added")])
    found = bundled_dialect(GA)

    def new(_: Opening) -> Playback:
        return Playback(found, cassette(GA, "voice-turn"), seed=1, unix_time=NOW, faults=line.connected())

    with made_certificate() as certificate:
        trusted = ssl.create_default_context(cafile=certificate.ca_file) if over_tls else None
        tls = certificate.context if over_tls else None
        async with RealtimeServer(found, KEY, new, pace=AT_ONCE, faults=line, tls=tls) as server:
            tight(server)
            async with peer(server, tls=trusted, room=4096) as one:
                await one.say(opening())
                await one.opened()
                await one.say(LONG)
                await asyncio.sleep(0.2)
                added = await one.frame()
                assert len(added.payload) > 200_000
                assert json.loads(added.payload)["type"] == "conversation.item.added"
                assert await one.ended() == b""


# After its end.


async def test_a_session_that_broke_is_told_of_no_more_messages() -> None:
    heard: list[str] = []

    class Counting(Broken):
        def receive(self, frame: str | bytes) -> None:
            heard.append(str(frame))
            super().receive(frame)

    found = bundled_dialect(GA)
    async with (
        RealtimeServer(found, KEY, lambda _: Counting(found, seed=1, unix_time=NOW)) as server,
        peer(server) as one,
    ):
        await one.say(opening())
        await one.opened()
        await one.say(frame("break") * 5)
        assert (await one.frame()).code == 1011
        assert heard == ["break"]
