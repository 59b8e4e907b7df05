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
    message = str(error.message)
    if len(message) > 300:
        message = message[:150] + " … " + message[-120:]
    expected = _expectation(keyword, error.validator_value)
    return Problem(pointer, message, expected, keyword, _hint(keyword, error))


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
    return f"{keyword} {json.dumps(value)[:120]}"


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
