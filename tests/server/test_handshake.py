from __future__ import annotations

import asyncio
import itertools
import json
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from harness.dialects import bundled_dialect
from harness.server.handshake import judge_handshake
from harness.server.keys import Keyring
from tests.server.serving import KEY, TARGET, dial, hear, serving
from tests.talk import BOTH, GA, PREVIEW

both = pytest.mark.parametrize("dialect", BOTH)


async def refused(
    dialect: str, target: str | None = None, headers: dict[str, str] | None = None
) -> InvalidStatus:
    async with serving(dialect) as server:
        with pytest.raises(InvalidStatus) as refusal:
            async with dial(
                server, target, additional_headers={"api-key": KEY} if headers is None else headers
            ):
                pass
        (connection,) = server.connections
        assert connection.service is None
        assert connection.handshake.status == refusal.value.response.status_code
        assert connection.handshake.refusal is not None
        return refusal.value


# A right one.


@both
async def test_a_right_handshake_opens_a_session(dialect: str) -> None:
    async with serving(dialect) as server, dial(server) as websocket:
        assert (await hear(websocket))["type"] == "session.created"
    (connection,) = server.connections
    assert connection.handshake.status == 101
    assert connection.handshake.refusal is None
    assert connection.handshake.path == urlsplit(TARGET[dialect]).path


@both
@pytest.mark.parametrize("way", ["header", "query", "bearer", "lower-case bearer", "odd-case header"])
async def test_the_key_may_come_in_three_ways(dialect: str, way: str) -> None:
    headers = {
        "header": {"api-key": KEY},
        "odd-case header": {"API-Key": KEY},
        "query": {},
        "bearer": {"Authorization": f"Bearer {KEY}"},
        "lower-case bearer": {"authorization": f"bearer {KEY}"},
    }[way]
    target = TARGET[dialect] + (f"&api-key={KEY}" if way == "query" else "")
    async with serving(dialect) as server, dial(server, target, additional_headers=headers) as websocket:
        assert (await hear(websocket))["type"] == "session.created"
        assert KEY not in repr(server.connections[0].handshake)


@both
async def test_the_parameters_may_stand_in_any_order_beside_others(dialect: str) -> None:
    split = urlsplit(TARGET[dialect])
    parts = [*split.query.split("&"), "client=test"]
    async with serving(dialect) as server:
        for order in itertools.permutations(parts):
            async with dial(server, f"{split.path}?{'&'.join(order)}") as websocket:
                assert (await hear(websocket))["type"] == "session.created"


@both
async def test_realtime_is_the_subprotocol_only_where_it_is_offered(dialect: str) -> None:
    async with serving(dialect) as server:
        async with dial(server) as websocket:
            assert websocket.subprotocol is None
        async with dial(server, subprotocols=["realtime"]) as websocket:
            assert websocket.subprotocol == "realtime"
        async with dial(server, subprotocols=["other", "realtime"]) as websocket:
            assert websocket.subprotocol == "realtime"
        async with dial(server, subprotocols=["other"]) as websocket:
            assert websocket.subprotocol is None
            assert (await hear(websocket))["type"] == "session.created"
    assert server.connections[2].handshake.subprotocols == ("other", "realtime")


@pytest.mark.parametrize(("dialect", "taken"), [("openai-ga", True), ("openai-beta", True), (GA, False)])
def test_browsers_have_the_key_in_a_subprotocol_where_the_dialect_takes_it_there(
    dialect: str, taken: bool
) -> None:
    """A browser's WebSocket, and Node's own, cannot set headers."""
    found = bundled_dialect(dialect)
    target = f"{found.handshake.path}?model=gpt-realtime"
    for key, right in ((KEY, taken), ("another", False)):
        offered = [
            ("Sec-WebSocket-Protocol", f"realtime, openai-insecure-api-key.{key}, openai-beta.realtime-v1")
        ]
        assert (judge_handshake(found, target, offered, Keyring(KEY)).refusal is None) is right


@both
async def test_nothing_is_compressed_even_where_the_client_offers_it(dialect: str) -> None:
    async with serving(dialect) as server, dial(server, compression="deflate") as websocket:
        assert websocket.response is not None
        assert websocket.response.headers.get("Sec-WebSocket-Extensions") is None
        assert websocket.request is not None
        assert "permessage-deflate" in websocket.request.headers["Sec-WebSocket-Extensions"]
        assert (await hear(websocket))["type"] == "session.created"


async def test_each_server_takes_a_free_port_of_the_loopback_alone() -> None:
    async with serving() as one, serving() as two:
        ports = {urlsplit(server.origin).port for server in (one, two)}
        assert len(ports) == 2
        assert all(urlsplit(server.origin).hostname == "127.0.0.1" for server in (one, two))
    with socket.socket() as free:
        free.bind(("127.0.0.1", ports.pop() or 0))


# Wrong ones.


