"""Two sessions side by side: one is thrown at, the other must not notice."""

from __future__ import annotations

import json

from harness.bundled import cassettes_folder
from harness.cassette import load_cassette
from harness.dialects import bundled_dialect
from harness.playback import Playback
from harness.service import Service
from tests.hostile.mutations import Dice, hostile_frame, valid_events
from tests.talk import NOW, user_item

FRAMES_EACH = 20
"""How many frames are thrown at one session."""


def bundled(dialect: str) -> str:
    """The dialect's own folder of cassettes, or that of its generation."""
    if (cassettes_folder() / dialect).is_dir():
        return dialect
    return (
        "azure-v1"
        if "session_realtime" in bundled_dialect(dialect).client.shapes
        else "azure-2025-04-01-preview"
    )


def recorded(dialect: str) -> Playback:
    cassette = load_cassette(cassettes_folder() / bundled(dialect) / "audio-turn.jsonl")
    return Playback(bundled_dialect(dialect), cassette, seed=3, unix_time=NOW)


def opened(dialect: str, *, played: bool) -> Service:
    if played:
        playback = recorded(dialect)
        playback.start()
        return playback
    service = Service(bundled_dialect(dialect), seed=3, unix_time=NOW)
    service.open()
    return service


def said(service: Service, most: int = 10_000) -> str:
    """What comes out, as it goes on the wire; every frame can be written and read."""
    frames: list[str] = []
    for _ in range(most):
        outgoing = service.pop()
        if outgoing is None:
            break
        outgoing.frame.encode()
        json.loads(outgoing.frame)
        frames.append(outgoing.frame)
    return "\n".join(frames)


QUIET = [json.dumps(event) for event in (user_item("Hello?"), {"type": "response.create"})]


def quiet_session(dialect: str, *, played: bool) -> list[str]:
    service = opened(dialect, played=played)
    heard = [said(service)]
    for frame in QUIET:
        service.receive(frame)
        heard.append(said(service))
    return heard


def assaulted(dialect: str, dice: Dice, *, played: bool) -> None:
    """One session is thrown at; another of the same dialect and cassette goes on beside it."""
    events = valid_events(bundled_dialect(dialect))
    victim, quiet = opened(dialect, played=played), opened(dialect, played=played)
    heard = [said(quiet)]
    for number in range(FRAMES_EACH):
        victim.receive(hostile_frame(dice, events))
        said(victim, dice(4))
        if number % 10 == 4:
            quiet.receive(QUIET[number // 10])
            heard.append(said(quiet))
        if dice(8) == 0:
            victim.advance(victim.t + dice(40))
    said(victim)
    assert heard == quiet_session(dialect, played=played), "another session was affected"
