"""Client events made from a dialect's own tables: everything it is not known to refuse."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

from harness.dialects import Acceptance, Dialect
from harness.dialects.model import Field, Shape, Vocabulary

PROSE = st.text(string.ascii_lowercase + " é", max_size=6)
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "string": PROSE,
    "integer": st.integers(0, 5000),
    "number": st.sampled_from([0.25, 0.5, 1, 1.2]),
    "boolean": st.booleans(),
    "null": st.none(),
    "object": st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 3) | PROSE, max_size=2),
    "array": st.lists(PROSE, max_size=2),
    "any": st.none() | st.booleans() | PROSE | st.lists(PROSE, max_size=2),
}
DEEPEST = 6
RICH = ("session.update", "response.create", "conversation.item.create") * 5
"""What holds most of a dialect's fields is drawn oftener than what holds none."""


def client_events(dialect: Dialect, *types: str) -> st.SearchStrategy[dict[str, Any]]:
    """Client events of a dialect: of the named types, or of any."""
    names = types or (*dialect.client.events, *RICH)
    return st.sampled_from(names).flatmap(lambda name: _event(dialect.client, name))


@st.composite
def _event(draw: st.DrawFn, vocabulary: Vocabulary, type_: str) -> dict[str, Any]:
    body = draw_shape(draw, vocabulary, vocabulary.shapes[vocabulary.events[type_].shape], 0)
    head = {"type": type_, "event_id": draw(PROSE)} if draw(st.booleans()) else {"type": type_}
    return {**head, **body}


def draw_shape(draw: st.DrawFn, vocabulary: Vocabulary, shape: Shape, depth: int) -> dict[str, Any]:
    tag: dict[str, Any] = {}
    if shape.by is not None and shape.variants is not None:
        name = draw(st.sampled_from(sorted(shape.variants)))
        tag, shape = {shape.by: name}, vocabulary.shapes[shape.variants[name]]
    listed = [spec for spec in shape.fields.values() if spec.acceptance is not Acceptance.REFUSED]
    # Few at a time: a loss is easier to see alone, and forty fields are slow to draw.
    chosen = draw(st.sets(st.sampled_from([spec.name for spec in listed]), max_size=5)) if listed else set()
    result = {
        spec.name: draw_field(draw, vocabulary, spec, depth)
        for spec in listed
        if (spec.required or spec.name in chosen) and spec.name not in tag
    }
    return {**tag, **result}


def draw_field(draw: st.DrawFn, vocabulary: Vocabulary, spec: Field, depth: int) -> Any:
    kind = draw(st.sampled_from([*spec.kinds, *(kind for kind in spec.unproven if kind == "string")]))
    if spec.sets and kind == "array":
        return sorted(draw(st.sampled_from(spec.sets)), reverse=draw(st.booleans()))
    fitting = [value for value in spec.values if isinstance(value, str) == (kind == "string")]
    if fitting and kind in ("string", "integer", "number"):
        return draw(st.sampled_from(fitting))
    if spec.content and kind == "string":
        return draw(st.sampled_from(["", "AAAA", "AAECAwQ="]))
    if kind == "array" and spec.of:
        element = Field(spec.name, spec.of, (), spec.fact)
        many = 0 if depth > DEEPEST else 2
        return [draw_field(draw, vocabulary, element, depth) for _ in range(draw(st.integers(0, many)))]
    if kind in vocabulary.shapes:
        return draw_shape(draw, vocabulary, vocabulary.shapes[kind], depth + 1)
    if kind in ("integer", "number") and spec.least is not None:
        return draw(st.integers(-(-int(spec.least * 100) // 100), int(spec.most or 5000)))
    return draw(PLAIN[kind])
