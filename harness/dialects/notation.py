"""How a field is written in a dialect file: text with flags, or a mapping.

`"integer|null, required, since 2025-04, least 1, default 5"` says what a mapping
`{is: "integer|null", required: true, since: 2025-04, least: 1, default: 5}` says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Raw = Mapping[str, Any]


class NotationError(ValueError):
    """The text of a field cannot be read."""


def _number(text: str) -> float | int:
    value = json.loads(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(text)  # noqa: TRY004 - as of any text that is no number
    return value


def _plain(text: str) -> Any:
    """A JSON value; a bare word is a string."""
    try:
        return json.loads(text)
    except ValueError:
        return text


_BARE: dict[str, Raw] = {
    "required": {"required": True},
    "unknown": {"acceptance": "unknown"},
    "refused": {"acceptance": "refused"},
}
_WITH_VALUE: dict[str, tuple[str, Callable[[str], Any]]] = {
    "since": ("since", str),
    "of": ("values", str.split),
    "least": ("least", _number),
    "most": ("most", _number),
    "default": ("default", _plain),
}


def read_notation(text: str) -> dict[str, Any]:
    """A field's text as the mapping it stands for; raises NotationError."""
    kinds, *flags = (part.strip() for part in text.split(","))
    result: dict[str, Any] = {"is": kinds}
    for flag in flags:
        word, _, rest = flag.partition(" ")
        if flag in _BARE:
            result.update(_BARE[flag])
        elif rest and word in _WITH_VALUE:
            name, read = _WITH_VALUE[word]
            try:
                result[name] = read(rest)
            except ValueError:
                raise NotationError(f"{rest!r} after {word!r}") from None
        else:
            raise NotationError(f"the flag {flag!r}")
    return result


def expected_flags() -> str:
    """The flags there are, for messages."""
    return ", ".join((*_BARE, *(f"{word} …" for word in _WITH_VALUE)))


def read_kinds(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`[x]|null` as the kinds `array` and `null`, and the kinds of the array's elements."""
    kinds: list[str] = []
    of: tuple[str, ...] = ()
    for kind in text.split("|"):
        name = kind.strip()
        if name.startswith("[") and name.endswith("]"):
            kinds.append("array")
            of = (name[1:-1],)
        else:
            kinds.append(name)
    return tuple(kinds), of
