"""A finding about what a client did, line by line, for people."""

from __future__ import annotations

from collections.abc import Iterator

from harness.cli.crossing_text import shown
from harness.findings import Finding

Line = list[tuple[str, str]]
"""Pieces of text, each with its style."""

_MOST_SAID = 600
_MOST_SHOWN = 400


def body_lines(finding: Finding, indent: str) -> Iterator[Line]:
    """What stands under its heading: message, expectation, what came, how it is known, how it is mended."""
    yield [(indent, ""), (shown(finding.message, _MOST_SAID), "")]
    yield _labelled(indent, "expected", shown(finding.expected, _MOST_SHOWN))
    if finding.actual is not None:
        yield _labelled(indent, "actual", shown(finding.actual, _MOST_SHOWN))
    for basis in finding.basis:
        yield _labelled(indent, "evidence", f"{basis.evidence}: {basis.source}", "dim")
    yield _labelled(indent, "mend", shown(finding.mend, _MOST_SHOWN))


def count(number: int, what: str) -> str:
    """So many of something, in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _labelled(indent: str, label: str, text: str, style: str = "") -> Line:
    return [(f"{indent}{label:<10}", "bold"), (text, style)]
