from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundled import cassettes_folder
from harness.exceptions import LogFault
from harness.logs import Extent, read_log
from tests.logs.made import CREATED, UPDATE, har, har_message, json_lines, log_of

LINES = json_lines({"dir": "server", "event": CREATED}, {"dir": "client", "event": UPDATE})


def fault(path: Path) -> LogFault:
    with pytest.raises(LogFault) as caught:
        read_log(path)
    return caught.value


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.har", "a.yaml", "a"])
def test_the_content_tells_the_format_and_not_the_name(tmp_path: Path, name: str) -> None:
    cassette = (cassettes_folder() / "azure-v1" / "text-turn.jsonl").read_text("utf-8")
    recording = 'version: 1\ninteractions:\n- {direction: received, data: \'{"type":"a"}\'}\n'
    socket = ("wss://x/", [har_message("receive", CREATED)])

    assert log_of(tmp_path / name, cassette).format == "cassette"
    assert log_of(tmp_path / name, recording).format == "YAML recording"
    assert log_of(
        tmp_path / name, json.dumps({"interactions": [{"direction": "in", "data": CREATED}]})
    ).entries
    assert log_of(tmp_path / name, har(socket)).format == "HAR"
    assert log_of(tmp_path / name, har(socket, indent=2)).format == "HAR"
    assert log_of(tmp_path / name, LINES).format == "JSON Lines"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "an empty file"),
        (b" \n\n \n", "an empty file"),
        (b"\xef\xbb\xbf", "an empty file"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00rubbish", "no text: it has zero bytes"),
        (b"\xff\xd8\xe0 not text", "no captured log in a format we know"),
        (b"hello\nworld\n", "no captured log in a format we know"),
        (b'[{"dir": "server"}]', "no captured log in a format we know"),
        (b'{\n "slug": "a",\n "b": {}\n}\n', "no captured log in a format we know"),
        (b'{"level": "info"}\n', "no line of it is a message with a direction; the first: no direction"),
        (b"version: 1\ninteractions: []\n", "it has no interactions"),
        (b"interactions: 1\n", "it has no interactions"),
        (b"interactions: [\n", "not YAML"),
        (b'{"log": {"entries": [{"request": {}}]}}', "a HAR file without WebSocket messages"),
        (b'{"log": {"entries": 1}}', "a HAR file without WebSocket messages"),
        (b'{"log": {"entries": [{"req', "not JSON"),
        (b'{"log": {"entries":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_log_at_all_is_refused_with_what_can_be_read(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(content)
    found = fault(path)

    assert problem in found.problem
    assert found.hint


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in fault(tmp_path / "none.jsonl").problem
    assert "no regular file" in fault(tmp_path).problem
    assert "cannot be read" in fault(Path("a\0b")).problem
    assert "JSON Lines" in str(fault(tmp_path / "none.jsonl"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_encoding_that_marks_itself_is_understood(tmp_path: Path, encoding: str, end: str) -> None:
    text = '{"dir":"server","event":{"type":"a","delta":"Größe \u2028 ☎"}}' + end
    log = log_of(tmp_path / "a.jsonl", (text * 2).encode(encoding))

    assert [entry.event for entry in log.entries] == [{"type": "a", "delta": "Größe \u2028 ☎"}] * 2
    assert [entry.line for entry in log.entries] == [1, 2]


STARTS = st.sampled_from(
    [
        b"",
        b'{"cassette":1',
        b'{"log":{"entries":',
        b"interactions:\n- ",
        b'{"dir":"server",',
        b"\xff\xfe",
        b"{",
    ]
)


@given(start=STARTS, rest=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_no_bytes_break_the_reader(
    start: bytes, rest: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.log"
    path.write_bytes(start + rest)
    log = None
    with contextlib.suppress(LogFault):
        log = read_log(path)
    assert log is None or all((entry.event is None) == (entry.problem is not None) for entry in log.entries)


@given(cut=st.integers(0, 3000), flip=st.integers(0, 3000), byte=st.integers(0, 255))
def test_a_damaged_log_is_read_or_refused(
    cut: int, flip: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.log"
    sources = [
        (cassettes_folder() / "azure-v1" / "text-turn.jsonl").read_bytes(),
        har(("wss://x/", [har_message("receive", CREATED), har_message("send", UPDATE)]), indent=1).encode(),
        b'version: 1\ninteractions:\n- direction: sent\n  data: \'{"type":"a"}\'\n- code: 1000\n  ok: true\n',
    ]
    for whole in sources:
        damaged = bytearray(whole)
        damaged[flip % len(whole)] = byte
        path.write_bytes(bytes(damaged[: max(1, len(whole) - cut)]))
        with contextlib.suppress(LogFault):
            assert read_log(path).entries


def test_every_capture_is_read_whole(captures: Path) -> None:
    files = sorted(captures.glob("*.jsonl"))
    assert files
    for path in files:
        raw = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        log = read_log(path)

        assert [(e.line, str(e.side), e.event, e.problem) for e in log.entries] == [
            (number, value["dir"], value["event"], None) for number, value in enumerate(raw, 1)
        ]
        for entry, value in zip(log.entries, raw, strict=True):
            whole = not {"elided", "body_not_shown", "truncated_in_source"} & value.keys()
            assert (entry.extent is Extent.WHOLE) == whole
            assert entry.audio_bytes == value.get("audio_bytes")
            assert entry.session == value.get("session_no", 1)


def test_other_files_beside_the_captures_are_refused(captures: Path) -> None:
    others = [path for path in captures.iterdir() if path.suffix != ".jsonl"]
    assert others
    for path in others:
        assert "format" in fault(path).problem
