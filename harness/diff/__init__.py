"""What differs: between two JSON values, and between two sessions, lane by lane."""

from harness.diff.model import Difference, DiffOptions, Kind, LaneDiff, SessionDiff
from harness.diff.names import Rename
from harness.diff.output import to_json
from harness.diff.sessions import diff_sessions
from harness.diff.text import text_lines
from harness.diff.values import changes

__all__ = [
    "DiffOptions",
    "Difference",
    "Kind",
    "LaneDiff",
    "Rename",
    "SessionDiff",
    "changes",
    "diff_sessions",
    "text_lines",
    "to_json",
]
