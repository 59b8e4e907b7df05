"""Text for people that commands no terminal, whoever wrote what is in it."""

from __future__ import annotations

import sys


def plain(text: str) -> str:
    """The text with a sign in place of each character that a terminal would obey, or hide; lines stay."""
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)


def complain(text: str) -> None:
    """Says on standard error what went wrong."""
    print(f"realtime-harness: {plain(text)}", file=sys.stderr)
