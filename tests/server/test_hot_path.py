"""What serving a session must not need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import jsonschema

from harness.dialects import bundled_dialect, compiled_schema
from harness.messages import Json, Side
from harness.server import RealtimeServer
from tests.server.serving import dial, hear, hear_until, say, serving
from tests.talk import GA

UPDATE = {"type": "session.update", "session": {"type": "realtime", "made_up": True}}
ITEM = {
    "type": "conversation.item.create",
    "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello there!"}]},
}


@contextmanager
def calls_into(folder: Path) -> Iterator[list[str]]:
    """The functions of a package that are called meanwhile, in this thread."""
    found: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(folder)):
            found.append(frame.f_code.co_qualname)

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


PACKAGE = Path(jsonschema.__file__).parent


async def test_no_turn_asks_jsonschema_not_even_one_with_a_refusal() -> None:
    async with serving() as server:
        await turn_with_a_refusal(server)  # tables are read and schemas compiled once
        with calls_into(PACKAGE) as found:
            refused, answer = await turn_with_a_refusal(server)
    assert refused["error"]["param"] == "session.made_up"
    assert len(answer) > 20
    assert found == []


async def turn_with_a_refusal(server: RealtimeServer) -> tuple[Json, list[Json]]:
    async with dial(server) as socket:
        await hear(socket)
        await say(socket, UPDATE)
        refused = await hear(socket)
        await say(socket, ITEM)
        await say(socket, {"type": "response.create"})
        return refused, await hear_until(socket, "response.done")


def test_a_wrong_event_that_is_explained_would_be_noticed() -> None:
    schema = compiled_schema(bundled_dialect(GA), Side.CLIENT, "session.update")
    assert schema is not None
    with calls_into(PACKAGE) as found:
        assert schema.problems({"type": "session.update", "session": 1})
    assert found
