"""The plain client, against real sockets and the service model in both generations."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from harness.dialects import bundled_dialect
from harness.drivers.implementation import programs_folder
from harness.faults import FaultLine, parse_fault
from harness.messages import Json
from harness.scenario import Speech, Text
from harness.scenario.answers import tone
from harness.server import RealtimeServer
from harness.service import Service
from tests.talk import BOTH, GA, PREVIEW

KEY = "key-0123456789abcdef"
SPOKEN = Speech("One two three.", tone(220, 1.5))


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(programs_folder()))


@dataclass
class Talk:
    """A client with its server, and what it surfaced."""

    client: Any
    server: RealtimeServer
    surfaced: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.surfaced if name == kind]

    def sent(self, connection: int = -1) -> list[Json]:
        service = self.server.connections[connection].service
        assert service is not None
        assert not [entry for entry in service.exchange.entries if entry.refusals]
        return [entry.event for entry in service.exchange.client_entries() if entry.event]


@asynccontextmanager
async def talking(
    dialect_name: str, *answers: Any, session: Json | None = None, faults: tuple[str, ...] = ()
) -> AsyncIterator[Talk]:
    dialect = bundled_dialect(dialect_name)
    line = FaultLine(map(parse_fault, faults))
    left = iter(answers)

    def new_service(_: Any) -> Service:
        service = Service(dialect, seed=1, unix_time=1, answers=left, faults=line.connected())
        service.open()
        return service

    async with RealtimeServer(dialect, KEY, new_service, faults=line) as server:
        talk = Talk(None, server)
        talk.client = client_at(server.origin, dialect_name, talk.surfaced)
        await talk.client.connect()
        await talk.client.configure(session or {"type": "realtime", "output_modalities": ["text"]})
        try:
            yield talk
        finally:
            await talk.client.close()


def client_at(origin: str, dialect_name: str, surfaced: list[tuple[str, dict[str, Any]]]) -> Any:
    runtime = importlib.import_module("driver_runtime")
    handshake = bundled_dialect(dialect_name).handshake
    query = dict(handshake.right_query("m"))
    text = "&".join(f"{name}={value}" for name, value in query.items())
    url = f"{origin.replace('http', 'ws')}{handshake.path}?{text}"
    endpoint = runtime.Endpoint(url, origin, handshake.path, query, KEY)

    def surface(kind: str, **fields: Any) -> None:
        surfaced.append((kind, fields))

    return importlib.import_module("realtime_client").RealtimeClient(endpoint, (), surface)


@pytest.mark.parametrize(("dialect", "part"), [(GA, "output_text"), (PREVIEW, "text")])
async def test_history_is_put_in_with_the_generations_own_part_types(dialect: str, part: str) -> None:
    async with talking(dialect, Text("Ada.")) as talk:
        await talk.client.seed([("user", "I am Ada."), ("assistant", "Hello.")])
        await talk.client.say("Who am I?")
        items = [event["item"] for event in talk.sent() if event["type"] == "conversation.item.create"]
    assert [item["role"] for item in items] == ["user", "assistant", "user"]
    assert items[1]["content"] == [{"type": part, "text": "Hello."}]
    assert talk.client.conversation.words()[-2:] == [("user", "Who am I?"), ("assistant", "Ada.")]


@pytest.mark.parametrize("dialect", BOTH)
async def test_items_are_edited_by_their_place_and_a_place_that_is_none_is_told(dialect: str) -> None:
    session = {"type": "realtime"}
    async with talking(dialect, SPOKEN, session=session) as talk:
        await talk.client.say("Count!")
        await talk.client.edit("truncate", 1, 300)
        await talk.client.edit("delete", 0)
        await talk.client.edit("delete", 1)
        await talk.client.edit("delete", 7)
        sent = [event for event in talk.sent() if event["type"].startswith("conversation.item.")]
    assert [event["type"].rpartition(".")[2] for event in sent] == ["create", "truncate", "delete", "delete"]
    assert sent[1]["audio_end_ms"] == 300
    assert sent[1]["item_id"] == sent[3]["item_id"] != sent[2]["item_id"]
    assert [error["message"] for error in talk.kinds("error")] == ["the conversation has no item 7"]


def test_an_item_is_found_by_its_words_where_more_stands_before_it() -> None:
    held = importlib.import_module("conversation").Conversation()
    for number, (role, text) in enumerate([("user", "Hi"), ("assistant", "Hello"), ("user", "Hi")]):
        held.note({"id": str(number), "type": "message", "role": role, "content": [{"text": text}]})
    assert held.place_of(("user", "Hi"), 0) == 0
    assert held.place_of(("assistant", "Hello"), 0) == 1
    assert held.place_of(("user", "Hi"), 1) == 2
    assert held.place_of(("user", "never said"), 1) == 1


@pytest.mark.parametrize(
    ("dialect", "named"), [(GA, "output_modalities"), ("azure-2025-04-01-preview", "modalities")]
)
async def test_an_answer_aside_is_asked_for_in_the_generations_own_words(dialect: str, named: str) -> None:
    async with talking(dialect, Text("Aside.")) as talk:
        await talk.client.respond({"conversation": "none", "output_modalities": ["text"]})
        asked = talk.sent()[-1]
    assert asked["response"] == {"conversation": "none", named: ["text"]}
    assert "".join(fields["text"] for fields in talk.kinds("text")) == "Aside."


@pytest.mark.parametrize("dialect", BOTH)
async def test_on_a_new_connection_session_and_words_are_restored_and_shown_once(dialect: str) -> None:
    session = {"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."}
    drop = "drop:at=response.done,answer=1"
    async with talking(dialect, Text("Hello."), Text("Ada."), session=session, faults=(drop,)) as talk:
        await talk.client.say("I am Ada.")
        shown = len(talk.kinds("item"))
        async with asyncio.timeout(5):
            while not talk.kinds("error"):
                await asyncio.sleep(0.01)
        await talk.client.reconnect()
        assert len(talk.kinds("item")) == shown
        await talk.client.say("Who am I?")
        service = talk.server.connections[1].service
        assert service is not None
        (start,) = service.exchange.responses
    assert start.session["instructions"] == "Be brief."
    assert [item["content"][0]["text"] for item in start.items] == ["I am Ada.", "Hello.", "Who am I?"]
    assert len(talk.kinds("error")) == 1
    assert "lost" in talk.kinds("error")[0]["message"]


async def test_a_service_too_busy_is_asked_once_more_after_the_time_it_names() -> None:
    refused = "refuse-handshake:status=429,retry-after=0"
    async with talking(GA, Text("Hello."), faults=(refused,)) as talk:
        await talk.client.say("Hello!")
    assert [one.handshake.status for one in talk.server.connections] == [429, 101]
    assert talk.kinds("error") == []


@pytest.mark.parametrize("status", [429, 503])
async def test_a_handshake_that_stays_refused_is_told_with_its_status(status: int) -> None:
    refused = f"refuse-handshake:status={status},retry-after=0,times=always"
    async with talking(GA, faults=(refused,)) as talk:
        await talk.client.say("Hello!")
    assert [error["code"] for error in talk.kinds("error")] == [str(status)]


async def test_an_update_the_service_refuses_is_told_and_not_restored_later() -> None:
    async with talking(GA, SPOKEN, session={"type": "realtime"}) as talk:
        await talk.client.say("Count!")
        await talk.client.configure({"audio": {"output": {"voice": "echo"}}})
        await talk.client.reconnect()
        update, *restored = talk.sent()
    assert len(talk.kinds("error")) == 1
    assert "audio" not in update["session"]
    assert [event["item"]["role"] for event in restored] == ["user", "assistant"]


# Barge-in and sessions that only hear, against a service written down by hand.


@asynccontextmanager
async def scripted(
    serves: Callable[[ServerConnection, list[Json]], Any],
) -> AsyncIterator[tuple[str, list[Json]]]:
    received: list[Json] = []

    async def handle(socket: ServerConnection) -> None:
        await serves(socket, received)

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}", received


async def tell(socket: ServerConnection, type_: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": type_, "event_id": "e", **fields}))


async def heard(socket: ServerConnection, received: list[Json], type_: str) -> None:
    while True:
        received.append(json.loads(await socket.recv()))
        if received[-1]["type"] == type_:
            return


async def interrupted(socket: ServerConnection, received: list[Json]) -> None:
    detection = {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    await tell(socket, "session.created", session={"type": "realtime", **detection})
    await heard(socket, received, "response.create")
    answer = {"response_id": "r", "item_id": "i", "content_index": 0}
    sound = base64.b64encode(bytes(4800)).decode()
    await tell(socket, "response.output_audio.delta", **answer, delta=sound)
    await heard(socket, received, "input_audio_buffer.append")
    await tell(socket, "input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    await heard(socket, received, "conversation.item.truncate")
    await tell(socket, "response.done", response={"status": "cancelled"})
    await tell(socket, "response.done", response={"status": "completed"})
    await socket.wait_closed()


async def test_who_is_interrupted_tells_how_much_was_heard_and_no_more_than_came() -> None:
    surfaced: list[tuple[str, dict[str, Any]]] = []
    async with scripted(interrupted) as (origin, received):
        client = client_at(origin, GA, surfaced)
        await client.connect()
        saying = asyncio.create_task(client.say("Hello!"))
        while not any(kind == "audio" for kind, _ in surfaced):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.15)  # longer than the 100 ms that came
        await client.interrupt(b"\1\0" * 2400, 24000)
        await saying
        await client.close()
    truncated = received[-1]
    assert (truncated["item_id"], truncated["content_index"], truncated["audio_end_ms"]) == ("i", 0, 100)
    assert [kind for kind, _ in surfaced] == ["audio", "interruption"]


async def hears(socket: ServerConnection, received: list[Json]) -> None:
    await tell(socket, "transcription_session.created", session={"turn_detection": {"type": "server_vad"}})
    await heard(socket, received, "transcription_session.update")
    transcription = {"input_audio_transcription": {"model": "whisper-1"}}
    await tell(socket, "transcription_session.updated", session=transcription)
    await heard(socket, received, "input_audio_buffer.append")
    await tell(socket, "input_audio_buffer.committed", item_id="u")
    done = "conversation.item.input_audio_transcription.completed"
    await tell(socket, done, item_id="u", content_index=0, transcript="Hello.")
    received.extend([json.loads(frame) async for frame in socket])


async def test_a_flat_session_that_only_hears_has_its_own_update_and_never_asks_for_an_answer() -> None:
    surfaced: list[tuple[str, dict[str, Any]]] = []
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    async with scripted(hears) as (origin, received):
        client = client_at(origin, PREVIEW, surfaced)
        await client.connect()
        await client.configure(session)
        await client.speak(b"\1\0" * 2400, 24000, commit=False)
        await client.close()
    assert received[0]["session"] == {"input_audio_transcription": {"model": "whisper-1"}}
    assert not [event for event in received if event["type"] == "response.create"]
    assert surfaced == [("user_transcript", {"text": "Hello."})]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0.5),
        ("", 0.5),
        ("0", 0.0),
        ("2", 2.0),
        ("60", 5.0),
        ("-1", 5.0),
        ("nan", 5.0),
        ("tomorrow", 5.0),
    ],
)
def test_a_busy_service_is_waited_for_as_long_as_it_asks_and_never_longer_than_that(
    header: str | None, seconds: float
) -> None:
    dialling = importlib.import_module("dialling")
    assert dialling._retry_after(header) == seconds
