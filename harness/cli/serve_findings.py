"""What `serve` shows when it ends: what was found about whatever connected, the worst first."""

from __future__ import annotations

from collections.abc import Iterator

from harness.cli.crossing_text import shown
from harness.cli.finding_text import Line, body_lines, count
from harness.findings import Severity
from harness.serving import Client, Counted, Kind, Serving, Tally

_STYLES = {Severity.FAIL: "bold red", Severity.DEVIATION: "bold yellow"}


def end_lines(tally: Tally, serving: Serving) -> Iterator[Line]:
    """The findings, client by client, and one line that sums them up."""
    dialect = serving.dialect.name
    faults = f", with faults in force: {'; '.join(map(str, serving.faults))}" if serving.faults else ""
    yield []
    yield [("findings", "bold"), (f" about what connected, judged as {dialect}{faults}", "")]
    for client in tally.clients.values():
        yield []
        yield from _client_lines(client, dialect)
    yield []
    for label, text in _beside(tally):
        yield [(f"{label}  ", "bold"), (text, "")]
    yield [(summary(tally), "bold")]


def summary(tally: Tally) -> str:
    """What it came to, in one line."""
    clients = tally.clients.values()
    findings = sum(len(client.found) for client in clients)
    refused = f", {count(tally.refused, 'refused handshake')}" if tally.refused else ""
    heard = count(tally.connections, "connection") if tally.connections else "nothing connected"
    if not tally.sent and not findings:
        silent = ", on which nothing was said" if tally.connections else ""
        return f"{heard}{refused}{silent}: nothing was judged"
    numbers = [count(findings, "finding") if findings else "no findings"]
    for kind in (Kind.UNPROVEN, Kind.UNPLAYED):
        number = sum(len(client.of(kind)) for client in clients)
        numbers += [f"{number} {kind}"] if number else []
    if tally.never_struck:
        numbers.append(f"{count(len(tally.never_struck), 'fault')} never struck")
    return f"{heard}{refused}: {', '.join(numbers)}"


def _client_lines(client: Client, dialect: str) -> Iterator[Line]:
    numbers = [count(client.connections, "connection")]
    numbers += [count(client.refused, "refused handshake")] if client.refused else []
    if client.connections:
        numbers += [f"{count(client.sent, 'event')} sent", count(client.answers, "answer")]
    name = shown(client.name) if client.name else "a client that does not name itself"
    yield [(name, "bold cyan"), (f": {', '.join(numbers)}", "")]
    for one in client.found:
        yield from _finding_lines(one)
    for one in client.of(Kind.UNPROVEN):
        yield [("  unproven   ", "bold"), (f"{shown(one.finding.message, 400)} {_often(one)}", "")]
    for one in client.of(Kind.UNPLAYED):
        yield [("  unplayed   ", "bold"), (f"{shown(one.finding.message, 400)} {_often(one)}", "")]
    if client.left_out:
        yield [("  and        ", "bold"), (f"{client.left_out} more, of further kinds or of one message", "")]
    if client.failures:
        text = f"the harness failed on {count(client.failures, 'connection')}, which say nothing"
        yield [("  fault      ", "bold red"), (text, "")]
    if not client.found:
        yield [("  ", ""), (_nothing(client, dialect), "")]


def _nothing(client: Client, dialect: str) -> str:
    """What it is worth that nothing was found: a verdict claims no more than its evidence."""
    if not client.sent:
        return "sent nothing, so nothing was judged"
    return (
        f"no findings: it sent nothing that {dialect} is known to refuse. "
        "What its user saw and heard was not looked at: `check` does that"
    )


def _finding_lines(one: Counted) -> Iterator[Line]:
    finding = one.finding
    passed = "  (a fault let it pass)" if one.kind is Kind.PASSED else ""
    yield [
        (f"  {finding.severity.upper():<11}", _STYLES.get(finding.severity, "bold")),
        (f"{shown(finding.path)}  ", "bold"),
        (f"{finding.code}  ", "dim"),
        (f"{_often(one)}{passed}", ""),
    ]
    yield from body_lines(finding, " " * 13)


def _often(one: Counted) -> str:
    """How often, and where it came first."""
    if one.connection is None:
        return f"({count(one.times, 'handshake')})"
    where = f"#{one.connection} at {one.t:.3f}"
    if one.times == 1:
        return f"({where})"
    if one.times == one.connections:
        return f"({one.times} connections, first {where})"
    on = f" on {one.connections} connections" if one.connections > 1 else ""
    return f"({one.times} times{on}, first {where})"


def _times(times: int) -> str:
    return f"({times} times)" if times > 1 else ""


def _beside(tally: Tally) -> Iterator[tuple[str, str]]:
    """What is no client's."""
    if tally.never_struck:
        yield "never struck", ", ".join(tally.never_struck)
    for why, times in tally.turned_away.most_common():
        yield "turned away", f"{shown(why, 400)} {_times(times)}".rstrip()
    for asked, times in tally.pages_refused.most_common():
        yield "refused", f"{shown(asked, 400)} {_times(times)}".rstrip()
    if tally.failures:
        yield "the harness failed", f"{count(tally.failures, 'time')} before a connection was open"
