from __future__ import annotations

from pathlib import Path

import pytest

from harness.cassette import Close
from harness.exceptions import LogFault
from harness.messages import Side
from tests.logs.made import log_of

RECORDING = """\
version: 1
interactions:
- type: message
  direction: received
  data: '{"type": "session.created", "session": {}}'
- direction: sent
  data:
    type: session.update
    session: {type: realtime}
- message: {direction: sent, data: '{"type": "response.create"}'}
- direction: sent
  data: no JSON
- direction: up
  data: '{"type": "a.b"}'
- just text
- direction: sent
  data: {type: a.b, size: 1.0e+999}
- {code: 1000, reason: bye, ok: true}
"""


def test_messages_and_the_close_are_read_with_their_lines(tmp_path: Path) -> None:
    log = log_of(tmp_path / "a.yaml", RECORDING)

    assert [(e.line, e.side, e.event["type"] if e.event else None) for e in log.entries] == [
        (3, Side.SERVER, "session.created"),
        (6, Side.CLIENT, "session.update"),
        (10, Side.CLIENT, "response.create"),
        (11, Side.CLIENT, None),
        (13, None, None),
        (15, None, None),
        (16, None, None),
    ]
    for entry, problem in zip(
        log.entries[3:], ["not JSON", "'up' is no", "JSON string", "not JSON"], strict=True
    ):
        assert problem in str(entry.problem)
    assert log.close == Close("nobody", 1000, "bye")
    assert (log.dialect, log.url) == (None, None)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("interactions:\n- &a {direction: sent}\n- *a\n", "alias", 3),
        ("interactions:\n- {direction: sent, data: !!python/name:os.system ''}\n", "no JSON value", 2),
        ("version: 1\n\ninteractions: {}\n", "no interactions", 3),
    ],
)
def test_what_no_recording_needs_is_refused_with_its_line(
    tmp_path: Path, text: str, problem: str, line: int
) -> None:
    with pytest.raises(LogFault, match=problem) as caught:
        log_of(tmp_path / "a.yaml", text)

    assert caught.value.line == line
