"""Adding up for days: what is kept has a limit, whatever is sent."""

from __future__ import annotations

import pytest

from harness.findings import Finding, Severity
from harness.messages import Json, Side
from harness.service import Entry, Exchange, Handshake
from harness.serving import Closed, Crossed, Judged, Kind, Opened, Tally
from harness.serving.tally import MOST_CLIENTS, MOST_FINDINGS, OTHERS


def opened(number: int, client: str | None = "a client") -> Opened:
    headers = (("user-agent", client),) if client else ()
    return Opened(number, 0.0, Handshake("/", (), headers, (), 101))


def crossed(number: int, *judged: Judged, t: float = 0.0) -> Crossed:
    event: Json = {"type": "session.update"}
    return Crossed(number, t, Entry(0, t, Side.CLIENT, event, (event,)), {}, judged=judged)


def found(path: str, *, actual: object = None, severity: Severity = Severity.FAIL) -> Judged:
    finding = Finding("code", severity, path, f"{path} is wrong.", "right", actual, (), "mend it")
    return Judged(Kind.REFUSED, finding)


def told(*happenings: Opened | Crossed | Closed) -> Tally:
    tally = Tally()
    for one in happenings:
        tally.tell(one)
    return tally


def test_the_same_finding_is_counted_on_connections_that_are_open_side_by_side() -> None:
    tally = told(
        opened(1),
        opened(2),
        crossed(2, found("session.voice", actual="a"), t=3.0),
        crossed(1, found("session.voice", actual="b"), t=5.0),
        crossed(2, found("session.voice", actual="c"), t=6.0),
        Closed(1, 7.0, Exchange()),
        opened(3),
        crossed(3, found("session.voice")),
    )
    (client,) = tally.clients.values()
    (one,) = client.found
    assert (one.times, one.connections, one.connection, one.t) == (4, 3, 2, 3.0)
    assert one.finding.actual == "a"


def test_places_in_lists_and_ids_make_no_finding_of_its_own_and_other_names_do() -> None:
    paths = ["session.tools[0].colour", "session.tools[17].colour", "session.tools[1].size"]
    tally = told(opened(1), crossed(1, *map(found, paths)))
    (client,) = tally.clients.values()
    assert [one.times for one in client.found] == [2, 1]


def test_events_of_other_names_are_other_findings() -> None:
    names = ("respnse.create", "session.updte", "respnse.create")
    findings = [
        Judged(Kind.REFUSED, Finding("c", Severity.FAIL, "type", f"no event {n!r}.", "", n, (), ""))
        for n in names
    ]
    tally = told(opened(1), crossed(1, *findings))
    assert [one.times for one in tally.clients["a client"].found] == [2, 1]


def test_the_worst_comes_first() -> None:
    judged = [
        found(str(severity), severity=severity)
        for severity in (Severity.NOTE, Severity.DEVIATION, Severity.FAIL)
    ]
    tally = told(opened(1), crossed(1, *judged))
    assert [one.finding.severity for one in tally.clients["a client"].found] == [
        Severity.FAIL,
        Severity.DEVIATION,
        Severity.NOTE,
    ]


def test_a_client_that_finds_ever_new_ways_to_be_wrong_is_cut_short() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    paths = [f"session.{one}{other}" for one in letters for other in letters]
    tally = told(opened(1), *(crossed(1, found(path)) for path in paths))
    client = tally.clients["a client"]
    assert len(client.found) == MOST_FINDINGS
    assert client.left_out == len(paths) - MOST_FINDINGS


def test_names_without_end_are_one_client_in_the_end() -> None:
    tally = told(*(opened(number, "x" * number) for number in range(1, 500)))
    assert len(tally.clients) == MOST_CLIENTS + 1
    assert tally.connections == 499
    assert OTHERS in tally.clients


@pytest.mark.parametrize("value", ["x" * 1_000_000, {"key": "x" * 1_000_000}, ["x"] * 1_000_000])
def test_of_a_value_as_much_is_kept_as_people_read(value: object) -> None:
    tally = told(opened(1), crossed(1, found("session." + "y" * 1_000_000, actual=value)))
    (one,) = tally.clients["a client"].found
    assert len(str(one.finding.actual)) <= 400
    assert len(one.finding.path) <= 400
    assert all(len(part) <= 1000 for key in tally.clients["a client"].counted for part in key)


def test_nothing_is_kept_of_a_connection_that_is_over() -> None:
    tally = told(opened(1), crossed(1, found("session.voice")), Closed(1, 1.0, Exchange()))
    assert tally._open == {}
