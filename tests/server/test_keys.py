"""Keys for browsers, from their minting to their end."""

from __future__ import annotations

import pytest

from harness.server.keys import MOST_MINTED, Keyring
from tests.server.keyed import (
    ASKED,
    AZURE,
    MINTING,
    WAYS,
    ask,
    mint,
    minting_server,
    opening_with,
    refusal_of,
    rules_of,
    session_with,
    voice,
    voice_of,
)
from tests.server.raw import newest, peer, text_turn
from tests.server.serving import KEY

every = pytest.mark.parametrize("name", MINTING)


# What they open.


@every
@pytest.mark.parametrize("way", WAYS)
async def test_a_session_opened_with_a_key_has_the_settings_it_was_minted_for(name: str, way: str) -> None:
    async with minting_server(name) as server:
        key = await mint(server, {**ASKED, **voice(server.dialect, "echo")})
        async with session_with(server, key, way) as (one, session):
            assert session["instructions"] == ASKED["instructions"]
            assert session["tools"] == ASKED["tools"]
            assert voice_of(session) == "echo"
            await one.say(text_turn())
            assert (await one.until("response.done"))[-1]["response"]["status"] == "completed"
        async with session_with(server, KEY, "subprotocol" if "openai" in name else "header") as (_, other):
            assert other["instructions"] != ASKED["instructions"]
            assert voice_of(other) != "echo"


@pytest.mark.parametrize("name", AZURE)
async def test_the_settings_hold_for_a_replayed_cassette_too(name: str) -> None:
    async with minting_server(name, played="text-turn") as server:
        key = await mint(server, {**ASKED, **voice(server.dialect, "echo"), "model": "my-deployment"})
        async with session_with(server, key, model=None) as (one, session):
            assert session["instructions"] == ASKED["instructions"]
            assert voice_of(session) == "echo"
            assert session["model"] == "my-deployment"
            await one.say(text_turn())
            assert (await one.until("response.done"))[-1]["response"]["status"] == "completed"


@every
async def test_the_model_is_the_one_of_the_key_unless_the_client_names_another(name: str) -> None:
    async with minting_server(name) as server:
        key = await mint(server, {"model": "gpt-realtime-of-the-key"})
        async with session_with(server, key, model=None) as (_, session):
            assert session["model"] == "gpt-realtime-of-the-key"
        async with session_with(server, key, model="gpt-realtime-named") as (_, session):
            assert session["model"] == "gpt-realtime-named"
        nameless = await mint(server)
        said = opening_with(server, "header", nameless, model=None)
        assert await refusal_of(server, said) == "missing_query"  # somebody has to say which


async def test_a_key_for_transcription_opens_a_session_that_only_hears() -> None:
    async with minting_server("azure-v1") as server:
        answer = await ask(server, {"session": {"type": "transcription"}})
        assert answer.status == 200
        assert answer.json["session"]["type"] == "transcription"
        async with session_with(server, answer.json["value"]) as (_, session):
            assert session["type"] == "transcription"


@every
async def test_a_key_opens_as_many_sessions_as_are_asked_for(name: str) -> None:
    async with minting_server(name) as server:
        key = await mint(server, ASKED)
        for _ in range(3):
            async with session_with(server, key) as (_, session):
                assert session["instructions"] == ASKED["instructions"]


async def test_keys_do_not_know_of_each_other() -> None:
    async with minting_server("azure-v1") as server:
        one, two = await mint(server, {"instructions": "One."}), await mint(server, {"instructions": "Two."})
        assert one != two
        async with session_with(server, one) as (_, first), session_with(server, two) as (_, second):
            assert (first["instructions"], second["instructions"]) == ("One.", "Two.")


# When they are none.


@every
@pytest.mark.parametrize("way", WAYS)
async def test_a_key_that_has_expired_is_a_wrong_one(name: str, way: str) -> None:
    async with minting_server(name) as server:
        key = await mint(server)
        now, last = server.keys.clock(), rules_of(server.dialect).seconds
        server.keys.clock = lambda: now + last - 2
        async with session_with(server, key, way):
            server.keys.clock = lambda: now + last + 1
            assert await refusal_of(server, opening_with(server, way, key)) == "wrong_key"
            assert newest(server).handshake.expired_key


@every
async def test_a_session_outlives_its_key(name: str) -> None:
    async with minting_server(name) as server:
        key = await mint(server)
        async with session_with(server, key) as (one, _):
            now = server.keys.clock()
            server.keys.clock = lambda: now + 100_000
            await one.say(text_turn())
            await one.until("response.done")


@every
@pytest.mark.parametrize("way", WAYS)
async def test_a_key_nobody_minted_is_a_wrong_one(name: str, way: str) -> None:
    async with minting_server(name) as server:
        said = opening_with(server, way, "ek_00000000000000000000000000000000")
        assert await refusal_of(server, said) == "wrong_key"
        assert not newest(server).handshake.expired_key


@every
async def test_a_minted_key_mints_no_other(name: str) -> None:
    async with minting_server(name) as server:
        key = await mint(server)
        for headers in ((), (f"Authorization: Bearer {key}",)):
            answer = await ask(server, None, *headers, key=key)
            assert answer.status == 401
        assert len(server.keys._minted) == 1


async def test_a_key_of_one_server_is_none_of_another() -> None:
    async with minting_server("azure-v1") as one, minting_server("azure-v1") as two:
        assert await refusal_of(two, opening_with(two, "header", await mint(one))) == "wrong_key"


async def test_the_oldest_of_very_many_keys_are_forgotten() -> None:
    ring = Keyring(KEY)
    keys = [ring.mint(60, {}, None) for _ in range(MOST_MINTED + 3)]
    assert [ring.ephemeral([key.value]) for key in keys[:4]] == [None, None, None, keys[3]]
    assert ring.ephemeral([keys[-1].value]) is keys[-1]


# What is kept of them.


@every
@pytest.mark.parametrize("way", WAYS)
async def test_no_key_stands_in_what_is_kept_of_requests_and_handshakes(name: str, way: str) -> None:
    async with minting_server(name) as server:
        key = await mint(server, ASKED)
        await ask(server, {"secret": KEY}, f"X-Other: {KEY}")
        await ask(server, None, key=key)
        async with peer(server) as one:
            await one.say(f"POST /{KEY} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await one.answer()
        async with session_with(server, key, way):
            kept = repr(server.asked) + repr([each.handshake for each in server.connections])
            assert KEY not in kept
            assert key not in kept
            assert len(server.asked) == 4


def test_of_keys_that_are_over_only_that_they_were_some_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    keys = Keyring(KEY, lambda: now)
    old = keys.mint(10, {"instructions": "x" * 100_000}, "m")
    now = 2000.0
    keys.mint(10, {}, None)
    kept = keys.ephemeral([old.value])
    assert kept is not None
    assert keys.expired(kept)
    assert kept.settings == {}
    monkeypatch.setattr("harness.server.keys.MOST_SETTINGS", 1_000_000)
    many = [keys.mint(10_000, {"instructions": "x" * 300_000}, "m") for _ in range(10)]
    there = [keys.ephemeral([one.value]) is not None for one in many]
    assert there == [False] * 7 + [True] * 3
