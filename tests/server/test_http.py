"""Plain HTTP on the port of the WebSockets: methods, bodies, and what is asked of a server by both sides of it."""

from __future__ import annotations

import json

import pytest

from harness.server.head import MAX_HEAD
from harness.server.http import MAX_BODY
from tests.server.raw import Answer, alone, among_others, minting, opening, peer, request
from tests.server.serving import KEY
from tests.talk import GA

KEYS = "/openai/v1/realtime/client_secrets"
SOCKET = "/openai/v1/realtime"
ASKED = json.dumps({"session": {"type": "realtime", "instructions": "Be brief."}}).encode()
AUTH = f"api-key: {KEY}"


async def answered(*said: bytes, bodiless: bool = False) -> Answer:
    """The one answer to what is said, of a server on which nothing is left of it."""
    async with among_others() as server:
        async with peer(server) as one:
            await one.say(*said)
            answer = await one.answer(bodiless=bodiless)
            one.writer.write_eof()
            assert await one.ended() == b""
        await alone(server)
        return answer


# Methods.


@pytest.mark.parametrize("method", ["HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "GET"])
async def test_keys_are_had_by_post_alone(method: str) -> None:
    answer = await answered(request(method, KEYS, b"", AUTH), bodiless=method == "HEAD")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["x-harness-evidence"] == "assumed"


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "CONNECT", "BREW"])
@pytest.mark.parametrize("path", [f"{SOCKET}?model=gpt-realtime", "/health"])
async def test_sockets_and_health_are_had_by_get_alone(method: str, path: str) -> None:
    if (method, path) == ("HEAD", "/health"):
        return
    answer = await answered(request(method, path, b"", AUTH), bodiless=method == "HEAD")
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "CONNECT", "BREW"])
async def test_any_other_path_is_404(method: str) -> None:
    answer = await answered(request(method, "/v1/chat/completions", b"", AUTH), bodiless=method == "HEAD")
    assert answer.status == 404
    if method != "HEAD":
        assert answer.json["error"]["code"] == "404"


async def test_an_answer_to_head_has_the_length_of_the_page_and_no_page() -> None:
    head = await answered(request("HEAD", "/health"), bodiless=True)
    page = await answered(request("GET", "/health"))
    assert head.headers["content-length"] == page.headers["content-length"] == str(len(page.body))


# Versions of HTTP.


async def test_http_1_0_is_answered_and_its_connection_ended() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(request("POST", KEYS, ASKED, AUTH, version="1.0"))
        answer = await one.answer()
        assert answer.json["session"]["instructions"] == "Be brief."
        assert await one.ended() == b""


async def test_no_websocket_is_opened_by_http_1_0() -> None:
    answer = await answered(opening().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert answer.status in (400, 505)


async def test_a_client_that_asks_for_the_end_of_the_connection_gets_it() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(minting(None, "Connection: close"))
        answer = await one.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await one.ended() == b""


async def test_an_upgrade_to_anything_else_is_not_made() -> None:
    answer = await answered(minting(None, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"))
    assert answer.status == 200


# Bodies.


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_a_body_may_come_in_chunks(size: int) -> None:
    head = request("POST", KEYS, b"", AUTH, "Transfer-Encoding: chunked")
    parts = [ASKED[at : at + size] for at in range(0, len(ASKED), size)]
    chunks = [f"{len(part):x};x=y\r\n".encode() + part + b"\r\n" for part in parts]
    answer = await answered(head, *chunks, b"0\r\nX-Trailer: x\r\n\r\n")
    assert answer.json["session"]["instructions"] == "Be brief."


async def test_whoever_waits_to_be_told_to_send_its_body_is_told() -> None:
    async with among_others() as server, peer(server) as one:
        whole = request("POST", KEYS, ASKED, AUTH, "Expect: 100-continue")
        await one.say(whole[: -len(ASKED)])
        assert (await one.answer()).status == 100
        await one.say(whole[-len(ASKED) :])
        assert (await one.answer()).json["session"]["instructions"] == "Be brief."


async def test_whoever_does_not_wait_for_it_is_not_told() -> None:
    answer = await answered(request("POST", KEYS, ASKED, AUTH, "Expect: 100-continue"))
    assert answer.status == 200


async def test_a_body_shorter_than_it_says_is_400() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(request("POST", KEYS, ASKED, AUTH)[:-5])
        one.writer.write_eof()
        answer = await one.answer()
        assert (answer.status, answer.headers["x-harness-evidence"]) == (400, "assumed")
        assert await one.ended() == b""
        await alone(server)
        assert server.asked[-1].status == 400


async def test_what_a_body_has_beyond_its_length_is_another_request() -> None:
    async with among_others() as server, peer(server) as one:
        await one.say(minting() + b"and more\r\n\r\n")
        assert [(await one.answer()).status for _ in range(2)] == [200, 400]
        assert await one.ended() == b""


@pytest.mark.parametrize("way", ["length", "chunks"])
async def test_a_body_that_is_too_large_is_413_and_told_although_the_client_goes_on(way: str) -> None:
    async with among_others() as server, peer(server) as one:
        if way == "length":
            whole = request("POST", KEYS, b"x" * (MAX_BODY + 1), AUTH)
        else:
            head = request("POST", KEYS, b"", AUTH, "Transfer-Encoding: chunked")
            whole = head + (b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 17
        one.writer.write(whole)
        answer = await one.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert answer.json["error"]["code"] == "413"
        await one.say(b"x" * 100_000)
        assert await one.ended() == b""
        one.writer.close()
        await alone(server)
        assert server.asked[-1].status == 413


async def test_a_body_of_just_the_limit_is_read() -> None:
    padded = ASKED + b" " * (MAX_BODY - len(ASKED))
    assert (await answered(request("POST", KEYS, padded, AUTH))).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        b'{"session":\x00}',
        b'{"session": {"instructions": "\\u0000"}}',
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
    ],
)
async def test_bytes_that_are_no_text_are_answered(body: bytes) -> None:
    answer = await answered(request("POST", KEYS, body, AUTH))
    assert answer.status == (200 if b"u0000" in body else 400)
    assert answer.json


async def test_bytes_that_are_no_text_in_a_target_or_a_header_are_answered() -> None:
    assert (await answered(request("POST", "/%00%ff\udcff", b"", AUTH))).status in (400, 404)
    assert (await answered(request("POST", KEYS, b"", "api-key: \udcff\udcfe"))).status == 401
    assert (await answered(opening(GA, key="\udcff"))).status == 401
    assert (await answered(opening(target="/\x00"))).status == 404
    assert (await answered(opening(target="/\xe9"))).status in (400, 404)  # older libraries read it


@pytest.mark.parametrize("cut", [0, 100, 20_000, 34_000])
async def test_a_head_that_is_too_long_is_so_however_it_is_cut(cut: int) -> None:
    said = request("PUT", SOCKET, b"", *(f"a{number}: {number}" for number in range(2800)))
    assert len(said) > MAX_HEAD > sum(len(line) - 2 for line in said.split(b"\r\n"))
    async with among_others() as server, peer(server) as one:
        await one.say(*filter(None, (said[:cut], said[cut:])))
        assert (await one.answer()).status == 431
