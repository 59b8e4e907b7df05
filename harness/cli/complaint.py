"""What went wrong, said on standard error."""

from __future__ import annotations

import sys


def complain(text: str) -> None:
    """Says it, without anything of a peer or a file that a terminal would obey."""
    plain = "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)
    print(f"realtime-harness: {plain}", file=sys.stderr)