@both
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"api-key": "another"},
        {"api-key": ""},
        {"api-key": KEY + "x"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
    ],
)
async def test_a_wrong_key_is_401(dialect: str, headers: dict[str, str]) -> None:
    response = (await refused(dialect, headers=headers)).response
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/json"
    body = json.loads(response.body or b"")
    assert body["error"]["code"] == "401"
    assert "Access denied" in body["error"]["message"]


@both
@pytest.mark.parametrize(
    "path", ["/", "/v1/realtime", "/openai/realtime/", "/openai/v1/realtime/x", "/OPENAI/REALTIME"]
)
async def test_a_wrong_path_is_404(dialect: str, path: str) -> None:
    assert (await refused(dialect, f"{path}?{urlsplit(TARGET[dialect]).query}")).response.status_code == 404


@both
async def test_the_other_generations_path_is_404(dialect: str) -> None:
    (other,) = set(BOTH) - {dialect}
    assert (await refused(dialect, TARGET[other])).response.status_code == 404


@pytest.mark.parametrize(
    ("dialect", "query", "missing"),
    [
        (GA, "", "model"),
        (GA, "model=", "model"),
        (GA, "deployment=gpt-realtime", "model"),
        (PREVIEW, "", "api-version"),
        (PREVIEW, "api-version=2024-10-01-preview", "deployment"),
        (PREVIEW, "deployment=gpt-realtime", "api-version"),
        (PREVIEW, "api-version=2024-12-17&deployment=gpt-realtime", "api-version"),
    ],
)
async def test_a_missing_or_wrong_parameter_is_400_and_named(dialect: str, query: str, missing: str) -> None:
    response = (await refused(dialect, f"{urlsplit(TARGET[dialect]).path}?{query}")).response
    assert response.status_code == 400
    assert f"'{missing}'" in json.loads(response.body or b"")["error"]["message"]


async def test_an_api_version_left_on_the_ga_path_is_401() -> None:
    target = TARGET[GA] + "&api-version=2024-10-01-preview"
    assert (await refused(GA, target)).response.status_code == 401


def transcription(deployment: str) -> str:
    return f"/openai/realtime?api-version=2025-04-01-preview&intent=transcription{deployment}"


@pytest.mark.parametrize("intent", ["transcription", "conversation"])
async def test_a_deployment_beside_the_intent_to_transcribe_is_400_and_named(intent: str) -> None:
    target = transcription("&deployment=gpt-4o-transcribe").replace("transcription", intent, 1)
    name = "azure-2025-04-01-preview"
    if intent == "transcription":
        response = (await refused(name, target)).response
        assert response.status_code == 400
        assert "'deployment'" in json.loads(response.body or b"")["error"]["message"]
        return
    judged = judge_handshake(bundled_dialect(name), target, [("api-key", KEY)], Keyring(KEY))
    assert judged.refusal is None


def test_a_deployment_without_a_name_is_none_so_dials_the_openai_package() -> None:
    found = bundled_dialect("azure-2025-04-01-preview")
    judged = judge_handshake(found, transcription("&deployment="), [("api-key", KEY)], Keyring(KEY))
    assert judged.refusal is None


LATE = {
    "wrong_key": ("?model=gpt-realtime", {"Authorization": "Bearer another"}, 3000, "invalid_api_key"),
    "missing_query": ("", {}, 4000, "missing_model"),
    "needless_query": ("?model=gpt-realtime&intent=transcription", {}, 4000, "invalid_model"),
    "refused_header": (
        "?model=gpt-realtime",
        {"OpenAI-Beta": "realtime=v1"},
        4000,
        "beta_api_shape_disabled",
    ),
}
"""OpenAI opens the WebSocket and refuses it there: the name in the table, and what brings it about."""


@pytest.mark.parametrize("name", LATE)
async def test_a_service_that_opens_every_websocket_refuses_by_an_error_and_a_close(name: str) -> None:
    query, headers, close, code = LATE[name]
    async with serving("openai-ga") as server:
        target = f"/v1/realtime{query}"
        given = {"Authorization": f"Bearer {KEY}", **headers}
        async with dial(server, target, additional_headers=given, subprotocols=["realtime"]) as websocket:
            assert websocket.subprotocol == "realtime"
            error = await hear(websocket)
            assert error["type"] == "error"
            assert error["error"]["code"] == code
            assert error["event_id"].startswith("event_")
            with pytest.raises(ConnectionClosedError) as ended:
                await websocket.recv()
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == close
            assert ended.value.rcvd.reason == f"invalid_request_error.{code}"
        (connection,) = server.connections
        assert connection.handshake.refusal == name
        assert not connection.handshake.opened
        assert connection.over
        assert connection.service is None
        assert server.sessions == 0


