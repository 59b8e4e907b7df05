"""One field of a dialect in words: its type, what it may hold, and what becomes of anything else."""

from __future__ import annotations

import json
from typing import Any

from harness.dialects import Acceptance
from harness.dialects.facts import Default
from harness.dialects.model import Field, Unlisted, Vocabulary

MARKS = {Acceptance.ACCEPTED: "✓", Acceptance.REFUSED: "✗", Acceptance.UNKNOWN: "?"}
"""Of what a client may say; the same as for verdicts."""


def field_text(vocabulary: Vocabulary, field: Field, default: Default | None, *, judged: bool) -> str:
    """What is known of a field; `judged`: it is the client's, and can be refused."""
    if field.acceptance is Acceptance.REFUSED:
        error = f"refused: {field.error or 'unknown_parameter'}"
        return f"{error}; write {field.instead}" if field.instead else error
    parts = [kinds_text(vocabulary, field)]
    if field.required:
        parts.append("required")
    parts += _values(field, judged=judged)
    if field.least is not None or field.most is not None:
        parts.append(_range(field))
    if field.content:
        parts.append(f"in {field.content}")
    if field.unproven:
        parts.append(f"{' or '.join(field.unproven)}: unknown")
    if default is not None:
        parts.append(f"{'default' if default.of_field else 'starts as'} {_plain(default.value)}")
    if field.since:
        parts.append(f"since {field.since}")
    if field.instead:
        parts.append(f"or write {field.instead}")
    return "; ".join(parts)


def kinds_text(vocabulary: Vocabulary, field: Field) -> str:
    """`string or null`, `[object]`: types as JSON has them."""

    def one(kind: str) -> str:
        if kind == "array" and field.of:
            return f"[{' or '.join(map(one, field.of))}]"
        shape = vocabulary.shapes.get(kind)
        return kind if shape is None else f"object by {shape.by}" if shape.variants else "object"

    return " or ".join(dict.fromkeys(one(kind) for kind in field.kinds))


def unlisted_text(rule: Unlisted) -> str:
    """What becomes of what no table lists."""
    return f"refused: {rule.error}" if rule.acceptance is Acceptance.REFUSED else str(rule.acceptance)


def number(value: float) -> str:
    """A number as people write it: no exponent, no `.0`."""
    return str(int(value)) if float(value).is_integer() else str(value)


def _values(field: Field, *, judged: bool) -> list[str]:
    if not field.values and not field.sets:
        return []
    sets = [f"[{', '.join(sorted(members))}]" for members in field.sets]
    listed = ", ".join(sets or map(_plain, field.values))
    if not judged:
        return [f"always one of: {listed}" if field.closed else f"known: {listed}"]
    if field.outside is Acceptance.REFUSED:
        return [f"one of: {listed}; else refused: {field.error or 'invalid_value'}"]
    return [f"known: {listed}"]


def _range(field: Field) -> str:
    least = "" if field.least is None else f"from {number(field.least)}"
    most = "" if field.most is None else f"to {number(field.most)}"
    refused = field.beyond is Acceptance.REFUSED
    below = f"; below refused: {field.error or 'invalid_value'}" if refused else ""
    return " ".join(part for part in (least, most) if part) + below


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
