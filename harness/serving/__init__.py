"""Serves a model or cassettes to any client, and tells what happens while it does."""

from harness.serving.files import raise_file_limit
from harness.serving.happenings import (
    Answered,
    Closed,
    Crossed,
    Failed,
    Happening,
    NeverStruck,
    Opened,
    Stranger,
    Struck,
    TurnedAway,
)
from harness.serving.judge import Judge, Judged, Kind, judge_handshake, left_out
from harness.serving.log import check_log
from harness.serving.memory import calm_collector
from harness.serving.refusals import handshake_reason
from harness.serving.run import serve
from harness.serving.services import Serving
from harness.serving.tally import Client, Counted, Tally
from harness.serving.tap import Tapped

__all__ = [
    "Answered",
    "Client",
    "Closed",
    "Counted",
    "Crossed",
    "Failed",
    "Happening",
    "Judge",
    "Judged",
    "Kind",
    "NeverStruck",
    "Opened",
    "Serving",
    "Stranger",
    "Struck",
    "Tally",
    "Tapped",
    "TurnedAway",
    "calm_collector",
    "check_log",
    "handshake_reason",
    "judge_handshake",
    "left_out",
    "raise_file_limit",
    "serve",
]
