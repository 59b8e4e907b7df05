"""Every miniature is caught, for what is wrong with it and for nothing else.

Each row runs for real: the replay server, the driver's process, the checks.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass

import pytest

from harness.checks import all_checks
from harness.drivers.implementation import programs_folder
from harness.report import CaseResult
from tests.cases import SCENARIOS, case, found, run_each, scenario
from tests.talk import BOTH, GA, PREVIEW

QUICK = 1.5
DEFAULT = 6.0
"""The harness's own patience: it outlasts the reference client's."""


@dataclass(frozen=True)
class Row:
    program: str
    scenario: str
    dialect: str
    verdict: str
    findings: frozenset[str]
    close: str
    patience: float
    faults: tuple[str, ...]

    def __str__(self) -> str:
        name = self.program.removeprefix("miniature:")
        return "+".join(("-".join((name, self.scenario, self.dialect)), *self.faults))


def row(
    program: str,
    scenario: str,
    verdict: str,
    *findings: str,
    dialects: tuple[str, ...] = BOTH,
    close: str = "pass",
    patience: float = QUICK,
    faults: tuple[str, ...] = (),
) -> list[Row]:
    if ":" not in program and program not in ("reference", "rename-shim"):
        program = f"miniature:{program}"
    return [
        Row(program, scenario, dialect, verdict, frozenset(findings), close, patience, faults)
        for dialect in dialects
    ]


REFUSED = ("session.lost=fail",)
"""What else is wrong after a refused update: nothing of it is applied."""

CLOSED_BY_SERVICE = dict.fromkeys(("dropped-connection", "session-expiry"), "not-applicable")

ROWS: list[Row] = [
    # Those that wait; they run beside the others.
    *row("hangs", "text-turn", "fail", "process.ended=fail", "script.finished=not-proven",
         dialects=(GA,), close="fail"),
    *row("never-closes", "text-turn", "pass", "process.ended=note", dialects=(GA,), close="fail"),
    *row("mute", "text-turn", "not-proven", "script.finished=not-proven", dialects=(GA,), patience=DEFAULT),
    *row("tool-never-answered", "tool-call-round", "fail", "order.tool-result=fail",
         "script.finished=not-proven", dialects=(PREVIEW,), patience=DEFAULT),
    *row("prints-garbage", "text-turn", "not-proven", "handshake.connection=not-proven",
         "process.ended=not-proven", "process.protocol=not-proven", dialects=(GA,), close="not-proven"),
    *row("more:never-ready", "text-turn", "not-proven", "handshake.connection=not-proven",
         "process.ended=not-proven", dialects=(GA,), close="not-proven"),
    # The shape of session and events.
    *row("modalities-audio-only", "text-turn", "fail", "modality.value=fail", *REFUSED),
    *row("modalities-audio-only", "text-modality", "fail", "modality.value=fail", "modality.effective=fail",
         *REFUSED),
    *row("session-of-the-other-generation", "session-config", "fail", "rename.session-shape=fail",
         "session.missing-parameter=fail", *REFUSED, dialects=(GA,)),
    *row("session-of-the-other-generation", "session-config", "fail", "rename.session-shape=fail",
         *REFUSED, dialects=(PREVIEW,)),
    *row("session-of-the-other-generation", "text-modality", "fail", "modality.field=fail",
         "modality.effective=fail", "session.missing-parameter=fail", *REFUSED, dialects=(GA,)),
    *row("session-of-the-other-generation", "text-modality", "fail", "modality.field=fail",
         "rename.session-shape=fail", "modality.effective=fail", *REFUSED, dialects=(PREVIEW,)),
    *row("session-type-missing", "text-turn", "fail", "session.missing-parameter=fail", *REFUSED,
         dialects=(GA,)),
    *row("session-type-missing", "text-turn", "fail", "rename.session-shape=fail", *REFUSED,
         dialects=(PREVIEW,)),
    *row("voice-lost", "session-config", "fail", "session.lost=fail"),
    *row("instructions-lost", "text-turn", "fail", "session.lost=fail"),
    *row("transcription-lost", "session-config", "fail", "session.lost=fail"),
    *row("turn-detection-lost", "session-config", "fail", "session.lost=fail"),
    *row("turn-detection-lost", "audio-turn", "fail", "session.lost=fail",
         "order.response-while-active=fail", dialects=(GA,)),  # the service answers by itself, too
    *row("tools-lost", "tool-call-round", "fail", "session.lost=fail"),
    *row("text-mode-lost", "text-modality", "fail", "modality.effective=fail"),
    *row("unknown-parameter", "text-turn", "fail", "session.unknown-parameter=fail", *REFUSED),
    *row("misspelt-event", "text-turn", "fail", "rename.client-event=fail", dialects=(GA,)),
    *row("other-generation-event", "text-turn", "fail", "rename.client-event=fail"),
    *row("assistant-part-of-the-other-generation", "text-turn", "deviation",
         "rename.content-part=deviation"),
    *row("more:number-for-instructions", "text-turn", "deviation", "session.invalid-value=deviation", "session.lost=deviation",
         dialects=(PREVIEW,)),
    # What reaches the user.
    *row("deaf-to-text", "text-modality", "fail", "surfaced.text=fail", dialects=(GA,)),
    *row("text-mangled", "text-modality", "fail", "surfaced.text=fail", dialects=(PREVIEW,)),
    *row("deaf-to-audio", "text-turn", "fail", "surfaced.audio=fail"),
    *row("deaf-to-audio", "audio-turn", "fail", "surfaced.audio=fail", dialects=(PREVIEW,)),
    *row("audio-truncated", "text-turn", "fail", "surfaced.audio=fail", dialects=(PREVIEW,)),
    *row("deaf-to-transcript", "text-turn", "fail", "surfaced.transcript=fail", dialects=(GA,)),
    *row("tool-arguments-mangled", "tool-call-round", "fail", "surfaced.tool-call=fail", dialects=(PREVIEW,)),
    *row("more:refused-and-silent", "text-turn", "fail", "session.unknown-parameter=fail",
         "surfaced.error=fail", *REFUSED, dialects=(GA,)),
    *row("rename-shim", "text-turn", "deviation", "rename.surfaced-part=deviation", dialects=(PREVIEW,)),
    *row("rename-shim", "text-turn", "pass", dialects=(GA,)),
    # Order.
    *row("tool-result-dropped", "tool-call-round", "fail", "order.tool-result=fail",
         "script.finished=not-proven", "order.extra-answer=deviation"),
    *row("tool-result-before-call", "text-turn", "fail", "order.tool-result=fail", dialects=(PREVIEW,)),
    *row("response-while-active", "text-turn", "fail", "order.response-while-active=fail"),
    *row("more:cancels-nothing", "text-turn", "deviation", "order.refused-event=deviation",
         dialects=(PREVIEW,)),
    # It is right until the first answer, and loses its session before the second.
    *row("more:loses-later", "tool-call-round", "fail", "session.lost=fail", "modality.effective=fail"),
    *row("more:null-result", "tool-call-round", "fail", "order.tool-result=fail", dialects=(GA,)),
    *row("more:sees-nothing", "text-turn", "not-proven", dialects=(GA,)),
    *row("more:odd-item", "text-turn", "pass", "session.unproven=note", dialects=(GA,)),
    *row("more:key-in-an-event", "text-turn", "fail", "session.unknown-parameter=fail", *REFUSED,
         "process.leaked-key=deviation", dialects=(GA,)),
    # The refusal of a frame that is no JSON is assumed: too little to fail anybody.
    *row("more:sends-no-json", "text-turn", "deviation", "order.refused-event=deviation", dialects=(GA,)),
    *row("more:null-item", "text-turn", "deviation", "order.refused-event=deviation",
         "session.unproven=note", dialects=(PREVIEW,)),
    *row("more:other-words", "text-turn", "fail", "order.items=fail", dialects=(GA,)),
    *row("more:asks-once-more", "text-turn", "deviation", "order.extra-answer=deviation",
         dialects=(PREVIEW,)),
    *row("more:asks-first", "text-turn", "not-proven", "script.finished=not-proven",
         "order.extra-answer=deviation", dialects=(PREVIEW,)),
    *row("more:greets", "item-editing", "deviation", "order.extra-answer=deviation"),
    *row("more:asks-once-more", "text-modality", "deviation", "order.extra-answer=deviation", dialects=(GA,)),
    # The connection.
    *row("wrong-path", "text-turn", "fail", "handshake.path=fail", close="not-proven"),
    *row("no-key", "text-turn", "fail", "handshake.auth=fail", close="not-proven", dialects=(GA,)),
    *row("wrong-key", "text-turn", "fail", "handshake.auth=fail", close="not-proven", dialects=(PREVIEW,)),
    *row("more:query-of-the-other-generation", "text-turn", "fail", "handshake.query=fail",
         close="not-proven"),
    *row("beta-header", "text-turn", "deviation", "handshake.header=deviation", dialects=(GA,)),
    *row("beta-header", "text-turn", "pass", dialects=(PREVIEW,)),
    *row("never-connects", "text-turn", "not-proven", "handshake.connection=not-proven",
         close="not-proven", dialects=(PREVIEW,)),
    # The program.
    *row("crashes", "text-turn", "fail", "process.ended=fail", "script.finished=not-proven",
         close="deviation", dialects=(PREVIEW,)),
    *row("leaks-key", "text-turn", "deviation", "process.leaked-key=deviation", dialects=(GA,)),
    *row("spawns-child", "text-turn", "pass", dialects=(PREVIEW,)),
    *row("more:prints", "text-turn", "deviation", "process.protocol=deviation", dialects=(GA,)),
    *row("more:rate-zero", "text-turn", "deviation", "process.protocol=deviation", dialects=(PREVIEW,)),
    *row("more:complains", "text-turn", "fail", "rename.server-event=fail"),
    *row("more:swallows", "text-turn", "fail", "resilience.swallowed-exception=fail", dialects=(GA,)),
    *row("more:fails-in-silence", "text-turn", "fail", "resilience.silent-failure=fail", dialects=(PREVIEW,)),
    # What a framework cannot do is no failure of its shim.
    *row("more:cannot-say", "text-turn", "not-applicable", dialects=(GA,)),
    *row("more:cannot-time-out", "idle-timeout", "not-applicable", dialects=(GA,)),
    *row("more:cannot-voice", "session-config", "pass"),
    # What nobody has seen refused is noted and blames nobody, us neither.
    *row("more:fine-unproven-field", "text-turn", "pass", "session.unproven=note", dialects=(GA,)),
    *row("more:fine-unproven-field-preview", "text-turn", "pass", "session.unproven=note",
         dialects=(PREVIEW,)),
    *row("more:fine-odd-role", "text-turn", "pass", "session.unproven=note"),
    *row("more:fine-null-threshold", "text-turn", "pass", "session.unproven=note"),
    *row("more:fine-half-a-character", "text-turn", "pass", dialects=(PREVIEW,)),
    # A connection in reserve is neither a coming back nor what is played on.
    *row("more:fine-standby", "reconnect", "pass"),
    *row("more:fine-standby", "session-expiry", "pass", dialects=(GA,), close="not-applicable"),
    *row("more:fine-standby", "text-turn", "pass", dialects=(PREVIEW,)),
    # All was sent long before it is read; that is no end of the turn.
    *row("more:fine-slow", "interruption", "pass", dialects=(GA,), patience=DEFAULT),
    # Faults of the server.
    *row("reference", "text-turn", "pass", faults=("unknown-event",), dialects=(PREVIEW,)),
    *row("reference", "text-turn", "pass", faults=("error-event",), dialects=(GA,)),
    *row("swallows-errors", "text-turn", "fail", "surfaced.error=fail", faults=("error-event",), dialects=(GA,)),
    *row("unknown-parameter", "text-turn", "pass", "session.unknown-parameter=note",
         faults=("accept-any-session",), dialects=(GA,)),
    # Speech, barge-in, history, what is asked for aside.
    *row("deaf-to-user-transcript", "voice-turn", "fail", "surfaced.user-transcript=fail", dialects=(GA,)),
    *row("sends-silence", "audio-turn", "fail", "input.audio=fail", dialects=(PREVIEW,)),
    *row("talks-on", "interruption", "fail", "surfaced.interruption=fail", dialects=(GA,)),
    *row("deaf-to-interruption", "interruption", "fail", "surfaced.interruption=fail", dialects=(PREVIEW,)),
    *row("never-truncates", "interruption", "deviation", "order.truncate=deviation", dialects=(PREVIEW,)),
    *row("truncates-past-the-end", "interruption", "deviation", "order.truncate=deviation", dialects=(GA,)),
    *row("keeps-deleted-items", "item-editing", "fail", "order.items=fail", "order.edit=not-proven",
         dialects=(PREVIEW,)),
    *row("reads-nothing-back", "item-editing", "not-proven", "order.edit=not-proven"),
    *row("reads-another-item-back", "item-editing", "fail", "order.edit=fail", dialects=(GA,)),
    *row("cuts-items-elsewhere", "item-editing", "fail", "order.edit=fail", dialects=(PREVIEW,)),
    *row("never-changes", "rejected-config", "not-proven", "session.rejected=not-proven"),
    *row("never-changes", "session-update-midway", "fail", "session.lost=fail", dialects=(GA,)),
    *row("metadata-lost", "out-of-band-response", "fail", "response.metadata=fail", dialects=(GA,)),
    *row("asks-in-the-conversation", "out-of-band-response", "fail", "order.outside=fail",
         "order.extra-answer=deviation", "script.finished=not-proven", dialects=(GA,)),
    # What goes wrong on the service's side.
    *row("silent-about-failures", "failed-response", "fail", "surfaced.failure=fail", dialects=(GA,)),
    *row("silent-about-lost-connections", "dropped-connection", "fail", "surfaced.connection-loss=fail",
         dialects=(PREVIEW,), close="not-applicable"),
    *row("silent-about-lost-connections", "session-expiry", "fail", "surfaced.connection-loss=fail",
         dialects=(GA,), close="not-applicable"),
    *row("silent-about-refused-handshakes", "text-turn", "fail", "handshake.refused-surfaced=fail",
         faults=("refuse-handshake",), dialects=(GA,), close="not-applicable"),
    *row("reference", "text-turn", "pass", faults=("refuse-handshake",), dialects=(PREVIEW,),
         close="not-applicable"),
    *row("forgets-the-session", "reconnect", "fail", "reconnect.restored=fail", dialects=(PREVIEW,)),
    # It never comes to the answer that was recorded after the history.
    *row("forgets-the-history", "reconnect", "fail", "reconnect.restored=fail",
         "order.extra-answer=deviation", "script.finished=not-proven", dialects=(GA,)),
    # The witness is silent.
    *(r for name in SCENARIOS for r in row("reference", name, "pass",
                                           dialects=tuple(d for d in BOTH if scenario(name).applies_to(d)),
                                           close=CLOSED_BY_SERVICE.get(name, "pass"))),
]  # fmt: skip


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> dict[Row, CaseResult]:
    """The results of the rows that are to be tested, run side by side."""
    chosen = [
        item.callspec.params["row"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and "row" in _params(item)
    ]
    plans = [(case(r.program, r.dialect, r.scenario, *r.faults), r.patience) for r in chosen]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "harness.runner.drive.CLOSING", 2.0
        )  # instead of ten seconds: hanging takes no longer here
        return dict(zip(chosen, asyncio.run(run_each(plans)), strict=True))


def _params(item: pytest.Function) -> dict[str, object]:
    return item.callspec.params if hasattr(item, "callspec") else {}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_miniature_is_caught_for_its_fault_and_nothing_else(
    row: Row, results: dict[Row, CaseResult]
) -> None:
    result = results[row]
    # What nobody knows of is noted wherever a scenario needs it, and is nobody's fault.
    assert found(result) - {"session.unproven=note"} == row.findings - {"session.unproven=note"}, (
        result.reason
    )
    assert row.findings <= found(result)
    assert str(result.verdict) == row.verdict, result.reason
    assert str(result.close_verdict) == row.close


def test_every_bundled_miniature_stands_in_the_table() -> None:
    program = programs_folder() / "miniature_driver.py"
    listed = subprocess.run([sys.executable, program, "--list"], capture_output=True, text=True, check=True)
    names = {line.partition(":")[0] for line in listed.stdout.splitlines()}
    tabled = {r.program.partition(":")[2] for r in ROWS if r.program.startswith("miniature:")}
    assert names == tabled


def test_every_check_is_tripped_by_some_miniature() -> None:
    tripped = {finding.partition("=")[0] for r in ROWS for finding in r.findings}
    assert tripped == {check.code for check in all_checks()}


def test_every_finding_says_what_was_expected_on_what_evidence_and_how_to_mend_it(
    results: dict[Row, CaseResult],
) -> None:
    for case_row, result in results.items():
        for finding in result.findings:
            where = (str(case_row), finding.code)
            assert finding.message, where
            assert finding.basis, where
            assert finding.mend, where
            assert finding.expected != finding.actual, where
            if finding.at is not None:
                assert 0 <= finding.at < len(result.exchange.entries), where
            if finding.severity == "fail":
                assert all(basis.evidence != "assumed" for basis in finding.basis[:1]), where


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "dialect"), [(s, d) for s in SCENARIOS for d in BOTH if scenario(s).applies_to(d)]
)
async def test_the_second_witness_is_silent_too(name: str, dialect: str) -> None:
    from harness.drivers import Environments
    from harness.runner import run_all

    (result,) = await run_all([case("openai", dialect, name)], Environments(), parallel=1)
    assert str(result.verdict) == "pass", result.reason
    assert all(finding.severity == "note" for finding in result.findings), found(result)
