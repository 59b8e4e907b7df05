"""`realtime-harness serve`: real clients talk to it, and what it shows is read."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.bundled import cassettes_folder
from harness.cassette import load_cassette
from harness.cli.main import build_parser, main
from harness.cli.serve import serving_of
from harness.exceptions import UsageFault
from harness.messages import MAX_FRAME
from harness.model_script import load_model_script
from harness.validation import bundled_schema
from tests.cli.served import KEY, hear_until, say, served
from tests.talk import GA, PREVIEW, user_item

SCRIPT = """format: 1
answers:
  - when: weather
    answer: {call: {name: look, arguments: {city: Oslo}}}
  - when: {result: look}
    answer: {speech: {transcript: Rain., audio: {tone: 440, seconds: 0.5}}}
  - when: secret
    answer: {failure: {code: busy, message: Too busy.}}
  - text: "You said: {said}"
heard: [Is it raining?]
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "model.yaml").write_text(SCRIPT, encoding="utf-8")
    return str(tmp_path / "model.yaml")


# Playing.


async def test_the_openai_package_has_a_whole_conversation(script: str) -> None:
    async with served("--model", script) as running:
        base = running.url.replace("ws://", "http://").split("/realtime")[0]
        client = AsyncOpenAI(api_key=KEY, base_url=base)
        async with client.realtime.connect(model="gpt-realtime") as connection:

            async def done() -> Any:
                await connection.response.create()
                async for event in connection:
                    if event.type == "response.done":
                        return event.response
                raise AssertionError("closed")

            async def turn(text: str) -> Any:
                item: Any = {**user_item(text)["item"]}
                await connection.conversation.item.create(item=item)
                return await done()

            assert (await turn("Hello")).output[0].content[0].transcript == "You said: Hello"
            call = (await turn("How is the weather?")).output[0]
            assert (call.name, call.arguments) == ("look", '{"city": "Oslo"}')
            result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "wet"}
            await connection.conversation.item.create(item=result)
            assert (await done()).output[0].content[0].transcript == "Rain."
            failed = await turn("A secret?")
            assert (failed.status, failed.status_details.error.code) == ("failed", "busy")
        said = await running.until("closed")
    assert "user “How is the weather?”" in said
    assert 'calls look({"city": "Oslo"})' in said
    assert "response.output_audio.delta x" in running.line("  500 ms of audio")
    assert "response.done  failed, busy “Too busy.”" in said
    assert "closed by the client, 1000: 4 answers, 0 refused events, 0 unproven fields" in said


async def test_without_a_script_a_client_is_answered_at_once() -> None:
    async with served("--model") as running, running.dial() as websocket:
        await say(websocket, user_item("Good morning."), {"type": "response.create"})
        events = await hear_until(websocket, "response.done")
        assert sum(event["type"] == "response.output_audio.delta" for event in events) > 2
        (item,) = events[-1]["response"]["output"]
        assert item["content"][0]["transcript"] == "You said: Good morning."
    assert "a stock model that says what it heard" in running.said


async def test_a_cassette_is_replayed_to_each_connection_anew() -> None:
    path = cassettes_folder() / PREVIEW / "text-turn.jsonl"
    async with served(str(path)) as running:
        for _ in range(2):
            async with running.dial() as websocket:
                text = {"type": "input_text", "text": "Hello!"}
                item = {"type": "message", "role": "user", "content": [text]}
                await say(websocket, {"type": "conversation.item.create", "item": item})
                await say(websocket, {"type": "response.create"})
                events = await hear_until(websocket, "response.done")
                assert "response.audio.delta" in {event["type"] for event in events}
        await running.until("#2")
    assert f"{path} (constructed)" in running.said


async def test_a_session_of_transcription_is_served(script: str) -> None:
    async with (
        served("--model", script) as running,
        running.dial(f"{running.url}&intent=transcription") as websocket,
    ):
        audio = {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}
        session = {"type": "transcription", "audio": audio}
        sound = base64.b64encode(bytes(9600)).decode()
        await say(
            websocket,
            {"type": "session.update", "session": session},
            {"type": "input_audio_buffer.append", "audio": sound},
            {"type": "input_audio_buffer.append", "audio": sound},
            {"type": "input_audio_buffer.commit"},
        )
        events = await hear_until(websocket, "conversation.item.input_audio_transcription.completed")
        assert events[-1]["transcript"] == "Is it raining?"
        said = await running.until("transcription.completed")
    assert "input_audio_buffer.append x2  400 ms of audio" in said
    assert "“Is it raining?”" in said


