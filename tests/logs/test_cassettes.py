from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.bundled import cassettes_folder
from harness.cassette import load_cassette
from harness.logs import Log, read_log
from tests.logs.made import json_lines, log_of

GOOD = cassettes_folder() / "azure-v1" / "text-turn.jsonl"


def changed(tmp_path: Path, lines: list[str]) -> Log:
    return log_of(tmp_path / "a.jsonl", "".join(f"{line}\n" for line in lines))


def good() -> list[str]:
    return GOOD.read_text("utf-8").splitlines()


def problems(log: Log) -> list[tuple[int, str]]:
    return [(entry.line, entry.problem) for entry in log.entries if entry.problem]


@pytest.mark.parametrize(
    "path", sorted(cassettes_folder().rglob("*.jsonl")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_whole_cassette_reads_as_it_loads(path: Path) -> None:
    cassette = load_cassette(path)
    log = read_log(path)

    assert [(e.t, e.side, e.event) for e in log.entries] == [
        (i.t, i.side, i.event) for i in cassette.interactions
    ]
    assert [entry.line for entry in log.entries] == list(range(2, len(log.entries) + 2))
    assert (log.dialect, log.close) == (cassette.header.dialect, cassette.close)
    assert str(log.url).startswith(f"{cassette.header.path}?")
    assert dict(log.provenance)["kind"] == "constructed"


def test_a_cassette_without_its_footer_is_read_and_says_so(tmp_path: Path) -> None:
    lines = good()[:-1]
    log = changed(tmp_path, lines)

    assert len(log.entries) == len(lines)
    ((line, problem),) = problems(log)
    assert line == len(lines)
    assert "without its footer" in problem


def test_a_broken_line_is_named_and_counts_as_one(tmp_path: Path) -> None:
    lines = good()
    lines[4] = lines[4][:20]
    log = changed(tmp_path, lines)

    assert [line for line, _ in problems(log)] == [5]
    assert len(log.entries) == len(lines) - 2


def test_a_footer_that_counts_other_interactions_is_named(tmp_path: Path) -> None:
    lines = good()
    del lines[4]

    ((line, problem),) = problems(changed(tmp_path, lines))
    assert line == len(lines)
    assert "cut or edited" in problem


def test_what_stands_after_the_footer_is_named_and_read(tmp_path: Path) -> None:
    lines = good()
    log = changed(tmp_path, [*lines, lines[1]])

    assert log.entries[-1].event == json.loads(lines[1])["event"]
    assert problems(log)[0] == (len(lines) + 1, "more lines after the footer")


@pytest.mark.parametrize("header", ['{"cassette":1,', '{"cassette":1}', '{"cassette":1,"dialect":7}'])
def test_a_broken_header_costs_the_dialect_alone(tmp_path: Path, header: str) -> None:
    lines = good()
    log = changed(tmp_path, [header, *lines[1:]])

    assert log.format == "cassette"
    assert (log.dialect, log.url) == (None, None)
    assert [line for line, _ in problems(log)] == [1]
    assert len(log.entries) == len(lines) - 1


def test_a_frame_that_was_no_event_is_a_problem(tmp_path: Path) -> None:
    frames = [{"t": 0, "side": "client", "text": "hi"}, {"t": 1, "side": "server", "binary": "AAAA"}]
    end = {"end": {"interactions": 2, "close": {"by": "server", "code": 1000}}}
    log = log_of(tmp_path / "a.jsonl", json_lines(good()[0], *frames, end))

    assert problems(log) == [(2, "a text frame that is no event"), (3, "a binary frame that is no event")]
    assert [str(entry.side) for entry in log.entries] == ["client", "server"]
