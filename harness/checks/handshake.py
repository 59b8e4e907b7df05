"""The opening request: path, query, key, headers."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.record import CaseRecord, basis_of
from harness.checks.registry import NotApplicable, NotProven, check
from harness.dialects import Acceptance, Evidence
from harness.findings import Basis, Finding, Severity


def _require_handshake(record: CaseRecord) -> None:
    if not record.handshakes:
        raise NotApplicable("no connection was opened")


@check("handshake.connection", "a connection was opened and something was exchanged")
def connection(record: CaseRecord) -> Iterator[Finding]:
    if record.connected:
        return
    if record.handshakes:
        return  # refused: the other checks say why
    observed = record.observed
    if observed.hello_fault is not None:
        raise NotProven("its driver was asked nothing: its hello is wrong")
    last = [line.message for line in list(observed.log)[-3:]] or observed.errors[-1:]
    if observed.exit_code is not None:
        last.append(f"the process ended with exit code {observed.exit_code} while {observed.stage}")
    yield Finding(
        code="handshake.connection",
        severity=Severity.NOT_PROVEN,
        path="handshake",
        message="the implementation never connected",
        expected=f"a WebSocket connection to {record.dialect.handshake.path}",
        actual=last or "nothing",
        basis=(Basis(Evidence.DOCUMENTED, "what the harness asks of every implementation: docs/checks.md"),),
        mend="the implementation must dial the endpoint it is given"
        + ("; its log says what it did instead" if observed.log else ""),
    )


@check("handshake.path", "the path is the dialect's own")
def path(record: CaseRecord) -> Iterator[Finding]:
    _require_handshake(record)
    for handshake in record.handshakes:
        if handshake.refusal == "wrong_path":
            rules = record.dialect.handshake
            yield Finding(
                code="handshake.path",
                severity=Severity.FAIL,
                path="handshake.path",
                message=f"the client dialled {handshake.path}, where {record.dialect.name} is not",
                expected=rules.path,
                actual=handshake.path,
                basis=basis_of(rules.query[0].fact),
                mend=f"dial {rules.path}: the dialect follows the path, not the model or a header",
            )
            return


@check("handshake.query", "the query parameters are those the dialect needs, and no others it refuses")
def query(record: CaseRecord) -> Iterator[Finding]:
    _require_handshake(record)
    for handshake in record.handshakes:
        sent = dict(handshake.query)
        for rule in record.dialect.handshake.query:
            if handshake.refusal == "wrong_path":
                return
            if rule.acceptance is Acceptance.REFUSED and rule.name in sent:
                expected, actual = f"no {rule.name!r}", sent[rule.name]
            elif rule.missing_from(sent):
                expected, actual = f"{rule.name}={rule.value or rule.means}", "missing"
            elif rule.name in sent and not rule.takes(sent[rule.name]):
                expected, actual = f"{rule.name}={rule.value}", sent.get(rule.name, "missing")
            else:
                continue
            yield Finding(
                code="handshake.query",
                severity=Severity.FAIL,
                path=f"handshake.query.{rule.name}",
                message=f"the query parameter {rule.name!r} is not as {record.dialect.name} wants it",
                expected=expected,
                actual=actual,
                basis=basis_of(rule.fact),
                mend=f"open the connection with {expected}",
            )
            return


@check("handshake.auth", "the key is where the service looks for it")
def auth(record: CaseRecord) -> Iterator[Finding]:
    _require_handshake(record)
    for handshake in record.handshakes:
        refused_query = any(
            rule.acceptance is Acceptance.REFUSED and rule.name in dict(handshake.query)
            for rule in record.dialect.handshake.query
        )
        if handshake.refusal != "wrong_key" or refused_query:
            continue
        fact = record.dialect.handshake.auth_fact
        offered = [name for name in ("api-key", "authorization") if handshake.header(name) is not None]
        offered += ["the query"] if "api-key" in dict(handshake.query) else []
        yield Finding(
            code="handshake.auth",
            severity=Severity.FAIL,
            path="handshake.headers",
            message="the service refused the key with HTTP 401",
            expected="the key it was given, as " + ", ".join(record.dialect.handshake.auth),
            actual=f"another key in {', '.join(offered)}" if offered else "no key",
            basis=basis_of(fact),
            mend="send the key in the api-key header, or as a bearer token",
        )
        return


@check("handshake.header", "no header the dialect's documents advise against")
def header(record: CaseRecord) -> Iterator[Finding]:
    _require_handshake(record)
    for handshake in record.handshakes:
        for rule in record.dialect.handshake.headers:
            value = handshake.header(rule.name)
            if value is None or rule.acceptance is Acceptance.ACCEPTED:
                continue
            yield Finding(
                code="handshake.header",
                severity=Severity.FAIL if rule.acceptance is Acceptance.REFUSED else Severity.DEVIATION,
                path=f"handshake.headers.{rule.name}",
                message=f"the header {rule.name!r} must not be sent to {record.dialect.name}",
                expected=f"no {rule.name!r}",
                actual=value,
                basis=basis_of(rule.fact),
                mend=f"leave the header {rule.name!r} away on this path",
            )
            return
