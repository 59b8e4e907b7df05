"""What a client sent, judged in a log: each code seen to fire, and a right client left in peace."""

from __future__ import annotations

from typing import Any

import pytest

from harness.dialects import bundled_dialect
from harness.lint.client import client_findings
from harness.logs import Extent, LogEntry
from harness.messages import Json, Side
from tests.lint.made import FLAT, GA, codes, failing, judged, log_of, part_of


def update(dialect: str, **session: Any) -> Json:
    head = {"type": "realtime"} if dialect == GA else {}
    return {"type": "session.update", "session": {**head, **session}}


@pytest.mark.parametrize(
    ("dialect", "event", "code"),
    [
        (GA, {"type": "transcription_session.updat"}, "rename.client-event"),
        (GA, update(GA, voice="alloy"), "rename.session-shape"),
        (FLAT, update(FLAT, audio={"output": {"voice": "alloy"}}), "rename.session-shape"),
        (GA, update(GA, modalities=["text"]), "modality.field"),
        (FLAT, update(FLAT, output_modalities=["text"]), "modality.field"),
        (GA, update(GA, output_modalities=["audio", "text"]), "modality.value"),
        (FLAT, update(FLAT, modalities=["audio"]), "modality.value"),
        (GA, update(GA, colour="green"), "session.unknown-parameter"),
        (GA, {"type": "session.update", "session": {}}, "session.missing-parameter"),
        (
            GA,
            update(GA, audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}),
            "session.invalid-value",
        ),
    ],
)
def test_what_the_service_refuses_fails_with_its_line_and_its_evidence(
    dialect: str, event: Json, code: str
) -> None:
    report = judged([("client", event)], dialect)

    assert failing(report) == {code}
    for one in report.found:
        assert one.lines == (1,)
        assert one.finding.basis
        assert "The service answers:" in one.finding.message or "the service answers:" in one.finding.message


def test_a_content_part_of_another_generation_is_a_deviation() -> None:
    parts = [{"type": "text", "text": "Hi"}]
    item = {"type": "message", "role": "assistant", "content": parts}
    report = judged([("client", {"type": "conversation.item.create", "item": item})], GA)

    assert codes(report) == {"rename.content-part"}
    assert not report.failed


def test_a_value_whose_refusal_is_only_assumed_is_a_deviation() -> None:
    report = judged([("client", update(GA, instructions=7))], GA)

    assert codes(report) == {"session.invalid-value"}
    assert not report.failed


def test_what_nobody_knows_is_a_note() -> None:
    report = judged([("client", update(GA, instructions=None))], GA)

    assert codes(report) == {"session.unproven"}
    assert not report.failed


def test_of_an_event_whose_body_was_left_out_only_the_name_is_judged() -> None:
    sound = log_of([("client", {"type": "conversation.item.create"})])
    assert judged(sound, GA).failed
    for extent in (Extent.ELIDED, Extent.CUT):
        entry = LogEntry(1, Side.CLIENT, {"type": "conversation.item.create"}, extent=extent)
        assert not judged(part_of(sound, [entry]), GA).found


def test_audio_that_was_cut_by_its_publisher_is_not_looked_at() -> None:
    event = {"type": "input_audio_buffer.append", "audio": "UklGRiQ..."}
    entry = LogEntry(1, Side.CLIENT, event, extent=Extent.CUT)
    assert not list(client_findings(bundled_dialect(GA), entry, 24000))


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.update", "session": {"instructions": "Be kind.", "temperature": 0.8}},
        {"type": "response.create"},
        {"type": "response.create", "event_id": "event_1", "response": {"modalities": ["text", "audio"]}},
        {"type": "response.cancel"},
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
        {"type": "conversation.item.delete", "item_id": "item_1"},
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 700},
    ],
)
def test_a_right_client_of_the_beta_is_left_in_peace(event: Json) -> None:
    assert not judged([("client", event)], "openai-beta").found
