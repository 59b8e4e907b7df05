"""Whole logs: silent as what they are, and with every difference named as what they are not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.dialects import Dialect, bundled_dialect, dialect_names
from harness.findings import Severity
from harness.lint import fitting_dialects, lint_log
from harness.logs import Extent, Log, LogEntry, read_log
from harness.messages import Json, Side
from tests.dialects.recorded import CAPTURES
from tests.lint.conversations import ALL, conversation
from tests.lint.made import FLAT, GA, cassette, cassettes, codes, failing, judged, log_of, part_of, said_of

NESTED = ("azure-v1", "openai-ga")


def own_captures(folder: Path) -> Iterator[tuple[str, Path]]:
    for dialect, (_, patterns) in CAPTURES.items():
        for pattern in patterns:
            for path in sorted(folder.glob(pattern)):
                yield dialect, path


# As what they are.


@pytest.mark.parametrize("path", cassettes(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_bundled_cassette_has_no_finding(path: Path) -> None:
    """But for notes of what nobody has proven, and for the refusals that a scenario is about."""
    log = read_log(path)
    report = lint_log(log, bundled_dialect(str(log.dialect)))
    wanted = {"service.refusal"} if path.stem.startswith("rejected") else set()
    assert {one.finding.code for one in report.found if one.finding.severity is not Severity.NOTE} <= wanted


def test_a_capture_as_its_own_dialect_has_no_finding(captures: Path) -> None:
    count = 0
    for dialect, path in own_captures(captures):
        report = judged(read_log(path), dialect)
        assert not said_of(report), (path.name, said_of(report))
        count += 1
    assert count >= 18


def test_a_capture_without_a_sure_dialect_fits_the_previews(captures: Path) -> None:
    for path in captures.glob("azure-preview-*.jsonl"):
        for dialect in ("azure-2025-04-01-preview", "azure-2024-10-01-preview"):
            assert not failing(judged(read_log(path), dialect)), path.name


def test_a_capture_may_be_cut_anywhere(captures: Path) -> None:
    for dialect, path in own_captures(captures):
        log = read_log(path)
        for at in range(1, len(log.entries), 9):
            assert not failing(judged(part_of(log, log.entries[at:]), dialect)), (path.name, at)
            assert not failing(judged(part_of(log, log.entries[:at]), dialect)), (path.name, at)


def test_a_log_fits_its_own_dialect_best(captures: Path) -> None:
    for dialect, path in own_captures(captures):
        ranked = dict(fitting_dialects(read_log(path)))
        assert ranked[dialect] == 0, path.name


# As what they are not: a list of differences of its own, from the tables and the log.


def expected_paths(log: Log, own: Dialect, judge: Dialect) -> dict[str, set[str]]:
    """What has to be named: foreign names of server events, fields of the session and the response, parts."""
    to_nested = judge.name in NESTED
    flat = own if to_nested else judge
    names = dict(flat.translation.events)
    renamed = set(names) if to_nested else {*names.values()} - {"session.created", "session.updated"}
    if own.translation.item_done != judge.translation.item_done and not to_nested:
        renamed.add("conversation.item.done")
    renamed -= {name for name in judge.server.events if name != "conversation.item.created"}
    found: dict[str, set[str]] = {"type": set(), "field": set(), "part": set()}
    for entry in log.entries:
        event = entry.event
        if event is None or entry.side is not Side.SERVER:
            continue
        if event["type"] in renamed:
            found["type"].add(event["type"])
            continue
        if entry.extent is Extent.ELIDED:
            continue
        for holder, rows in (("session", flat.translation.session), ("response", flat.translation.response)):
            value = event.get(holder)
            if not isinstance(value, dict):
                continue
            wires = {row.wire.split(".")[0] for row in rows if row.wire}
            roots = {row.canonical.split(".")[0] for row in rows if row.canonical}
            foreign = wires - roots if to_nested else roots - wires
            found["field"] |= {
                f"{holder}.{name}" for name in value.keys() & foreign if value[name] is not None
            }
        found["part"] |= set(parts_of(event)) & set(
            flat.translation.parts if to_nested else flat.translation.parts.values()
        )
    return found


def parts_of(event: Json) -> Iterator[str]:
    response = event.get("response")
    items = [event.get("item"), *(response.get("output") or [] if isinstance(response, dict) else [])]
    for item in items:
        if isinstance(item, dict) and item.get("role") == "assistant":
            yield from (part["type"] for part in item.get("content") or [])


def test_a_capture_as_the_other_generation_names_every_difference(captures: Path) -> None:
    seen = 0
    for own_name, path in own_captures(captures):
        log = read_log(path)
        own = bundled_dialect(own_name)
        for name in dialect_names():
            if (name in NESTED) == (own_name in NESTED):
                continue
            judge = bundled_dialect(name)
            report = lint_log(log, judge)
            named = [one.finding for one in report.found if one.finding.severity is not Severity.NOTE]
            expected = expected_paths(log, own, judge)
            where = f"{path.name} as {name}"
            renames = {found.actual for found in named if found.code == "rename.server-event"}
            assert expected["type"] <= renames, where
            fields = {
                found.path for found in named if found.code in ("rename.session-shape", "modality.field")
            }
            assert expected["field"] <= fields, where
            parts = {found.actual for found in named if found.code == "rename.content-part"}
            # A history may be seeded on Voice Live with parts of the nested generation's name.
            seeded = {"output_text"} if name == "azure-voice-live" else set()
            assert expected["part"] - seeded <= parts, where
            assert report.failed or not any(expected.values()), where
            seen += sum(map(len, expected.values()))
    assert seen > 500


def test_of_items_it_says_what_they_are_announced_with(captures: Path) -> None:
    beta = next(captures.glob("openai-beta-ws-*.jsonl"))
    (found,) = [
        one.finding
        for one in judged(read_log(beta), GA).found
        if one.finding.actual == "conversation.item.created"
    ]
    assert found.expected == "conversation.item.added, conversation.item.done"


@pytest.mark.parametrize("name", NESTED)
def test_a_flat_session_as_a_nested_one_lacks_its_type(name: str) -> None:
    said = cassette(FLAT, "text-turn")
    assert "session.type" in {one.finding.path for one in judged(said, name).found}


def test_modalities_are_told_by_field_on_both_sides() -> None:
    for own, other in ((GA, FLAT), (FLAT, GA)):
        said = cassette(own, "text-modality")
        fields = {
            one.finding.path for one in judged(said, other).found if one.finding.code == "modality.field"
        }
        name = "output_modalities" if own == GA else "modalities"
        assert {f"session.{name}", f"response.{name}"} <= fields


def test_flat_siblings_are_told_apart(captures: Path) -> None:
    for path in captures.glob("azure-voice-live-*.jsonl"):
        report = judged(read_log(path), FLAT)
        assert report.failed, path.name
        assert {"session.voice", "session.input_audio_sampling_rate"} <= {
            one.finding.path for one in report.found
        }


def test_nested_siblings_differ_by_a_note(captures: Path) -> None:
    report = judged(read_log(next(captures.glob("azure-ws-tool-call-*.jsonl"))), "openai-ga")
    assert not said_of(report)
    assert {(one.finding.code, one.finding.path) for one in report.found} == {("schema.new-field", "content")}


# What a report is made of.


def test_the_same_of_many_lines_is_said_once_with_all_of_them() -> None:
    said = conversation(ga=False).said
    report = judged(said, GA)
    deltas = [at for at, (_, event) in enumerate(said, 1) if event["type"] == "response.audio.delta"]
    (found,) = [one for one in report.found if one.finding.actual == "response.audio.delta"]
    assert list(found.lines) == deltas
    assert found.finding.at == deltas[0]


def test_the_worst_stands_first() -> None:
    severities = [one.finding.severity for one in judged(conversation(ga=False).said, GA).found]
    assert severities == sorted(severities, key=list(Severity).index)


def test_what_cannot_be_read_fails_and_the_rest_is_judged() -> None:
    log = log_of(cassette(GA, "text-turn"))
    broken = LogEntry(1000, None, None, "not JSON: half a line")
    report = judged(part_of(log, [*log.entries, broken]), GA)
    assert (failing(report), report.unreadable) == ({"log.unreadable"}, 1)
    assert report.found[0].lines == (1000,)
    assert report.client_events + report.server_events == len(log.entries)


def test_a_log_that_somebody_filtered_says_so_in_a_note() -> None:
    said = [one for one in cassette(GA, "text-turn") if not one[1]["type"].endswith(".added")]
    report = judged(said, GA)
    assert codes(report) == {"log.filtered"}
    assert not report.failed


def test_sessions_of_one_file_are_judged_each_by_itself() -> None:
    log = log_of(cassette(GA, "text-turn"))
    again = [LogEntry(entry.line + 100, entry.side, entry.event, session=2) for entry in log.entries]
    report = judged(part_of(log, [*log.entries, *again]), GA)
    assert not report.found
    assert report.sessions == 2


# Hostile logs.

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SAID = [one for _, session in ALL.values() for one in session.said]


@given(
    picked=st.lists(st.tuples(st.integers(0, len(SAID) - 1), st.integers(0, 60), ANY_JSON), max_size=25),
    dialect=st.sampled_from(dialect_names()),
)
def test_no_log_breaks_it(picked: list[tuple[int, int, Any]], dialect: str) -> None:
    said = [SAID[0]]
    for which, where, value in picked:
        side, event = copy.deepcopy(SAID[which])
        replace_somewhere(event, where, value)
        said.append((side, event))
    report = judged(log_of(said, step=0.02), dialect)
    json.dumps([one.finding.expected for one in report.found], default=str)


def replace_somewhere(event: Json, where: int, value: Any) -> None:
    """Puts a value in the nth place of an event, the type alone excepted."""
    places: list[tuple[Any, Any]] = []
    level: list[Any] = [event]
    while level:
        holder = level.pop()
        for key, inner in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if holder is event and key == "type":
                continue
            places.append((holder, key))
            if isinstance(inner, (dict, list)):
                level.append(inner)
    if places:
        holder, key = places[where % len(places)]
        holder[key] = value


def test_a_field_name_of_a_megabyte_does_not_keep_it_busy_for_ever() -> None:
    event = {"type": "session.update", "session": {"type": "realtime", "y" * 1_000_000: 1}}
    log = Log("a.jsonl", "json-lines", (LogEntry(1, Side.CLIENT, event),))
    (found,) = lint_log(log, bundled_dialect(GA)).of(Severity.FAIL)
    assert found.finding.code == "session.unknown-parameter"
