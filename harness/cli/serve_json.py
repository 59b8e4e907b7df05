"""What `serve` found about whatever connected, for programs."""

from __future__ import annotations

from typing import Any

from harness.cli.finding_json import finding_json
from harness.findings import Severity
from harness.messages import Json
from harness.redaction import Redactor
from harness.serving import Client, Counted, Kind, Serving, Tally


def tally_json(tally: Tally, serving: Serving) -> Json:
    """What `serve` found of each implementation, and what came to nothing; the server's key is in none."""
    faults = {"faults": "; ".join(map(str, serving.faults))} if serving.faults else {}
    redactor = Redactor((serving.key,))
    beside = {"turned_away": tally.turned_away, "refused_requests": tally.pages_refused}
    return {
        "dialect": serving.dialect.name,
        **faults,
        "clients": [_client_json(client, redactor) for client in tally.clients.values()],
        **{
            name: [{"what": redactor.value(what), "times": times} for what, times in counted.most_common()]
            for name, counted in beside.items()
        },
    }


def _client_json(client: Client, redactor: Redactor) -> Json:
    found = client.of(*Kind)
    return {
        "client": redactor.value(client.name),
        "connections": client.connections,
        "refused_handshakes": client.refused,
        "client_events": client.sent,
        "answers": client.answers,
        "harness_failures": client.failures,
        "failed": any(one.finding.severity is Severity.FAIL for one in found),
        "left_out": client.left_out,
        "findings": [_counted_json(one, redactor) for one in found],
    }


def _counted_json(one: Counted, redactor: Redactor) -> Json:
    said = finding_json(one.finding)
    for name in ("expected", "actual"):
        # A field that holds a secret is known by its path.
        (said[name],) = redactor.value({one.finding.path: said[name]}).values()
    clean: dict[str, Any] = redactor.value(said)
    first = None if one.connection is None else {"connection": one.connection, "t": round(one.t, 6)}
    return {
        **clean,
        "kind": str(one.kind),
        "times": one.times,
        "connections": one.connections,
        "first": first,
    }
