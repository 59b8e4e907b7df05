"""Serves a model or cassettes to any client, and tells what happens while it does."""

from harness.serving.happenings import (
    Closed,
    Crossed,
    Failed,
    Happening,
    NeverStruck,
    Opened,
    Struck,
    TurnedAway,
)
from harness.serving.log import check_log
from harness.serving.memory import calm_collector
from harness.serving.run import Serving, serve
from harness.serving.tap import Tapped

__all__ = [
    "Closed",
    "Crossed",
    "Failed",
    "Happening",
    "NeverStruck",
    "Opened",
    "Serving",
    "Struck",
    "Tapped",
    "TurnedAway",
    "calm_collector",
    "check_log",
    "serve",
]
