from __future__ import annotations

import base64
import json

from harness.dialects import bundled_dialect
from harness.findings import Severity
from harness.messages import Side
from harness.service import Entry, Exchange
from harness.service.reading import read_frame
from harness.serving import Judge, Kind, left_out
from tests.talk import GA

PCM = {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}}
LAW = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}


def append(number: int, size: int) -> Entry:
    audio = base64.b64encode(bytes(size)).decode()
    event = {"type": "input_audio_buffer.append", "audio": audio}
    return Entry(number, 0.0, Side.CLIENT, event, (event,))


def test_audio_that_comes_as_slowly_as_that_of_another_rate_is_told_of_in_the_end() -> None:
    judge = Judge(bundled_dialect(GA))
    # 16 kHz in pieces of 25 ms: at the session's rate no round number of milliseconds.
    for number in range(60):
        assert list(judge.sent(append(number, 800), number * 0.025, PCM)) == []
    (judged,) = judge.over(Exchange(), by_fault=False)
    assert (judged.kind, judged.finding.code) == (Kind.FOUND, "audio.rate")
    assert judged.finding.severity is Severity.FAIL


def test_the_rate_is_that_of_the_session_in_force() -> None:
    judge = Judge(bundled_dialect(GA))
    for number in range(60):
        list(judge.sent(append(number, 800), number * 0.025, LAW))
    assert list(judge.over(Exchange(), by_fault=False)) == []


def test_of_thousands_of_faults_in_one_message_the_first_are_told_and_the_rest_is_counted() -> None:
    dialect = bundled_dialect(GA)
    event = {
        "type": "session.update",
        "session": {"type": "realtime", **dict.fromkeys(map(str, range(3000)), 1)},
    }
    refusals = read_frame(dialect, json.dumps(event)).refusals
    entry = Entry(1, 0.0, Side.CLIENT, event, (event,), refusals=refusals)
    assert len(refusals) == 3000
    assert len(list(Judge(dialect).sent(entry, 0.0, PCM))) == 50
    assert left_out(entry) == 2950
