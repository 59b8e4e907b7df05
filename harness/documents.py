"""Reads the YAML and JSON files that people write. The one home of the YAML library.

Rules: only what JSON can say (so no code, no dates, no key twice); no aliases,
which can make a small file huge; every place can be named by line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.exceptions import FileFault

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64
"""Levels of nesting; the parser's time grows with their square."""

_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """A file's value, and the line of each place in it."""

    path: str
    value: Any
    _root: yaml.Node | None = field(default=None, repr=False, compare=False)

    def line(self, pointer: str) -> int | None:
        """The 1-based line of a JSON pointer, or of its nearest existing parent."""
        node, line = self._root, None
        for name in [part for part in pointer.split("/") if part]:
            if node is None:
                break
            line = node.start_mark.line + 1
            node = _child(node, name.replace("~1", "/").replace("~0", "~"))
        return node.start_mark.line + 1 if node is not None else line


def _child(node: yaml.Node, name: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                return value  # type: ignore[no-any-return]
    if isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
        return node.value[int(name)]  # type: ignore[no-any-return]
    return None


def read_document(path: Path, fault: type[FileFault] = FileFault, *, huge: bool = False) -> Document:
    """Reads one YAML (or JSON) file; raises `fault` with the line where it is no such file.

    With `huge`, numbers that are too large for JSON are the reader's to judge.
    """
    name = str(path)
    try:
        with path.open("rb") as file:  # a device has no size to ask for
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise fault(name, f"larger than {MAX_BYTES} bytes")
        text = data.decode("utf-8")
    except OSError as error:
        raise fault(name, f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise fault(name, f"not UTF-8: {error.reason} at byte {error.start}") from None
    try:
        _check_events(text, name, fault)
        root = yaml.compose(text, Loader=_Loader)
        _check_node(root, name, fault, huge=huge)
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, chosen above
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise fault(name, f"not YAML: {problem}", line=mark.line + 1 if mark else None) from None
    except (RecursionError, ValueError) as error:
        raise fault(name, f"not readable: {error or 'nested too deeply'}") from None
    return Document(name, value, root)


def _check_events(text: str, name: str, fault: type[FileFault]) -> None:
    """Refuses aliases and deep nesting while the text is being parsed, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.AliasEvent):
            raise fault(name, f"alias '*{event.anchor}'", line=line, expected="the value, written out")
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth > MAX_DEPTH:
            raise fault(name, f"nested deeper than {MAX_DEPTH} levels", line=line)


def _check_node(node: yaml.Node | None, name: str, fault: type[FileFault], *, huge: bool) -> None:
    """Refuses what JSON cannot say: dates, bytes, infinities, keys that are no text or stand there twice."""
    if node is None:
        return
    line = node.start_mark.line + 1 if node.start_mark else None
    infinite = node.tag.endswith(":float") and _is_infinite(str(node.value), huge=huge)
    if node.tag not in _PLAIN_TAGS or infinite:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        problem = f"{node.value!r:.60} ({kind:.40}) is no JSON value"
        raise fault(name, problem, line=line, expected="a plain value; text in quotes")
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _check_node(child, name, fault, huge=huge)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            at = key.start_mark.line + 1
            if not key.tag.endswith(":str"):
                shown = f"{key.value!r:.60} " if isinstance(key.value, str) else ""
                raise fault(name, f"the key {shown}is no text", line=at, expected="a key in quotes")
            if key.value in seen:
                raise fault(name, f"the key {key.value!r:.60} stands there twice", line=at)
            seen.add(key.value)
            _check_node(child, name, fault, huge=huge)


def _is_infinite(number: str, *, huge: bool) -> bool:
    """Whether a YAML float is none of JSON's, be it by its name or, unless `huge` may be, by its size."""
    named = number.lower().strip("+-") in (".nan", ".inf")
    if named or huge:
        return named
    try:
        return math.isinf(float(number.replace("_", "")))
    except ValueError:  # base 60
        return False


def write_whole(path: Path, lines: Iterable[str]) -> None:
    """Writes a file beside its place first: half of one is never mistaken for it. Raises FileFault."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise FileFault(str(path), f"cannot be written: {error.strerror or error}") from None


def dump_document(value: Any) -> str:
    """Plain values as YAML text, keys in their own order."""
    return str(yaml.safe_dump(value, sort_keys=False, width=100))
