"""WebSocket frames as clients of any kind may send them; whatever one sends, the other session goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.messages import MAX_FRAME
from harness.server import Limits, RealtimeServer
from harness.service import Exchange
from tests.server.raw import (
    BINARY,
    CLOSE,
    CONTINUED,
    PING,
    PONG,
    TEXT,
    Peer,
    alone,
    among_others,
    event,
    frame,
    newest,
    opening,
    peer,
    text_turn,
    tight,
    until,
)
from tests.server.serving import serving
from tests.talk import types, user_item

ITEM = json.dumps(user_item("Zwölf Boxkämpfer"), ensure_ascii=False).encode()
"""Without escapes, so that its letters are more than a byte each."""


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> float:
    """A server that does not wait long for the end of a connection."""
    monkeypatch.setattr("harness.server.socket.CLOSING_SECONDS", 0.3)
    return 0.3


@asynccontextmanager
async def talking(
    limits: Limits | None = None, room: int | None = None
) -> AsyncIterator[tuple[RealtimeServer, Peer]]:
    """A session of raw frames, beside another one; both are over in the end."""
    async with among_others(limits=limits) as server:
        if room is not None:
            tight(server)
        async with peer(server, room=room) as one:
            await one.say(opening())
            await one.opened()
            yield server, one
        await alone(server)


def exchange(server: RealtimeServer) -> Exchange:
    found = newest(server).exchange
    assert found is not None
    return found


def heard_texts(server: RealtimeServer) -> list[str]:
    """The texts of the items that the service heard of."""
    events = [entry.event for entry in exchange(server).entries if entry.side == "client" and entry.event]
    return [one["item"]["content"][0]["text"] for one in events if "item" in one]


# Messages in several frames.


async def test_a_message_may_come_in_frames_with_pings_between_them() -> None:
    async with talking() as (server, one):
        await one.say(frame(ITEM[:10], last=False), frame(b"one", PING))
        await one.say(frame(ITEM[10:30], CONTINUED, last=False), frame(b"", CONTINUED, last=False))
        await one.say(frame(b"two", PING), frame(b"nobody asked", PONG), frame(ITEM[30:], CONTINUED))
        assert [(await one.frame()).payload for _ in range(2)] == [b"one", b"two"]
        assert (await one.frame()).event["type"] == "conversation.item.added"
        assert heard_texts(server) == ["Zwölf Boxkämpfer"]


async def test_a_letter_may_be_cut_in_two_by_frames() -> None:
    async with talking() as (server, one):
        pieces = [ITEM[at : at + 1] for at in range(len(ITEM))]
        await one.say(frame(pieces[0], last=False))
        await one.say(b"".join(frame(piece, CONTINUED, last=False) for piece in pieces[1:-1]))
        await one.say(frame(pieces[-1], CONTINUED))
        await one.until("conversation.item.added")
        assert heard_texts(server) == ["Zwölf Boxkämpfer"]


async def test_a_last_frame_may_be_empty() -> None:
    async with talking() as (_server, one):
        await one.say(frame(ITEM, last=False), frame(b"", CONTINUED))
        await one.until("conversation.item.added")


async def test_a_million_empty_frames_are_no_message_and_take_no_room() -> None:
    async with talking() as (server, one):
        await one.say(frame(ITEM, last=False))
        empty = frame(b"", CONTINUED, last=False)
        for _ in range(10):
            await one.say(empty * 3_000)
        (socket,) = [present for present in server._present if present.listener is not None
                     and present.listener._service is newest(server).service]  # fmt: skip
        await one.say(frame(b"are you done?", PING))
        assert (await one.frame()).opcode == PONG
        assert len(socket._pieces) == len(ITEM)
        await one.say(frame(b"", CONTINUED))
        await one.until("conversation.item.added")


async def test_binary_messages_are_answered_by_an_error_event() -> None:
    async with talking() as (_server, one):
        await one.say(frame(ITEM, BINARY))
        assert (await one.frame()).event["type"] == "error"
        await one.say(frame(ITEM[:9], BINARY, last=False), frame(ITEM[9:], CONTINUED))
        assert (await one.frame()).event["type"] == "error"
        await one.say(text_turn())
        await one.until("response.done")


async def test_pings_are_answered_with_what_they_carry_in_turn() -> None:
    async with talking() as (_server, one):
        for payload in (b"", b"\x00\xff", b"x" * 125):
            await one.say(frame(payload, PING))
            heard = await one.frame()
            assert (heard.opcode, heard.payload) == (PONG, payload)


# Frames that RFC 6455 forbids.


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frame(b"\xff"), 1007),
        (frame(b"\xed\xa0\x80"), 1007),
        (frame(b'{"type":"\xc3'), 1007),
        (frame(ITEM[:9], last=False) + frame(b"\xc3\x28", CONTINUED), 1007),
        (frame(ITEM, masked=False), 1002),
        (frame(ITEM, reserved=4), 1002),
        (frame(ITEM, reserved=2), 1002),
        (frame(ITEM, reserved=1), 1002),
        (frame(ITEM, opcode=3), 1002),
        (frame(b"", opcode=11), 1002),
        (frame(b"x" * 126, PING), 1002),
        (frame(b"x", PING, last=False), 1002),
        (frame(ITEM, CONTINUED), 1002),
        (frame(ITEM, last=False) + frame(ITEM), 1002),
        (frame(b"x", CLOSE), 1002),
        (frame(b"\x00\x00", CLOSE), 1002),
        (frame((999).to_bytes(2, "big"), CLOSE), 1002),
        (frame((1004).to_bytes(2, "big"), CLOSE), 1002),
        (frame((1005).to_bytes(2, "big"), CLOSE), 1002),
        (frame((1006).to_bytes(2, "big"), CLOSE), 1002),
        (frame((1015).to_bytes(2, "big"), CLOSE), 1002),
        (frame((5000).to_bytes(2, "big"), CLOSE), 1002),
        (frame(b"\x03\xe8\xff", CLOSE), 1007),
        (frame(ITEM[:20], last=False) + frame(b"\x03\xe8", CLOSE), 1002),
        (frame(b"", length=2**63), 1009),
        (frame(b"", length=MAX_FRAME + 1), 1009),
        (frame(ITEM[:20], last=False) + frame(b"", CONTINUED, length=MAX_FRAME), 1009),
    ],
    ids=[
        "no UTF-8", "half a surrogate pair", "half a letter", "no UTF-8 in pieces", "not masked", "RSV1",
        "RSV2", "RSV3", "opcode 3", "opcode 11", "a long ping", "a ping in pieces", "nothing to continue",
        "a message in a message", "half a code", "code 0", "code 999", "code 1004", "code 1005", "code 1006",
        "code 1015", "code 5000", "a reason that is no UTF-8", "a close in a message", "a length of 2**63",
        "too long", "too long in pieces",
    ],
)  # fmt: skip
async def test_a_forbidden_frame_ends_its_connection_with_the_code_for_it(said: bytes, code: int) -> None:
    async with talking() as (server, one):
        await one.say(said + event(user_item("after the end")))
        assert await one.closed() == code
        one.writer.close()
        await until(lambda: newest(server).over)
        assert newest(server).failure is None
        assert heard_texts(server) == []


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1011, 1012, 3000, 3999, 4000, 4999])
async def test_a_close_is_answered_with_its_own_code_and_noted(code: int) -> None:
    async with talking() as (server, one):
        await one.say(frame(code.to_bytes(2, "big") + "schön".encode(), CLOSE))
        assert await one.closed() == code
        await until(lambda: newest(server).over)
        found = exchange(server)
        assert (found.close_by, found.close_code, found.close_reason) == ("client", code, "schön")


async def test_a_close_without_a_code_is_answered_with_one_without() -> None:
    async with talking() as (server, one):
        await one.say(frame(b"", CLOSE))
        assert (await one.frame()).payload == b""
        assert await one.ended() == b""
        await until(lambda: newest(server).over)
        assert (exchange(server).close_by, exchange(server).close_code) == ("client", 1005)


async def test_what_comes_after_a_close_is_heard_by_nobody() -> None:
    async with talking() as (server, one):
        await one.say(frame(b"\x03\xe8", CLOSE) + text_turn() + frame(b"x", PING))
        assert await one.closed() == 1000
        await until(lambda: newest(server).over)
        assert heard_texts(server) == []


async def test_what_comes_before_a_close_is_heard_although_it_comes_with_it() -> None:
    async with talking() as (server, one):
        await one.say(frame(ITEM) + frame(b"\x03\xe8", CLOSE))
        assert await one.closed() == 1000
        await until(lambda: newest(server).over)
        assert heard_texts(server) == ["Zwölf Boxkämpfer"]


@pytest.mark.parametrize("pieces", [1, 2, 40])
async def test_a_message_beyond_the_limit_is_1009_however_it_is_cut(pieces: int) -> None:
    async with talking(Limits(message_bytes=2000)) as (server, one):
        just, size = json.dumps(user_item("x" * 3000))[:2001].encode(), 2001 // pieces + 1
        parts = [just[at : at + size] for at in range(0, 2001, size)]
        for number, part in enumerate(parts):
            await one.say(frame(part, CONTINUED if number else TEXT, last=number == len(parts) - 1))
        assert await one.closed() == 1009
        one.writer.close()
        await until(lambda: newest(server).over)
        assert exchange(server).close_by == "server"
        assert "2000" in exchange(server).close_reason


async def test_a_message_of_just_the_limit_is_taken() -> None:
    async with talking(Limits(message_bytes=2000)) as (_server, one):
        just = json.dumps(user_item("x"))
        just = just.replace('"x"', '"' + "x" * (2001 - len(just)) + '"')
        assert len(just) == 2000
        await one.say(frame(just))
        await one.until("conversation.item.added")


# Ends.


async def test_an_end_without_a_close_is_noted_as_nobodys() -> None:
    async with talking() as (server, one):
        one.writer.write_eof()
        await one.ended()
        await until(lambda: newest(server).over)
        assert (exchange(server).close_by, exchange(server).close_code) == ("nobody", 1006)


@pytest.mark.parametrize("part", [b"\x81", frame(ITEM)[:3], frame(ITEM)[:-1], frame(ITEM, last=False)])
@pytest.mark.parametrize("way", ["end", "reset"])
async def test_an_end_in_the_middle_of_a_message_is_no_message(part: bytes, way: str) -> None:
    async with talking() as (server, one):
        await one.say(part)
        if way == "reset":
            await asyncio.sleep(0.01)
            one.reset()
        else:
            one.writer.write_eof()
        await until(lambda: newest(server).over)
        assert heard_texts(server) == []
        assert exchange(server).close_by == "nobody"


async def test_a_reset_in_the_middle_of_an_answer_breaks_nothing() -> None:
    async with among_others(name="audio-turn") as server:
        for _ in range(5):
            async with peer(server, room=4096) as one:
                await one.say(opening())
                await one.opened()
                await one.say(text_turn())
                await one.until("response.created")
                one.reset()
            await alone(server)


async def test_who_is_refused_and_does_not_hang_up_loses_the_connection(brisk: float) -> None:
    async with among_others() as server:
        for refused in (opening(key="another"), opening(target="/nowhere"), opening()[:-2] + b"Upgrade: x\r\n\r\n",
                        b"GET /health HTTP/1.1\r\n\r\n", b"GET / nonsense\r\n\r\n"):  # fmt: skip
            async with peer(server) as one:
                await one.say(refused)
                assert (await one.answer()).status != 101
                await one.ended()  # our half, and the other half stays open
                await alone(server)


async def test_who_is_told_that_it_is_over_and_does_not_hang_up_loses_the_connection(brisk: float) -> None:
    async with talking() as (server, one):
        await one.say(frame(b"\xff"))
        assert await one.closed() == 1007
        await alone(server)


async def test_who_goes_on_talking_after_the_end_loses_the_connection(brisk: float) -> None:
    async with talking() as (server, one):
        await one.say(frame(b"\xff"))

        async def endless() -> None:
            while True:
                await one.say(frame(b"x" * 60_000))

        with pytest.raises(ConnectionError):
            await endless()
        await alone(server)


# Whoever does not read.


def waiting_for(server: RealtimeServer) -> int:
    """Bytes that the server keeps for the peers that do not read."""
    return max(one.transport.get_write_buffer_size() for one in server._present if one.transport is not None)


async def test_pings_of_a_client_that_does_not_read_take_no_room() -> None:
    async with talking(room=4096) as (server, one):
        many = frame(b"x" * 125, PING) * 500
        most = 0
        for _ in range(300):  # 20 MB
            await one.say(many)
            most = max(most, waiting_for(server))
        await one.say(frame(b"the last", PING))
        assert most < 1_000_000
        while (await one.frame()).payload != b"the last":
            pass


async def test_messages_of_a_client_that_does_not_read_wait_until_it_does() -> None:
    async with talking(room=4096) as (server, one):
        many, told = 12_000, event({"type": "conversation.item.retrieve", "item_id": "nobody"})
        saying = asyncio.create_task(one.say(*[told * 100] * (many // 100)))
        most_bytes = most_unsaid = 0
        service = newest(server).service
        assert service is not None
        quiet, before = 0, -1
        while quiet < 20:  # until nothing moves any more
            await asyncio.sleep(0.01)
            most_bytes = max(most_bytes, waiting_for(server))
            most_unsaid = max(most_unsaid, service.unsaid)
            quiet, before = (quiet + 1 if len(exchange(server).entries) == before else 0,
                             len(exchange(server).entries))  # fmt: skip
        assert most_bytes < 200_000
        assert 4_000 < most_unsaid < 9_000
        for _ in range(many):
            assert (await one.frame()).event["type"] == "error"
        await saying


async def test_the_server_goes_down_although_clients_neither_read_nor_leave(brisk: float) -> None:
    async with serving() as server, peer(server, room=4096) as one, peer(server, room=4096) as two:
        for each in (one, two):
            await each.say(opening())
            await each.opened()
            await each.say(event(user_item("x" * 4_000_000)))
        two.writer.write_eof()
        await until(lambda: waiting_for(server) > 0)
        began = time.monotonic()
        await server.__aexit__()
        assert time.monotonic() - began < 2
        assert not server._present


async def test_who_ends_its_half_and_never_reads_loses_the_connection(brisk: float) -> None:
    async with talking(room=4096) as (server, one):
        await one.say(event(user_item("x" * 4_000_000)))
        await until(lambda: waiting_for(server) > 0)
        one.writer.write_eof()
        await alone(server)


async def test_requests_of_a_client_that_does_not_read_the_answers_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.server.door.OPENING_SECONDS", 0.5)
    async with among_others() as server:
        tight(server)
        async with peer(server, room=4096) as one:
            most = 0

            async def endless() -> None:
                nonlocal most
                while True:
                    await one.say(b"POST /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
                    most = max(most, waiting_for(server))

            with pytest.raises(ConnectionError):
                await endless()
            await alone(server)
            assert 0 < most < 200_000
            assert len(server.asked) < 1000
            assert "it does not read what it is answered" in server.strangers


# Any frames.

FRAMES = [
    frame(ITEM),
    frame(ITEM[:9], last=False),
    frame(ITEM[9:], CONTINUED),
    frame(b"", CONTINUED, last=False),
    frame(b"x", PING),
    frame(b"x", PONG),
    frame(b"\x03\xe8", CLOSE),
    frame(b"", CLOSE),
    frame(b"\xff\xff"),
    frame(b"\xff", BINARY),
    frame("[" * 200),
    frame("{}", reserved=4),
    frame("{}", masked=False),
    frame("", length=100),
    frame("", length=2**62),
    event({"type": "response.create"}),
    event({"type": "response.cancel"}),
]


@given(st.lists(st.one_of(st.sampled_from(FRAMES), st.binary(min_size=1, max_size=8)), max_size=12))
@settings(max_examples=25)
def test_no_frames_break_a_session_but_their_own(said: list[bytes]) -> None:
    async def met() -> None:
        async with talking() as (server, one):
            with contextlib.suppress(OSError):  # shown out in the meantime
                await one.say(*said)
                one.writer.write_eof()
            await one.ended()
            await until(lambda: newest(server).over)
            assert newest(server).failure is None

    asyncio.run(met())


def test_the_item_here_is_what_it_says() -> None:
    assert types([json.loads(ITEM)]) == ["conversation.item.create"]
