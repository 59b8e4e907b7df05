"""The runtime of the Python drivers as a process: what it does with the intents, and when."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from harness.drivers.implementation import programs_folder
from harness.validation import subschema

SOURCE = """
import asyncio, sys
from driver_runtime import Driver, run

class Tells(Driver):
    intents = ("say", "interrupt", "seed", "edit", "respond", "reconnect", "close")

    async def start(self, start):
        self.spoken_over = asyncio.Event()

    async def say(self, text):
        self.notices.observe("text", text="said " + text)
        await asyncio.wait_for(self.spoken_over.wait(), 5)

    async def interrupt(self, pcm, rate):
        self.notices.observe("text", text=f"interrupted {len(pcm)} {rate}")
        self.spoken_over.set()

    async def seed(self, messages):
        self.notices.observe("history", items=messages)

    async def edit(self, action, item, audio_end_ms=None, words=None):
        self.notices.observe("text", text=f"{action} {item} {audio_end_ms} {words}")

    async def respond(self, response):
        self.notices.observe("item", item=response)

    async def reconnect(self):
        self.notices.observe("text", text="reconnected")

run(BROKEN())
"""

START = {
    "type": "start",
    "protocol": 1,
    "endpoint": {"url": "ws://x/", "origin": "http://x", "path": "/", "query": {}, "key": "k"},
    "dialect": {"name": "d"},
    "session": {},
    "tools": [],
    "factory": None,
}


def talk(*lines: dict[str, Any], driver: str = "Tells") -> tuple[list[dict[str, Any]], int, str]:
    """The notices of a driver that was told these lines, its exit code and its log."""
    for line in lines:
        assert subschema("driver", "to_driver").problems(line) == []
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SOURCE).replace("BROKEN", driver)],
        input="".join(json.dumps(line) + "\n" for line in lines),
        env={"PYTHONPATH": str(programs_folder())},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode, done.stderr


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    notices, code, log = talk(
        START,
        {"type": "say", "intent": 1, "text": "a"},
        {"type": "interrupt", "intent": 2, "audio": "AAAA", "rate": 24000},
        {"type": "close", "intent": 7},
    )
    assert code == 0, log
    return notices


def test_who_interrupts_is_heard_while_a_turn_goes_on_and_the_next_turn_waits(
    told: list[dict[str, Any]],
) -> None:
    texts = [notice["text"] for notice in told if notice.get("kind") == "text"]
    assert texts == ["said a", "interrupted 3 24000"]
    done = [notice["intent"] for notice in told if notice["type"] == "done"]
    assert sorted(done) == [1, 2, 7]
    assert done[-1] == 7
    assert told[-1] == {"type": "closed"}


def test_every_notice_is_of_the_protocol(told: list[dict[str, Any]]) -> None:
    for notice in told:
        assert subschema("driver", "from_driver").problems(notice) == []


def test_history_edits_answers_and_new_connections_reach_the_driver_as_they_are() -> None:
    messages = [{"role": "assistant", "text": "b"}]
    notices, code, log = talk(
        START,
        {"type": "seed", "intent": 1, "messages": messages},
        {"type": "edit", "intent": 2, "action": "truncate", "item": 3, "audio_end_ms": 40},
        {"type": "edit", "intent": 3, "action": "delete", "item": 0, "role": "user", "text": "a"},
        {"type": "respond", "intent": 4, "response": {"conversation": "none"}},
        {"type": "reconnect", "intent": 5},
    )
    seen = [notice for notice in notices if notice["type"] == "observation"]
    assert code == 0, log
    assert seen[0]["items"] == messages
    assert [notice["text"] for notice in seen[1:3]] == ["truncate 3 40 None", "delete 0 None ('user', 'a')"]
    assert seen[3]["item"] == {"conversation": "none"}
    assert seen[4]["text"] == "reconnected"
    assert [notice["intent"] for notice in notices if notice["type"] == "done"] == [1, 2, 3, 4, 5]


def test_what_a_driver_has_no_way_to_do_ends_it_with_a_traceback() -> None:
    for line in (
        {"type": "interrupt", "intent": 1, "audio": "AAAA", "rate": 24000},
        {"type": "reconnect", "intent": 1},
    ):
        notices, code, log = talk(START, line, driver="Driver")
        assert code == 1
        assert "NotImplementedError" in log
        assert notices[-1]["type"] != "closed"
