"""One cassette for one client, who need not follow it; sans-I/O."""

from harness.playback.playback import Playback
from harness.playback.rehearsal import Stage

__all__ = ["Playback", "Stage"]
