"""What one server takes, and that whoever goes beyond it harms nobody else."""

from __future__ import annotations

import base64
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.dialects import bundled_dialect
from harness.exceptions import UsageFault
from harness.faults import FaultLine, parse_fault
from harness.messages import MAX_DEPTH, MAX_FRAME
from harness.server import Limits, Opening, RealtimeServer
from harness.service import Service
from tests.server.raw import CLOSE, among_others, deserted, frame, newest, opening, peer, until
from tests.server.serving import KEY, dial, hear, hear_until, say
from tests.talk import BOTH, GA, NOW, user_item

both = pytest.mark.parametrize("dialect", BOTH)


def nested(levels: int) -> str:
    """An event of so many levels; its first is the event itself."""
    inner = "[" * (levels - 2) + "]" * (levels - 2)
    return (
        '{"type": "conversation.item.create", "item": {"x": ' + inner + "}}"
        if levels > 2
        else '{"type": "x"}'
    )


# Messages.


@both
async def test_a_message_beyond_the_limit_is_1009_and_its_size_is_noted(dialect: str) -> None:
    async with among_others(dialect, limits=Limits(message_bytes=5000)) as server, dial(server) as one:
        await hear(one)
        await one.send("x" * 5001)
        with pytest.raises(ConnectionClosed) as closed:
            await one.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        await until(lambda: newest(server).over)
        exchange = newest(server).exchange
        assert exchange is not None
        assert "5001" in exchange.close_reason
        assert "5000" in exchange.close_reason


async def test_a_message_within_the_limit_is_answered() -> None:
    async with among_others(limits=Limits(message_bytes=5000)) as server, dial(server) as one:
        await hear(one)
        await one.send("x" * 5000)
        assert (await hear(one))["type"] == "error"


@both
@pytest.mark.parametrize(("levels", "told"), [(8, False), (9, True), (2000, True)])
async def test_json_that_nests_beyond_the_limit_is_answered_as_none(
    dialect: str, levels: int, told: bool
) -> None:
    async with among_others(dialect, limits=Limits(nesting=8)) as server, dial(server) as one:
        await hear(one)
        await one.send(nested(levels))
        error = (await hear(one))["error"]
        assert ("nested deeper than 8 levels" in error["message"]) is told, error
        await say(one, user_item("Hello there!"))
        await say(one, {"type": "response.create"})
        await hear_until(one, "response.done")


@pytest.mark.parametrize(("levels", "told"), [(MAX_DEPTH, False), (MAX_DEPTH + 1, True)])
async def test_json_nests_as_deep_as_anywhere_where_nothing_is_said_of_it(levels: int, told: bool) -> None:
    async with among_others() as server, dial(server) as one:
        await hear(one)
        await one.send(nested(levels))
        error = (await hear(one))["error"]
        assert (f"nested deeper than {MAX_DEPTH} levels" in error["message"]) is told, error


# Sessions.


@both
async def test_too_many_sessions_are_refused_as_the_service_refuses_them(dialect: str) -> None:
    async with among_others(dialect, limits=Limits(sessions=2)) as server:
        async with dial(server) as one:
            await hear(one)
            with pytest.raises(InvalidStatus) as refused:
                await dial(server)
            response = refused.value.response
            assert response.status_code == 429
            assert response.headers["Retry-After"] == "1"
            known = server.dialect.handshake.refusals["rate_limited"]
            assert response.headers["X-Harness-Evidence"] == known.body_evidence
            body = json.loads(response.body or b"")
            assert body == {"error": {"code": known.code, "message": known.message}}
            handshake = newest(server).handshake
            assert (handshake.status, handshake.body) == (429, json.dumps(body))
            assert newest(server).over
            assert server.sessions == 2
        await until(lambda: server.sessions == 1)
        async with dial(server) as another:
            assert (await hear(another))["type"] == "session.created"


async def test_the_right_key_is_asked_for_before_there_is_talk_of_how_many() -> None:
    async with among_others(limits=Limits(sessions=1)) as server, peer(server) as one:
        await one.say(opening(key="another"))
        assert (await one.answer()).status == 401


async def test_sessions_that_are_over_and_those_that_were_refused_do_not_count() -> None:
    async with among_others(limits=Limits(sessions=2)) as server:
        for _ in range(4):
            async with peer(server) as one:
                await one.say(opening())
                await one.opened()
                await one.say(frame(b"\x03\xe8", CLOSE))
                assert await one.closed() == 1000
            async with peer(server) as two:
                await two.say(opening(target="/nowhere"))
                assert (await two.answer()).status == 404
            await until(lambda: server.sessions == 1)


async def test_handshakes_that_a_fault_holds_up_count_too() -> None:
    line = FaultLine([parse_fault("slow-handshake:seconds=0.3,times=3")])

    def new_service(opening: Opening) -> Service:
        return Service(opening.dialect, seed=1, unix_time=NOW)

    found = bundled_dialect(GA)
    async with RealtimeServer(found, KEY, new_service, faults=line, limits=Limits(sessions=2)) as server:
        async with peer(server) as one, peer(server) as two, peer(server) as three:
            for each in (one, two, three):
                await each.say(opening())
            assert (await three.answer()).status == 429
            await one.opened()
            await two.opened()
        await deserted(server)


# Audio.


def append(seconds: float) -> dict[str, str]:
    return {
        "type": "input_audio_buffer.append",
        "audio": base64.b64encode(bytes(int(48_000 * seconds))).decode(),
    }


@both
async def test_more_audio_than_a_session_may_send_closes_it_and_says_why(dialect: str) -> None:
    async with among_others(dialect, limits=Limits(audio_seconds=2)) as server, dial(server) as one:
        await hear(one)
        for _ in range(4):
            await say(one, append(0.5))
        await say(one, {"type": "input_audio_buffer.clear"})
        await hear_until(one, "input_audio_buffer.cleared")  # two seconds are not more than two
        await say(one, append(0.1))
        with pytest.raises(ConnectionClosed) as closed:
            await hear_until(one, "nothing more")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert "2 s of audio" in closed.value.rcvd.reason
        await until(lambda: newest(server).over)
        exchange = newest(server).exchange
        assert exchange is not None
        assert (exchange.close_by, exchange.close_code) == ("server", 1008)


async def test_audio_counts_for_each_session_by_itself() -> None:
    async with among_others(limits=Limits(audio_seconds=1)) as server:
        for _ in range(3):
            async with dial(server) as one:
                await hear(one)
                await say(one, append(0.9))
                await say(one, {"type": "input_audio_buffer.clear"})
                await hear_until(one, "input_audio_buffer.cleared")


# Of the limits themselves.


@pytest.mark.parametrize(
    "wrong",
    [
        {"message_bytes": 10},
        {"message_bytes": MAX_FRAME + 1},
        {"nesting": 7},
        {"nesting": MAX_DEPTH + 1},
        {"sessions": 0},
        {"audio_seconds": 0},
        {"audio_seconds": -1},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageFault, match="a limit of"):
        Limits(**wrong)
