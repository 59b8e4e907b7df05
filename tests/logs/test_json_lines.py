from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.logs import Extent, Log
from harness.logs.lines import MAX_LINE
from harness.messages import MAX_DEPTH, Side
from tests.logs.made import CREATED, UPDATE, json_lines, log_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["session.created", "response.done", "error", "a.b.c"])
EVENTS = st.builds(
    lambda type_, fields: {"type": type_, **fields},
    TYPES,
    st.dictionaries(st.sampled_from(["session", "item", "delta", "event_id", "größe"]), VALUES, max_size=3),
)
SIDE_KEYS = ["dir", "direction", "side", "from", "sender", "source"]
SERVER = ["server", "received", "recv", "inbound", "in", "<-", "<", "<<", "incoming", "s2c", "Server", "IN "]
CLIENT = ["client", "sent", "send", "outbound", "out", "->", ">", ">>", "outgoing", "c2s", "CLIENT", "Sent"]
EVENT_KEYS = ["event", "message", "data", "payload", "frame", "body"]


@st.composite
def messages(draw: st.DrawFn) -> tuple[Side, dict[str, Any], dict[str, Any]]:
    """A side, an event, and the two in one of the spellings."""
    side = draw(st.sampled_from(list(Side)))
    event = draw(EVENTS)
    word = draw(st.sampled_from(SERVER if side is Side.SERVER else CLIENT))
    around = {draw(st.sampled_from(SIDE_KEYS)): word}
    if draw(st.booleans()):
        around["t"] = draw(st.floats(0, 1000))
    spelling = draw(st.sampled_from(["object", "text", "bare"]))
    if spelling == "bare":
        return side, event, {**around, **event}
    inner = event if spelling == "object" else json.dumps(event)
    return side, event, {**around, draw(st.sampled_from(EVENT_KEYS)): inner}


@given(logged=st.lists(messages(), min_size=1, max_size=8), ascii_=st.booleans())
def test_events_in_any_spelling_read_back_as_they_were(
    logged: list[tuple[Side, dict[str, Any], dict[str, Any]]],
    ascii_: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    text = "".join(json.dumps(line, ensure_ascii=ascii_) + "\n" for *_, line in logged)
    log = log_of(tmp_path_factory.getbasetemp() / "a.jsonl", text.encode("utf-8", "surrogatepass"))

    assert [(entry.side, entry.event) for entry in log.entries] == [
        (side, event) for side, event, _ in logged
    ]


def only(tmp_path: Path, line: Any) -> Any:
    """The second entry of a log whose first is good."""
    log = log_of(tmp_path / "a.jsonl", json_lines({"dir": "server", "event": CREATED}, line))
    (entry,) = log.entries[1:]
    assert entry.line == 2
    return entry


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("no JSON", "not JSON: Expecting value at column 1"),
        ("[1]", "a JSON array, expected an object"),
        ({"dir": "server", "event": 7}, "a JSON integer, expected an object"),
        ({"dir": "server", "event": {"a": 1}}, "an object without a string 'type'"),
        ({"dir": "server", "event": {"type": 1}}, "an object without a string 'type'"),
        ({"dir": "server", "data": '{"type":'}, "not JSON: Expecting value"),
        ({"dir": "server", "type": "message", "data": "ping"}, "not JSON"),
        ({"dir": "server"}, "no event; expected one under one of: event"),
        ({"dir": "sideways", "event": CREATED}, "'sideways' is no direction; expected a direction"),
        ({"dir": 5, "event": CREATED}, "5 is no direction"),
        ({"event": CREATED}, "no direction; expected a direction (server or client) under one of: dir"),
        ('{"dir":"server","event":{"type":"a","x":NaN}}', "NaN is no JSON value"),
        ('{"dir":"server","event":{"type":"a","x":1e999}}', "1e999 is too large"),
        ('{"dir":"server","event":{"type":"a","x":' + "9" * 5000 + "}}", "not JSON: Exceeds the limit"),
        ('{"dir":"server","event":{"type":"a","x":' + "[" * 70 + "]" * 70 + "}}", "deeper than 64 levels"),
        ('{"dir":"server","x":' + "[" * 99_999 + "]" * 99_999 + "}", f"deeper than {MAX_DEPTH} levels"),
    ],
)
def test_a_line_that_is_no_message_is_named_and_the_rest_is_read(
    tmp_path: Path, line: Any, problem: str
) -> None:
    entry = only(tmp_path, line)

    assert entry.event is None
    assert problem in entry.problem


def test_bytes_that_are_no_text_spoil_their_line_alone(tmp_path: Path) -> None:
    good = b'{"dir":"server","event":{"type":"a"}}\n'
    log = log_of(tmp_path / "a.jsonl", good + b'{"dir":"server","event":{"type":"\xff"}}\n' + good)

    assert [entry.problem for entry in log.entries] == [None, "not UTF-8 at column 34", None]

    wide = good.decode().encode("utf-16-le")
    half = '{"dir":"server"'.encode("utf-16-le") + b"\x00\xd8" + '}\n"'.encode("utf-16-le") + b"\x00"
    log = log_of(tmp_path / "a.jsonl", b"\xff\xfe" + wide + half)
    assert log.entries[0].event == {"type": "a"}
    assert all("not UTF-16" in str(entry.problem) for entry in log.entries[1:])


