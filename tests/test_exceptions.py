from __future__ import annotations

import inspect

import pytest

from harness import exceptions
from harness.exceptions import (
    BaselineFault,
    CassetteFault,
    DialectFault,
    EnvironmentFault,
    FileFault,
    HarnessError,
    LogFault,
    MessageFault,
    ModelScriptFault,
    RecordingFault,
    ScenarioFault,
    UsageFault,
)

MESSAGES: list[tuple[HarnessError, str]] = [
    (FileFault("a.yaml", "cannot be read"), "a.yaml: file: cannot be read"),
    (FileFault("a.yaml", "not YAML", line=3), "a.yaml:3: file: not YAML"),
    (
        ScenarioFault(
            "a.yaml", "no tool 'x'", line=7, pointer="/steps/2", expected="the name of one of `tools`"
        ),
        "a.yaml:7: scenario at /steps/2: no tool 'x'\n  expected: the name of one of `tools`",
    ),
    (
        CassetteFault("a.jsonl", "ends without its footer", line=9, hint="record it again"),
        "a.jsonl:9: cassette: ends without its footer\n  to mend it: record it again",
    ),
    (
        ModelScriptFault("m.yaml", "no such key 'anwsers'", line=2, pointer="/anwsers"),
        "m.yaml:2: model script at /anwsers: no such key 'anwsers'",
    ),
    (
        DialectFault(
            "d.yaml", "unknown kind 'sting'", pointer="/client", expected="a kind", hint="spell it right"
        ),
        "d.yaml: dialect at /client: unknown kind 'sting'\n  expected: a kind\n  to mend it: spell it right",
    ),
    (BaselineFault("baseline.yaml", "stale"), "baseline.yaml: baseline: stale"),
    (LogFault("a.log", "an empty file", hint="mend"), "a.log: log: an empty file\n  to mend it: mend"),
    (UsageFault("there is no dialect 'x'"), "there is no dialect 'x'"),
    (
        UsageFault("there is no dialect 'x'", known=("a", "b"), hint="name one of them"),
        "there is no dialect 'x'\n  known: a, b\n  to mend it: name one of them",
    ),
    (
        EnvironmentFault("pipecat", "no network"),
        "the environment of 'pipecat' could not be made:\nno network",
    ),
    (MessageFault("not JSON: x"), "not JSON: x"),
    (
        RecordingFault("the server refused: x", "  >> session.update"),
        "the server refused: x\n  >> session.update",
    ),
]


@pytest.mark.parametrize(("error", "text"), MESSAGES, ids=[type(error).__name__ for error, _ in MESSAGES])
def test_an_error_reads_as_people_read_it(error: HarnessError, text: str) -> None:
    assert str(error) == text


def test_every_error_is_in_the_table_above() -> None:
    made = {
        member
        for _, member in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(member, HarnessError) and member is not HarnessError
    }

    assert made == {type(error) for error, _ in MESSAGES}


def test_an_error_keeps_its_fields() -> None:
    fault = ScenarioFault("a.yaml", "bad", line=1, pointer="/a", expected="b", hint="c")

    assert (fault.path, fault.problem, fault.line, fault.pointer, fault.expected, fault.hint) == (
        "a.yaml",
        "bad",
        1,
        "/a",
        "b",
        "c",
    )
