"""Whatever stands in a cassette: it is refused when it is read, or it plays; and playing changes nothing in it.

Fields of the service's events are dropped or replaced, then the recorded client
goes through the session. With REALTIME_HARNESS_HOSTILE=N in the environment, N cassettes.
"""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from harness.bundled import cassettes_folder
from harness.cassette import Cassette, load_cassette
from harness.dialects import bundled_dialect
from harness.exceptions import CassetteFault
from harness.messages import Side, render_event
from harness.playback import Playback
from harness.recording import replaced
from tests.talk import NOW

TIMES = int(os.environ.get("REALTIME_HARNESS_HOSTILE", "2000")) // 10
VALUES: tuple[Any, ...] = (None, 0, -1, 1.5, 1e308, True, "", "x", [], [[]], [None], {}, {"id": []})
FILES = sorted(f"{path.parent.name}/{path.name}" for path in cassettes_folder().glob("*/*.jsonl"))


@cache
def whole(name: str) -> Cassette:
    return load_cassette(cassettes_folder() / name)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every object or list in a value, with each key or place in it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield value, key
        yield from places(one)


def damaged(cassette: Cassette, dice: random.Random) -> Cassette:
    interactions = list(cassette.interactions)
    said = [n for n, one in enumerate(interactions) if one.side is Side.SERVER and one.event]
    for _ in range(dice.choice((1, 1, 1, 3))):
        at = dice.choice(said)
        event = copy.deepcopy(interactions[at].event) or {}
        found = [(holder, key) for holder, key in places(event) if not (holder is event and key == "type")]
        if not found:
            continue
        holder, key = dice.choice(found)
        if dice.random() < 0.4:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(dice.choice(VALUES))
        interactions[at] = replace(interactions[at], event=event)
    return replace(cassette, interactions=tuple(interactions))


def play(cassette: Cassette) -> Playback:
    """The recorded client, with the ids of this session in what it sends, and something more."""
    dialect = bundled_dialect(cassette.header.dialect)
    playback = Playback(dialect, cassette, seed=1, unix_time=NOW)
    playback.start()
    listen(playback)
    for interaction in cassette.interactions:
        if interaction.side is Side.CLIENT and interaction.event is not None:
            playback.receive(render_event(replaced(interaction.event, playback._ids)))
            listen(playback)
    for event in ({"type": "response.cancel"}, {"type": "response.create"}, {"type": "response.cancel"}):
        playback.receive(render_event(event))
        listen(playback, most=5)
    for item in list(playback.conversation.items):
        for act in ("retrieve", "delete"):
            playback.receive(render_event({"type": f"conversation.item.{act}", "item_id": item["id"]}))
    playback.advance(playback.t + 7200)
    listen(playback)
    return playback


def listen(playback: Playback, most: int = 100_000) -> None:
    for _ in range(most):
        if playback.pop() is None:
            return


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_cassette_is_refused_when_it_is_read_or_it_plays(part: int) -> None:
    dice = random.Random(part)
    for _ in range(TIMES // 4):
        cassette = damaged(whole(dice.choice(FILES)), dice)
        before = [copy.deepcopy(one.event) for one in cassette.interactions]
        try:
            playback = play(cassette)
        except CassetteFault:
            continue
        again = play(cassette)
        assert [entry.event for entry in playback.exchange.entries] == [
            entry.event for entry in again.exchange.entries
        ], "what one client did changed what the next one hears"
        assert [one.event for one in cassette.interactions] == before


@pytest.mark.parametrize("name", FILES)
def test_a_whole_cassette_plays(name: str) -> None:
    playback = play(whole(name))
    assert playback.exchange.responses or not playback.recording.answers
