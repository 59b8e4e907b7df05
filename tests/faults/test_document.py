"""docs/faults.md is the catalogue, row by row, and its examples do what they say."""

from __future__ import annotations

import re
from pathlib import Path

from harness.faults import FAULTS, Kind, Parameter, parse_fault
from harness.faults.catalogue import FLOATING

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"

COMMON = ("at", "nth", "answer", "times", "when")
"""Explained once, for all faults."""


def rows_of(kind: Kind) -> list[str]:
    """The rows of the document's table that a fault must have."""
    common = [_shown(one) for one in kind.parameters if one.name in COMMON]
    own = [
        f"| | `{one.name}` | {_default(one)} | {one.what} |"
        for one in kind.parameters
        if one.name not in COMMON
    ]
    return [f"| `{kind.name}` | {', '.join(common)} | | {kind.what} |", *own]


def _shown(one: Parameter) -> str:
    return f"`{one.name}={one.default}`".replace("|", r"\|") if one.default is not None else f"`{one.name}`"


def _default(one: Parameter) -> str:
    if one.default in (None, ""):
        return ""
    text = f"{one.default:g}" if isinstance(one.default, float) else str(one.default)
    return f"`{text}`".replace("|", r"\|")


def test_the_table_is_the_catalogue() -> None:
    expected = [row for kind in FAULTS for row in rows_of(kind)]
    text = DOCUMENT.read_text("utf-8").split("## The faults")[1]
    found = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert found == expected, "write docs/faults.md anew:\n" + "\n".join(expected)


def test_the_common_parameters_are_explained() -> None:
    text = DOCUMENT.read_text("utf-8").split("## The faults")[0]
    assert [name for name in COMMON if f"| `{name}` |" not in text] == []


def test_the_examples_can_be_read() -> None:
    examples = re.findall(
        r"^(?:realtime-harness .*--fault '?|  - '?)([a-z-]+(?::.*?)?)'?$",
        DOCUMENT.read_text("utf-8"),
        re.MULTILINE,
    )
    assert len(examples) >= 5
    for written in examples:
        assert parse_fault(written.replace("''", "'"))


def test_the_floating_events_are_named() -> None:
    text = DOCUMENT.read_text("utf-8")
    for name in FLOATING.split("|"):
        assert f"`{name}`" in text
