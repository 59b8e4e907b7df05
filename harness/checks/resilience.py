"""What became of the implementation itself: crashes, swallowed exceptions, silence, leaked keys."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.record import CaseRecord
from harness.checks.registry import NotApplicable, NotProven, check
from harness.dialects import Evidence
from harness.findings import Basis, Finding, Severity

_OURS = Basis(Evidence.DOCUMENTED, "what the harness asks of every implementation: docs/checks.md")

_LAST_LINES = 15

_NO_LOG = "have it log what it waits for (standard error is its log); so far it says nothing"


def _last_lines(record: CaseRecord) -> list[str]:
    return [line.message for line in list(record.observed.log)[-_LAST_LINES:]]


@check("resilience.swallowed-exception", "no exception is caught in silence")
def swallowed_exception(record: CaseRecord) -> Iterator[Finding]:
    if not record.observed.sees("exception"):
        raise NotApplicable("the driver cannot see exceptions inside the shim")
    for exception in record.observed.exceptions:
        if any(exception.message.partition(": ")[2] in seen for seen in record.observed.errors):
            continue
        yield Finding(
            code="resilience.swallowed-exception",
            severity=Severity.FAIL,
            path=exception.where,
            message="the shim caught an exception of its own and told nobody.",
            expected="an error the user hears of, or an exception that ends the session",
            actual=exception.message,
            basis=(_OURS,),
            mend=f"at {exception.where}: catch only what is expected there, and report it",
        )
        return


@check("resilience.silent-failure", "what goes wrong inside the implementation reaches the user")
def silent_failure(record: CaseRecord) -> Iterator[Finding]:
    bad = [line for line in record.observed.log if line.level in ("ERROR", "CRITICAL")]
    if record.observed.errors or not bad or record.observed.stage == "starting":
        return
    yield Finding(
        code="resilience.silent-failure",
        severity=Severity.FAIL,
        path=bad[0].logger or "log",
        message="the implementation failed inside and only its log tells.",
        expected="an error the user hears of",
        actual=bad[0].message[:1000],
        basis=(_OURS,),
        mend="hand failures of the receiving side to the user as errors",
    )


@check("process.ended", "the implementation runs to its end")
def ended(record: CaseRecord) -> Iterator[Finding]:
    observed = record.observed
    if observed.hello_fault is not None:
        raise NotProven("its driver was asked nothing: its hello is wrong")
    if observed.exit_code not in (None, 0):
        yield Finding(
            code="process.ended",
            severity=Severity.FAIL,
            path="process",
            message=f"the implementation crashed: exit code {observed.exit_code}.",
            expected="exit code 0",
            actual=_last_lines(record) or f"exit code {observed.exit_code}, no log",
            basis=(_OURS,),
            mend="the last lines of its log say where"
            if observed.log
            else "run its driver by hand: what it writes to standard error is its log, and there is none",
        )
    elif observed.hung is not None:
        ran = record.spoke and observed.stage != "starting"
        yield Finding(
            code="process.ended",
            severity=Severity.FAIL if ran else Severity.NOT_PROVEN,
            path="process",
            message=f"the implementation hung: it {observed.hung}.",
            expected="an end within its deadline",
            actual=_last_lines(record) or "no log",
            basis=(_OURS,),
            mend="see the last lines of its log" if observed.log else _NO_LOG,
        )
    elif not observed.closed_in_time:
        turns = [asked for asked in observed.not_done if not asked.startswith("close ")]
        # Closing is judged apart, so this only explains the close verdict.
        yield Finding(
            code="process.ended",
            severity=Severity.NOTE,
            path="process",
            message="the implementation did not hang up when told to close, and had to be stopped."
            + (f" It never said done to {', '.join(turns)}." if turns else ""),
            expected="notices done and closed, and an end of the process",
            actual=_last_lines(record) or "no log",
            basis=(_OURS,),
            mend="let close end the connection and the process; a turn that blocks keeps it from being heard",
        )


@check("process.protocol", "the driver writes nothing but the protocol to its standard output")
def protocol(record: CaseRecord) -> Iterator[Finding]:
    garbage = record.observed.garbage
    if not garbage:
        return
    understood = record.observed.stage != "starting"
    yield Finding(
        code="process.protocol",
        severity=Severity.DEVIATION if understood else Severity.NOT_PROVEN,
        path="driver",
        message=f"the driver was asked nothing, for its hello is wrong: {hello}."
        if (hello := record.observed.hello_fault)
        else f"{len(garbage)} line(s) on its standard output are not of the driver protocol.",
        expected="one JSON notice a line (see docs/drivers.md)",
        actual=garbage[:5],
        basis=(_OURS,),
        mend="write hello as docs/drivers.md has it"
        if hello
        else "keep the framework's own prints away from the driver's standard output, and spell notices as "
        "docs/drivers.md has them",
    )


@check("process.leaked-key", "the key stands in no log")
def leaked_key(record: CaseRecord) -> Iterator[Finding]:
    if record.observed.leaked_key:
        yield Finding(
            code="process.leaked-key",
            severity=Severity.DEVIATION,
            path="log",
            message="the implementation wrote its API key to its log or into an event (redacted here).",
            expected="the key in the handshake and nowhere else",
            actual="the key, in clear",
            basis=(_OURS,),
            mend="log the host, never the key",
        )
