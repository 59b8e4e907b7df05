from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.html import render_index, render_page, write_pages
from harness.validation import subschema

DIALECT = {
    "name": "azure-v1",
    "title": "Azure OpenAI GA (/openai/v1/realtime)",
    "api_version": "v1",
    "status": "current",
}
OTHER = {
    "name": "azure-2024-10-01-preview",
    "title": "Azure OpenAI preview (api-version=2024-10-01-preview)",
    "api_version": "2024-10-01-preview",
    "status": "deprecated 2026-04-30 by its documentation",
}
HEADER = {
    "report": 1,
    "tool": "realtime-harness 0.1.0",
    "started": "2026-10-02T09:14:00Z",
    "faults": [],
    "dialects": [DIALECT, OTHER],
}
VERDICTS = ["harness-error", "fail", "not-proven", "deviation", "pass", "not-applicable"]
HOSTILE = "\"'><script>alert(1)</script></script><!--\u202e]]>\x00{{ 7 * 7 }}"

FINDING: dict[str, Any] = {
    "code": "wire.session-field",
    "severity": "fail",
    "path": "session.voice",
    "message": "the service refuses `session.voice`: its place is session.audio.output",
    "expected": {"audio": {"output": {"voice": "alloy"}}},
    "actual": {"voice": "alloy-as-sent"},
    "basis": [{"evidence": "documented", "source": "ms-migration: GA migration guide"}],
    "mend": "Send the voice as session.audio.output.voice.",
    "diff": [
        {"kind": "removed", "path": "audio.output.voice", "expected": "alloy", "actual": None},
        {"kind": "added", "path": "voice", "expected": None, "actual": "alloy-as-sent"},
    ],
    "at": 2,
}


def case_line(verdict: str = "pass", scenario: str = "text-turn", **changes: Any) -> dict[str, Any]:
    line: dict[str, Any] = {
        "case": {
            "id": f"pipecat@1.2.0/azure-v1/{scenario}",
            "scenario": scenario,
            "title": "The user types, the service answers in speech.",
            "dialect": "azure-v1",
            "implementation": "pipecat@1.2.0",
            "version": "1.2.0",
            "transport": "websocket",
            "faults": [],
        },
        "verdict": verdict,
        "reason": "The reason in one sentence.",
        "known": False,
        "close": {"verdict": "pass", "code": 1000, "by": "client"},
        "provenance": {"kind": "constructed", "cassette": "azure-v1/text-turn.jsonl", "sha256": "ab" * 32},
        "findings": [],
        "checks": [
            {"code": "wire.accepted", "outcome": "pass"},
            {"code": "surfaced.text", "outcome": "not-proven", "note": "no answer came"},
        ],
        "wire": [
            {
                "n": 1,
                "t": 0.02,
                "side": "server",
                "type": "session.created",
                "origin": "recorded",
                "event": {},
            },
            {
                "n": 2,
                "t": 0.031,
                "side": "client",
                "type": "session.update",
                "event": {"type": "session.update", "session": {"voice": "alloy-as-sent"}},
                "refused": "session.voice is not known",
            },
            {"n": 3, "t": 0.04, "side": "server", "type": "error", "origin": "modelled", "event": {}},
            {"n": 4, "t": 0.05, "side": "server", "type": "", "origin": "fault", "raw": '{"type": '},
            {"n": 5, "t": 0.06, "side": "server", "type": "response.created", "origin": "counterfactual"},
            {
                "n": 6,
                "t": 0.07,
                "side": "server",
                "type": "response.created",
                "origin": "modelled",
                "why": "no more",
            },
        ],
        "surfaced": {"text": "", "transcript": "Good morning.", "audio_seconds": 1.5, "tool_calls": []},
        "log": [{"level": "WARNING", "logger": "pipecat.services", "message": "unhandled event"}],
        "seconds": 0.42,
        "reproduce": "realtime-harness run pipecat@1.2.0 --dialect azure-v1 --scenario text-turn",
    }
    return line | changes


def end_line(*cases: dict[str, Any]) -> dict[str, Any]:
    words = [case["verdict"] for case in cases]
    verdicts = {word: words.count(word) for word in words}
    return {"end": {"cases": len(cases), "verdicts": verdicts, "unexpected": [], "stale": [], "exit": 0}}


def page_of(*cases: dict[str, Any]) -> str:
    return render_page(HEADER, DIALECT, list(cases), end_line(*cases))


