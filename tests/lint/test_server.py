"""What a service said: names and shapes of another dialect told apart from what is merely new."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.dialects import bundled_dialect
from harness.dialects.model import Shape, Vocabulary
from harness.findings import Severity
from harness.messages import Json
from tests.lint.conversations import ALL, conversation
from tests.lint.made import (
    FLAT,
    GA,
    GENERATIONS,
    Said,
    cassette,
    codes,
    failing,
    judged,
    log_of,
    place,
    said_of,
)


def one(said: list[Said], type_: str) -> Json:
    return said[place(said, type_)][1]


@pytest.mark.parametrize("dialect", GENERATIONS)
class TestAShape:
    def findings(self, dialect: str, type_: str, change: Any) -> set[str]:
        said = cassette(dialect, "text-turn")
        change(one(said, type_))
        report = judged([("server", one(said, type_))], dialect)
        assert report.failed
        assert all(found.finding.basis[0].source for found in report.found)
        return codes(report)

    def test_lacks_nothing(self, dialect: str) -> None:
        for key in ("event_id", "item_id", "delta"):
            type_ = (
                "response.output_audio_transcript.delta"
                if dialect == GA
                else "response.audio_transcript.delta"
            )
            assert self.findings(dialect, type_, lambda e, key=key: e.pop(key)) == {"schema.server-event"}

    def test_holds_no_null_for_what_must_be_there(self, dialect: str) -> None:
        assert self.findings(dialect, "response.done", lambda e: e["response"].update(status=None)) == {
            "schema.server-event"
        }

    def test_holds_what_it_should(self, dialect: str) -> None:
        for change in (
            lambda e: e["response"].update(output={}),
            lambda e: e["response"].update(status="finished"),
            lambda e: e["response"].update(output=[7]),
            lambda e: e["response"]["output"][0].update(role="robot"),
            lambda e: e.update(response="resp_1"),
        ):
            assert self.findings(dialect, "response.done", change) == {"schema.server-event"}

    def test_has_its_own_combinations_of_modalities(self, dialect: str) -> None:
        field, wrong = (
            ("output_modalities", ["audio", "text"]) if dialect == GA else ("modalities", ["audio"])
        )
        found = self.findings(dialect, "session.created", lambda e: e["session"].update({field: wrong}))
        assert found == {"modality.value"}

    def test_has_its_own_content_parts(self, dialect: str) -> None:
        foreign = "audio" if dialect == GA else "output_audio"
        found = self.findings(
            dialect,
            "response.output_item.done",
            lambda e: e["item"]["content"][0].update(type=foreign),
        )
        assert found == {"rename.content-part"}


def test_what_a_message_says_is_what_is_wrong_and_where() -> None:
    said = cassette(GA, "text-turn")
    del one(said, "session.created")["session"]["audio"]
    (found,) = judged([("server", one(said, "session.created"))], GA).found
    assert found.finding.message == "session.created: session.audio is required, and missing."
    assert (found.finding.path, found.finding.expected, found.finding.actual) == (
        "session.audio",
        "object",
        "missing",
    )


@pytest.mark.parametrize(
    ("dialect", "type_", "here"),
    [
        (GA, "response.audio.delta", "response.output_audio.delta"),
        (GA, "response.text.done", "response.output_text.done"),
        (GA, "transcription_session.created", "session.created"),
        (FLAT, "response.output_text.delta", "response.text.delta"),
        (FLAT, "conversation.item.added", "conversation.item.created"),
        (FLAT, "conversation.item.done", "conversation.item.created"),
        ("azure-voice-live", "response.output_audio.done", "response.audio.done"),
    ],
)
def test_a_name_of_another_dialect_fails_with_the_one_it_has_here(
    dialect: str, type_: str, here: str
) -> None:
    (found,) = judged([("server", {"type": type_})], dialect).found
    assert (found.finding.code, found.finding.severity) == ("rename.server-event", Severity.FAIL)
    assert (found.finding.expected, found.finding.actual) == (here, type_)
    assert repr(here) in found.finding.message
    assert found.finding.basis[0].source.startswith(f"{here} here: ")
    assert found.finding.basis[-1].source.startswith(f"{type_} in ")


@pytest.mark.parametrize(
    ("type_", "code"),
    [("mcp_list_tools.failed", "rename.server-event"), ("session.renewed", "schema.new-event")],
)
def test_a_name_that_has_no_counterpart_may_be_new(type_: str, code: str) -> None:
    report = judged([("server", {"type": type_})], FLAT)
    assert codes(report) == {code}
    assert not report.failed


def test_a_field_of_the_session_that_stands_elsewhere_fails() -> None:
    said = cassette(GA, "text-turn")
    created = one(said, "session.created")
    created["session"].update(voice="alloy", temperature=0.8, colour="green", modalities=None)
    report = judged([("server", created)], GA)
    found = {one.finding.path: (one.finding.severity, one.finding.code) for one in report.found}
    assert found == {
        "session.voice": (Severity.FAIL, "rename.session-shape"),
        "session.temperature": (Severity.DEVIATION, "rename.session-shape"),
        "session.colour": (Severity.NOTE, "schema.new-field"),
    }


def test_the_copy_of_a_part_that_azure_sends_is_a_note_elsewhere() -> None:
    said = conversation(ga=True, azure=True).said
    report = judged(said, "openai-ga")
    assert not failing(report)
    (note,) = [one for one in report.found if one.finding.code == "schema.new-field"]
    assert note.finding.path == "content"
    assert "azure-v1 has it" in note.finding.message


def test_an_error_is_told_and_a_harmless_one_is_a_note() -> None:
    def severity(code: str | None) -> Severity:
        body = {"type": "invalid_request_error", "code": code, "message": "No."}
        (found,) = judged([("server", {"type": "error", "event_id": "e", "error": body})], GA).found
        assert found.finding.code == "service.refusal"
        return found.finding.severity

    assert severity("unknown_parameter") is Severity.DEVIATION
    assert severity(None) is Severity.DEVIATION
    assert severity("response_cancel_not_active") is Severity.NOTE


def test_a_refusal_in_a_constructed_log_is_no_recording_of_the_service() -> None:
    body = {"type": "invalid_request_error", "code": "unknown_parameter", "message": "No."}
    log = log_of([("server", {"type": "error", "event_id": "e", "error": body})])
    (real,) = judged(log, GA).found
    (made,) = judged(replace(log, provenance=(("kind", "constructed"),)), GA).found
    assert real.finding.basis[0].evidence == "recorded"
    assert made.finding.basis[0].evidence == "documented"
    assert "constructed" in made.finding.basis[0].source


@pytest.mark.parametrize("name", ALL)
def test_nulls_that_an_sdk_writes_for_what_was_not_there_are_no_fault(name: str) -> None:
    dialect, session = ALL[name]
    vocabulary = bundled_dialect(dialect).server
    said = [
        (side, filled(vocabulary, vocabulary.shapes[vocabulary.events[event["type"]].shape], event))
        if side == "server"
        else (side, event)
        for side, event in session.said
    ]
    report = judged(log_of(said), dialect)
    assert {code for _, code, _ in said_of(report)} <= {"service.refusal"}, said_of(report)


def filled(vocabulary: Vocabulary, shape: Shape, value: Any) -> Any:
    """An object with a null for every optional field that it has not."""
    if not isinstance(value, dict):
        return value
    if shape.by is not None and shape.variants is not None:
        name = shape.variants.get(str(value.get(shape.by)), shape.otherwise)
        return filled(vocabulary, vocabulary.shapes[name], value) if name else value
    full = {field.name: None for field in shape.fields.values() if not field.required}
    for name, inner in value.items():
        field = shape.fields.get(name)
        kinds = [kind for kind in (*field.kinds, *field.of) if kind in vocabulary.shapes] if field else []
        if not kinds:
            full[name] = inner
        elif isinstance(inner, list):
            full[name] = [filled(vocabulary, vocabulary.shapes[kinds[0]], element) for element in inner]
        else:
            full[name] = filled(vocabulary, vocabulary.shapes[kinds[0]], inner)
    return full
