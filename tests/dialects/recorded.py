"""Which events and fields of a dialect stand in real captures: what its `recorded` section must list.

`python -m tests.dialects.recorded DIALECT` prints the section, from the folder
that REALTIME_HARNESS_CAPTURES names.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.dialects import Dialect, bundled_dialect
from harness.dialects.model import Shape, Vocabulary
from harness.messages import Side

CAPTURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "azure-v1": ("captures-2026-07", ("azure-ws-*.jsonl", "parity-*azure*.jsonl", "azure-ga-*.jsonl")),
    "openai-ga": ("captures-2026-07", ("openai-ws-*.jsonl", "parity-*openai*.jsonl")),
    "azure-voice-live": ("captures-2026-07", ("azure-voice-live-*.jsonl",)),
    "openai-beta": ("captures-beta", ("openai-beta-*.jsonl",)),
    "azure-2025-04-01-preview": ("capture-preview-webrtc", ("azure-preview-webrtc-*.jsonl",)),
    "azure-2024-10-01-preview": ("capture-preview-2025-01", ("azure-preview-msdocs-python-*.jsonl",)),
}

Seen = dict[str, dict[str, set[str]]]


def section(dialect: Dialect, folder: Path) -> dict[str, Any] | None:
    """The `recorded` section of a dialect, or None where there is no capture of it."""
    if dialect.name not in CAPTURES:
        return None
    source, patterns = CAPTURES[dialect.name]
    events: dict[Side, set[str]] = {side: set() for side in Side}
    shapes: dict[Side, dict[str, set[str]]] = {side: {} for side in Side}
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        for line in path.read_text("utf-8").splitlines():
            entry = json.loads(line)
            side, event = Side(entry["dir"]), entry["event"]
            vocabulary = dialect.client if side is Side.CLIENT else dialect.server
            events[side].add(event["type"])
            for shape, field in fields_of(vocabulary, event):
                shapes[side].setdefault(shape, set()).add(field)
    result: dict[str, Any] = {"source": source}
    for side in Side:
        vocabulary = dialect.client if side is Side.CLIENT else dialect.server
        listed = {
            name: [field for field in shape.fields if field in shapes[side].get(name, ())]
            for name, shape in vocabulary.shapes.items()
        }
        known = [name for name in vocabulary.events if name in events[side]]
        if known:
            result[str(side)] = {
                "events": known,
                "shapes": {n: fields for n, fields in listed.items() if fields},
            }
    return result


def fields_of(vocabulary: Vocabulary, event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every listed field that an event holds, with the name of its shape."""
    spec = vocabulary.events.get(event["type"])
    if spec is not None:
        yield from _fields(vocabulary, vocabulary.shapes[spec.shape], event)


def _fields(vocabulary: Vocabulary, shape: Shape, value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        return
    if shape.by is not None and shape.variants is not None:
        variant = shape.variants.get(str(value.get(shape.by)), shape.otherwise)
        if variant:
            yield from _fields(vocabulary, vocabulary.shapes[variant], value)
        return
    for name, inner in value.items():
        spec = shape.fields.get(name)
        if spec is None:
            continue
        yield shape.name, name
        for kind in (*spec.kinds, *spec.of):
            if kind in vocabulary.shapes:
                for element in inner if isinstance(inner, list) else [inner]:
                    yield from _fields(vocabulary, vocabulary.shapes[kind], element)


def _flow(section: dict[str, Any]) -> Iterator[str]:
    yield "recorded:"
    yield f"  source: {section['source']}"
    for side in ("client", "server"):
        if side in section:
            yield f"  {side}:"
            yield f"    events: [{', '.join(section[side]['events'])}]"
            yield "    shapes:"
            for name, fields in section[side]["shapes"].items():
                yield f"      {name}: [{', '.join(fields)}]"


if __name__ == "__main__":
    made = section(bundled_dialect(sys.argv[1]), Path(os.environ["REALTIME_HARNESS_CAPTURES"]))
    print("\n".join(_flow(made)) if made else f"no capture of {sys.argv[1]}")
