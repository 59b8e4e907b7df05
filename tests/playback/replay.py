"""A playback with a client for tests on its other end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.cassette import Cassette, Close, Header, Interaction, Provenance
from harness.dialects import bundled_dialect
from harness.faults import FaultLine, parse_fault
from harness.messages import Json, Side
from harness.playback import Playback
from harness.scenario import Send
from tests.cases import cassette, scenario
from tests.talk import GA, NOW, Talk


def replay(dialect: str, name: str | Cassette, *faults: str, seed: int = 9) -> Talk:
    """An open session that replays a bundled cassette, or the given one."""
    found = cassette(dialect, name) if isinstance(name, str) else name
    playback = Playback(
        bundled_dialect(dialect),
        found,
        seed=seed,
        unix_time=NOW,
        faults=FaultLine(parse_fault(f) for f in faults),
    )
    session = Talk(playback)
    playback.start()
    session.read()
    return session


def playback_of(session: Talk) -> Playback:
    assert isinstance(session.service, Playback)
    return session.service


def configure(session: Talk, name: str, **more: object) -> list[Json]:
    """The scenario's own `session.update`, in the dialect's words."""
    from harness.translation import Translator

    wanted: Json = {**scenario(name).wanted_session, **more}
    event = {"type": "session.update", "session": wanted}
    (wire,) = Translator(session.dialect).to_wire(Side.CLIENT, event).events
    return session.ask(wire)


def question(name: str) -> bytes:
    return next(step.audio.pcm for step in scenario(name).steps if isinstance(step, Send) and step.audio)


def captured(name: str) -> Cassette:
    """A published capture as a cassette, in memory only; skips the test where there are none."""
    folder = os.environ.get("REALTIME_HARNESS_CAPTURES")
    if not folder:
        pytest.skip("REALTIME_HARNESS_CAPTURES names no folder of captures")
    lines = (Path(folder) / name).read_text(encoding="utf-8").splitlines()
    interactions = tuple(
        Interaction(number * 0.02, Side(line["dir"]), line["event"])
        for number, line in enumerate(json.loads(text) for text in lines)
    )
    header = Header(
        dialect=GA,
        api_version="v1",
        path="/openai/v1/realtime",
        query=(("model", "gpt-realtime"),),
        scenario=None,
        provenance=Provenance.IMPORTED,
        origin=(("source", "pydantic-ai"),),
        tool="test",
    )
    return Cassette(header, interactions, Close("nobody", None))
