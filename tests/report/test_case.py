from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from harness.dialects import Evidence, Refusal
from harness.dialects.model import Fact
from harness.findings import Basis, Change, Finding, Severity
from harness.messages import Json, Side
from harness.observations import LogLine, ToolCall
from harness.redaction import Redactor
from harness.report import CaseId, CaseResult, case_line
from harness.report.case import without_audio
from harness.service import Entry, Handshake, Origin, ResponseStart
from harness.validation import subschema
from tests.cases import case, run
from tests.report.made import finding, result
from tests.talk import GA, PREVIEW

KEY = "key-0123456789abcdef"
AUDIO = base64.b64encode(bytes(4800)).decode()


def line_of(value: CaseResult, *secrets: str, known: bool = False) -> Json:
    line = case_line(value, known=known, redactor=Redactor(secrets))
    assert subschema("result", "case").problems(line) == []
    json.dumps(line)
    return line


@pytest.mark.parametrize(
    ("name", "dialect", "scenario"),
    [
        ("reference", GA, "audio-turn"),
        ("reference", PREVIEW, "audio-turn"),
        ("miniature:session-of-the-other-generation", GA, "session-config"),
        ("miniature:session-of-the-other-generation", PREVIEW, "session-config"),
        ("miniature:crashes", PREVIEW, "tool-call-round"),
        ("miniature:never-connects", GA, "text-turn"),
        ("more:sends-no-json", PREVIEW, "text-turn"),
    ],
)
async def test_the_line_of_a_real_case_fits_its_schema(name: str, dialect: str, scenario: str) -> None:
    line = line_of(await run(case(name, dialect, scenario)))
    assert line["case"]["id"] == f"{name}/{dialect}/{scenario}"
    assert AUDIO[:200] not in json.dumps(line)


@pytest.mark.parametrize("tls", [True, False])
async def test_the_line_says_whether_the_client_dialled_over_tls(tls: bool) -> None:
    line = line_of(await run(case("reference", GA, "text-turn", tls=tls)))
    assert (line["case"]["transport"], line["case"]["tls"]) == ("websocket", tls)
    assert line["case"]["id"] == f"reference/{GA}/text-turn"  # the same case: a baseline holds for both


async def test_a_faulty_frame_stands_in_the_line_as_it_was_sent() -> None:
    line = line_of(await run(case("reference", GA, "text-turn", "unknown-event")))
    (message,) = [message for message in line["wire"] if message.get("origin") == "fault"]
    assert message["event"]["type"] == "harness.unknown_event"
    assert message["fault"] == "unknown-event"
    assert line["case"]["faults"] == ["unknown-event"]
    assert line["handshakes"] == [{"path": "/openai/v1/realtime", "status": 101}]


def test_a_refused_handshake_says_by_whom_and_whether_its_body_is_a_guess() -> None:
    refused = Handshake("/v1", (), (), (), 429, fault="refuse-handshake", body_evidence=Evidence.ASSUMED)
    line = line_of(replace(result(), handshakes=(refused, Handshake("/v2", (), (), (), 404, "wrong_path"))))
    assert line["handshakes"] == [
        {"path": "/v1", "status": 429, "fault": "refuse-handshake", "body_evidence": "assumed"},
        {"path": "/v2", "status": 404, "refusal": "wrong_path"},
    ]


def test_a_case_is_named_by_implementation_dialect_scenario_and_faults() -> None:
    assert str(CaseId("a@1", "azure-v1", "x")) == "a@1/azure-v1/x"
    assert str(CaseId("a", "azure-v1", "x", ("one", "two"))) == "a/azure-v1/x+one+two"


def test_codes_are_those_of_findings_that_are_more_than_notes_each_once() -> None:
    made = result(finding("b.x"), finding("a.x"), finding("b.x"), finding("c.x", Severity.NOTE))
    assert made.codes == ("a.x", "b.x")


