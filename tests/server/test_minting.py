"""What is asked for a key, and what it is answered with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.messages import Json
from tests.server.keyed import (
    ASKED,
    MINTING,
    ask,
    body_of,
    key_in,
    minting_server,
    nested,
    rules_of,
    session_with,
)

every = pytest.mark.parametrize("name", MINTING)
WITH_BOUNDS = ("azure-v1", "openai-ga")

CAPTURE = "webrtc-azure-answer-webrtc-offer-records-http.json"


def keys_of(value: Any) -> Any:
    """The names in a value, without its values."""
    return {name: keys_of(inner) for name, inner in value.items()} if isinstance(value, dict) else ...


# The answer.


async def test_the_captured_request_has_the_captured_answer(captures: Path) -> None:
    exchange = json.loads((captures / CAPTURE).read_text("utf-8"))[0]
    assert exchange["request"]["uri"].endswith("/openai/v1/realtime/client_secrets")
    want = exchange["response"]["parsed_body"]
    async with minting_server("azure-v1") as server:
        answer = await ask(server, exchange["request"]["parsed_body"])
        now = server.keys.clock()
        assert answer.status == exchange["response"]["status"]["code"]
        assert answer.headers["content-type"] == exchange["response"]["headers"]["content-type"][0]
        got = answer.json
        assert keys_of(got) == keys_of(want)
        assert abs(got["expires_at"] - now - 7200) < 5
        same = {**want["session"], "id": got["session"]["id"]}
        assert got["session"] == same
        assert len(got["session"]["id"]) == len(want["session"]["id"])
        async with session_with(server, got["value"], model=None) as (_, session):
            assert session == {**same, "id": session["id"], "expires_at": session["expires_at"]}
            assert session["expires_at"] > 0


@every
async def test_the_answer_is_the_session_and_a_key(name: str) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, body_of(server.dialect, {**ASKED, "model": "gpt-realtime"}))
        assert answer.status == 200
        assert "x-harness-evidence" not in answer.headers
        value, expires_at = key_in(server.dialect, answer.json)
        assert value.startswith("ek_")
        assert abs(expires_at - server.keys.clock() - rules_of(server.dialect).seconds) < 5
        session = answer.json if rules_of(server.dialect).within else answer.json["session"]
        assert session["instructions"] == ASKED["instructions"]
        assert session["model"] == "gpt-realtime"
        assert session["id"].startswith("sess_")
        if rules_of(server.dialect).within:
            assert set(answer.json["client_secret"]) == {"value", "expires_at"}
        else:
            assert set(answer.json) == {"value", "expires_at", "session"}
            assert session["expires_at"] == 0


@every
@pytest.mark.parametrize("body", [b"", b"  ", b"{}"])
async def test_nobody_has_to_ask_for_anything(name: str, body: bytes) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, body)
        assert answer.status == 200
        async with session_with(server, key_in(server.dialect, answer.json)[0]) as (_, session):
            assert session["id"]


# How long a key is good for.


@pytest.mark.parametrize("name", WITH_BOUNDS)
@pytest.mark.parametrize("seconds", [10, 60, 7200])
async def test_a_client_may_say_how_long_within_the_bounds(name: str, seconds: int) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, {"expires_after": {"anchor": "created_at", "seconds": seconds}})
        assert abs(answer.json["expires_at"] - server.keys.clock() - seconds) < 5


@pytest.mark.parametrize("name", WITH_BOUNDS)
@pytest.mark.parametrize("seconds", [9, 7201, 0, -1, 60.0, "60", True, None, [], {}])
async def test_beyond_the_bounds_and_for_nonsense_it_is_400(name: str, seconds: object) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, {"expires_after": {"anchor": "created_at", "seconds": seconds}})
        assert answer.status == 400
        error = answer.json["error"]
        assert (error["code"], error["param"]) == ("invalid_value", "expires_after.seconds")
        assert answer.headers["x-harness-evidence"] == "assumed"


@pytest.mark.parametrize("name", WITH_BOUNDS)
@pytest.mark.parametrize("after", [{}, {"anchor": "created_at"}, None])
async def test_without_seconds_it_is_as_long_as_without_the_field(name: str, after: object) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, {"expires_after": after})
        seconds = rules_of(server.dialect).seconds
        assert abs(answer.json["expires_at"] - server.keys.clock() - seconds) < 5


@pytest.mark.parametrize("name", WITH_BOUNDS)
@pytest.mark.parametrize("after", [60, "60", [], True])
async def test_an_expiry_that_is_no_object_is_400(name: str, after: object) -> None:
    async with minting_server(name) as server:
        assert (await ask(server, {"expires_after": after})).status == 400


# Refusals.


@every
@pytest.mark.parametrize(
    ("wrong", "path"),
    [({"voise": "x"}, "voise"), ({"instructions": 5}, "instructions"), ({"tools": {}}, "tools")],
)
async def test_settings_that_the_service_refuses_are_400_with_their_place_in_the_body(
    name: str, wrong: Json, path: str
) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, body_of(server.dialect, wrong))
        assert answer.status == 400, answer
        error = answer.json["error"]
        want = f"session.{path}" if nested(server.dialect) else path
        assert error["param"] == want
        assert f"'{want}'" in error["message"]
        assert error["type"] == "invalid_request_error"
        assert answer.headers["x-harness-evidence"] == rules_of(server.dialect).refusal_evidence
        assert server.asked[-1].status == 400
        assert not server.keys._minted


@pytest.mark.parametrize("name", [name for name in MINTING if name in WITH_BOUNDS])
@pytest.mark.parametrize("beside", ["voice", "model", "instructions", "type"])
async def test_what_stands_beside_the_settings_is_unknown(name: str, beside: str) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, {"session": {"type": "realtime"}, beside: "x"})
        assert answer.status == 400
        assert answer.json["error"]["code"] == "unknown_parameter"
        assert answer.json["error"]["param"] == beside


@pytest.mark.parametrize("name", WITH_BOUNDS)
@pytest.mark.parametrize("settings", [None, 5, "realtime", [], True])
async def test_settings_that_are_no_object_are_400(name: str, settings: object) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, {"session": settings})
        assert answer.status == 400
        assert answer.json["error"]["param"] == "session"


@every
@pytest.mark.parametrize("model", [5, None, ["gpt-realtime"], {}, True])
async def test_a_model_that_is_no_name_is_400(name: str, model: object) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, body_of(server.dialect, {"model": model}))
        assert answer.status == 400, answer
        assert answer.json["error"]["param"] == ("session.model" if nested(server.dialect) else "model")


@every
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"5",
        b"NaN",
        b"\xff",
        b"session=x",
        b'{"a":1e999}',
        b"[" * 5000,
        b'{"a":' * 5000,
    ],
)
async def test_a_body_that_is_no_json_object_is_400(name: str, body: bytes) -> None:
    async with minting_server(name) as server:
        answer = await ask(server, body)
        assert answer.status == 400
        assert answer.json["error"]["code"] == "invalid_json"
        assert answer.headers["x-harness-evidence"] == "assumed"


async def test_what_is_reported_to_break_the_service_breaks_this_one() -> None:
    async with minting_server("azure-v1") as server:
        flat = {"type": "realtime", "input_audio_transcription": {"model": "whisper-1"}}
        answer = await ask(server, {"session": flat})
        assert answer.status == 500
        assert answer.headers["x-harness-evidence"] == "assumed"
        assert answer.json["error"]["code"] == "500"
        assert "reported" in server.asked[-1].problem
        assert "input_audio_transcription" in server.asked[-1].problem
    async with minting_server("openai-ga") as server:
        assert (await ask(server, {"session": flat})).status == 400


async def test_the_flat_field_is_right_where_settings_are_flat() -> None:
    async with minting_server("azure-2025-04-01-preview") as server:
        answer = await ask(server, {"input_audio_transcription": {"model": "whisper-1"}})
        assert answer.status == 200
        assert answer.json["input_audio_transcription"]["model"] == "whisper-1"
