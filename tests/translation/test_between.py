from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dialects import (
    Dialect,
    Refusal,
    bundled_dialect,
    compiled_schema,
    dialect_names,
    judge_client_event,
)
from harness.messages import Side
from harness.translation import Bridge
from tests.translation.generated import client_events
from tests.translation.places import after_closing_up, emptied, leaves, own_places, source_places, without

DIALECTS = {name: bundled_dialect(name) for name in dialect_names()}
Event = dict[str, Any]


def refused(dialect: Dialect, event: Event) -> list[Refusal]:
    return [found for found in judge_client_event(dialect, event) if isinstance(found, Refusal)]


def rest(source: Dialect, side: Side, type_: str, event: Event, lost: Iterable[str]) -> dict[Any, Any]:
    """The places of an event and their values, without what was lost."""
    paths = {place for path in lost for place in own_places(source, side, type_, path)}
    hollow = emptied(paths)
    found = leaves(without(event, paths))
    return {place: value for place, value in found if not (value == {} and place in hollow)}


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=400)
@given(data=st.data())
def test_generated(name: str, data: st.DataObject) -> None:
    source = DIALECTS[name]
    event = data.draw(client_events(source))
    assert refused(source, event) == []
    before = copy.deepcopy(event)
    for target in DIALECTS.values():
        there = Bridge(source, target).carry(Side.CLIENT, event)
        assert event == before
        assert there.made_up == ()
        if not there.events:
            assert there.losses, target.name
            continue
        (made,) = there.events
        assert refused(target, made) == [], (target.name, made)
        schema = compiled_schema(target, Side.CLIENT, made["type"])
        assert schema is not None
        assert schema.accepts(made), (target.name, made, schema.problems(made))
        back = Bridge(target, source).carry(Side.CLIENT, made)
        lost = {loss.path for loss in there.losses}
        again = {
            place for loss in back.losses for place in source_places(target, made, source, event, loss.path)
        }
        returned = rest(source, Side.CLIENT, event["type"], back.events[0], after_closing_up(lost) | again)
        assert returned == rest(source, Side.CLIENT, event["type"], event, lost | again), (
            target.name,
            event,
            there,
            back,
        )