def test_a_line_that_is_too_long_is_never_held(tmp_path: Path) -> None:
    good = b'{"dir":"server","event":{"type":"a"}}\n'
    long = b'{"dir":"server","event":{"type":"' + b"a" * (2 * MAX_LINE + 5) + b'"}}\n'
    log = log_of(tmp_path / "a.jsonl", good + long + good)

    assert [entry.line for entry in log.entries] == [1, 2, 3]
    assert log.entries[1].problem == f"a line of more than {MAX_LINE} characters"
    assert log.entries[2].event == {"type": "a"}


def test_a_half_written_last_line_is_called_that(tmp_path: Path) -> None:
    text = json_lines({"dir": "server", "event": CREATED}) + '{"dir": "client", "event": {"ty'
    log = log_of(tmp_path / "a.jsonl", text)

    assert log.entries[0].event == CREATED
    assert str(log.entries[1].problem).endswith("(the last line is only half written?)")


def test_blank_lines_are_skipped_and_still_counted(tmp_path: Path) -> None:
    line = json.dumps({"dir": "server", "event": CREATED})

    assert [entry.line for entry in log_of(tmp_path / "a.jsonl", f"\n{line}\n\n  \n{line}").entries] == [2, 5]


def times(tmp_path: Path, key: str, *values: Any) -> tuple[list[float | None], Log]:
    log = log_of(
        tmp_path / "a.jsonl", json_lines(*({"dir": "in", key: value, "event": CREATED} for value in values))
    )
    return [entry.t for entry in log.entries], log


def test_times_are_read_in_their_notations(tmp_path: Path) -> None:
    assert times(tmp_path, "t", 0.5, 2)[0] == [0.5, 2.0]
    assert times(tmp_path, "t_ms", 500, 2000)[0] == [0.5, 2.0]
    assert times(tmp_path, "ts", 1_767_225_600_000, 1_767_225_600_250)[0] == [0.0, 0.25]
    assert times(tmp_path, "time", 1_767_225_600.0, 1_767_225_601.5)[0] == [0.0, 1.5]
    assert times(tmp_path, "timestamp", "1.5")[0] == [1.5]
    found, log = times(tmp_path, "timestamp", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.5+01:00")
    assert found == [0.0, 0.5]
    assert log.began == 1_767_225_600
    assert times(tmp_path, "t", 1)[1].began is None


@pytest.mark.parametrize(
    "value", [None, "soon", True, [], {}, "nan", "inf", 10**400, "0001-01-01", "9" * 400]
)
def test_a_time_that_cannot_be_read_is_no_time(tmp_path: Path, value: Any) -> None:
    found, log = times(tmp_path, "t", value)

    assert found in ([None], [0.0])
    assert log.entries[0].event == CREATED


@pytest.mark.parametrize(
    ("marker", "extent"),
    [
        ({"elided": True}, Extent.ELIDED),
        ({"body_not_shown": True, "audio_bytes": 4800}, Extent.ELIDED),
        ({"body_elided_by_console": True}, Extent.ELIDED),
        ({"truncated_in_source": "cut here"}, Extent.CUT),
        ({"elided": False}, Extent.WHOLE),
    ],
)
def test_what_the_publisher_left_out_is_marked(
    tmp_path: Path, marker: dict[str, Any], extent: Extent
) -> None:
    entry = only(tmp_path, {"dir": "server", "event": CREATED, **marker})
    bare = only(tmp_path, {"dir": "server", **CREATED, **marker})

    assert entry.extent is bare.extent is extent
    assert entry.event == bare.event == CREATED
    assert entry.audio_bytes == bare.audio_bytes == marker.get("audio_bytes")


def test_the_sessions_of_a_file_are_told_apart(tmp_path: Path) -> None:
    log = log_of(
        tmp_path / "a.jsonl",
        json_lines(
            {"dir": "server", "event": CREATED},
            {"dir": "server", "event": CREATED, "session_no": 2},
            "broken",
            {"dir": "client", "event": UPDATE},
        ),
    )

    assert log.sessions == (1, 2)
    assert [entry.session for entry in log.entries] == [1, 2, 2, 2]


def test_an_envelope_may_repeat_the_type_of_its_event(tmp_path: Path) -> None:
    assert only(tmp_path, {"dir": "in", "type": "session.created", "data": CREATED}).event == CREATED


def test_a_direction_we_know_goes_before_one_we_do_not(tmp_path: Path) -> None:
    assert only(tmp_path, {"side": "sent", "source": "app.py", "event": UPDATE}).side is Side.CLIENT
    assert only(tmp_path, {"from": "app.py", "source": "server", "event": UPDATE}).side is Side.SERVER


def test_a_line_about_the_close_is_the_close(tmp_path: Path) -> None:
    lines = json_lines({"dir": "in", "event": CREATED}, {"dir": "in", "code": 1001, "reason": "gone"})
    log = log_of(tmp_path / "a.jsonl", lines)

    assert log.close is not None
    assert (log.close.by, log.close.code, log.close.reason) == ("server", 1001, "gone")
    assert len(log.entries) == 1
