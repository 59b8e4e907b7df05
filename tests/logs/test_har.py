from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cassette import Close
from harness.exceptions import LogFault
from harness.logs import har as har_module
from harness.logs import session_of
from harness.messages import Side
from tests.logs.made import CREATED, UPDATE, har, har_message, log_of

V1 = "wss://res.openai.azure.com/openai/v1/realtime?model=m"
VITE = "ws://localhost:5173/"


def test_messages_are_read_with_their_sides_and_times(tmp_path: Path) -> None:
    messages = [
        har_message("receive", CREATED, 1_767_225_600.5),
        har_message("send", UPDATE, 1_767_225_601.0),
    ]
    log = log_of(tmp_path / "a.har", har((V1, messages)))

    assert [(e.side, e.event, e.t) for e in log.entries] == [
        (Side.SERVER, CREATED, 0.0),
        (Side.CLIENT, UPDATE, 0.5),
    ]
    assert (log.dialect, log.url, log.began) == ("azure-v1", V1, 1_767_225_600.5)


def test_each_message_has_the_line_it_begins_in(tmp_path: Path) -> None:
    trap = {**CREATED, "x": '"_webSocketMessages": [1, 2]'}
    text = har((VITE, [har_message("receive", trap)]), (V1, [har_message("send", UPDATE)] * 2), indent=2)
    log = log_of(tmp_path / "a.har", text)

    lines = text.splitlines()
    assert len({entry.line for entry in log.entries}) == 3
    for entry in log.entries:
        assert lines[entry.line - 1].strip() == "{"
        assert lines[entry.line].strip().startswith('"type": ')


def test_each_socket_is_a_session_with_its_own_url(tmp_path: Path) -> None:
    text = har(
        (VITE, [har_message("receive", CREATED)]), (V1, [har_message("receive", CREATED, 1_767_225_609.0)])
    )
    log = log_of(tmp_path / "a.har", text)

    assert (log.sessions, log.url, log.dialect) == ((1, 2), None, None)
    second = session_of(log, 2)
    assert (second.url, second.dialect, second.sessions) == (V1, "azure-v1", (2,))
    assert (second.entries[0].t, second.began) == (0.0, 1_767_225_609.0)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (7, "a JSON integer, expected an object"),
        (har_message("sideways", CREATED), "'sideways' is no direction"),
        ({"type": ["send"], "data": "{}"}, "is no direction"),
        (har_message("send", "AAAA", opcode=2), "a binary frame"),
        ({"type": "send", "opcode": 1, "data": None}, "the data is a JSON null, expected text"),
        (har_message("receive", "no JSON"), "not JSON"),
        (har_message("receive", {"a": 1}), "without a string 'type'"),
    ],
)
def test_a_message_that_is_no_event_is_named_and_the_rest_is_read(
    tmp_path: Path, message: Any, problem: str
) -> None:
    log = log_of(tmp_path / "a.har", har((V1, [message, har_message("receive", CREATED)]), indent=1))

    assert problem in str(log.entries[0].problem)
    assert log.entries[1].event == CREATED
    assert 1 < log.entries[0].line < log.entries[1].line


def test_control_frames_are_no_messages(tmp_path: Path) -> None:
    messages = [
        har_message("receive", CREATED),
        *(har_message("receive", "", opcode=opcode) for opcode in (9, 10, 8)),
    ]
    log = log_of(tmp_path / "a.har", har((V1, messages)))

    assert len(log.entries) == 1
    assert log.close == Close("server", None)


def test_a_url_that_fits_several_dialects_names_none(tmp_path: Path) -> None:
    log = log_of(tmp_path / "a.har", har((VITE, [har_message("receive", CREATED)])))

    assert log.dialect is None


def test_a_file_too_large_to_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    with path.open("wb") as file:
        file.write(b'{"log": {"entries": [')
        file.truncate(har_module.MAX_BYTES + 1)
    with pytest.raises(LogFault, match="larger than"):
        har_module.read_har(path)