def test_the_line_tells_each_finding_whole() -> None:
    told = finding(
        "session.lost",
        Severity.FAIL,
        diff=(Change("changed", "voice", "echo", "alloy"),),
        at=3,
        expected={"a": 1},
    )
    (line,) = line_of(result(told))["findings"]
    assert line["severity"] == "fail"
    assert line["basis"] == [{"evidence": "documented", "source": "a document"}]
    assert line["diff"] == [{"kind": "changed", "path": "voice", "expected": "echo", "actual": "alloy"}]
    assert line["expected"] == {"a": 1}
    assert line["at"] == 3


def test_an_answer_of_the_model_says_why_the_cassette_gave_none() -> None:
    made = result()
    made.exchange.entries += [
        Entry(0, 0.1, Side.SERVER, {"type": "response.created"}, origin=Origin.MODELLED)
    ]
    made.exchange.responses.append(ResponseStart(0, {}, (), Origin.MODELLED, "no further answer"))
    (message,) = line_of(made)["wire"]
    assert message["why"] == "no further answer"


def test_the_wire_tells_side_origin_and_what_was_refused() -> None:
    made = result()
    fact = Fact(Evidence.REPORTED, "x")
    refusal = Refusal("unknown_parameter", "session.voise", 1, "no such field", fact)
    made.exchange.entries += [
        Entry(0, 0.12345, Side.SERVER, {"type": "session.created"}, origin=Origin.RECORDED),
        Entry(1, 0.2, Side.CLIENT, {"type": "session.update"}, refusals=(refusal,)),
        Entry(2, 0.3, Side.CLIENT, {"type": "response.cancel"}, refused_by_state="cancel_not_active"),
        Entry(3, 0.4, Side.CLIENT, None, raw="{", refused_by_state="invalid_json"),
    ]
    assert line_of(made)["wire"] == [
        {
            "n": 0, "t": 0.123, "side": "server", "type": "session.created", "origin": "recorded",
            "event": {"type": "session.created"},
        },
        {
            "n": 1, "t": 0.2, "side": "client", "type": "session.update", "event": {"type": "session.update"},
            "refused": "session.voise",
        },
        {
            "n": 2, "t": 0.3, "side": "client", "type": "response.cancel", "event": {"type": "response.cancel"},
            "refused": "cancel_not_active",
        },
        {"n": 3, "t": 0.4, "side": "client", "type": "(no event)", "raw": "{", "refused": "invalid_json"},
    ]  # fmt: skip


def test_audio_is_replaced_by_its_size_and_nothing_else_is() -> None:
    text = "A sentence that is longer than the limit of what may stand there as it is. " * 4
    identifier = "x" * 161
    value = {"delta": AUDIO, "list": [AUDIO], "text": text, "short": "AAAA", "odd": identifier, "n": 1}
    assert without_audio(value) == {
        "delta": "(audio: 4800 bytes)",
        "list": ["(audio: 4800 bytes)"],
        "text": text,
        "short": "AAAA",
        "odd": identifier,
        "n": 1,
    }


def test_the_key_is_redacted_wherever_it_stands() -> None:
    made = result(finding("process.leaked-key", actual=f"saw {KEY}"))
    made.observed.log.append(LogLine("INFO", "x", f"dial with {KEY}"))
    made.observed.errors.append(KEY)
    made.observed.tool_calls.append(ToolCall("f", {"key": KEY}))
    event = {"type": "session.update", "session": {"instructions": f"say {KEY}"}}
    made.exchange.entries.append(Entry(0, 0.0, Side.CLIENT, event))
    line = line_of(made, KEY)
    assert KEY not in json.dumps(line)
    assert "[redacted]" in line["log"][0]["message"]


def test_whether_the_baseline_knows_it_stands_in_the_line() -> None:
    assert line_of(result(), known=True)["known"] is True
    assert line_of(result())["known"] is False


def test_a_basis_without_a_source_would_not_fit_the_schema() -> None:
    line = case_line(
        result(Finding("a.b", Severity.FAIL, "p", "m", 1, 2, (), "x")), known=False, redactor=Redactor()
    )
    assert subschema("result", "case").problems(line) != []
    assert Basis(Evidence.RECORDED, "x").source == "x"
