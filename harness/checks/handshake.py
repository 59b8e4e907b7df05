"""The opening request: path, query, key, headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from harness.checks.record import CaseRecord, basis_of
from harness.checks.registry import NotApplicable, NotProven, check
from harness.dialects import Acceptance, Dialect, Evidence
from harness.dialects.model import DEPLOYMENT
from harness.findings import Basis, Finding, Severity
from harness.service import KEY_SUBPROTOCOL, Handshake

_EXAMPLES = {"deployment": f"{DEPLOYMENT}, or whatever the deployment is called"}
"""What stands for a value that is the client's own, by what it means."""

_KEY_NAMES = {
    "api-key-header": "the api-key header",
    "api-key-query": "api-key in the query",
    "bearer": "Authorization (Bearer)",
    "subprotocol": "a subprotocol (openai-insecure-api-key)",
}
"""Where a key is looked for, in words that a redactor does not take for one."""

Rule = Callable[[Dialect, Handshake], Iterator[Finding]]


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


def handshake_findings(dialect: Dialect, handshake: Handshake) -> Iterator[Finding]:
    """Everything wrong with one handshake, whoever judges it: a case, or `serve`."""
    yield from _path_findings(dialect, handshake)
    yield from _query_findings(dialect, handshake)
    yield from _auth_findings(dialect, handshake)
    yield from _header_findings(dialect, handshake)


def _path_findings(dialect: Dialect, handshake: Handshake) -> Iterator[Finding]:
    if handshake.refusal == "wrong_path":
        rules = dialect.handshake
        yield Finding(
            code="handshake.path",
            severity=Severity.FAIL,
            path="handshake.path",
            message=f"the client dialled {handshake.path}, where {dialect.name} is not",
            expected=rules.path,
            actual=handshake.path,
            basis=basis_of(rules.query[0].fact),
            mend=f"dial {rules.path}: the dialect follows the path, not the model or a header",
        )


def _query_findings(dialect: Dialect, handshake: Handshake) -> Iterator[Finding]:
    if handshake.refusal == "wrong_path":
        return
    sent = dict(handshake.query)
    for rule in dialect.handshake.query:
        if rule.acceptance is Acceptance.REFUSED and rule.name in sent:
            expected, actual = f"no {rule.name!r}", sent[rule.name]
        elif (needless := rule.needless_in(sent)) is not None:
            expected = f"no {needless!r} beside {rule.name}={sent[rule.name]}"
            actual = sent[needless]
        elif rule.missing_from(sent) and not handshake.opened:  # a minted key may stand for it
            wanted = rule.value or _EXAMPLES.get(rule.means or "", rule.means)
            expected, actual = f"{rule.name}={wanted}", "missing"
        elif rule.name in sent and not rule.takes(sent[rule.name]):
            expected, actual = f"{rule.name}={rule.value}", sent.get(rule.name, "missing")
        else:
            continue
        yield Finding(
            code="handshake.query",
            severity=Severity.FAIL,
            path=f"handshake.query.{rule.name}",
            message=f"the query parameter {rule.name!r} is not as {dialect.name} wants it",
            expected=expected,
            actual=actual,
            basis=basis_of(rule.fact),
            mend=f"open the connection with {expected}",
        )
        return


def _auth_findings(dialect: Dialect, handshake: Handshake) -> Iterator[Finding]:
    refused_query = any(
        rule.acceptance is Acceptance.REFUSED and rule.name in dict(handshake.query)
        for rule in dialect.handshake.query
    )
    if handshake.refusal != "wrong_key" or refused_query:
        return
    places = " or ".join(_KEY_NAMES[way] for way in dialect.handshake.auth)
    offered = _offered_in(handshake)
    which = "a minted key that is over" if handshake.expired_key else "another key"
    yield Finding(
        code="handshake.auth",
        severity=Severity.FAIL,
        path=offered[0] if offered else "handshake.headers",
        message=f"the service refused the key with {dialect.handshake.shown('wrong_key', handshake.status)}",
        expected=f"the key it was given, in {places}",
        actual=f"{which} in {', '.join(offered)}" if offered else "no key",
        basis=basis_of(dialect.handshake.auth_fact),
        mend="mint another: they last for a while only" if handshake.expired_key else f"send it in {places}",
    )


def _offered_in(handshake: Handshake) -> list[str]:
    """The places in which keys came."""
    named = [name for name in ("api-key", "authorization") if handshake.header(name) is not None]
    places = [f"handshake.headers.{name}" for name in named]
    places += ["handshake.query.api-key"] if "api-key" in dict(handshake.query) else []
    by_subprotocol = any(name.startswith(KEY_SUBPROTOCOL) for name in handshake.subprotocols)
    return places + (["handshake.subprotocols"] if by_subprotocol else [])


def _header_findings(dialect: Dialect, handshake: Handshake) -> Iterator[Finding]:
    for rule in dialect.handshake.headers:
        value = handshake.header(rule.name)
        refused = rule.acceptance is Acceptance.REFUSED
        if value is None or rule.acceptance is Acceptance.ACCEPTED or (refused and not rule.refuses(value)):
            continue
        yield Finding(
            code="handshake.header",
            severity=Severity.FAIL if refused else Severity.DEVIATION,
            path=f"handshake.headers.{rule.name}",
            message=f"the header {rule.name!r} must not be sent to {dialect.name}",
            expected=f"no {rule.name!r}",
            actual=value,
            basis=basis_of(rule.fact),
            mend=f"leave the header {rule.name!r} away on this path",
        )


def _first(record: CaseRecord, rule: Rule) -> Iterator[Finding]:
    """What the first handshake that a rule finds fault with comes to."""
    if not record.handshakes:
        raise NotApplicable("no connection was opened")
    found = (finding for handshake in record.handshakes for finding in rule(record.dialect, handshake))
    yield from islice(found, 1)


@check("handshake.path", "the path is the dialect's own")
def path(record: CaseRecord) -> Iterator[Finding]:
    yield from _first(record, _path_findings)


@check("handshake.query", "the query parameters are those the dialect needs, and no others it refuses")
def query(record: CaseRecord) -> Iterator[Finding]:
    yield from _first(record, _query_findings)


@check("handshake.auth", "the key is where the service looks for it")
def auth(record: CaseRecord) -> Iterator[Finding]:
    yield from _first(record, _auth_findings)


@check("handshake.header", "no header the dialect's documents advise against")
def header(record: CaseRecord) -> Iterator[Finding]:
    yield from _first(record, _header_findings)
