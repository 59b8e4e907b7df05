"""A cassette told as a scenario: what its client sent, and what it was answered.

So a recorded client can be performed again: by a scripted one, event by event,
or by a driver, from the intents that a plan makes of it. Audio in a row is one
stream. What floats in the recording may come at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.cassette import Cassette
from harness.dialects import Dialect
from harness.messages import Json, Side, decode_audio, get_path
from harness.scenario import Expect, ExpectClose, Scenario, Send, Step, Tool, Wait
from harness.scenario.model import Audio
from harness.scenario.sequence import Chain, One
from harness.translation import Translator

FLOATING = (
    "rate_limits.updated",
    "output_audio_buffer.*",
    "conversation.item.input_audio_transcription.*",
)

_ID_PATHS = ("item.id", "item.call_id", "item_id", "response.id", "session.id")

AFTERMATH = 0.2
"""Seconds in which what floats has time to come, where the recording has any of it."""


def scenario_of(cassette: Cassette, dialect: Dialect) -> Scenario:
    """The scenario that a cassette is a recording of, as far as a recording shows it."""
    told = list(_canonical(cassette, dialect))
    events = [(side, event) for side, event, _ in told]
    teller = _Teller(events, [wire for _, _, wire in told])
    steps = list(teller.steps())
    if any(side is Side.SERVER and _floats(event) for side, event in events):
        steps.append(Wait(AFTERMATH))
    if cassette.close.by == "server":
        steps.append(ExpectClose(cassette.close.code))
    name = cassette.header.scenario or Path(cassette.path).stem
    session: Json = next(
        (
            event["session"]
            for side, event in events
            if side is Side.CLIENT and isinstance(event.get("session"), dict)
        ),
        {},
    )
    return Scenario(
        name=name,
        title=f"as recorded in {name}",
        path=cassette.path,
        dialects=(dialect.name,),
        session=session,
        tools=tuple(_tools(session, events)),
        steps=tuple(steps),
        floating=FLOATING,
        answers=(),
        heard=(),
    )


_Events = list[tuple[Side, Json]]


def _canonical(cassette: Cassette, dialect: Dialect) -> Iterator[tuple[Side, Json, Json]]:
    translator = Translator(dialect)
    for interaction in cassette.interactions:
        if interaction.event is not None:
            for event in translator.to_canonical(interaction.side, interaction.event).events:
                yield interaction.side, event, interaction.event


def _floats(event: Json) -> bool:
    return any(event["type"].startswith(pattern.removesuffix("*")) for pattern in FLOATING)


class _Teller:
    """Goes through a recording once; ids of the service that the client uses become captured names."""

    def __init__(self, events: _Events, wires: list[Json]) -> None:
        self._events = events
        self._wires = wires
        used = {text for side, event in events if side is Side.CLIENT for text in _texts(event)}
        self._names: dict[str, str] = {}
        for side, event in events:
            if side is Side.SERVER:
                for path in _ID_PATHS:
                    id_ = get_path(event, path)
                    if isinstance(id_, str) and id_ in used:
                        self._names.setdefault(id_, f"id_{len(self._names) + 1}")
        made_up = {event["item"].get("id") for side, event in events if _creates(side, event)}
        for id_ in made_up & self._names.keys():
            del self._names[id_]  # the client's own, and kept by the service
        self._captured: set[str] = set()

    def steps(self) -> Iterator[Step]:
        expected: list[One] = []
        sound: list[bytes] = []
        for (side, event), wire in zip(self._events, self._wires, strict=True):
            pcm = _pcm(event) if side is Side.CLIENT else None
            if sound and pcm is None:
                yield _spoken(sound)
                sound = []
            if side is Side.SERVER:
                if not _floats(event):
                    expected.append(self._one(event))
                continue
            if expected:
                yield Expect(Chain(tuple(expected)))
                expected = []
            if pcm is not None:
                sound.append(pcm)
            else:
                yield Send(self._named(event), wire=self._named(wire))
        if sound:
            yield _spoken(sound)
        if expected:
            yield Expect(Chain(tuple(expected)))

    def _one(self, event: Json) -> One:
        found: list[tuple[str, str]] = []
        for path in _ID_PATHS:
            id_ = get_path(event, path)
            name = self._names.get(id_) if isinstance(id_, str) else None
            if name is not None and name not in self._captured:
                self._captured.add(name)
                found.append((name, path))
        return One(event["type"], (), tuple(found))

    def _named(self, value: Any) -> Any:
        if isinstance(value, str):
            name = self._names.get(value)
            return f"${name}" if name in self._captured else value
        if isinstance(value, dict):
            return {key: self._named(inner) for key, inner in value.items()}
        return [self._named(inner) for inner in value] if isinstance(value, list) else value


def _creates(side: Side, event: Json) -> bool:
    return (
        side is Side.CLIENT
        and event["type"] == "conversation.item.create"
        and isinstance(event.get("item"), dict)
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _pcm(event: Json) -> bytes | None:
    """The audio of a plain append; None of any other event."""
    if event["type"] != "input_audio_buffer.append" or event.keys() != {"type", "audio"}:
        return None
    return decode_audio(event["audio"])


def _spoken(sound: list[bytes]) -> Send:
    pcm = b"".join(sound)
    return Send({"type": "input_audio_buffer.append"}, Audio("(recorded)", pcm))


def _tools(session: Json, events: _Events) -> Iterator[Tool]:
    """The tools that the session offers, each with the first result that was sent for a call of it."""
    names: dict[str, str] = {}
    results: dict[str, str] = {}
    for side, event in events:
        item = event.get("item")
        if not isinstance(item, dict) or not isinstance(item.get("call_id"), str):
            continue
        call_id: str = item["call_id"]
        if side is Side.SERVER and isinstance(item.get("name"), str):
            names[call_id] = item["name"]
        elif side is Side.CLIENT and isinstance(item.get("output"), str) and call_id in names:
            results.setdefault(names[call_id], item["output"])
    offered = session.get("tools")
    for tool in offered if isinstance(offered, list) else ():
        if isinstance(tool, dict) and isinstance(tool.get("name"), str):
            description = str(tool.get("description") or "")
            yield Tool(tool["name"], description, tool.get("parameters") or {}, results.get(tool["name"], ""))
