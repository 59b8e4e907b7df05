"""One cassette for one client, who need not follow it; sans-I/O."""

from harness.playback.faults import FAULTS, Fault, fault_named
from harness.playback.playback import Playback

__all__ = [
    "FAULTS",
    "Fault",
    "Playback",
    "fault_named",
]