# What is shown.


async def test_a_refusal_is_shown_in_full_with_its_mend(script: str) -> None:
    async with served("--model", script) as running:
        async with running.dial() as websocket:
            wrong = {"type": "realtime", "voice": "alloy", "colour": "red"}
            await say(websocket, {"type": "session.update", "session": wrong})
            await hear_until(websocket, "error")
            await say(websocket, {"type": "input_audio_buffer.commit"})
            await hear_until(websocket, "error")
            await websocket.send("{nothing\x1b[2J")
            await hear_until(websocket, "error")
        said = await running.until("closed")
    assert "REFUSED  session.voice  rename.session-shape" in said
    assert "mend      for azure-v1, send session.audio.output.voice in place of session.voice" in said
    assert "REFUSED  session.colour  session.unknown-parameter" in said
    assert "REFUSED  input_audio_buffer.commit  commit_empty" in said
    assert "expected  100 ms of audio or more" in said
    assert "mend      append the audio first" in said
    assert "error  unknown_parameter “Unknown parameter: 'session.voice'.”" in said
    assert "3 refused events" in said
    assert "refused   session.update: session.voice, session.colour" in said
    assert "\x1b" not in running.output.getvalue()


async def test_what_the_state_forbids_is_shown_with_its_mend_and_a_result_without_a_call_with_a_note() -> (
    None
):
    output = {"type": "function_call_output", "call_id": "call_nobody_made", "output": "1"}
    async with served("--model") as running:
        async with running.dial() as websocket:
            await websocket.send('{"type": "response.cancel"}')
            await hear_until(websocket, "error")
            await websocket.send('{"type": "respnse.create"}')
            await websocket.send(json.dumps({"type": "conversation.item.create", "item": output}))
            await hear_until(websocket, "conversation.item.done")
        said = await running.until("closed")
    assert "REFUSED  response.cancel  cancel_not_active" in said
    assert "expected  response.cancel between response.created and response.done" in said
    assert "mend      send 'response.create', if that is what was meant" in said
    assert "note      no call has this call_id, accepted all the same; calls: none" in said


async def test_pace_and_faults_are_shown_at_the_start_and_the_stock_model_by_its_name() -> None:
    asked = (
        "--latency",
        "20ms",
        "--delay",
        "response.done=10ms",
        "--speed",
        "max",
        "--fault",
        "drop:nth=9999",
    )
    async with served("--model", *asked) as running:
        async with running.dial() as websocket:
            await websocket.send('{"type": "response.create"}')
            await hear_until(websocket, "response.done")
        said = await running.until("closed")
    assert "pace       all at once, latency 0.02 s, 0.01 s before response.done" in said
    assert "faults     drop:nth=9999" in said
    assert "response.created  (the stock model)" in said


@pytest.mark.parametrize(
    ("dialect", "query", "why", "expected"),
    [
        (
            "azure-v1",
            "model=a&api-version=2025-04-01-preview",
            "HTTP 401, api-version has no place on /openai/v1/realtime",
            "/openai/v1/realtime?model=",
        ),
        (
            "azure-2025-04-01-preview",
            "api-version=2023-01-01&deployment=a",
            "api-version is 2023-01-01, not 2025-04-01-preview",
            "api-version=2025-04-01-preview",
        ),
        ("azure-v1", "intent=transcription", "HTTP 400, model is missing", "&intent=transcription"),
    ],
)
async def test_a_refused_handshake_says_which_parameter_is_wrong(
    dialect: str, query: str, why: str, expected: str
) -> None:
    async with served("--model", "-d", dialect) as running:
        with pytest.raises(InvalidStatus) as caught:
            await running.dial(running.url.partition("?")[0] + f"?{query}")
        said = await running.until("expected")
    assert why in said
    assert expected in said
    assert ("is missing" in caught.value.response.body.decode()) == ("missing" in why)


async def test_what_must_not_come_with_an_intent_to_transcribe_is_named() -> None:
    async with served("--model", "-d", "azure-2025-04-01-preview") as running:
        with pytest.raises(InvalidStatus):
            await running.dial(running.url + "&intent=transcription")
        said = await running.until("evidence")
    assert "HTTP 400, deployment has no place beside intent=transcription" in said
    assert re.search(
        r"^ +expected  \S+\?api-version=2025-04-01-preview&intent=transcription$", said, re.MULTILINE
    )
    assert "no 'deployment' beside intent=transcription" in running.said  # the finding at the end


