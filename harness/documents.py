"""Reads the YAML and JSON files that people write. The one home of the YAML library.

Rules: only plain values (no tags, so no code); no aliases, which can make a
small file huge; every place can be named by line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.exceptions import FileFault

MAX_BYTES = 8 * 1024 * 1024

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


def read_document(path: Path, fault: type[FileFault] = FileFault) -> Document:
    """Reads one YAML (or JSON) file; raises `fault` with the line where it is no such file."""
    name = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise fault(name, f"larger than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise fault(name, f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise fault(name, f"not UTF-8: {error.reason} at byte {error.start}") from None
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else None
                raise fault(name, f"alias '*{event.anchor}'", line=line, expected="the value, written out")
        root = yaml.compose(text, Loader=_Loader)
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, chosen above
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise fault(name, f"not YAML: {problem}", line=mark.line + 1 if mark else None) from None
    except (RecursionError, ValueError) as error:
        raise fault(name, f"not readable: {error or 'nested too deeply'}") from None
    return Document(name, value, root)


def dump_document(value: Any) -> str:
    """Plain values as YAML text, keys in their own order."""
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))
