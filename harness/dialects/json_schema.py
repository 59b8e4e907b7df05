"""A dialect's tables as JSON Schema (draft 2020-12), one schema per event type.

A client's schema closes an object where the service is known to refuse other
names; a server's never does, for the service may add fields at any time.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from harness.dialects.model import Acceptance, Dialect, Field, Shape, Vocabulary
from harness.messages import Side
from harness.validation import Schema

_JSON = frozenset({"string", "integer", "number", "boolean", "null", "object", "array"})


def event_schema(dialect: Dialect, side: Side, type_: str) -> dict[str, Any] | None:
    """The schema of one event type, or None where the dialect has no such event."""
    vocabulary = dialect.client if side is Side.CLIENT else dialect.server
    spec = vocabulary.events.get(type_)
    if spec is None:
        return None
    shape = vocabulary.shapes[spec.shape]
    builder = _Builder(vocabulary, strict=side is Side.CLIENT)
    body = builder.object(shape)
    event_id: Any = {"type": "string"} if side is Side.SERVER else True  # of a client's, nothing is known
    must_have_id = side is Side.SERVER and spec.has_id
    body["properties"] = {"type": {"const": type_}, "event_id": event_id, **body["properties"]}
    required = ["type", *body.get("required", [])]
    if must_have_id:
        required.insert(1, "event_id")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{dialect.name}: {side} {type_}",
        "description": f"{spec.fact.evidence}: {spec.fact.source}",
        **body,
        "required": required,
        "$defs": builder.definitions(),
    }


@cache
def compiled_schema(dialect: Dialect, side: Side, type_: str) -> Schema | None:
    """The compiled schema of one event type, made once; None where the dialect has no such event."""
    schema = event_schema(dialect, side, type_)
    return None if schema is None else Schema(schema)


class _Builder:
    def __init__(self, vocabulary: Vocabulary, *, strict: bool) -> None:
        self.vocabulary = vocabulary
        self.strict = strict
        self.used: dict[str, dict[str, Any]] = {}

    def definitions(self) -> dict[str, dict[str, Any]]:
        return self.used

    def reference(self, name: str) -> dict[str, Any]:
        if name not in self.used:
            self.used[name] = {}
            self.used[name].update(self.object(self.vocabulary.shapes[name]))
        return {"$ref": f"#/$defs/{name}"}

    def object(self, shape: Shape) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object", "properties": {}}
        if shape.by is not None and shape.variants is not None:
            if shape.by_required:
                schema["required"] = [shape.by]
            schema["allOf"] = [
                {
                    "if": {"properties": {shape.by: {"const": tag}}, "required": [shape.by]},
                    "then": self.reference(variant),
                }
                for tag, variant in shape.variants.items()
            ]
            if shape.otherwise is not None:
                known: Any = {
                    "properties": {shape.by: {"enum": list(shape.variants)}},
                    "required": [shape.by],
                }
                schema["allOf"].append({"if": {"not": known}, "then": self.reference(shape.otherwise)})
            return schema
        for name, spec in shape.fields.items():
            schema["properties"][name] = self.field(spec)
        required = [name for name, spec in shape.fields.items() if spec.required]
        if required:
            schema["required"] = required
        if self.strict and shape.unlisted.acceptance is Acceptance.REFUSED:
            schema["additionalProperties"] = {"type": "null"}  # explicit nulls: not known to be refused
        return schema

    def field(self, spec: Field) -> Any:
        if spec.acceptance is Acceptance.REFUSED:
            return {"type": "null"}
        if spec.acceptance is Acceptance.UNKNOWN:
            return True
        choices = [self.kind(kind, spec) for kind in spec.kinds]
        if self.strict:
            choices.extend({"type": kind} for kind in spec.unproven if kind in _JSON)
            if "null" not in spec.kinds:
                choices.append({"type": "null"})  # explicit nulls: not known to be refused
        schema = choices[0] if len(choices) == 1 else {"anyOf": choices}
        if spec.content:
            schema = {**schema, "contentEncoding": spec.content} if isinstance(schema, dict) else schema
        rules = self.value_rules(spec)
        return {"allOf": [schema, rules]} if rules else schema

    def kind(self, kind: str, spec: Field) -> Any:
        if kind == "any":
            return True
        if kind not in _JSON:
            return self.reference(kind)
        if kind == "array" and spec.of and spec.of != ("array",):
            (element,) = spec.of
            inner = self.kind(element, spec)
            return {"type": "array", "items": inner}
        return {"type": kind}

    def value_rules(self, spec: Field) -> dict[str, Any] | None:
        if self.strict and spec.beyond is Acceptance.REFUSED and spec.least is not None:
            return {"minimum": spec.least}
        enforced = spec.outside is Acceptance.REFUSED if self.strict else spec.closed
        if not enforced:
            return None
        if spec.sets:
            sets = [
                {
                    "items": {"enum": sorted(members)},
                    "allOf": [{"contains": {"const": member}} for member in sorted(members)],
                }
                for members in spec.sets
            ]
            return {"if": {"type": "array"}, "then": {"anyOf": sets}}
        values = list(spec.values)
        return {"enum": [*values, None] if self.strict else values}