@pytest.mark.parametrize(
    ("query", "headers", "shown", "finding"),
    [
        (
            "?model=gpt-realtime",
            {"OpenAI-Beta": "realtime=v1"},
            "the error beta_api_shape_disabled and close 4000, the header openai-beta",
            "the header 'openai-beta' must not be sent to openai-ga",
        ),
        (
            "?model=gpt-realtime&intent=transcription",
            {},
            "the error invalid_model and close 4000, model has no place beside intent=transcription",
            "no 'model' beside intent=transcription",
        ),
        (
            "?model=gpt-realtime",
            {"Authorization": "Bearer another"},
            "the error invalid_api_key and close 3000, wrong key",
            "the service refused the key with the error invalid_api_key and close 3000",
        ),
    ],
)
async def test_a_websocket_that_was_opened_to_be_refused_is_shown_as_refused(
    query: str, headers: dict[str, str], shown: str, finding: str
) -> None:
    async with served("--model", "-d", "openai-ga") as running:
        url = running.url.partition("?")[0] + query
        given = {"Authorization": f"Bearer {KEY}", **headers}
        async with running.dial(url, additional_headers=given) as websocket:
            assert json.loads(await websocket.recv())["type"] == "error"
        said = await running.until("expected")
    assert shown in said
    assert finding in running.said.replace("\n             ", " ")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("docs/model.yaml",), "serve --model docs/model.yaml"),
        (("--model", "scenarios/text-turn.yaml"), "is a scenario and no model script"),
    ],
)
def test_a_file_of_another_kind_is_told_how_it_is_served(arguments: tuple[str, ...], hint: str) -> None:
    with pytest.raises(UsageFault) as caught:
        serving_of(build_parser().parse_args(["serve", "--key", KEY, *arguments]))
    assert hint in str(caught.value)


async def test_a_refused_handshake_is_shown_with_what_was_expected() -> None:
    async with served("--model") as running:
        with pytest.raises(InvalidStatus):
            async with running.dial(additional_headers={"api-key": "another-key"}):
                pass
        with pytest.raises(InvalidStatus):
            async with running.dial(running.url.replace("/v1/", "/v9/")):
                pass
        await running.until("wrong path")
    assert "another-key" not in running.said
    assert "HTTP 401, wrong key" in running.said
    assert "the key that is shown at the start, as api-key-header, api-key-query, bearer\n" in running.said
    assert running.said.count(f"expected  {running.url}") == 2


async def test_a_handshake_without_a_key_is_told_from_one_with_another_key() -> None:
    async with served("--model") as running:
        with pytest.raises(InvalidStatus):
            async with running.dial(additional_headers={}):
                pass
        await running.until("HTTP 401, no key")


async def test_what_is_no_event_and_what_no_dialect_knows_is_told_once_and_with_the_mend() -> None:
    async with served("--model") as running:
        async with running.dial() as websocket:
            await say(websocket, {"type": "input_audio_buffer.append", "audio": "???"}, {"type": "foo.bar"})
            await websocket.send(b"\x00\xff")
            for _ in range(3):
                await hear_until(websocket, "error")
        said = await running.until("closed")
    assert "expected  base64 of the bytes of the audio" in said
    assert "mend      encode the audio as base64" in said
    assert "(no event)  “2 bytes: 00 ff”" in said
    assert "in a text frame and no binary one" in said
    shown = said[said.index("REFUSED  type") :]
    assert shown[: shown.index("evidence")].count("'conversation.item.truncate'") == 1
    assert "mend      send one of those" in shown


async def test_faults_of_the_script_and_of_the_command_line_strike_and_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text('format: 1\nanswers: [{text: Hello there.}]\nfaults: ["duplicate:at=response.created"]\n')
    async with served("--model", str(path), "--fault", "close:code=1011,at=response.done") as running:
        async with running.dial() as websocket:
            await say(websocket, {"type": "response.create"})
            events = await hear_until(websocket, "response.done")
            assert [event["type"] for event in events].count("response.created") == 2
            with pytest.raises(ConnectionClosed):
                await websocket.recv()
        await running.until("closed")
    assert "FAULT duplicate:at=response.created" in running.said
    assert running.line("closed").endswith("FAULT close:code=1011,at=response.done")
    assert "closed by the server, 1011" in running.said
    assert "never struck" not in running.said


