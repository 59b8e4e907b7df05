"""What comes to the port, and how: told apart by its first line, and shown out where it is nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import ssl
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dialects import bundled_dialect
from harness.messages import Json
from harness.server import Opening, RealtimeServer, made_certificate
from harness.service import Service
from tests.server.raw import (
    CLOSE,
    PING,
    PONG,
    Peer,
    alone,
    among_others,
    deserted,
    event,
    frame,
    minting,
    newest,
    opening,
    peer,
    request,
    text_turn,
    until,
)
from tests.server.serving import KEY, serving
from tests.talk import GA, PREVIEW, types

HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(505)
"""The start of a TLS handshake."""

KEYS = "/openai/v1/realtime/client_secrets"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """A door that waits for no more than this."""
    monkeypatch.setattr("harness.server.door.OPENING_SECONDS", 0.25)
    return 0.25


def each_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


# Byte by byte.


@pytest.mark.parametrize("dialect", [GA, PREVIEW])
async def test_a_handshake_and_a_turn_may_come_byte_by_byte(dialect: str) -> None:
    async with among_others(dialect) as server, peer(server) as one:
        await one.say(*each_byte(opening(dialect)))
        assert (await one.opened())["type"] == "session.created"
        await one.say(*each_byte(text_turn()))
        assert types(await one.until("response.done"))[-1] == "response.done"


async def test_a_request_for_a_key_may_come_byte_by_byte() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(*each_byte(minting({"session": {"type": "realtime", "model": "gpt-realtime"}})))
        answer = await one.answer()
        assert answer.status == 200
        assert answer.json["value"].startswith("ek_")


async def test_a_first_line_may_be_cut_anywhere() -> None:
    asked = opening()
    line = asked.index(b"\r\n") + 2
    async with among_others() as server:
        for cut in range(1, line + 1):
            async with peer(server) as one:
                await one.say(asked[:cut], asked[cut:])
                await one.opened()
            await alone(server)


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
async def test_empty_lines_before_a_request_are_passed_over(cut: int) -> None:
    """RFC 9112 2.2. They may come before the first line does."""
    async with among_others() as server:
        for asked in (opening(), request("HEAD", "/health")):
            async with peer(server) as one:
                whole = b"\r\n\r\n" + asked
                await one.say(whole[:cut])
                await asyncio.sleep(0.01)
                await one.say(whole[cut:])
                assert (await one.answer(bodiless=True)).status in (101, 200)


# Too slow.


@pytest.mark.parametrize(
    "said",
    [b"", b"G", b"\r\n", b"GET /openai/v1/realtime", b"no newline, and no HTTP either"],
    ids=["nothing", "a byte", "an empty line", "half a line", "something else"],
)
async def test_who_sends_no_first_line_in_time_is_shown_out(said: bytes, impatient: float) -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(said)
        assert await one.ended() == b""
        await alone(server)
        assert list(server.strangers) == [f"it sent no request line within {impatient:g} s"]


@pytest.mark.parametrize(
    "said",
    [
        opening()[:-2],
        opening()[:80],
        minting()[:-1],
        request("POST", KEYS, b"", "Transfer-Encoding: chunked") + b"5\r\nab",
    ],
    ids=["headers without an end", "half a header", "half a body", "half a chunk"],
)
async def test_who_sends_the_rest_too_slowly_is_shown_out(said: bytes, impatient: float) -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(said)
        await one.ended()
        await alone(server)
        (why,) = server.strangers
        assert why == f"it sent no whole request within {impatient:g} s"


async def test_bytes_now_and_then_do_not_hold_the_door_open(impatient: float) -> None:
    async with among_others() as server, peer(server) as one:
        began = time.monotonic()
        gone = asyncio.create_task(one.ended())
        for byte in each_byte(opening()):
            if gone.done():
                break
            one.writer.write(byte)
            await asyncio.sleep(0.02)
        await gone
        assert time.monotonic() - began < impatient + 1
        await alone(server)


async def test_an_open_session_may_say_nothing_for_as_long_as_it_likes(impatient: float) -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(opening())
        await one.opened()
        await asyncio.sleep(impatient + 0.1)
        await one.say(text_turn())
        await one.until("response.done")


async def test_a_connection_that_is_kept_alive_and_asks_no_more_is_ended_in_silence(impatient: float) -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(minting())
        assert (await one.answer()).status == 200
        assert await one.ended() == b""
        await alone(server)
        assert list(server.strangers) == []


# Several requests on one connection.


async def test_two_requests_in_one_segment_are_answered_in_turn() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(minting() + minting(key="another"))
        assert [(await one.answer()).status for _ in range(2)] == [200, 401]
        assert [asked.status for asked in server.asked] == [200, 401]


async def test_hundreds_of_requests_in_one_segment_are_answered_in_turn() -> None:
    many = 600
    asked = b"".join(request("POST", f"/{number}") for number in range(many))
    async with among_others() as server, peer(server) as one:
        one.writer.write(asked)
        for _ in range(many):
            assert (await one.answer()).status == 404
        assert server.asked[-1].path == f"/{many - 1}"


async def test_a_websocket_may_follow_a_request_for_its_key_on_the_same_connection() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(minting({"session": {"type": "realtime", "instructions": "Mind the gap."}}))
        key = (await one.answer()).json["value"]
        await one.say(opening(key=key))
        created = await one.opened()
        assert created["session"]["instructions"] == "Mind the gap."
        await one.say(text_turn())
        await one.until("response.done")


async def test_a_request_and_a_websocket_may_come_in_one_segment() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(request("POST", KEYS, b"{}", f"api-key: {KEY}") + opening() + text_turn())
        assert (await one.answer()).status == 200
        await one.opened()
        await one.until("response.done")


async def test_messages_may_come_with_the_handshake_itself() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(opening() + frame(b"hello", PING) + text_turn() + frame(b"\x03\xe8", CLOSE))
        assert (await one.answer()).status == 101
        heard = []
        while not heard or heard[-1].opcode != CLOSE:
            heard.append(await one.frame())
        assert (PONG, b"hello") in [(one.opcode, one.payload) for one in heard]
        await one.ended()
        await alone(server)
        exchange = newest(server).exchange
        assert exchange is not None
        assert [
            entry.event["type"] for entry in exchange.entries if entry.side == "client" and entry.event
        ] == [
            "conversation.item.create",
            "response.create",
        ]
        assert (exchange.close_by, exchange.close_code) == ("client", 1000)


async def test_messages_that_come_with_a_handshake_that_is_refused_are_heard_by_nobody() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(opening(key="another") + text_turn())
        assert (await one.answer()).status == 401
        assert await one.ended() == b""
        one.writer.close()
        await alone(server)
        assert newest(server).service is None


# Something else.


async def test_tls_on_a_plain_port_is_shown_out_and_told_why() -> None:
    async with among_others() as server:
        for pieces in ([HELLO], each_byte(HELLO[:20])):
            async with peer(server) as one:
                await one.say(pieces[0])
                assert await one.ended() == b""
            await alone(server)
        assert len(server.strangers) == 2
        assert all("speaks TLS" in why for why in server.strangers)


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n\r\n",
        b"\x00\x01\x02\xff\n\n\n",
        b"GET\r\n\r\n",
        b"GET \r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
    ids=lambda said: repr(said)[2:40],
)
async def test_what_is_no_request_is_answered_as_one_that_cannot_be_read(said: bytes) -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(said)
        answer = await one.answer()
        assert answer.status in (400, 501, 505), answer
        assert answer.headers["connection"] == "close"
        assert answer.headers["x-harness-evidence"] == "assumed"
        assert answer.json["error"]["code"] == str(answer.status)
        assert await one.ended() == b""
        one.writer.close()
        await alone(server)
        assert [asked.status for asked in server.asked] == [answer.status]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("part", ["a line without an end", "a line", "a header", "many headers"])
async def test_a_head_that_is_too_long_is_refused(method: str, part: str) -> None:
    said = {
        "a line without an end": f"{method} /{'x' * 40_000}",
        "a line": f"{method} /{'x' * 40_000} HTTP/1.1\r\nHost: x\r\n\r\n",
        "a header": f"{method} / HTTP/1.1\r\nHost: x\r\nX: {'x' * 40_000}\r\n\r\n",
        "many headers": f"{method} / HTTP/1.1\r\nHost: x\r\n" + "X: x\r\n" * 20_000 + "\r\n",
    }[part].encode()
    async with among_others() as server, peer(server) as one:
        await one.say(said)
        answer = await one.answer()
        assert answer.status == 431
        assert answer.json["error"]["code"] == "431"
        await one.ended()
        one.writer.close()
        await alone(server)
        assert server.asked[-1].status == answer.status


async def test_a_head_that_never_ends_is_read_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.server.socket.CLOSING_SECONDS", 0.2)
    async with among_others() as server, peer(server) as one:
        one.writer.write(b"GET / HTTP/1.1\r\n")

        async def endless() -> None:
            while True:
                one.writer.write(b"X: " + b"x" * 1000 + b"\r\n")
                await one.writer.drain()

        with pytest.raises(ConnectionError):
            await endless()
        await alone(server)


# Ends.


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", []),
        (b"GET /openai", ["it ended its first line half-way"]),
        (opening()[:60], ["it ended its request half-way"]),
        (minting()[:-2], []),  # which is answered with 400
    ],
    ids=["before a byte", "in a first line", "in the headers of a GET", "in the body of a POST"],
)
@pytest.mark.parametrize("way", ["end", "half", "reset"])
async def test_whoever_leaves_before_it_has_asked_leaves_nothing_behind(
    said: bytes, why: list[str], way: str
) -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(said)
        await until(lambda: len(server._present) == 2)
        if way == "reset":
            await asyncio.sleep(0.01)
            one.reset()
        elif way == "half":
            one.writer.write_eof()
            await one.ended()
        else:
            one.writer.close()
        await alone(server)
        if way != "reset":
            assert list(server.strangers) == why


async def test_the_server_goes_down_although_strangers_stand_at_its_door() -> None:
    async with contextlib.AsyncExitStack() as strangers:
        async with serving() as server:
            for said in (b"", b"G", opening()[:60], minting()[:-1], minting(), opening()):
                one = await strangers.enter_async_context(peer(server))
                await one.say(said)
            await one.opened()
            await until(lambda: len(server._present) == 6)
            began = time.monotonic()
            one.writer.write(frame(b"\x03\xe8", CLOSE))
        assert time.monotonic() - began < 2
        await deserted(server)


# Any bytes.


def scenario_bytes() -> bytes:
    update: Json = {"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}}
    return (
        minting({"session": {"type": "realtime"}})
        + request("HEAD", "/health")
        + opening()
        + event(update)
        + frame(b"are you there?", PING)
        + text_turn()
    )


async def talked(one: Peer, pieces: list[bytes]) -> list[object]:
    """What comes of the bytes of a whole scenario, without what is different each time."""
    await one.say(*pieces)
    minted, health = await one.answer(), await one.answer(bodiless=True)
    heard: list[object] = [minted.status, health.status, (await one.opened())["type"]]
    while True:
        said = await one.frame()
        if said.opcode == PONG:
            assert said.payload == b"are you there?"
            continue
        heard.append(said.event.get("delta") or said.event["type"])
        if heard[-1] == "response.done":
            return heard


async def test_the_bytes_of_a_scenario_have_the_same_answer_however_they_are_cut() -> None:
    said = scenario_bytes()
    chance = random.Random(1)
    async with among_others() as server:
        async with peer(server) as one:
            want = await talked(one, [said])
        for pieces in (2, 3, 5, 8, 30, 100, 300):
            cuts = [0, *sorted(chance.sample(range(1, len(said)), pieces)), len(said)]
            async with peer(server) as one:
                heard = await talked(one, [said[a:b] for a, b in itertools.pairwise(cuts)])
            assert heard == want, cuts
            await alone(server)


PIECES = [
    b"GET ",
    b"POST ",
    b"/openai/v1/realtime?model=gpt-realtime",
    KEYS.encode(),
    b" HTTP/1.1\r\n",
    b"\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    f"api-key: {KEY}\r\n".encode(),
    opening(),
    opening(key=None),
    minting(),
    frame(b"x" * 40, PING),
    frame(b"\x03\xe8", CLOSE),
    frame("{}"),
    frame("x", last=False),
    frame("x", 0),
    frame(b"\xff"),
    text_turn(),
    b"\x81\xfe",
    HELLO,
    b"\x00",
]

anything = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=60)), max_size=8)


@given(anything, st.booleans())
@settings(max_examples=25)
def test_no_bytes_break_the_server(pieces: list[bytes], resets: bool) -> None:
    async def met() -> None:
        async with among_others() as server:
            async with peer(server) as one:
                with contextlib.suppress(OSError):  # shown out in the meantime
                    await one.say(*pieces)
                    if resets:
                        one.reset()
                    else:
                        one.writer.write_eof()
                        await one.ended()
            await alone(server)

    asyncio.run(met())


def test_the_dialects_here_are_those_that_mint_keys_at_this_path() -> None:
    rules = bundled_dialect(GA).keys
    assert rules is not None
    assert rules.path == KEYS


# TLS first.


@pytest.fixture(scope="module")
def secured() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side, and that of a client that trusts it."""
    with made_certificate() as certificate:
        return certificate.context, ssl.create_default_context(cafile=certificate.ca_file)


