"""The host of a driver, with real processes that do everything wrong a process can do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness.drivers import DriverHost, Implementation
from harness.drivers.implementation import programs_folder
from tests.cases import MORE

KEY = "key-0123456789abcdef"

HELLO = (
    '{"type": "hello", "protocol": 1, "implementation": {"name": "x", "version": "1"}, '
    '"intents": ["say", "close"], "observes": ["text"]}'
)


def program(source: str, *, variables: tuple[tuple[str, str], ...] = ()) -> Implementation:
    """A driver written on the spot; `say` prints one line and flushes."""
    head = "import json, os, signal, subprocess, sys, time\n"
    head += "def say(line): sys.stdout.write(line + '\\n'); sys.stdout.flush()\n"
    command = (sys.executable, "-c", head + textwrap.dedent(source))
    return Implementation("written-here", None, command, variables=variables)


@asynccontextmanager
async def hosted(
    implementation: Implementation, environment: Path | None = None, ca_file: Path | None = None
) -> AsyncIterator[DriverHost]:
    host = DriverHost(implementation, KEY, ca_file)
    await host.start(Path(sys.executable), environment)
    try:
        yield host
    finally:
        await host.stop()


async def until(host: DriverHost, reached: Callable[[], object]) -> None:
    assert await host.wait_until(lambda: bool(reached()), 10.0), host.observed


def gone(pid: int) -> bool:
    """Whether a process is no longer there; one that only waits to be reaped is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


async def wait_gone(pid: int) -> bool:
    for _ in range(100):
        if gone(pid):
            return True
        await asyncio.sleep(0.02)
    return False


# What it takes.


async def test_a_hello_tells_the_capabilities_and_moves_the_stage() -> None:
    async with hosted(program(f"say({HELLO!r}); sys.stdin.read()")) as host:
        assert host.observed.stage == "starting"
        await until(host, lambda: host.observed.capabilities)
        assert host.observed.stage == "said-hello"
        capabilities = host.observed.capabilities
        assert capabilities is not None
        assert capabilities.intents == {"say", "close"}
        assert host.observed.sees("text")
        assert not host.observed.sees("audio")


async def test_lines_go_to_the_driver_and_done_comes_back() -> None:
    source = """
        for line in sys.stdin:
            message = json.loads(line)
            say(json.dumps({"type": "observation", "kind": "text", "text": message["text"]}))
            say(json.dumps({"type": "done", "intent": message["intent"]}))
    """
    async with hosted(program(source)) as host:
        await host.write({"type": "say", "intent": 4, "text": "Grüße \ud83d"})
        await until(host, lambda: 4 in host.done)
        assert host.observed.text == "Grüße \ud83d"
        assert not host.ended
    assert host.observed.exit_code == 0


async def test_each_kind_of_notice_finds_its_place() -> None:
    notices = [
        {"type": "ready"},
        {"type": "observation", "kind": "audio", "audio": "AAAA", "rate": 8000},
        {"type": "observation", "kind": "error", "message": "no"},
        {
            "type": "observation",
            "kind": "exception",
            "message": "KeyError: 'x'",
            "where": "shim.py:3",
            "handled": True,
        },
        {"type": "observation", "kind": "tool_call", "name": "f", "arguments": {"a": 1}},
        {"type": "log", "level": "ERROR", "logger": "shim", "message": "bad"},
        {"type": "closed"},
    ]
    source = f"for notice in {notices!r}: say(json.dumps(notice))"
    async with hosted(program(source)) as host:
        await until(host, lambda: host.observed.stage == "finished")
    assert bytes(host.observed.audio[8000]) == bytes(3)
    assert host.observed.errors == ["no"]
    assert host.observed.exceptions[0].where == "shim.py:3"
    assert host.observed.tool_calls[0].arguments == {"a": 1}
    assert [(line.level, line.logger, line.message) for line in host.observed.log] == [
        ("ERROR", "shim", "bad")
    ]
    assert host.observed.garbage == []


async def test_standard_error_is_the_implementations_log() -> None:
    async with hosted(program("print('one', file=sys.stderr); print('  ', file=sys.stderr)")) as host:
        await until(host, lambda: host.ended and host.observed.log)
    assert [(line.level, line.message) for line in host.observed.log] == [("STDERR", "one")]


# Garbage.


async def test_what_is_no_notice_is_kept_as_garbage_and_hides_nothing() -> None:
    source = f"""
        os.write(1, b"\\x00\\xff{{not json\\n")
        say("[1, 2]")
        say('{{"type": "observation", "kind": "audio", "audio": "AAAA", "rate": 0}}')
        say('{{"type": "observation", "kind": "nothing"}}')
        say('{{"type": "done"}}')
        say("[" * 100000)
        say("")
        say({HELLO!r})
    """
    async with hosted(program(source)) as host:
        await until(host, lambda: host.observed.stage == "said-hello")
    assert len(host.observed.garbage) == 6
    assert max(map(len, host.observed.garbage)) <= 600
    assert host.observed.audio == {}


