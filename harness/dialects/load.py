"""Reads dialect files. Adding a dialect takes one file in `data/`."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from harness.dialects.model import Dialect
from harness.dialects.read import read_dialect
from harness.documents import Document, read_document
from harness.exceptions import DialectFault, UsageFault
from harness.validation import bundled_schema, check_document, subschema

_OWN = ("recorded", "contested", "by_default")
"""What is true of one dialect and not of those that build on it."""


def data_folder() -> Path:
    """The folder of the bundled dialect files; what they share stands in `bases` beneath it."""
    return Path(str(resources.files("harness.dialects").joinpath("data")))


@cache
def dialect_names() -> tuple[str, ...]:
    """The bundled dialects, by name, in alphabetical order."""
    return tuple(sorted(path.stem for path in data_folder().glob("*.yaml")))


@cache
def default_dialect_names() -> tuple[str, ...]:
    """The bundled dialects that scenarios are played in where nobody names one.

    Read off the files' own lines: to load every table takes longer than most commands.
    """
    return tuple(
        name
        for name in dialect_names()
        if "by_default: true" in (data_folder() / f"{name}.yaml").read_text("utf-8").splitlines()
    )


@cache
def bundled_dialect(name: str) -> Dialect:
    """A bundled dialect; raises UsageFault with the known names where there is none."""
    if name not in dialect_names():
        raise UsageFault(f"there is no dialect {name!r}", known=dialect_names())
    return load_dialect(data_folder() / f"{name}.yaml")


def load_dialect(path: Path) -> Dialect:
    """Reads one dialect file with what it extends; raises DialectFault."""
    document = read_document(path, DialectFault)
    check_document(document, bundled_schema("dialect"), DialectFault)
    whole = _extended(document, path, (path.resolve(),))
    check_document(replace(document, value=whole), subschema("dialect", "whole"), DialectFault)
    return read_dialect(document, whole)


def _extended(document: Document, path: Path, seen: tuple[Path, ...]) -> Any:
    """A file's value over that of the file it extends, and of the one that extends in turn."""
    raw = document.value
    if not isinstance(raw, dict) or "extends" not in raw:
        return raw
    name = f"{raw['extends']}.yaml"
    places = (path.parent, data_folder(), data_folder() / "bases")
    base = next((folder / name for folder in places if (folder / name).exists()), None)
    if base is None or base.resolve() in seen:
        problem = "is not there" if base is None else "extends this one in turn"
        line = document.line("/extends")
        raise DialectFault(document.path, f"{name!r} {problem}", line=line, pointer="/extends")
    under = _extended(_base(base, base.stat().st_mtime_ns), base, (*seen, base.resolve()))
    inherited = {key: value for key, value in under.items() if key not in _OWN}
    return _merge(inherited, raw)


@cache
def _base(path: Path, written: int) -> Document:  # noqa: ARG001 - a file written anew is read anew
    """A file that others extend, read once for all of them."""
    return read_document(path, DialectFault)


def _merge(base: Any, over: Any) -> Any:
    """`over` on `base`, key by key; a new key stands where it stands in `over`, behind the one before it."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    order = list(base)
    before = None
    for key in over:
        if key not in base:
            order.insert(order.index(before) + 1 if before in order else len(order), key)
        before = key
    return {key: _merge(base.get(key), over[key]) if key in over else base[key] for key in order}
