"""The tables against traffic that other people recorded and published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.dialects import Dialect, Refusal, bundled_dialect, compiled_schema, judge_client_event
from harness.messages import Side
from harness.translation import Translator

OF_DIALECT = {
    "azure-v1": ["azure-ws-*.jsonl", "parity-*azure*.jsonl"],
    "openai-ga": ["openai-ws-*.jsonl", "parity-*openai*.jsonl"],
    "azure-voice-live": ["azure-voice-live-*.jsonl"],
    "openai-beta": ["openai-beta-ws-*.jsonl", "openai-beta-webrtc-*.jsonl"],
    "azure-2025-04-01-preview": ["azure-preview-webrtc-*.jsonl", "azure-preview-ws-*.jsonl"],
    "azure-2024-10-01-preview": ["azure-preview-ws-*.jsonl"],
}
SIBLINGS = {
    "azure-v1": ["openai-ws-*.jsonl", "parity-*openai*.jsonl"],
    "azure-2024-10-01-preview": ["openai-beta-ws-*.jsonl", "azure-preview-webrtc-*.jsonl"],
    "azure-2025-04-01-preview": ["openai-beta-ws-*.jsonl"],
    "azure-2025-08-28": ["azure-preview-ws-*.jsonl"],
}
ALL = [
    (name, pattern) for table in (OF_DIALECT, SIBLINGS) for name, rows in table.items() for pattern in rows
]

Captured = Callable[[str], list[list[Any]]]


@pytest.mark.parametrize(("name", "pattern"), ALL)
def test_every_captured_server_event_is_valid_in_its_dialect(
    name: str, pattern: str, captured: Captured
) -> None:
    dialect = bundled_dialect(name)
    checked, wrong = 0, []
    for entry in (entry for session in captured(pattern) for entry in session):
        if entry.side is Side.CLIENT:
            continue
        schema = compiled_schema(dialect, Side.SERVER, entry.event["type"])
        if schema is None:
            wrong.append((entry.where, "no such event", entry.event["type"]))
            continue
        checked += 1
        wrong.extend(
            (entry.where, problem.pointer, problem.message)
            for problem in schema.problems(entry.event)
            if not (entry.truncated and problem.keyword == "required")
        )

    assert checked > 0
    assert wrong == []


def without_refusal(dialect: Dialect, events: list[Any]) -> list[tuple[str, str]]:
    return [
        (entry.where, found.path)
        for entry in events
        for found in judge_client_event(dialect, entry.event)
        if isinstance(found, Refusal)
    ]


@pytest.mark.parametrize(("name", "pattern"), ALL)
def test_no_captured_client_event_is_refused_in_its_dialect(
    name: str, pattern: str, captured: Captured
) -> None:
    sent = [entry for session in captured(pattern) for entry in session if entry.side is Side.CLIENT]
    if not sent:
        pytest.skip("a capture of the service's side alone")

    assert without_refusal(bundled_dialect(name), sent) == []


@pytest.mark.parametrize("pattern", OF_DIALECT["azure-v1"])
def test_a_captured_configuration_of_ga_is_refused_on_preview(pattern: str, captured: Captured) -> None:
    dialect = bundled_dialect("azure-2024-10-01-preview")
    updates = [
        entry.event
        for session in captured(pattern)
        for entry in session
        if entry.side is Side.CLIENT and entry.event["type"] == "session.update"
    ]

    assert updates
    for event in updates:
        refused = {found.path for found in judge_client_event(dialect, event) if isinstance(found, Refusal)}
        assert {"session.type", "session.audio"} <= refused


@pytest.mark.parametrize("pattern", OF_DIALECT["azure-v1"])
def test_a_captured_session_of_ga_is_no_session_of_preview(pattern: str, captured: Captured) -> None:
    schema = compiled_schema(bundled_dialect("azure-2024-10-01-preview"), Side.SERVER, "session.created")
    assert schema is not None

    for session in captured(pattern):
        assert not schema.accepts(session[0].event)


@pytest.mark.parametrize("name", ["azure-v1", "openai-ga"])
@pytest.mark.parametrize("pattern", ["azure-ws-*.jsonl", "openai-ws-text-*.jsonl"])
def test_the_defaults_of_ga_are_those_of_a_captured_session(
    captured: Captured, name: str, pattern: str
) -> None:
    for session in captured(pattern):
        created = session[0].event["session"]
        known = dict(bundled_dialect(name).service.session)
        assert created.keys() - {"id", "expires_at"} == known.keys()
        for key in known.keys() - {"instructions", "model"}:
            assert created[key] == known[key], key


def test_the_defaults_of_the_preview_are_those_of_its_captured_session(captured: Captured) -> None:
    dialect = bundled_dialect("azure-2025-04-01-preview")
    (session,) = captured("azure-preview-webrtc-*.jsonl")
    created = next(entry.event for entry in session if entry.event["type"] == "session.created")["session"]
    made = Translator(dialect).to_wire(
        Side.SERVER, {"type": "session.created", "session": dict(dialect.service.session)}
    )
    known = made.events[0]["session"]

    assert created.keys() - {"id", "expires_at"} == known.keys()
    for key in known.keys() - {"instructions", "model", "voice"}:  # the sample's own deployment and voice
        assert created[key] == known[key] or set(created[key]) == set(known[key]), key


def test_no_captured_event_has_a_field_nobody_listed_but_those_we_know_of(
    captured: Captured, v1: Dialect
) -> None:
    unlisted = set()
    for entry in (entry for session in captured("azure-ws-*.jsonl") for entry in session):
        if entry.side is Side.SERVER:
            shape = v1.server.shapes[v1.server.events[entry.event["type"]].shape]
            unlisted |= {
                f"{entry.event['type']}.{key}"
                for key in entry.event.keys() - shape.fields.keys() - {"type", "event_id"}
            }

    assert unlisted == set()
