"""A JSON Schema as one Python function that says yes or no, for the good path of hot places.

`jsonschema` explains what is wrong, and is asked only where something is: its
time goes into building what the good path does not need. Rules of this
module: it knows the keywords our schemas are made of, and makes no function of
a schema with any other; its answer is always that of `jsonschema` (a property
test keeps the two in agreement).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from numbers import Number
from typing import Any

Predicate = Callable[[Any], bool]

_SILENT = frozenset(
    {"$schema", "$id", "$defs", "$comment", "title", "description", "default", "examples", "contentEncoding"}
)


class _UnknownKeywordError(Exception):
    pass


def predicate(schema: Any) -> Predicate | None:
    """Whether a value fulfils a JSON Schema (draft 2020-12); None where it has a keyword not known here."""
    try:
        return _Compiler(schema).of(schema)
    except _UnknownKeywordError:
        return None


def _yes(_: Any) -> bool:
    return True


def _no(_: Any) -> bool:
    return False


def _is_integer(value: Any) -> bool:
    return not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    )


_TYPES: Mapping[str, Predicate] = {
    "string": lambda value: isinstance(value, str),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": _is_integer,
    "number": lambda value: isinstance(value, Number) and not isinstance(value, bool),
}


def _equal(one: Any, two: Any) -> bool:
    """Equal as JSON values: 1 is 1.0, and is not true."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_equal(inner, two[key]) for key, inner in one.items())
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_equal, one, two))
    return bool(one == two) and isinstance(one, bool) == isinstance(two, bool)


def _both(checks: Iterable[Predicate]) -> Predicate:
    """All of them; in order, up to the first that says no."""
    found = tuple(check for check in checks if check is not _yes)
    if len(found) == 1:
        return found[0]
    if len(found) == 2:
        first, second = found
        return lambda value: first(value) and second(value)

    def check(value: Any) -> bool:
        for inner in found:  # noqa: SIM110 - all() would build a generator for each value
            if not inner(value):
                return False
        return True

    return check if found else _yes


