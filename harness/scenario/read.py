"""Reads scenario files and the audio beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from harness.dialects import dialect_names
from harness.documents import Document, read_document
from harness.exceptions import ScenarioFault
from harness.scenario.answers import AnswerReader
from harness.scenario.model import (
    PLACEHOLDER,
    Expect,
    ExpectClose,
    Reconnect,
    Scenario,
    Send,
    Step,
    Tool,
    Wait,
)
from harness.scenario.sequence import Chain, Interleaved, One, Perhaps, Repeated, Sequence
from harness.validation import bundled_schema, check_document


def load_scenario(path: Path) -> Scenario:
    """Reads one scenario file; raises ScenarioFault with file, line and pointer."""
    return read_scenario(read_document(path, ScenarioFault))


def read_scenario(document: Document) -> Scenario:
    """The scenario that a document holds; raises ScenarioFault."""
    check_document(document, bundled_schema("scenario"), ScenarioFault)
    return _Reader(document, Path(document.path).parent).scenario()


class _Reader:
    def __init__(self, document: Document, folder: Path) -> None:
        self.document = document
        self.answers = AnswerReader(document, folder)
        self.bound: set[str] = set()

    def fail(
        self, pointer: str, problem: str, expected: str | None = None, hint: str | None = None
    ) -> NoReturn:
        line = self.document.line(pointer)
        raise ScenarioFault(
            self.document.path, problem, line=line, pointer=pointer, expected=expected, hint=hint
        )

    def scenario(self) -> Scenario:
        raw = self.document.value
        for index, name in enumerate(raw["dialects"] if raw["dialects"] != "all" else ()):
            if name not in dialect_names():
                expected = f"all, or some of {', '.join(dialect_names())}"
                self.fail(f"/dialects/{index}", f"no dialect {name!r}", expected)
        tools = tuple(
            Tool(tool["name"], tool.get("description", ""), tool["parameters"], tool["result"])
            for tool in raw.get("tools", ())
        )
        scenario = Scenario(
            name=raw["scenario"],
            title=raw["title"],
            path=self.document.path,
            dialects=None if raw["dialects"] == "all" else tuple(raw["dialects"]),
            session=raw.get("session", {}),
            tools=tools,
            steps=(),
            floating=tuple(raw.get("floating", ())),
            answers=tuple(
                self.answers.answer(answer, f"/answers/{i}")
                for i, answer in enumerate(raw.get("answers", ()))
            ),
            heard=tuple(raw.get("heard", ())),
            faults=tuple(raw.get("faults", ())),
        )
        steps = tuple(self.step(step, f"/steps/{index}", scenario) for index, step in enumerate(raw["steps"]))
        lines = tuple(self.document.line(f"/steps/{index}") for index in range(len(steps)))
        scenario = replace(scenario, steps=steps, lines=lines)
        self.check_calls(raw)
        unended = scenario.unended(scenario.faults)
        if unended is not None:
            self.fail(
                f"/steps/{unended}",
                "nothing ends the connection before this reconnect: a client would wait for that for ever",
                "a fault that ends it, or `expect_close` directly before",
                'add `faults: ["drop:at=response.done,answer=1"]`, or `- expect_close: {}` '
                "where the service ends it by itself",
            )
        return scenario

    def check_calls(self, raw: dict[str, Any]) -> None:
        """A model calls only what a session offers it."""
        offered = set(_tool_names(raw))
        for index, answer in enumerate(raw.get("answers", ())):
            several = isinstance(answer, list)
            for place, item in enumerate(answer if several else [answer]):
                if "call" in item and item["call"]["name"] not in offered:
                    at = f"/answers/{index}" + (f"/{place}" if several else "")
                    name = item["call"]["name"]
                    expected = f"one of {', '.join(sorted(offered))}" if offered else "a tool under `tools`"
                    hint = f"declare {name} under `tools`, with name, parameters and result"
                    self.fail(f"{at}/call/name", f"no session offers a tool {name!r}", expected, hint)

    def step(self, raw: dict[str, Any], at: str, scenario: Scenario) -> Step:
        if "expect" in raw:
            return Expect(self.sequence(raw["expect"], f"{at}/expect"))
        if "wait" in raw:
            return Wait(raw["wait"])
        if "expect_close" in raw:
            return ExpectClose(raw["expect_close"].get("code"))
        if "reconnect" in raw:
            return Reconnect()
        event = dict(raw["send"])
        audio = None
        if "audio" in event:
            audio = self.answers.audio(event.pop("audio")["$audio"], f"{at}/send/audio")
        return Send(self.filled(event, f"{at}/send", scenario), audio)

    def filled(self, value: Any, at: str, scenario: Scenario) -> Any:
        """Puts in what a scenario knows by itself; captured values wait until they are captured."""
        if value == "$session":
            return scenario.wanted_session
        if isinstance(value, str) and PLACEHOLDER.fullmatch(value) and value[1:] not in self.bound:
            self.fail(at, f"{value!r} is captured nowhere above", f"one of {sorted(self.bound)} or 'session'")
        if isinstance(value, dict) and "$result" in value:
            for tool in scenario.tools:
                if tool.name == value["$result"]:
                    return json.dumps(tool.result)
            self.fail(at, f"no tool {value['$result']!r}", "the name of one of `tools`")
        if isinstance(value, dict):
            return {key: self.filled(inner, f"{at}/{key}", scenario) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner, f"{at}/{index}", scenario) for index, inner in enumerate(value)]
        return value

    def sequence(self, raw: list[Any], at: str) -> Sequence:
        return Chain(tuple(self.expectation(part, f"{at}/{index}") for index, part in enumerate(raw)))

    def expectation(self, raw: Any, at: str) -> Sequence:
        if isinstance(raw, str):
            return _repeated(raw, One(raw.rstrip("+?*")))
        if "any" in raw:
            return Interleaved(
                tuple(self.sequence(part, f"{at}/any/{i}") for i, part in enumerate(raw["any"]))
            )
        if "optional" in raw:
            return Perhaps(self.sequence(raw["optional"], f"{at}/optional"))
        name = raw["event"]
        for path, value in raw.get("where", {}).items():
            if isinstance(value, str) and value.startswith("$") and value[1:] not in self.bound:
                self.fail(f"{at}/where/{path}", f"{value!r} is captured nowhere above")
        self.bound.update(raw.get("capture", {}))
        one = One(
            name.rstrip("+?*"), tuple(raw.get("where", {}).items()), tuple(raw.get("capture", {}).items())
        )
        return _repeated(name, one)


def _tool_names(value: Any) -> Iterator[str]:
    """The names of all tools that a scenario declares: under its own `tools`, or in what it sends."""
    if isinstance(value, dict):
        tools = value.get("tools")
        named = [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
        yield from (str(tool["name"]) for tool in named if "name" in tool)
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _tool_names(inner)


def _repeated(name: str, one: One) -> Sequence:
    if name.endswith("+"):
        return Repeated(one, 1)
    if name.endswith("*"):
        return Repeated(one, 0)
    return Perhaps(one) if name.endswith("?") else one


def named_events(raw: Any) -> Iterator[tuple[str, str]]:
    """Every server event that a scenario file names, with the pointer of its place; `*` is anything."""
    for index, name in enumerate(raw.get("floating", ())):
        yield f"/floating/{index}", name
    for index, step in enumerate(raw["steps"]):
        yield from _named(step.get("expect", ()), f"/steps/{index}/expect")


def _named(sequence: Iterable[Any], at: str) -> Iterator[tuple[str, str]]:
    for index, part in enumerate(sequence):
        here = f"{at}/{index}"
        if isinstance(part, str):
            yield here, part.rstrip("+?*")
        elif "event" in part:
            yield f"{here}/event", part["event"].rstrip("+?*")
        elif "optional" in part:
            yield from _named(part["optional"], f"{here}/optional")
        else:
            for place, branch in enumerate(part["any"]):
                yield from _named(branch, f"{here}/any/{place}")