Secured = tuple[ssl.SSLContext, ssl.SSLContext]


async def test_websockets_and_requests_come_over_tls_cut_anywhere(secured: Secured) -> None:
    ours, theirs = secured
    async with among_others(tls=ours, trusted=theirs) as server:
        for pieces in ([scenario_bytes()], each_byte(scenario_bytes())):
            async with peer(server, tls=theirs) as one:
                assert (await talked(one, pieces))[-1] == "response.done"
            await alone(server)


async def test_a_request_may_come_in_the_moment_in_which_tls_is_ready(secured: Secured) -> None:
    """With the client's last part of the handshake, in one segment."""
    ours, theirs = secured
    async with among_others(tls=ours, trusted=theirs) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = theirs.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65_536))
        client.write(request("HEAD", "/health"))
        writer.write(outgoing.read())
        heard = b""
        async with asyncio.timeout(5):
            while not heard:
                incoming.write(await reader.read(65_536))
                with contextlib.suppress(ssl.SSLWantReadError):
                    heard = client.read(65_536)
        assert heard.startswith(b"HTTP/1.1 200 ")
        writer.close()
        await alone(server)


async def test_plain_http_on_a_port_of_tls_is_shown_out_and_told_why(secured: Secured) -> None:
    ours, theirs = secured
    async with among_others(tls=ours, trusted=theirs) as server, peer(server) as one:
        await one.say(opening())
        await one.ended()
        await alone(server)
        assert list(server.strangers) == ["it speaks no TLS, and this port does: dial wss:// and https://"]