@pytest.mark.parametrize(
    ("asked", "faults"),
    [
        (["drop"], ["drop", "close", "null-usage"]),
        (["drop", "close"], ["drop", "close", "null-usage"]),
        (["none"], []),
        (["none", "drop"], ["drop"]),
        ([], ["close", "null-usage"]),
    ],
)
def test_the_faults_of_the_command_line_go_first_and_none_leaves_the_scripts_out(
    tmp_path: Path, asked: list[str], faults: list[str]
) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("format: 1\nfaults: [close, null-usage]\n")
    words = [word for fault in asked for word in ("--fault", fault)]
    options = build_parser().parse_args(["serve", "--key", KEY, "--model", str(path), *words])
    assert [str(fault) for fault in serving_of(options).faults] == faults


async def test_what_a_fault_lets_pass_is_shown_as_accepted_with_what_the_service_would_say() -> None:
    async with served("--model", "--fault", "accept-any-session") as running:
        async with running.dial() as websocket:
            await say(websocket, {"type": "session.update", "session": {"type": "realtime", "colour": 1}})
            await hear_until(websocket, "session.updated")
            for _ in range(2):
                await say(websocket, {"type": "response.create"})
            await hear_until(websocket, "error")
        said = await running.until("closed")
    assert "session.update  FAULT accept-any-session" in said
    assert "ACCEPTED session.colour  session.unknown-parameter" in said
    assert "The fault in force lets it pass; the service answers: Unknown parameter" in said
    assert "REFUSED  response.create  active_response" in said
    assert "1 refused event," in said


async def test_faults_that_never_struck_are_told_at_the_end() -> None:
    faults = ("--fault", "drop:at=error", "--fault", "accept-any-session", "--fault", "null-usage")
    async with served("--model", *faults) as running, running.dial() as websocket:
        await hear_until(websocket, "session.created")
    assert running.line("never struck").endswith("drop:at=error, null-usage")


async def test_a_call_of_a_tool_that_the_session_never_declared_has_a_note(script: str) -> None:
    tool = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
    async with served("--model", script) as running:
        async with running.dial() as websocket:
            await say(websocket, user_item("weather"), {"type": "response.create"})
            await hear_until(websocket, "response.done")
        await running.until("look is not among the session's tools: none declared")
        async with running.dial() as websocket:
            await say(websocket, {"type": "session.update", "session": {"type": "realtime", "tools": [tool]}})
            await say(websocket, user_item("weather"), {"type": "response.create"})
            await hear_until(websocket, "response.done")
    running.line("is not among the session's tools")


async def test_a_message_that_is_too_large_is_shown_with_its_size_and_the_code() -> None:
    async with served("--model") as running:
        websocket = await running.dial()
        with contextlib.suppress(ConnectionClosed):
            await websocket.send("x" * (MAX_FRAME + 1))
        await running.until("closed")
        websocket.transport.close()
    assert "closed by the server, 1009 “a message " in running.said
    assert str(MAX_FRAME + 1) in running.said


async def test_a_fault_that_leaves_no_message_is_shown_too() -> None:
    async with served("--model", "--fault", "refuse-handshake:status=429", "--fault", "stall") as running:
        with pytest.raises(InvalidStatus):
            async with running.dial():
                pass
        async with running.dial() as websocket:
            await say(websocket, {"type": "response.create"})
            await running.until("FAULT stall")
        await running.until("closed")
    assert "HTTP 429, a fault" in running.line("FAULT refuse-handshake:status=429")
    assert running.line("FAULT stall").startswith("#1 ")


@pytest.mark.parametrize(
    ("given", "body"),
    [("", '{"error": {"code": "418", "message": "I\'m a Teapot"}}  (assumed)'), (",body=Enough.", "Enough.")],
)
async def test_a_handshake_that_a_fault_refuses_shows_its_body_and_that_it_is_guessed(
    given: str, body: str
) -> None:
    async with served("--model", "--fault", f"refuse-handshake:status=418{given}") as running:
        with pytest.raises(InvalidStatus):
            async with running.dial():
                pass
        await running.until("body ")
    assert running.line("body ").endswith(f"body      {body}")