class Reader(HTMLParser):
    """Elements with their attributes, the text outside scripts and styles, and the texts of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data + " "

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.elements if attribute in attrs]


def hostile(value: Any, key: str = "") -> Any:
    """The value with every text replaced, except where the schema leaves no choice."""
    if isinstance(value, dict):
        return {name: hostile(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, key) for inner in value]
    return HOSTILE + key if isinstance(value, str) else value


def assert_unharmed(page: str) -> None:
    reader = Reader(page)
    active = [script for script in reader.scripts if "alert(1)" in script]
    assert [tag for tag, _ in reader.elements].count("script") == len(reader.scripts) <= 2
    assert all(json.loads(script) for script in active), "only as a string in the embedded results"
    assert "<script>alert" not in page
    assert "49" not in re.findall(r"\b49\b", reader.text), "values are no templates"
    assert not [name for _, attrs in reader.elements for name in attrs if name.startswith("on")]
    for identifier in reader.values("id"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", identifier)
    for target in reader.values("href"):
        assert re.fullmatch(r"[A-Za-z0-9._%/#-]*", target)
    assert "\x00" not in page


def test_the_sample_is_what_the_results_format_says() -> None:
    lines = [case_line(verdict, findings=[FINDING]) for verdict in VERDICTS]
    assert not [p for line in lines for p in subschema("result", "case").problems(line)]
    assert not subschema("result", "header").problems(HEADER)
    assert not subschema("result", "footer").problems(end_line(*lines))


def test_a_page_loads_nothing() -> None:
    page = page_of(case_line("fail", findings=[FINDING]))
    reader = Reader(page)
    assert not {tag for tag, _ in reader.elements} & {"link", "img", "iframe", "object", "base", "form"}
    assert not reader.values("src")
    assert all(target.startswith("#") for target in reader.values("href"))
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert "url(" not in page


def test_a_page_allows_its_own_script_alone() -> None:
    policy = Reader(page_of(case_line())).values("content")[0]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")


def test_every_link_within_a_page_leads_somewhere() -> None:
    reader = Reader(page_of(case_line("fail", findings=[FINDING]), case_line("pass", "audio-turn")))
    identifiers = reader.values("id")
    assert len(identifiers) == len(set(identifiers))
    assert {target[1:] for target in reader.values("href")} <= set(identifiers)


def test_cases_with_the_same_id_keep_their_own_places() -> None:
    reader = Reader(page_of(case_line(), case_line(), case_line()))
    assert len(reader.values("id")) == len(set(reader.values("id")))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_is_told_by_its_word(verdict: str) -> None:
    page = page_of(case_line(verdict))
    matrix = page[page.index('<table class="matrix">') : page.index("</table>")]
    assert re.search(rf"</span> {verdict}</span>", matrix)
    assert f'data-verdict="{verdict}"' in page


def test_failing_cases_stand_open() -> None:
    for verdict in VERDICTS:
        section = re.search(r'<details class="case [^>]*>', page_of(case_line(verdict)))
        assert section is not None
        assert (" open>" in section[0]) == (verdict in {"fail", "not-proven", "harness-error"})


def test_not_proven_is_counted_even_where_there_is_none() -> None:
    words = Reader(page_of(case_line())).words
    assert "0 ✗ fail" in words
    assert "0 ? not-proven" in words
    assert "1 ✓ pass" in words


def test_known_failures_and_closes_are_marked_in_the_matrix() -> None:
    close = {"verdict": "deviation", "code": 1006, "by": "client"}
    page = page_of(case_line("fail", known=True, close=close))
    matrix = Reader(page[page.index('<table class="matrix">') : page.index("</table>")]).words
    assert "fail known close: deviation (1006 by client)" in matrix


def test_a_finding_shows_both_sides_the_difference_the_evidence_and_the_mending() -> None:
    words = Reader(page_of(case_line("fail", findings=[FINDING]))).words
    assert "✗ fail wire.session-field at session.voice" in words
    assert FINDING["message"] in words
    assert 'Expected { "audio": { "output": { "voice": "alloy" } } }' in words
    assert 'Actual { "voice": "alloy-as-sent" }' in words
    assert '\N{MINUS SIGN} removed audio.output.voice "alloy" absent' in words
    assert '+ added voice absent "alloy-as-sent"' in words
    assert "documented ms-migration: GA migration guide" in words
    assert "How to mend it Send the voice as session.audio.output.voice." in words
    assert "Shown by message #2" in words
    assert "finding: wire.session-field" in words


def test_a_finding_may_point_at_a_message_that_is_not_there() -> None:
    finding = FINDING | {"at": 99}
    assert (
        "message #99, which is not in the log below" in Reader(page_of(case_line(findings=[finding]))).words
    )


def test_a_case_shows_messages_checks_what_surfaced_and_how_to_run_it_again() -> None:
    words = Reader(page_of(case_line("fail"))).words
    assert "realtime-harness run pipecat@1.2.0 --dialect azure-v1 --scenario text-turn" in words
    assert "2 0.031 → client: session.update" in words
    assert "refused session.voice is not known" in words
    for origin in ("from the cassette", "modelled", "counterfactual", "fault"):
        assert re.search(rf"← server: \S.* {origin}", words)
    assert "response.created modelled modelled no more" in words
    assert "(no type)" in words
    assert 'As it crossed the wire: {"type":' in words
    assert "not-proven surfaced.text no answer came" in words
    assert "Transcript of the answer Good morning." in words
    assert "Text empty" in words
    assert "WARNING pipecat.services unhandled event" in words


def test_that_a_client_dialled_over_tls_is_said_where_it_did() -> None:
    line = case_line()
    assert "transport websocket took" in Reader(page_of(line)).words
    for tls, words in ((False, "transport websocket took"), (True, "transport websocket over TLS took")):
        line["case"]["tls"] = tls
        assert words in Reader(page_of(line)).words


def test_what_is_not_in_the_results_is_not_shown() -> None:
    bare = case_line(surfaced={}, checks=[], wire=[], log=[], provenance={"kind": "none"})
    bare["case"]["version"] = None
    words = Reader(page_of(bare)).words
    assert "version not reported" in words
    assert "Nothing is reported to have surfaced." in words
    assert "No checks were run." in words
    assert "Nothing was exchanged." in words
    assert "No cassette stands behind 1 case." in words
    assert "Transcript" not in words


def test_constructed_cassettes_are_said_to_be_no_recordings() -> None:
    words = Reader(page_of(case_line())).words
    assert (
        "All cassettes are constructed by a model of the service from facts with named sources; no verdict here rests on a recording of Azure."
        in words
    )
    assert "Of 5 messages of the service, 1 from the cassette (constructed), 2 modelled" in words
    assert "recorded" not in words.partition("Reproduce")[0]


def test_answers_that_surfaced_one_after_another_stand_apart() -> None:
    done = [
        {
            "n": n,
            "t": 1.0,
            "side": "server",
            "type": "response.output_text.done",
            "origin": "recorded",
            "event": {"type": "response.output_text.done", "text": text},
        }
        for n, text in enumerate(("Hello, Ada!", "Your name is Ada."), 10)
    ]
    surfaced = {"text": "Hello, Ada!Your name is Ada. And", "transcript": "Nothing of it."}
    page = page_of(case_line(wire=done, surfaced=surfaced))
    assert '<pre class="prose">Hello, Ada!\nYour name is Ada.\n And</pre>' in page
    assert '<pre class="prose">Nothing of it.</pre>' in page


def test_recorded_evidence_is_not_denied() -> None:
    finding = FINDING | {"basis": [{"evidence": "recorded", "source": "a published capture"}]}
    words = Reader(page_of(case_line("fail", findings=[finding]))).words
    assert "no verdict here rests on a recording" not in words
    assert "Recorded evidence is cited 1 time, each with its source." in words


def test_mixed_provenance_is_counted_by_kind() -> None:
    kinds = ["recorded", "constructed", "constructed", "imported"]
    words = Reader(page_of(*(case_line(provenance={"kind": kind}) for kind in kinds))).words
    assert (
        "What the verdicts rest on: 2 cases on a cassette constructed from facts with named sources, "
        "1 case on an imported recording, 1 case on a live recording." in words
    )


def test_faults_have_a_row_of_their_own() -> None:
    faulty = case_line("fail")
    faulty["case"] |= {"faults": ["malformed-json"], "id": "pipecat@1.2.0/azure-v1/text-turn+malformed-json"}
    words = Reader(page_of(case_line(), faulty)).words
    assert "text-turn + malformed-json" in words


def test_the_fault_behind_a_message_or_a_handshake_is_named() -> None:
    line = case_line("fail")
    faulty = next(message for message in line["wire"] if message.get("origin") == "fault")
    faulty["fault"] = "malformed-json:nth=2"
    line["handshakes"] = [
        {"path": "/v1", "status": 429, "fault": "refuse-handshake:status=429", "body_evidence": "assumed"},
        {"path": "/v1", "status": 101},
    ]
    words = Reader(page_of(line)).words
    assert re.search(r"← server: \S.* malformed-json:nth=2", words)
    assert "Handshake of /v1 : 429 refuse-handshake:status=429 , body assumed" in words
    assert words.count("Handshake of") == 1


def test_a_further_connection_begins_with_a_mark_and_faults_in_force_are_named() -> None:
    line = case_line("fail")
    line["wire"][-1]["connection"] = 2
    line["endings"] = [
        {"connection": 1, "code": None, "reason": ""},
        {"connection": 2, "code": 1001, "reason": "session_expired"},
    ]
    line["faults"] = [
        {"fault": "drop:answer=1", "of_scenario": True, "struck": True},
        {"fault": "stall:nth=9", "of_scenario": False, "struck": False},
    ]
    words = Reader(page_of(line)).words
    assert words.count("Connection 2") == 1
    dropped, again = words.index("dropped, without a close"), words.index("Connection 2")
    assert dropped < again < words.index("The service closed the connection: 1001 session_expired")
    assert "Fault drop:answer=1 of the scenario." in words
    assert "Fault stall:nth=9 asked for; it changed nothing , so this case says nothing of it." in words
    assert re.search(r"Of \d+ messages? of the service, .*modelled", words)


def test_answers_that_did_not_come_whole_are_counted_by_how_they_ended() -> None:
    line = case_line("pass")
    cut = {"type": "response.done", "response": {"status": "cancelled"}}
    line["wire"].append({"n": 99, "t": 9.0, "side": "server", "type": "response.done", "event": cut})
    assert "Answers that did not come whole: cancelled." in Reader(page_of(line)).words


def test_an_empty_dialect_claims_nothing() -> None:
    words = Reader(page_of()).words
    assert "The results hold no case of this dialect, so nothing is shown to pass or to fail." in words
    assert "All cassettes" not in words
    assert "Matrix" not in words


def test_hostile_texts_stay_texts() -> None:
    lines = [hostile(case_line(verdict, findings=[FINDING])) for verdict in VERDICTS]
    end = end_line(*lines)
    end["end"]["unexpected"] = end["end"]["stale"] = [HOSTILE]
    page = render_page(hostile(HEADER), hostile(DIALECT), lines, end, index="javascript:alert(1)//")
    assert_unharmed(page)
    assert_unharmed(render_index(hostile(HEADER), lines, end, {HOSTILE + "name": "javascript:alert(1)"}))


def test_hostile_keys_stay_texts() -> None:
    line = case_line("fail", surfaced={HOSTILE: [HOSTILE]})
    line["wire"][1]["event"] = {HOSTILE: {HOSTILE: 1}}
    assert_unharmed(page_of(line))


def test_the_results_are_embedded_unchanged() -> None:
    line = hostile(case_line("fail", findings=[FINDING]))
    end = end_line(line)
    embedded = Reader(render_page(HEADER, DIALECT, [line], end)).scripts[0]
    assert json.loads(embedded) == [HEADER, line, end]
    assert "<" not in embedded


def test_pages_are_written_for_dialects_with_cases(tmp_path: Path) -> None:
    case = case_line("not-proven")
    paths = write_pages([HEADER, case, end_line(case)], tmp_path / "report")
    assert [path.name for path in paths] == ["azure-v1.html", "index.html"]
    page, index = (path.read_text("utf-8") for path in paths)
    links = [target for target in Reader(index).values("href") if target.startswith("azure-v1.html#")]
    assert links
    assert {link.partition("#")[2] for link in links} <= set(Reader(page).values("id"))
    assert "index.html" in Reader(page).values("href")
    assert "The results hold no case of this dialect" in index


def test_names_of_files_cannot_leave_the_folder(tmp_path: Path) -> None:
    names = ["../../etc/x", "index", "..", "a/b", "a b", "/root"]
    header = HEADER | {"dialects": [DIALECT | {"name": name} for name in names]}
    cases = []
    for name in names:
        case = copy.deepcopy(case_line())
        case["case"]["dialect"] = name
        cases.append(case)
    paths = write_pages([header, *cases, end_line(*cases)], tmp_path / "report")
    assert len({path.name.lower() for path in paths}) == len(names) + 1
    assert all(path.parent == tmp_path / "report" for path in paths)
    assert sorted(tmp_path.rglob("*.html")) == sorted(paths)


def test_lone_surrogates_are_written(tmp_path: Path) -> None:
    case = case_line(reason="half of a pair: \ud83d")
    paths = write_pages([HEADER, case, end_line(case)], tmp_path)
    assert "half of a pair: \\ud83d" in paths[0].read_text("utf-8")


def test_the_index_tells_the_state_of_the_run() -> None:
    case = case_line("fail")
    end = end_line(case)
    end["end"] |= {"exit": 1, "unexpected": [case["case"]["id"]], "stale": ["old/azure-v1/entry"]}
    index = render_index(HEADER, [case], end, {"azure-v1": "azure-v1.html"})
    words = Reader(index).words
    assert "The run exits with 1" in words
    assert "1 case beyond the baseline of known failures:" in words
    assert "these entries did not come true. old/azure-v1/entry" in words


def test_unfinished_results_say_so(tmp_path: Path) -> None:
    for path in write_pages([HEADER, case_line()], tmp_path):
        assert "The results have no footer" in path.read_text("utf-8")


def test_cases_of_a_dialect_the_header_lacks_are_not_lost() -> None:
    case = case_line("fail")
    case["case"]["dialect"] = "voice-live"
    words = Reader(render_index(HEADER, [case], end_line(case), {})).words
    assert "voice-live status not in the header of the results" in words