async def test_a_client_that_does_not_trust_the_certificate_is_a_stranger(secured: Secured) -> None:
    ours, theirs = secured
    async with among_others(tls=ours, trusted=theirs) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=ssl.create_default_context())
        await until(lambda: bool(server.strangers))  # by its alert, or by its end where that is lost
        await alone(server)


@pytest.mark.parametrize("said", [b"", HELLO[:40]], ids=["nothing", "half a hello"])
async def test_tls_that_never_gets_ready_is_shown_out(
    said: bytes, secured: Secured, impatient: float
) -> None:
    ours, theirs = secured
    async with among_others(tls=ours, trusted=theirs) as server, peer(server) as one:
        await one.say(said)
        await one.ended()
        await alone(server)
        assert len(server.strangers) == 1


async def test_the_server_goes_down_although_tls_is_half_done(secured: Secured) -> None:
    async with contextlib.AsyncExitStack() as strangers:
        async with RealtimeServer(bundled_dialect(GA), KEY, nobody, tls=secured[0]) as server:
            for said in (b"", HELLO[:40]):
                one = await strangers.enter_async_context(peer(server))
                await one.say(said)
            await until(lambda: len(server._present) == 2)
            began = time.monotonic()
        assert time.monotonic() - began < 2
        await deserted(server)


def nobody(opening: Opening) -> Service:
    raise AssertionError("no session was to be opened")