async def test_a_delayed_event_is_shown_when_it_is_sent() -> None:
    async with served("--model", "--delay", "response.created=150ms", "--latency", "50ms") as running:
        async with running.dial() as websocket:
            began = time.monotonic()
            await say(websocket, {"type": "response.create"})
            await hear_until(websocket, "response.created")
            assert time.monotonic() - began > 0.2
            await hear_until(websocket, "response.done")
        await running.until("closed")
    asked, created = (
        float(running.line(f"{name}  (" if name == "response.created" else name).split()[1])
        for name in (">>  response.create", "response.created")
    )
    assert created - asked > 0.15


async def test_a_terminal_cuts_long_lines_and_wraps_what_is_wrong() -> None:
    async with served("--model", terminal=True) as running:
        async with running.dial() as websocket:
            await say(websocket, user_item("word " * 50))
            await say(
                websocket, {"type": "session.update", "session": {"type": "realtime", "voice": "alloy"}}
            )
            await hear_until(websocket, "error")
        await running.until("closed")
    assert "\x1b[" in running.output.getvalue()
    lines = running.said[running.said.index("#1") :].splitlines()
    assert max(map(len, lines)) <= 100
    assert "Nothing of the event is applied." in re.sub(r"\s+", " ", running.said)


async def test_the_key_is_shown_once_and_nowhere_else(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    async with served("--model", "-o", str(log)) as running:
        async with running.dial(f"{running.url}&api-key={KEY}", additional_headers={}) as websocket:
            await say(websocket, user_item(f"My key is {KEY}."), {"type": "response.create"})
            await hear_until(websocket, "response.done")
        await running.until("written")
    start, rest = running.said.split("Ctrl-C")
    assert KEY in start
    assert KEY not in rest
    assert KEY not in log.read_text("utf-8")


# The log.


async def test_each_connection_leaves_a_cassette_that_the_other_commands_read(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "logs" / "mine.jsonl"
    async with served("--model", script, "-o", str(log), "--speed", "20") as running:
        for text in ("Hello", "How is the weather?"):
            async with running.dial() as websocket:
                await hear_until(websocket, "session.created")
                await say(websocket, user_item(text))
                await hear_until(websocket, "conversation.item.done")
                await say(websocket, {"type": "response.create"})
                await hear_until(websocket, "response.done")
        await running.until("mine.2.jsonl")
    first, second = load_cassette(log), load_cassette(log.with_name("mine.2.jsonl"))
    assert (first.close.by, first.close.code) == ("client", 1000)
    assert first.header.dialect == second.header.dialect == GA
    times = [interaction.t for interaction in first.interactions]
    assert times == sorted(times)
    assert main(["validate", str(log)]) == 0
    assert main(["lint", str(log)]) == 0
    assert main(["diff", str(log), str(log.with_name("mine.2.jsonl"))]) == 1
    capsys.readouterr()
    assert main(["serve", "--model", "-o", str(log)]) == 2
    assert "exists" in capsys.readouterr().err
    async with served(str(log)) as running, running.dial() as websocket:
        await say(websocket, user_item("Hello"), {"type": "response.create"})
        events = await hear_until(websocket, "response.done")
        assert events[-1]["response"]["output"][0]["content"][0]["transcript"] == "You said: Hello"


async def test_a_log_says_which_faults_were_in_force_and_so_does_who_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    faults = ("--fault", "duplicate:at=response.done", "--fault", "null-usage")
    async with served("--model", "-o", str(log), *faults) as running:
        async with running.dial() as websocket:
            await say(websocket, user_item("Hello"), {"type": "response.create"})
            await hear_until(websocket, "response.done")
        await running.until("written")
    named = "duplicate:at=response.done; null-usage"
    assert dict(load_cassette(log).header.origin)["faults"] == named
    main(["lint", str(log)])
    assert f"served with faults in force, which are not the service's: {named}" in capsys.readouterr().out
    async with served(str(log)) as running:
        assert f"(constructed, with the faults {named})" in running.said


# The document.

ROOT = Path(__file__).resolve().parents[2]


def document() -> str:
    return (ROOT / "docs" / "serve.md").read_text("utf-8")


def commands() -> list[str]:
    block = re.search(r"<!-- serve -->\n```sh\n(.+?)```", document(), re.DOTALL)
    assert block is not None
    return block[1].splitlines()


@pytest.mark.parametrize("command", commands())
async def test_the_commands_of_the_document_serve(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("docs", "cassettes"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    program, _, *arguments = shlex.split(command)
    assert program == "realtime-harness"
    async with served(*arguments) as running, running.dial() as websocket:
        assert (await hear_until(websocket, "session.created"))[0]["session"]


def test_the_script_of_the_document_loads_and_every_key_is_in_it(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.+?)```", document(), re.DOTALL)
    (tmp_path / "model.yaml").write_text(block, encoding="utf-8")
    assert len(load_model_script(tmp_path / "model.yaml").entries) == 5
    assert main(["validate", str(ROOT / "docs" / "model.yaml")]) == 0
    schema = bundled_schema("model").schema
    names = [
        schema,
        schema["$defs"]["entry"]["then"],
        schema["$defs"]["when"]["else"],
        schema["$defs"]["answer"]["else"],
    ]
    for name in sorted({key for one in names for key in one["properties"]}):
        assert re.search(rf"\b{name}\b", document()), name


def test_every_option_is_in_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    for name in sorted(set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}):
        assert f"`{name}" in document() or f" {name}" in document(), name


# What is wrong with the command line.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "wants --model or a cassette"),
        (("--model", "no.yaml"), "no.yaml: model script: cannot be read"),
        (("no.jsonl",), "no.jsonl: cassette: cannot be read"),
        (("--model", "a.jsonl"), "is a cassette and no script"),
        (("--model", "--fault", "blow-up"), "there is no fault 'blow-up'"),
        (("--model", "--fault", "close:kode=1"), "has no parameter 'kode'"),
        (("--model", "--speed", "0"), "a factor from 0.001 to 1000, or max"),
        (("--model", "--latency", "soon"), "such as 200ms or 1.5s"),
        (("--model", "--delay", "response.done"), "response.created=1.5s"),
        (("--model", "--delay", "response.done=soon"), "such as 200ms or 1.5s"),
        (("--model", "-d", "nowhere"), "there is no dialect 'nowhere'"),
        (("--model", "--key", "short"), "no key to serve with"),
        (("--model", "-o", "log.txt"), "ends in .jsonl"),
        ((str(cassettes_folder() / GA / "text-turn.jsonl"), "-d", PREVIEW), "translate"),
        (
            tuple(str(cassettes_folder() / name / "text-turn.jsonl") for name in (GA, PREVIEW)),
            "of several dialects",
        ),
    ],
)
def test_what_cannot_be_served_is_said_in_one_message(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert out == ""


def test_a_port_in_use_is_said_in_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--model", "--port", str(port)]) == 2
    out, err = capsys.readouterr()
    assert (out, f"port {port} of 127.0.0.1" in err) == ("", True)


async def test_a_real_process_serves_and_ends_cleanly_on_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "serve", "--model", "-o", str(tmp_path / "log.jsonl")]
    environment = {**os.environ, "REALTIME_HARNESS_KEY": KEY, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    started = ""
    while "Ctrl-C" not in started:
        started += await asyncio.to_thread(process.stdout.readline)
    assert KEY not in started
    found = re.search(r"ws://\S+", started)
    assert found is not None
    async with connect(found[0], additional_headers={"api-key": KEY}) as websocket:
        await hear_until(websocket, "session.created")
        process.send_signal(signal.SIGINT)
        with pytest.raises(ConnectionClosed):
            await websocket.recv()
    out, err = await asyncio.to_thread(process.communicate, timeout=10)
    assert (process.returncode, err) == (0, "")
    assert "closed by the server, 1001" in out
    assert load_cassette(tmp_path / "log.jsonl").close.by == "server"


def test_it_ends_when_nobody_reads_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "serve", "--model", "-o", str(tmp_path / "log.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait(timeout=30)) == ("", 0)


def test_a_process_in_the_background_of_a_script_ends_when_it_is_told_to() -> None:
    """A shell starts `serve &` with SIGINT ignored, and SIGTERM is what `kill` sends."""
    process = subprocess.Popen(
        ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-m", "harness", "serve", "--model"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        while "Ctrl-C" not in process.stdout.readline():
            pass
        process.terminate()
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")


async def test_a_message_with_thousands_of_faults_is_told_in_part_and_holds_up_nobody() -> None:
    session = {"type": "realtime", **{f"field_{number}": 1 for number in range(5000)}}
    async with served("--model") as running, running.dial() as websocket:
        await say(websocket, {"type": "session.update", "session": session})
        await hear_until(websocket, "error")
        said = await running.until("more findings about this message")
    assert "and       4950 more findings about this message" in said
    assert said.count("  REFUSED ") == 50
    assert "and        4950 more, of further kinds or of one message" in running.said
