"""One cassette for one client, who need not follow it; sans-I/O."""

from harness.playback.playback import Playback

__all__ = ["Playback"]
