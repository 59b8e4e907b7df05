from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cassette import Provenance
from harness.drivers import Environments, Implementation
from harness.exceptions import UsageFault
from harness.findings import Verdict
from harness.runner import Selection, plan_run, run_all
from harness.server import made_certificate
from harness.service import Origin
from harness.validation import subschema
from tests.cases import SCENARIOS, case, cassette, found, implementation, run, scenario
from tests.talk import BOTH, GA, PREVIEW


async def test_a_result_says_what_ran_against_what_and_how_to_run_it_again() -> None:
    result = await run(case("reference", PREVIEW, "tool-call-round"))
    assert str(result.id) == "reference/azure-2024-10-01-preview/tool-call-round"
    assert result.title == scenario("tool-call-round").title
    assert result.version is not None
    assert result.version.startswith("websockets")
    assert result.reproduce == (
        "realtime-harness check --implementation reference --dialect azure-2024-10-01-preview "
        "--scenario tool-call-round"
    )
    lines = "".join(f"{line}\n" for line in cassette(PREVIEW, "tool-call-round").lines())
    assert result.provenance == {
        "kind": "constructed",
        "evidence": "documented and recorded facts of the dialect table; see harness/dialects/data",
        "cassette": f"{PREVIEW}/tool-call-round",
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
    assert result.reason == "2 answers of the cassette played; surfaced as sent: audio, tool-call, transcript"
    assert (result.exchange.close_by, result.exchange.close_code) == ("client", 1000)
    assert 0 < result.seconds < 10


async def test_every_check_has_an_outcome_and_none_passes_that_had_nothing_to_look_at() -> None:
    from harness.checks import all_checks

    result = await run(case("reference", GA, "text-turn"))
    outcomes = {code: outcome for code, outcome, _ in result.checks}
    assert set(outcomes) == {check.code for check in all_checks()}
    assert outcomes["surfaced.audio"] == "pass"
    assert outcomes["surfaced.text"] == "not-applicable"
    assert outcomes["surfaced.tool-call"] == "not-applicable"
    assert outcomes["surfaced.error"] == "not-applicable"
    assert all(note for _, outcome, note in result.checks if outcome in ("not-applicable", "not-proven"))


async def test_a_client_that_never_connected_passes_nothing_it_never_came_to() -> None:
    result = await run(case("miniature:never-connects", GA, "text-turn"))
    outcomes = {code: outcome for code, outcome, _ in result.checks}
    passed = {code for code, outcome in outcomes.items() if outcome == "pass"}
    assert not {
        c for c in passed if c.startswith(("session.", "modality.", "surfaced.", "order.", "handshake."))
    }


async def test_what_was_surfaced_is_what_was_served() -> None:
    result = await run(case("reference", GA, "tool-call-round"))
    assert result.observed.transcript == "It is sunny in Paris."
    assert [call.name for call in result.observed.tool_calls] == ["get_weather"]
    assert list(result.observed.audio) == [24000]


async def test_after_a_refusal_the_case_goes_on_and_a_pass_is_out_of_reach() -> None:
    result = await run(case("miniature:unknown-parameter", GA, "text-turn"))
    assert [start.origin for start in result.exchange.responses] == [Origin.COUNTERFACTUAL]
    assert result.observed.transcript, "the answer was played all the same"
    assert result.verdict is Verdict.FAIL
    first = result.findings[0]
    assert first.code == "session.unknown-parameter", "the cause stands before its consequences"
    assert result.reason.startswith("session.unknown-parameter: ")
    assert "(and 1 more)" in result.reason


async def test_a_named_fault_is_part_of_the_cases_name() -> None:
    plan = case("reference", GA, "text-turn", "unknown-event", "accept-any-session")
    assert str(plan.id) == "reference/azure-v1/text-turn+unknown-event+accept-any-session"
    assert plan.reproduce.endswith("--fault unknown-event --fault accept-any-session")


def test_a_scenario_of_ones_own_is_run_again_by_its_file(tmp_path: Path) -> None:
    plan = case("reference", GA, "text-turn")
    own = replace(plan, scenario=replace(plan.scenario, path=str(tmp_path / "mine.yaml")))
    assert own.reproduce.endswith(f"--scenario {tmp_path}/mine.yaml")


async def test_under_a_lenient_server_a_refused_field_is_a_note() -> None:
    result = await run(case("miniature:modalities-audio-only", PREVIEW, "text-turn", "accept-any-session"))
    assert found(result) == {"modality.value=note"}
    assert result.verdict is Verdict.PASS


async def test_a_cassette_of_somebodys_recording_is_better_evidence() -> None:
    plan = case("miniature:deaf-to-audio", GA, "text-turn")
    constructed = (await run(plan)).findings[0].basis[0]

    async def evidence(host_class: str) -> str:
        origin = (("host_class", host_class),)
        header = replace(plan.cassette.header, provenance=Provenance.RECORDED, origin=origin)
        result = await run(replace(plan, cassettes=(replace(plan.cassette, header=header),)))
        assert host_class in result.findings[0].basis[0].source
        return str(result.findings[0].basis[0].evidence)

    assert str(constructed.evidence) == "documented"
    assert await evidence("azure") == "recorded"
    assert await evidence("loopback") == "documented"
    assert "constructed" in constructed.source


async def test_what_our_own_server_gets_wrong_is_never_the_implementations_fault() -> None:
    plan = case("reference", GA, "text-turn")
    broken = tuple(
        replace(i, event={**i.event, "part": {"type": "no such part"}, "content": {"type": "no such part"}})
        if i.event and i.event["type"] == "response.content_part.done"
        else i
        for i in plan.cassette.interactions
    )
    result = await run(replace(plan, cassettes=(replace(plan.cassette, interactions=broken),)))
    assert result.verdict is Verdict.HARNESS_ERROR
    assert "response.content_part.done" in result.reason


async def test_a_program_that_is_not_there_is_a_failure_of_that_program() -> None:
    plan = replace(case("reference", GA, "text-turn"), implementation=implementation("cmd:/no/such/program"))
    result = await run(plan)
    assert result.verdict is Verdict.FAIL
    assert found(result) >= {"process.ended=fail"}
    assert "/no/such/program" in repr(result.observed.log)


@pytest.mark.parametrize("word", ["miniature:crashes", "miniature:no-key"])
async def test_a_case_in_which_the_scenario_was_not_played_is_no_pass(word: str) -> None:
    result = await run(case(word, GA, "tool-call-round"))
    assert result.verdict in (Verdict.FAIL, Verdict.NOT_PROVEN)
    assert "of the cassette played" not in result.reason


async def test_the_key_of_a_case_stands_nowhere_in_its_result() -> None:
    leaky = await run(case("miniature:leaks-key", GA, "text-turn"))
    assert "connected with the key [redacted]" in repr(leaky.observed.log)
    assert "key-" not in repr((leaky.observed, leaky.exchange, leaky.findings)).replace("leaks-key", "")


# Runs.


async def test_results_come_in_the_order_of_the_plans_whatever_ends_first() -> None:
    plans = [
        case("miniature:wrong-path", GA, "text-turn"),
        case("reference", GA, "text-turn"),
        case("more:cannot-say", GA, "text-turn"),
    ]
    started: list[str] = []
    ended: list[str] = []
    results = await run_all(
        plans,
        Environments(),
        parallel=3,
        patience=1.5,
        started=lambda plan: started.append(str(plan.id)),
        ended=lambda result: ended.append(str(result.id)),
    )
    assert [result.id for result in results] == [plan.id for plan in plans]
    assert sorted(started) == sorted(ended) == sorted(str(plan.id) for plan in plans)
    assert ended != [str(plan.id) for plan in plans]


async def test_one_case_at_a_time_runs_one_after_the_other() -> None:
    told: list[str] = []
    plans = [case("reference", dialect, "text-modality") for dialect in BOTH]
    await run_all(
        plans,
        Environments(),
        parallel=1,
        started=lambda plan: told.append(f"+{plan.dialect.name}"),
        ended=lambda result: told.append(f"-{result.id.dialect}"),
    )
    assert told == [f"{sign}{dialect}" for dialect in BOTH for sign in "+-"]


async def test_an_environment_that_cannot_be_made_is_a_harness_error_and_others_run_on(
    tmp_path: Path,
) -> None:
    broken = Implementation(
        "broken@1", Path("x.py"), (), requirements=(str(tmp_path / "no-1.0-py3-none-any.whl"),)
    )
    plans = [
        replace(case("reference", GA, "text-turn"), implementation=broken),
        case("reference", GA, "text-turn"),
    ]
    first, second = await run_all(plans, Environments(tmp_path), parallel=2)
    assert first.verdict is Verdict.HARNESS_ERROR
    assert "broken@1" in first.reason
    assert first.findings == ()
    assert any("no-1.0" in line.message for line in first.observed.log)
    assert second.verdict is Verdict.PASS


# TLS.


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("name", ["reference", "openai", "rename-shim"])
async def test_the_bundled_drivers_dial_over_tls_whomever_the_caller_trusts(
    monkeypatch: pytest.MonkeyPatch, name: str, dialect: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    result = await run(case(name, dialect, "tool-call-round", tls=True))
    assert result.verdict in {Verdict.PASS, Verdict.DEVIATION}, result.reason
    assert [handshake.status for handshake in result.handshakes] == [101]
    assert result.tls
    assert result.reproduce.endswith("--scenario tool-call-round --tls")


@pytest.mark.parametrize("name", ["dropped-connection", "reconnect", "rate-limited-handshake"])
async def test_connections_that_fail_do_so_over_tls_as_well(name: str) -> None:
    result = await run(case("reference", GA, name, tls=True))
    assert result.verdict is Verdict.PASS, result.reason


async def test_a_client_that_does_not_trust_the_authority_is_not_proven_and_its_reason_told() -> None:
    plan = case("openai", GA, "text-turn", tls=True)
    with made_certificate() as other:
        own = (("SSL_CERT_FILE", str(other.ca_file)),)
        result = await run(replace(plan, implementation=replace(plan.implementation, variables=own)))
    assert result.verdict is Verdict.NOT_PROVEN
    assert "CERTIFICATE_VERIFY_FAILED" in result.observed.errors[0]


async def test_a_driver_is_told_the_address_and_the_authority(tmp_path: Path) -> None:
    echo = "import sys; print(HELLO, flush=True); print(sys.stdin.readline(), file=sys.stderr)"
    hello = {"type": "hello", "protocol": 1, "implementation": {"name": "x", "version": "1"}}
    line = json.dumps({**hello, "intents": ["say"], "observes": ["text"]})
    command = (sys.executable, "-c", echo.replace("HELLO", repr(line)))
    plan = replace(
        case("reference", GA, "text-turn", tls=True), implementation=Implementation("echo", None, command)
    )
    result = await run(plan)
    (told,) = [json.loads(line.message) for line in result.observed.log if "endpoint" in line.message]
    assert subschema("driver", "to_driver").problems(told) == []
    endpoint = told["endpoint"]
    assert endpoint["origin"].startswith("https://127.0.0.1:")
    assert (
        endpoint["url"]
        == endpoint["origin"].replace("https", "wss") + "/openai/v1/realtime?model=gpt-realtime"
    )
    assert Path(endpoint["ca_file"]).name == "ca.pem"
    assert not Path(endpoint["ca_file"]).exists()


async def test_the_cases_of_a_run_share_one_certificate_and_those_without_tls_need_none(
    tmp_path: Path,
) -> None:
    plans = [case("more:echoes-its-environment", GA, "text-turn", tls=tls) for tls in (True, True, False)]
    results = await run_all(plans, Environments(tmp_path), parallel=3)
    assert [result.verdict for result in results] == [Verdict.PASS] * 3
    files = [json.loads(result.observed.log[0].message).get("NODE_EXTRA_CA_CERTS") for result in results]
    assert files[0] == files[1]
    assert files[0] != files[2]
    assert not Path(files[0]).parent.exists()


def test_a_selection_is_every_implementation_in_every_dialect_and_scenario() -> None:
    from harness.dialects import bundled_dialect

    selection = Selection(
        (implementation("reference"), implementation("rename-shim")),
        tuple(map(bundled_dialect, BOTH)),
        tuple(map(scenario, SCENARIOS)),
    )
    plans = plan_run(selection)
    applicable = [s for s in SCENARIOS for d in BOTH if scenario(s).applies_to(d)]
    assert len(plans) == 2 * len(applicable)
    assert len({str(plan.id) for plan in plans}) == len(plans)
    only = replace(scenario("text-turn"), dialects=(GA,))
    assert len(plan_run(replace(selection, scenarios=(only,)))) == 2


def test_a_missing_or_misplaced_cassette_is_refused_before_anything_runs(tmp_path: Path) -> None:
    from harness.dialects import bundled_dialect

    selection = Selection(
        (implementation("reference"),), (bundled_dialect(GA),), (scenario("text-turn"),), cassettes=tmp_path
    )
    with pytest.raises(UsageFault, match="no cassette"):
        plan_run(selection)
    (tmp_path / GA).mkdir()
    text = "".join(f"{line}\n" for line in cassette(PREVIEW, "text-turn").lines())
    (tmp_path / GA / "text-turn.jsonl").write_text(text)
    with pytest.raises(UsageFault, match="not of 'azure-v1'"):
        plan_run(selection)
