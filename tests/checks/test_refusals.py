"""What is said of refusals: who does as it says has mended them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.refusals import content_part_finding, of_content_part, refusal_finding
from harness.dialects import Refusal, Unproven, bundled_dialect, judge_client_event
from harness.findings import Finding
from harness.messages import Json
from tests.talk import GA

PREVIEW = "azure-2025-04-01-preview"


def finding(dialect: str, event: Json) -> Finding:
    found = bundled_dialect(dialect)
    for one in judge_client_event(found, event):
        if isinstance(one, Refusal):
            return refusal_finding(found, one, at=1, first=True)
        if isinstance(one, Unproven) and of_content_part(one):
            return content_part_finding(found, one, event, at=1)
    raise AssertionError("nothing was found")


def update(**session: Any) -> Json:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


@pytest.mark.parametrize(
    ("flat", "nested"),
    [
        ("pcm16", {"type": "audio/pcm", "rate": 24000}),
        ("g711_ulaw", {"type": "audio/pcmu"}),
        ("opus", "opus"),  # whatever that is
    ],
)
def test_a_value_is_expected_as_it_stands_where_it_belongs(flat: str, nested: Any) -> None:
    found = finding(GA, update(input_audio_format=flat))
    assert found.expected == {"session.audio.input.format": nested}
    assert found.diff[0].expected == nested


def test_a_tool_of_chat_completions_is_to_be_unpacked() -> None:
    found = finding(GA, update(tools=[{"type": "function", "function": {"name": "x", "parameters": {}}}]))
    assert found.mend.startswith("put what stands in session.tools[0].function beside the tool's type")


@pytest.mark.parametrize(
    ("dialect", "role", "sent", "right"),
    [
        (GA, "user", "text", "input_text"),
        (GA, "system", "text", "input_text"),
        (GA, "user", "audio", "input_audio"),
        (GA, "assistant", "text", "output_text or output_audio"),
        (PREVIEW, "user", "output_text", "input_text"),
        (PREVIEW, "assistant", "output_text", "text"),
    ],
)
def test_the_type_that_a_content_part_should_have_follows_who_said_it(
    dialect: str, role: str, sent: str, right: str
) -> None:
    item = {"type": "message", "role": role, "content": [{"type": sent, "text": "Hi"}]}
    found = finding(dialect, {"type": "conversation.item.create", "item": item})
    assert (found.actual, found.expected, found.mend) == (sent, right, f"send {right} for {dialect}")
    mended = {**item, "content": [{"type": right.partition(" or ")[0], "text": "Hi"}]}
    judged = judge_client_event(
        bundled_dialect(dialect), {"type": "conversation.item.create", "item": mended}
    )
    assert not [one for one in judged if isinstance(one, Refusal) or of_content_part(one)]
