"""JSON Schema validation. The one home of `jsonschema`.

A schema is compiled once and keeps its validator; problems come out as values
with a JSON pointer and a sentence, most specific first.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from harness.documents import Document
from harness.exceptions import FileFault
from harness.predicates import predicate


@dataclass(frozen=True, slots=True)
class Problem:
    """One departure from a schema: where, what is wrong, and what was expected."""

    pointer: str
    message: str
    expected: str
    keyword: str
    hint: str | None = field(default=None, compare=False)
    """For people who wrote the file: the names there are, and the one that is near."""


class Schema:
    """A compiled JSON Schema (draft 2020-12)."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._validator = Draft202012Validator(schema)
        self._predicate = predicate(schema) or self._validator.is_valid

    def problems(self, value: Any) -> list[Problem]:
        """Everything wrong with `value`, keys by name, elements by number; empty where valid."""
        if self.accepts(value):
            return []
        errors = sorted(_leaves(self._validator.iter_errors(value)), key=_place)
        return [_problem(error) for error in errors]

    def accepts(self, value: Any) -> bool:
        """Whether `value` is valid; for the schemas of events far cheaper than asking `jsonschema`."""
        return bool(self._predicate(value))


def _leaves(errors: Iterator[ValidationError]) -> Iterator[ValidationError]:
    """Replaces a failed `anyOf` by the failures of its nearest branch: 'not valid under any' helps nobody."""
    for error in errors:
        if not error.context:
            yield error
            continue
        depth = max(len(inner.absolute_path) for inner in error.context)
        if depth == len(error.absolute_path):
            yield error
        else:
            yield from _leaves(e for e in error.context if len(e.absolute_path) == depth)


def _place(error: ValidationError) -> list[tuple[int, str]]:
    """Sorts problems by where they are: keys by name, array elements by number."""
    return [(part, "") if isinstance(part, int) else (-1, part) for part in error.absolute_path]


def _problem(error: ValidationError) -> Problem:
    pointer = "".join(f"/{_escape(part)}" for part in error.absolute_path)
    keyword = str(error.validator)
    message = _said(keyword, error)
    if len(message) > 300:
        message = message[:150] + " … " + message[-120:]
    expected = _expectation(keyword, error.validator_value)
    return Problem(pointer, message, expected, keyword, _hint(keyword, error))


def _said(keyword: str, error: ValidationError) -> str:
    """What is wrong, without the schema's own language where people read it."""
    if keyword == "anyOf":
        return f"{error.instance!r} is none of what may stand here"
    if keyword == "pattern":
        return f"{error.instance!r} does not match what is expected"
    if keyword == "type" and error.instance is None:
        return str(error.message).replace("None", "null", 1)
    return str(error.message)


def _hint(keyword: str, error: ValidationError) -> str | None:
    """The keys there are, where there is one too many."""
    names = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    if not isinstance(error.instance, dict):
        return None
    if keyword == "additionalProperties" and names:
        wrong = next((key for key in error.instance if key not in names), "")
        close = difflib.get_close_matches(str(wrong), names, 1)
        near = f"{close[0]!r} is near; " if close else ""
        return f"{near}there are {', '.join(names)}"
    if keyword == "maxProperties" and error.validator_value == 1:
        return f"keep one of {', '.join(map(str, error.instance))}"
    return None


def _expectation(keyword: str, value: Any) -> str:
    if keyword == "type":
        return " or ".join(value) if isinstance(value, list) else str(value)
    if keyword == "enum":
        return "one of " + ", ".join(json.dumps(item) for item in value)
    if keyword == "const":
        return json.dumps(value)
    if keyword == "required":
        return "the keys " + ", ".join(value)
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        return "only keys the schema names"
    if keyword == "anyOf":
        return " or ".join(dict.fromkeys(map(_choice, value)))
    if keyword == "pattern":
        return _PATTERNS.get(value, f"text that matches {value}")
    if keyword in _BOUNDS:
        before, after = _BOUNDS[keyword]
        noun = after if value != 1 else after.removesuffix("s")
        return f"{before} {value:g} {noun}".strip()
    return f"{keyword} {json.dumps(value)[:120]}"


def _choice(schema: Any) -> str:
    """One of several things that may stand in a place."""
    if not isinstance(schema, dict):
        return "anything"
    if "const" in schema:
        return json.dumps(schema["const"])
    for keyword in ("pattern", "enum", "anyOf"):
        if keyword in schema:
            return _expectation(keyword, schema[keyword])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].replace("_", " ")
    kind = _expectation("type", schema.get("type", "value"))
    bounds = [_expectation(keyword, schema[keyword]) for keyword in _BOUNDS if keyword in schema]
    keys = [f"with {', '.join(schema['required'])}"] if schema.get("required") else []
    return " ".join([kind, *bounds, *keys])


_BOUNDS = {
    "minimum": ("at least", ""),
    "exclusiveMinimum": ("more than", ""),
    "maximum": ("at most", ""),
    "exclusiveMaximum": ("less than", ""),
    "minItems": ("at least", "elements"),
    "maxItems": ("at most", "elements"),
    "minLength": ("at least", "characters"),
    "maxLength": ("at most", "characters"),
    "minProperties": ("at least", "keys"),
    "maxProperties": ("at most", "keys"),
}
"""How a bound is said, and of what it is one."""

_PATTERNS = {
    "^/": "a path that begins with a slash",
    "^20[0-9]{2}-[01][0-9]$": "a year and a month, such as 2025-04",
    "^[a-z0-9][a-z0-9.-]*$": "a name of lower-case letters, digits, dots and hyphens",
    "^[a-z0-9][a-z0-9-]*$": "a name of lower-case letters, digits and hyphens",
    "^[a-z_]+(\\.[a-z_]+)*[+?*]?$": "an event type such as response.done, with +, ? or * behind it or not",
    "^[0-9]+(\\.[0-9]+)?(ms|s)$": "a time such as 200ms or 1.5s",
}
"""What the patterns of our schemas stand for."""


def _escape(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


@cache
def bundled_schema(name: str) -> Schema:
    """A schema of this package (`scenario`, `cassette`, `dialect`, `result`, `driver`)."""
    text = resources.files("harness").joinpath("schemas", f"{name}.schema.json").read_text("utf-8")
    return Schema(json.loads(text))


@cache
def subschema(name: str, definition: str) -> Schema:
    """One definition of a bundled schema, with the rest of its `$defs` in reach."""
    whole = bundled_schema(name).schema
    return Schema({"$ref": f"#/$defs/{definition}", "$defs": whole["$defs"]})


def check_document(document: Document, schema: Schema, fault: type[FileFault]) -> None:
    """Raises `fault` for the first problem of a file, with its line and pointer."""
    if document.value is None:
        expected = _expectation("type", schema.schema.get("type", "a value"))
        raise fault(document.path, "an empty file", expected=expected)
    problems = schema.problems(document.value)
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise fault(
            document.path,
            first.message + more,
            line=document.line(first.pointer),
            pointer=first.pointer or "/",
            expected=first.expected,
            hint=first.hint,
        )