async def test_a_wrong_hello_is_known_at_once_by_what_is_wrong_with_it() -> None:
    wrong = json.loads(HELLO) | {"protocol": 2}
    async with hosted(program(f"say({json.dumps(wrong)!r}); sys.stdin.read()")) as host:
        await until(host, lambda: host.observed.hello_fault)
    assert host.observed.hello_fault == "protocol is 2, expected 1"
    assert host.observed.garbage[0].startswith("hello: protocol is 2, expected 1, in {")


async def test_a_flood_of_garbage_and_log_lines_is_cut_off() -> None:
    source = f"""
        for number in range(3000):
            say(f"garbage {{number}}")
            print(f"line {{number}}", file=sys.stderr)
        say({HELLO!r})
    """
    async with hosted(program(source)) as host:
        await until(host, lambda: host.observed.stage == "said-hello")
    assert len(host.observed.garbage) == 50
    assert len(host.observed.log) == 500
    assert host.observed.log[-1].message == "line 2999"


async def test_a_line_longer_than_the_harness_reads_is_no_end() -> None:
    source = f"""
        sys.stdout.write("x" * (9 * 1024 * 1024) + "\\n")
        say({HELLO!r})
    """
    async with hosted(program(source)) as host:
        await until(host, lambda: host.observed.stage == "said-hello")
    assert host.observed.garbage


# Secrets.


async def test_the_key_is_redacted_wherever_it_comes_up_and_that_is_noted() -> None:
    source = f"""
        key = {KEY!r}
        print("stderr " + key, file=sys.stderr)
        say(json.dumps({{"type": "log", "level": "INFO", "message": "log " + key}}))
        say("garbage " + key)
        say(json.dumps({{"type": "observation", "kind": "error", "message": "error " + key}}))
        say(json.dumps({{"type": "closed"}}))
    """
    async with hosted(program(source)) as host:
        await until(host, lambda: host.observed.stage == "finished")
    assert host.observed.leaked_key
    assert KEY not in repr(host.observed)
    assert len(host.observed.log) == 2
    assert host.observed.errors == ["error [redacted]"]


async def test_no_leak_is_noted_where_there_is_none() -> None:
    async with hosted(program("print('api-key: key-another', file=sys.stderr)")) as host:
        await until(host, lambda: host.ended and host.observed.log)
    assert not host.observed.leaked_key
    assert host.observed.log[0].message == "api-key: [redacted]"


async def test_the_callers_secrets_proxies_and_python_paths_are_not_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = [
        "AZURE_OPENAI_API_KEY",
        "MY_TOKEN",
        "AWS_SECRET_ACCESS",
        "DB_PASSWORD",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ]
    dropped = ["PYTHONPATH", "VIRTUAL_ENV", "HTTPS_PROXY", "https_proxy", "all_proxy"]
    for name in (*secrets, *dropped, "HARMLESS"):
        monkeypatch.setenv(name, f"value-of-{name}")
    source = "print(json.dumps(dict(os.environ)), file=sys.stderr)"
    async with hosted(
        program(source, variables=(("NLTK_DATA", "{environment}/nltk"),)), Path("/env")
    ) as host:
        await until(host, lambda: host.ended and host.observed.log)
    shown = host.observed.log[0].message
    assert "value-of-HARMLESS" in shown
    for name in (*secrets, *dropped):
        assert f"value-of-{name}" not in shown
    assert '"NLTK_DATA": "/env/nltk"' in shown
    assert '"NO_PROXY": "127.0.0.1,localhost"' in shown


TRUSTING = {
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "WEBSOCKET_CLIENT_CA_BUNDLE",
    "NODE_TLS_REJECT_UNAUTHORIZED",
}


@pytest.mark.parametrize("ca_file", [Path("/run/ca.pem"), None])
async def test_whom_the_caller_trusts_is_passed_on_unless_an_authority_is_given(
    monkeypatch: pytest.MonkeyPatch, ca_file: Path | None
) -> None:
    for name in TRUSTING:
        monkeypatch.setenv(name, "the caller's")
    source = "print(json.dumps(dict(os.environ)), file=sys.stderr)"
    async with hosted(program(source), ca_file=ca_file) as host:
        await until(host, lambda: host.ended and host.observed.log)
    shown = json.loads(host.observed.log[0].message)
    told = {name: shown[name] for name in TRUSTING & shown.keys()}
    ours = dict.fromkeys(("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"), "/run/ca.pem")
    assert told == (ours if ca_file else dict.fromkeys(TRUSTING, "the caller's"))