async def test_what_a_client_says_to_a_websocket_opened_for_its_refusal_is_heard_by_nobody() -> None:
    async with serving("openai-ga") as server:
        refused = {"Authorization": "Bearer another"}
        async with dial(server, "/v1/realtime?model=gpt-realtime", additional_headers=refused) as websocket:
            for _ in range(20):
                await websocket.send('{"type": "response.create"}')
            assert (await hear(websocket))["error"]["code"] == "invalid_api_key"
            with pytest.raises(ConnectionClosedError):
                await websocket.recv()
        assert [one.service for one in server.connections] == [None]


def test_a_header_is_refused_for_its_value() -> None:
    found = bundled_dialect("openai-ga")
    for value, name in (("realtime=v1", "refused_header"), ("assistants=v2", None)):
        headers = [("Authorization", f"Bearer {KEY}"), ("OpenAI-Beta", value)]
        judged = judge_handshake(found, "/v1/realtime?model=gpt-realtime", headers, Keyring(KEY))
        assert judged.handshake.refusal == name


async def test_a_server_that_refused_goes_on_serving() -> None:
    async with serving() as server:
        for target in ("//[", "/%ff%00", "/openai/v1/realtime?model=%", "/openai/v1/realtime?model=&model="):
            with pytest.raises(InvalidStatus):
                async with dial(server, target, additional_headers={}):
                    pass
        async with dial(server) as websocket:
            assert (await hear(websocket))["type"] == "session.created"


async def test_a_get_without_upgrade_is_no_handshake_and_noted_as_the_request_it_is() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"GET {TARGET[GA]} HTTP/1.1\r\nHost: x\r\napi-key: {KEY}\r\n\r\n".encode())
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 426 ")
        assert b"\r\nUpgrade: websocket\r\n" in answer
        assert b"\r\nX-Harness-Evidence: assumed\r\n" in answer
        writer.close()
        assert server.connections == []
        (asked,) = server.asked
        assert (asked.method, asked.path, asked.status) == ("GET", urlsplit(TARGET[GA]).path, 426)


async def test_a_handshake_that_is_none_by_its_headers_is_noted_with_the_status_it_got() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"GET {TARGET[GA]} HTTP/1.1\r\nHost: x\r\napi-key: {KEY}\r\nUpgrade: websocket\r\n"
        writer.write(f"{head}Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        writer.close()
        (connection,) = server.connections
        assert (connection.handshake.status, connection.handshake.opened) == (400, False)
        assert connection.over


async def test_a_client_that_speaks_no_http_at_all_harms_nobody() -> None:
    async with serving() as server:
        with socket.create_connection(("127.0.0.1", urlsplit(server.origin).port or 0)) as raw:
            raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        async with dial(server) as websocket:
            assert (await hear(websocket))["type"] == "session.created"


# What goes into the log.


@both
def test_the_logged_handshake_never_holds_the_key(dialect: str) -> None:
    target = f"{TARGET[dialect]}&api-key={KEY}"
    headers = [("api-key", KEY), ("Authorization", f"Bearer {KEY}"), ("X-Other", f"see {KEY}")]
    headers.append(("Sec-WebSocket-Protocol", f"realtime, openai-insecure-api-key.{KEY}"))
    judged = judge_handshake(bundled_dialect(dialect), target, headers, Keyring(KEY))
    handshake = judged.handshake
    assert judged.refusal is None
    assert judged.body == ""
    assert KEY not in repr(handshake)
    assert handshake.subprotocols[0] == "realtime"
    assert handshake.header("api-key") == "[redacted]"


@both
@given(target=st.text(max_size=60), name=st.text(max_size=10), value=st.text(max_size=40))
def test_every_request_gets_an_answer(dialect: str, target: str, name: str, value: str) -> None:
    judged = judge_handshake(bundled_dialect(dialect), target, [(name, value)], Keyring(KEY))
    assert judged.refusal is not None
    assert judged.handshake.status in (400, 401, 404)


def test_subprotocols_may_come_in_several_headers() -> None:
    found = bundled_dialect("openai-ga")
    headers = [
        ("Sec-WebSocket-Protocol", f"openai-insecure-api-key.{KEY}"),
        ("Sec-WebSocket-Protocol", "realtime"),
    ]
    judged = judge_handshake(found, "/v1/realtime?model=gpt-realtime", headers, Keyring(KEY))
    assert judged.refusal is None
    assert judged.handshake.subprotocols[1] == "realtime"


def test_what_is_a_secret_by_its_name_in_a_query_is_not_logged() -> None:
    target = f"{TARGET[GA]}&token=a-secret-of-somebody&key=another-secret&sig=a-third-one"
    judged = judge_handshake(bundled_dialect(GA), target, [("api-key", KEY)], Keyring(KEY))
    assert judged.refusal is None
    query = dict(judged.handshake.query)
    assert query["model"] == "gpt-realtime"
    assert {query["token"], query["key"], query["sig"]} == {"[redacted]"}
