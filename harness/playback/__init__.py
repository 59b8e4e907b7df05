"""Replays a cassette to a client that may deviate from it, sans-I/O."""

from harness.playback.faults import FAULTS, Fault, fault_named
from harness.playback.playback import Playback
from harness.playback.recording import Barrier, RecordedAnswer, Recording, read_recording

__all__ = [
    "FAULTS",
    "Barrier",
    "Fault",
    "Playback",
    "RecordedAnswer",
    "Recording",
    "fault_named",
    "read_recording",
]
