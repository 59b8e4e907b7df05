"""What `serve` shows when it ends: real clients did what they did, and what is said of them is read."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.bundled import cassettes_folder
from harness.cli.main import main
from harness.dialects import bundled_dialect
from harness.messages import MAX_FRAME
from harness.service import Handshake
from harness.serving import judge_handshake
from tests.cli.served import KEY, Served, hear_until, say, served
from tests.talk import GA, user_item

WRONG: dict[str, Any] = {"type": "session.update", "session": {"type": "realtime", "voice": "alloy"}}
ODD: dict[str, Any] = {"type": "session.update", "session": {"type": "realtime", "model": "another"}}


def findings(running: Served) -> str:
    """What was said at the end."""
    assert running.said.count("\nfindings about what connected") == 1, running.said
    return running.said.partition("\nfindings about what connected")[2]


def summary(running: Served) -> str:
    return running.said.rstrip().splitlines()[-1]


def heading(running: Served, code: str) -> str:
    (found,) = [line for line in findings(running).splitlines() if f"  {code}  " in line]
    return found.strip()


@contextlib.asynccontextmanager
async def talking(
    running: Served, name: str = "a client/1", **options: Any
) -> AsyncIterator[ClientConnection]:
    async with running.dial(user_agent_header=name, **options) as websocket:
        await hear_until(websocket, "session.created")
        yield websocket
    await running.until("closed by")


async def refused(running: Served, **options: Any) -> None:
    with pytest.raises(InvalidStatus):
        async with running.dial(**options):
            pass


async def test_what_several_connections_did_wrong_is_told_once_with_how_often_and_where_first() -> None:
    async with served("--model") as running:
        for _ in range(3):
            async with talking(running) as websocket:
                await say(websocket, WRONG, WRONG)
                await hear_until(websocket, "error")
    line = heading(running, "rename.session-shape")
    assert re.fullmatch(
        r"FAIL +session\.voice  rename\.session-shape  \(6 times on 3 connections, first #1 at \d\.\d{3}\)",
        line,
    )
    told = findings(running)
    assert (
        told.count("mend      for azure-v1, send session.audio.output.voice in place of session.voice") == 1
    )
    assert 'expected  {"session.audio.output.voice": "alloy"}' in told
    assert "evidence  analogous" in told
    assert "a client/1: 3 connections, 6 events sent, 0 answers" in told
    assert summary(running) == "3 connections: 1 finding"


async def test_each_implementation_is_told_of_by_itself_and_the_worst_comes_first() -> None:
    async with served("--model") as running:
        async with talking(running, "one/1") as websocket:
            await say(websocket, {"type": "response.cancel"}, ODD, WRONG)
            await hear_until(websocket, "error")
        async with talking(running, "two/2") as websocket:
            await say(websocket, user_item("Hello"), {"type": "response.create"})
            await hear_until(websocket, "response.done")
        async with talking(running, "three/3"):
            pass
    one, two, three = re.split(r"^(?:two/2|three/3): ", findings(running), flags=re.MULTILINE)
    places = [one.index(word) for word in ("  FAIL ", "  DEVIATION ", "  unproven ")]
    assert places == sorted(places)
    assert "cancel_not_active" in one
    assert two.startswith(
        "1 connection, 2 events sent, 1 answer\n  no findings: it sent nothing that azure-v1"
    )
    assert "`check` does that" in two
    assert "sent nothing, so nothing was judged" in three
    assert summary(running) == "3 connections: 2 findings, 1 unproven"


async def test_where_nothing_connected_or_nothing_was_said_nothing_was_judged() -> None:
    async with served("--model") as running:
        pass
    assert summary(running) == "nothing connected: nothing was judged"
    async with served("--model") as running, talking(running):
        pass
    assert summary(running) == "1 connection, on which nothing was said: nothing was judged"


async def test_handshakes_that_were_refused_are_findings_and_name_no_key() -> None:
    async with served("--model") as running:
        for _ in range(2):
            await refused(running, additional_headers={"api-key": "another-key-of-somebody"})
        for place in ("/v9/", "/v8/", "/somewhere/else/"):
            await refused(running, url=running.url.replace("/v1/", place))
        await refused(running, url=f"{running.url}&api-version=1")
        await refused(running, url=running.url.replace("model", "deployment"))
    assert heading(running, "handshake.auth").endswith("(2 handshakes)")
    told = findings(running)
    assert re.findall(r"handshake.path +handshake.path +\((.*)\)", told) == ["2 handshakes", "1 handshake"]
    assert "expected  no 'api-version'" in told
    assert "expected  model=gpt-realtime, or whatever the deployment is called" in told
    places = "the api-key header or api-key in the query or Authorization (Bearer)"
    assert f"mend      send it in {places}" in told
    assert "another-key-of-somebody" not in running.said
    assert summary(running) == "nothing connected, 7 refused handshakes: 5 findings"


async def test_audio_that_is_a_file_is_told_of_at_once_and_in_the_end_and_not_with_every_piece() -> None:
    sound = base64.b64encode(b"RIFF" + bytes(95 * 48)).decode()
    async with served("--model") as running, talking(running) as websocket:
        await say(websocket, *[{"type": "input_audio_buffer.append", "audio": sound}] * 5, user_item("Hi"))
        await hear_until(websocket, "conversation.item.done")
        live = await running.until("FOUND    audio  audio.container")
    assert live.count("audio.container") == 1
    assert "(5 times, first #1 at" in heading(running, "audio.container")


async def test_a_result_without_its_call_and_a_part_of_another_generation_are_told_of() -> None:
    output = {"type": "function_call_output", "call_id": "call_nobody_made", "output": "1"}
    part = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
    items = [{"type": "conversation.item.create", "item": item} for item in (output, part)]
    async with served("--model") as running, talking(running) as websocket:
        await say(websocket, *items)
        await hear_until(websocket, "conversation.item.done")
        await hear_until(websocket, "conversation.item.done")
    assert "actual    call_nobody_made" in findings(running)
    assert heading(running, "order.tool-result").startswith("DEVIATION")
    assert heading(running, "rename.content-part").startswith("DEVIATION")


async def test_what_never_came_of_a_cassette_and_faults_that_never_struck_are_told_of() -> None:
    path = str(cassettes_folder() / GA / "text-turn.jsonl")
    async with served(path, "--fault", "drop:nth=999") as running, talking(running) as websocket:
        await say(websocket, ODD)
        await hear_until(websocket, "session.updated")
    told = findings(running)
    assert "with faults in force: drop:nth=999\n" in told
    assert re.search(r"^  unplayed +an answer of the cassette never came: it waits for ", told, re.MULTILINE)
    assert "\nnever struck  drop:nth=999\n" in told
    assert summary(running) == "1 connection: no findings, 1 unproven, 1 unplayed, 1 fault never struck"


async def test_what_a_fault_lets_pass_is_a_finding_that_says_so() -> None:
    async with served("--model", "--fault", "accept-any-session") as running, talking(running) as websocket:
        await say(websocket, WRONG)
        await hear_until(websocket, "session.updated")
    line = heading(running, "rename.session-shape")
    assert line.startswith("NOTE")
    assert line.endswith("(a fault let it pass)")


async def test_a_client_that_breaks_the_rules_of_websocket_is_told_of_and_a_fault_is_not() -> None:
    async with served("--model") as running:
        websocket = await running.dial()
        with contextlib.suppress(ConnectionClosed):
            await websocket.send("x" * (MAX_FRAME + 1))
        await running.until("closed")
        websocket.transport.close()
    assert heading(running, "connection.too-large").startswith("DEVIATION")
    async with served("--model", "--fault", "close:code=1009,at=session.created") as running:
        async with running.dial() as websocket:
            with contextlib.suppress(ConnectionClosed):
                await hear_until(websocket, "nothing of this name")
        await running.until("closed")
    assert "connection.too-large" not in running.said


async def test_a_request_for_no_websocket_is_counted_and_no_finding() -> None:
    async with served("--model") as running:
        port = int(re.search(r":(\d+)/", running.url)[1])  # type: ignore[index]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        path = running.url.partition(f":{port}")[2]
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\napi-key: {KEY}\r\n\r\n".encode())
        await reader.read()
        writer.close()
        await running.until("HTTP 426")
    refusal = f"GET {path.partition('?')[0]}, 426: no request for a WebSocket, which this path is for"
    assert f"refused  {refusal}" in findings(running)
    assert summary(running) == "nothing connected: nothing was judged"


async def test_what_this_server_alone_limits_is_no_fault_of_a_client() -> None:
    limits = ("nesting=10", "message=2KiB", "sessions=1", "audio=1s")
    given = [word for limit in limits for word in ("--limit", limit)]
    deep = '{"type": ' + "[" * 10 + "]" * 10 + "}"
    second = {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(1200)).decode()}
    async with served("--model", *given) as running:
        async with talking(running) as websocket:
            await refused(running)
            await websocket.send(deep)
            assert "nested deeper than 10" in (await hear_until(websocket, "error"))[-1]["error"]["message"]
            await websocket.send("x" * 2049)
            with pytest.raises(ConnectionClosed):
                await websocket.recv()
        async with talking(running) as websocket:
            await say(websocket, *[second] * 60)
            with pytest.raises(ConnectionClosed):
                await hear_until(websocket, "never")
    assert "limits     message=2KiB, nesting=10, sessions=1, audio=1s" in running.said
    assert "HTTP 429, sessions=1, a limit of this server" in running.said
    told = findings(running)
    assert "FAIL" not in told
    assert "turned away  HTTP 429: sessions=1, a limit of this server" in told
    assert "turned away  closed with more than 1 s of audio in one session, a limit of this server" in told
    # websockets 13 says the size in a sentence of its own.
    assert re.search(r"turned away  closed with a message .* 2048 .*a limit of this server", told)
    assert heading(running, "limit.nesting").startswith("NOTE")
    assert "expected  at most 10 levels" in told


async def test_who_never_got_as_far_as_a_request_is_told_of_too(tmp_path: Path) -> None:
    path = tmp_path / "findings.json"
    async with served("--model", findings=path) as running:
        for _ in range(2):
            with pytest.raises(OSError):  # noqa: PT011 - whatever TLS and the system make of it
                await connect(running.url.replace("ws:", "wss:"))
        await running.until("turned away")
        host, port = re.search(r"//([0-9.]+):(\d+)/", running.url).groups()  # type: ignore[union-attr]
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /openai/v1/realtime/client_secrets HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()
        await running.until("HTTP 401")
    told = findings(running)
    assert "turned away  it speaks TLS, and this port does not" in told
    assert "(2 times)" in told
    assert "refused  POST /openai/v1/realtime/client_secrets, 401: Access denied" in told
    assert summary(running) == "nothing connected: nothing was judged"
    document = json.loads(path.read_text("utf-8"))
    assert [one["times"] for one in document["turned_away"]] == [2]
    assert [one["times"] for one in document["refused_requests"]] == [1]
    assert document["clients"] == []


async def test_a_minted_key_is_told_from_another_one_once_it_is_over_and_may_stand_for_the_model() -> None:
    async with served("--model") as running:
        host, port = re.search(r"//([0-9.]+):(\d+)/", running.url).groups()  # type: ignore[union-attr]
        body = b'{"expires_after": {"anchor": "created_at", "seconds": 10}, "session": {"type": "realtime", "model": "m"}}'
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /openai/v1/realtime/client_secrets HTTP/1.1\r\nHost: x\r\n"
            + f"api-key: {KEY}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        answer = await reader.read(65536)
        key = json.loads(answer.partition(b"\r\n\r\n")[2])["value"]
        writer.close()
        url = running.url.partition("?")[0]
        offered = ["realtime", f"openai-insecure-api-key.{key}"]
        async with talking(running, url=url, subprotocols=offered, additional_headers={}) as websocket:
            await say(websocket, user_item("Hello"))
            await hear_until(websocket, "conversation.item.done")
        await refused(
            running, url=url, subprotocols=["openai-insecure-api-key.another"], additional_headers={}
        )
    told = findings(running)
    assert "no findings" in told.partition("a client/1")[2].partition("websockets")[0]
    assert "handshake.subprotocols  handshake.auth" in told
    assert "another key in handshake.subprotocols" in told


def test_who_is_refused_for_the_path_hears_which_dialect_has_it() -> None:
    query = (("api-version", "2025-04-01-preview"), ("deployment", "d"))
    away = Handshake("/openai/realtime", query, (), (), 404, "wrong_path")
    (judged,) = judge_handshake(bundled_dialect(GA), away)
    assert judged.finding.mend.endswith("; or serve azure-2025-04-01-preview: -d azure-2025-04-01-preview")
    (judged,) = judge_handshake(bundled_dialect(GA), replace(away, path="/nowhere"))
    assert "-d" not in judged.finding.mend


def test_findings_that_could_not_be_written_are_refused_before_anybody_talks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for path, why in ((tmp_path, "is a folder"), (tmp_path / "file" / "x.json", "cannot be written")):
        assert main(["serve", "--model", "--force", "--findings", str(path)]) == 2
        assert why in capsys.readouterr().err


# For programs.


async def test_the_findings_are_written_as_lint_writes_them_and_name_no_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, log = tmp_path / "made" / "findings.json", tmp_path / "log.jsonl"
    secret = {"type": "session.update", "session": {"type": "realtime", "api_key": "my-own-secret", KEY: KEY}}
    async with served("--model", "-o", str(log), findings=path) as running:
        async with talking(running) as websocket:
            await say(websocket, WRONG, secret)
            await hear_until(websocket, "error")
            await hear_until(websocket, "error")
        await refused(running, additional_headers={})
    text = path.read_text("utf-8")
    assert KEY not in text
    assert "my-own-secret" not in text
    document = json.loads(text)
    assert (document["dialect"], document["turned_away"], document["refused_requests"]) == (GA, [], [])
    one, other = document["clients"]
    assert (one["client"], one["connections"], one["client_events"], one["failed"]) == (
        "a client/1",
        1,
        2,
        True,
    )
    first = one["findings"][0]
    assert (first["code"], first["kind"], first["times"], first["first"]["connection"]) == (
        "rename.session-shape",
        "refused",
        1,
        1,
    )
    assert (other["refused_handshakes"], other["findings"][0]["first"]) == (1, None)
    main(["lint", "--json", str(log)])
    (linted,) = json.loads(capsys.readouterr().out)
    assert linted["findings"][0].keys() - {"lines"} == first.keys() - {
        "kind",
        "times",
        "connections",
        "first",
    }


def test_findings_of_before_are_not_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "findings.json").touch()
    assert main(["serve", "--model", "--findings", str(tmp_path / "findings.json")]) == 2
    assert "--force replaces it" in capsys.readouterr().err


# The document.

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "serve.md"


def sample(name: str) -> str:
    block = re.search(rf"<!-- {name} -->\n```\n(.+?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert block is not None
    return block[1]


def scrubbed(text: str) -> str:
    """Without what differs from run to run: times and the port."""
    return re.sub(r"\d+\.\d{3}|(?<=127\.0\.0\.1:)\d+", "0", text)


async def test_the_document_shows_what_is_shown() -> None:
    async with served("--model", "--speed", "1") as running:
        for _ in range(2):
            async with talking(running, "my-shim/0.3") as websocket:
                await say(websocket, WRONG, ODD)
                await hear_until(websocket, "session.updated")
        await refused(running, user_agent_header="my-shim/0.3", additional_headers={"api-key": "another's"})
    start = running.said.partition("\n#1 ")[0]
    assert scrubbed(sample("start")).strip() == scrubbed(start.replace(KEY, "3f2c9a")).strip()
    assert (
        scrubbed(sample("end")).strip()
        == scrubbed("findings about what connected" + findings(running)).strip()
    )


# The real process.


def process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "serve", "--model", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "REALTIME_HARNESS_KEY": KEY},
    )


def url_of(served_: subprocess.Popen[str]) -> str:
    assert served_.stdout is not None
    started = ""
    while "Ctrl-C" not in started:
        started += served_.stdout.readline()
    found = re.search(r"ws://\S+", started)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_and_sigterm_end_it_with_the_findings_about_who_is_still_there(
    number: signal.Signals,
) -> None:
    running = process()
    url = await asyncio.to_thread(url_of, running)
    async with connect(url, additional_headers={"api-key": KEY}) as websocket:
        await say(websocket, WRONG)
        await hear_until(websocket, "error")
        running.send_signal(number)
        out, err = await asyncio.to_thread(running.communicate, timeout=10)
    assert (running.returncode, err) == (0, "")
    assert out.rstrip().splitlines()[-1] == "1 connection: 1 finding"


async def test_ctrl_c_twice_and_more_cuts_the_end_short_and_loses_nothing(tmp_path: Path) -> None:
    running = process("-o", str(tmp_path / "log.jsonl"))
    url = await asyncio.to_thread(url_of, running)
    async with connect(url, additional_headers={"api-key": KEY}) as websocket:
        await say(websocket, WRONG)
        await hear_until(websocket, "error")
        websocket.transport.pause_reading()  # so it never answers the close
        for wait in (0.15, 0.15, 0.0, 0.0, 0.02, 0.05, 0.1, 0.2):  # into the end of Python itself
            running.send_signal(signal.SIGINT)
            await asyncio.sleep(wait)
        out, err = await asyncio.to_thread(running.communicate, timeout=10)
        websocket.transport.abort()
    assert (running.returncode, err) == (0, "")
    assert out.count("findings about what connected") == 1
    assert out.rstrip().splitlines()[-1] == "1 connection: 1 finding"
    assert '"voice":"alloy"' in (tmp_path / "log.jsonl").read_text("utf-8").replace(" ", "")
