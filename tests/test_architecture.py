"""What holds for the package as a whole."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import harness
from harness.dialects import bundled_dialect, dialect_names

PACKAGE = Path(harness.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
SCHEMAS = sorted((PACKAGE / "schemas").glob("*.json"))
LONGEST = 400


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def strings(path: Path) -> list[str]:
    return [
        node.value
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_the_modules_and_schemas_are_found() -> None:
    assert len(MODULES) > 40
    assert len(SCHEMAS) >= 6


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_names_a_dialect(path: Path) -> None:
    versions = {bundled_dialect(dialect).api_version for dialect in dialect_names()} - {"v1", "ga", "beta"}
    named = re.compile("|".join(map(re.escape, [*dialect_names(), *versions])))

    assert [text for text in strings(path) if named.search(text)] == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_is_longer_than_people_read(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_every_schema_file_is_a_valid_schema(path: Path) -> None:
    schema = json.loads(path.read_text("utf-8"))

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_every_reference_inside_a_schema_leads_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    schema = json.loads(text)
    references = re.findall(r'"\$ref":\s*"([^"]+)"', text)

    for reference in references:
        assert reference == "#" or reference.removeprefix("#/$defs/") in schema["$defs"], reference


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))) or path.stat().st_size == 0
