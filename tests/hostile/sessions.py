"""Two sessions side by side: one is thrown at, the other must not notice."""

from __future__ import annotations

import json
from functools import cache

from harness.bundled import cassettes_folder
from harness.cassette import Cassette, load_cassette
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


@cache
def audio_turn(dialect: str) -> Cassette:
    return load_cassette(cassettes_folder() / bundled(dialect) / "audio-turn.jsonl")


def recorded(dialect: str) -> Playback:
    return Playback(bundled_dialect(dialect), audio_turn(dialect), seed=3, unix_time=NOW)


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


@cache
def quiet_session(dialect: str, *, played: bool) -> tuple[str, ...]:
    """What a session hears when nobody else is there; ask for it before the first assault."""
    service = opened(dialect, played=played)
    heard = [said(service)]
    for frame in QUIET:
        service.receive(frame)
        heard.append(said(service))
    return tuple(heard)


def assaulted(dialect: str, dice: Dice, *, played: bool) -> set[str | bytes]:
    """One session is thrown at; another of the same dialect and cassette goes on beside it.

    Gives the frames that were thrown.
    """
    expected = quiet_session(dialect, played=played)
    events = valid_events(bundled_dialect(dialect))
    victim, quiet = opened(dialect, played=played), opened(dialect, played=played)
    heard = [said(quiet)]
    thrown: set[str | bytes] = set()
    for number in range(FRAMES_EACH):
        frame = hostile_frame(dice, events)
        thrown.add(frame)
        victim.receive(frame)
        said(victim, dice(4))
        if number % 10 == 4:
            quiet.receive(QUIET[number // 10])
            heard.append(said(quiet))
        if dice(8) == 0:
            victim.advance(victim.t + dice(40))
    said(victim)
    assert tuple(heard) == expected, "another session was affected"
    return thrown