class _Compiler:
    def __init__(self, root: Any) -> None:
        self.root = root
        self.made: dict[str, Predicate | None] = {}

    def of(self, schema: Any) -> Predicate:
        if isinstance(schema, bool):
            return _yes if schema else _no
        checks = []
        for keyword in schema:
            if keyword in ("then", "else") or keyword in _SILENT:  # the former are read with their `if`
                continue
            rule = _RULES.get(keyword)
            if rule is None:
                raise _UnknownKeywordError(keyword)
            checks.append(rule(self, schema))
        return _both(checks)

    def each(self, schemas: Iterable[Any]) -> tuple[Predicate, ...]:
        return tuple(self.of(schema) for schema in schemas)

    def reference(self, schema: Any) -> Predicate:
        pointer = schema["$ref"]
        if pointer not in self.made:
            self.made[pointer] = None  # being made: whoever meets it inside itself looks it up when asked
            self.made[pointer] = self.of(self._target(pointer))
        return self.made[pointer] or (lambda value: self._made(pointer)(value))  # noqa: PLW0108 - not yet made

    def _made(self, pointer: str) -> Predicate:
        found = self.made[pointer]
        assert found is not None
        return found

    def _target(self, pointer: str) -> Any:
        if pointer == "#":
            return self.root
        name = pointer.removeprefix("#/$defs/")
        if name == pointer or name not in self.root["$defs"]:
            raise _UnknownKeywordError(pointer)
        return self.root["$defs"][name]

    def type(self, schema: Any) -> Predicate:
        names = schema["type"]
        if isinstance(names, str):
            return _TYPES[names]
        return _any(tuple(_TYPES[name] for name in names))

    def const(self, schema: Any) -> Predicate:
        wanted = schema["const"]
        if isinstance(wanted, str):
            return lambda value: bool(value == wanted)
        return lambda value: _equal(value, wanted)

    def enum(self, schema: Any) -> Predicate:
        texts = frozenset(value for value in schema["enum"] if isinstance(value, str))
        others = [value for value in schema["enum"] if not isinstance(value, str)]
        return lambda value: (
            value in texts if isinstance(value, str) else any(_equal(value, other) for other in others)
        )

    def properties(self, schema: Any) -> Predicate:
        checks = {name: self.of(inner) for name, inner in schema["properties"].items()}

        def check(value: Any) -> bool:
            if isinstance(value, dict):
                for name, inner in value.items():
                    if name in checks and not checks[name](inner):
                        return False
            return True

        return check if checks else _yes

    def required(self, schema: Any) -> Predicate:
        names = frozenset(schema["required"])
        return lambda value: not isinstance(value, dict) or names <= value.keys()

    def additional(self, schema: Any) -> Predicate:
        if "patternProperties" in schema:
            raise _UnknownKeywordError("patternProperties")
        known = frozenset(schema.get("properties", ()))
        rule = self.of(schema["additionalProperties"])
        return lambda value: (
            not isinstance(value, dict) or all(name in known or rule(value[name]) for name in value)
        )

    def items(self, schema: Any) -> Predicate:
        if "prefixItems" in schema:
            raise _UnknownKeywordError("prefixItems")
        rule = self.of(schema["items"])
        return lambda value: not isinstance(value, list) or all(map(rule, value))

    def contains(self, schema: Any) -> Predicate:
        if "minContains" in schema or "maxContains" in schema:
            raise _UnknownKeywordError("minContains")
        rule = self.of(schema["contains"])
        return lambda value: not isinstance(value, list) or any(map(rule, value))

    def minimum(self, schema: Any) -> Predicate:
        least, number = schema["minimum"], _TYPES["number"]
        return lambda value: not number(value) or not value < least

    def maximum(self, schema: Any) -> Predicate:
        most, number = schema["maximum"], _TYPES["number"]
        return lambda value: not number(value) or not value > most

    def least_items(self, schema: Any) -> Predicate:
        least = schema["minItems"]
        return lambda value: not isinstance(value, list) or len(value) >= least

    def most_items(self, schema: Any) -> Predicate:
        most = schema["maxItems"]
        return lambda value: not isinstance(value, list) or len(value) <= most

    def pattern(self, schema: Any) -> Predicate:
        found = re.compile(schema["pattern"]).search
        return lambda value: not isinstance(value, str) or found(value) is not None

    def dependent(self, schema: Any) -> Predicate:
        needs = {name: frozenset(others) for name, others in schema["dependentRequired"].items()}
        return lambda value: (
            not isinstance(value, dict)
            or all(others <= value.keys() for name, others in needs.items() if name in value)
        )

    def any_of(self, schema: Any) -> Predicate:
        return _any(self.each(schema["anyOf"]))

    def all_of(self, schema: Any) -> Predicate:
        return _both(self.each(schema["allOf"]))

    def one_of(self, schema: Any) -> Predicate:
        rules = self.each(schema["oneOf"])
        return lambda value: sum(rule(value) for rule in rules) == 1

    def negation(self, schema: Any) -> Predicate:
        rule = self.of(schema["not"])
        return lambda value: not rule(value)

    def condition(self, schema: Any) -> Predicate:
        asked = self.of(schema["if"])
        then, otherwise = self.of(schema.get("then", True)), self.of(schema.get("else", True))
        return lambda value: then(value) if asked(value) else otherwise(value)


def _any(rules: tuple[Predicate, ...]) -> Predicate:
    if len(rules) == 1:
        return rules[0]
    first, second, *others = rules
    if not others:
        return lambda value: first(value) or second(value)
    return lambda value: any(rule(value) for rule in rules)


_RULES: Mapping[str, Callable[[_Compiler, Any], Predicate]] = {
    "$ref": _Compiler.reference,
    "type": _Compiler.type,
    "const": _Compiler.const,
    "enum": _Compiler.enum,
    "properties": _Compiler.properties,
    "required": _Compiler.required,
    "additionalProperties": _Compiler.additional,
    "items": _Compiler.items,
    "contains": _Compiler.contains,
    "minimum": _Compiler.minimum,
    "maximum": _Compiler.maximum,
    "minItems": _Compiler.least_items,
    "maxItems": _Compiler.most_items,
    "pattern": _Compiler.pattern,
    "dependentRequired": _Compiler.dependent,
    "anyOf": _Compiler.any_of,
    "allOf": _Compiler.all_of,
    "oneOf": _Compiler.one_of,
    "not": _Compiler.negation,
    "if": _Compiler.condition,
}