# Endings.


@pytest.mark.parametrize(
    ("source", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -9), ("1 / 0", 1)]
)
async def test_a_crash_is_told_by_its_exit_code(source: str, code: int) -> None:
    async with hosted(program(source)) as host:
        began = time.monotonic()
        assert not await host.wait_until(lambda: host.observed.stage == "ready", 10.0)
        assert time.monotonic() - began < 5, "nobody waits for a process that is gone"
        assert host.ended
        await host.write({"type": "close", "intent": 1})
    assert host.observed.exit_code == code
    if code == 1:
        assert "ZeroDivisionError" in host.observed.log[-1].message


async def test_a_command_that_is_not_there_is_told_in_the_log() -> None:
    async with hosted(Implementation("cmd:nothing", None, ("/no/such/program",))) as host:
        assert host.ended
        assert not await host.wait_until(lambda: False, 1.0)
    assert host.observed.exit_code == 127
    assert "/no/such/program" in host.observed.log[0].message


async def test_a_program_that_ends_with_its_input_has_its_exit_code_noted() -> None:
    async with hosted(program(f"say({HELLO!r}); sys.stdin.read(); sys.exit(7)")) as host:
        await until(host, lambda: host.observed.capabilities)
    assert host.observed.exit_code == 7


async def test_a_program_that_does_not_stop_is_stopped_and_so_has_no_exit_code() -> None:
    source = f"""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say({HELLO!r})
        time.sleep(600)
    """
    began = time.monotonic()
    async with hosted(program(source)) as host:
        await until(host, lambda: host.observed.capabilities)
    assert time.monotonic() - began < 8
    assert host.observed.exit_code is None
    assert host.ended


async def test_the_children_of_a_driver_are_gone_when_it_is_stopped() -> None:
    source = """
        child = subprocess.Popen(["sleep", "600"])
        stubborn = subprocess.Popen([sys.executable, "-c",
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
        print(child.pid, stubborn.pid, os.getpid(), file=sys.stderr)
        sys.stdin.read()
    """
    async with hosted(program(source)) as host:
        await until(host, lambda: host.observed.log)
        pids = [int(pid) for pid in host.observed.log[0].message.split()]
        assert not any(map(gone, pids))
    assert [await wait_gone(pid) for pid in pids] == [True, True, True]


async def test_the_child_of_the_miniature_that_spawns_one_is_gone() -> None:
    miniature = programs_folder() / "miniature_driver.py"
    command = (sys.executable, str(miniature), "--fault", "spawns-child")
    endpoint = {"url": "ws://127.0.0.1:9", "origin": "", "path": "", "query": {}, "key": KEY}
    start = {"type": "start", "protocol": 1, "endpoint": endpoint, "dialect": {"name": "azure-v1"}}
    async with hosted(Implementation("spawns-child", None, command)) as host:
        await until(host, lambda: host.observed.capabilities)
        await host.write({**start, "session": {}, "tools": [], "factory": None})
        await until(host, lambda: host.observed.errors)
        assert host._process is not None
        children = _children(host._process.pid)
        assert children
    assert all([await wait_gone(pid) for pid in children])


async def test_a_driver_has_a_process_group_of_its_own() -> None:
    async with hosted(program("print(os.getpgid(0), file=sys.stderr); sys.stdin.read()")) as host:
        await until(host, lambda: host.observed.log)
        assert int(host.observed.log[0].message) != os.getpgid(0)
        os.killpg(int(host.observed.log[0].message), signal.SIGTERM)
        await until(host, lambda: host.ended)
    assert host.observed.exit_code == -signal.SIGTERM


async def test_two_hosts_at_once_do_not_hear_each_other() -> None:
    def source(word: str) -> str:
        return (
            f'say(json.dumps({{"type": "observation", "kind": "text", "text": {word!r}}})); sys.stdin.read()'
        )

    async with hosted(program(source("one"))) as one, hosted(program(source("two"))) as two:
        await until(one, lambda: one.observed.text)
        await until(two, lambda: two.observed.text)
    assert (one.observed.text, two.observed.text) == ("one", "two")


async def test_the_bundled_program_and_its_arguments_run_with_the_given_interpreter() -> None:
    implementation = Implementation("more:echo", MORE, ("echoes-its-environment",))
    async with hosted(implementation) as host:
        await until(host, lambda: host.observed.capabilities)
    assert host.observed.capabilities is not None
    assert host.observed.capabilities.name == "more-echoes-its-environment"
    assert json.loads(host.observed.log[0].message)["PYTHONUNBUFFERED"] == "1"


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]
