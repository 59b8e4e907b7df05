"""A fault in writing: `name:key=value,key=value`, on the command line and in scenario files.

A value goes up to the next comma; spaces and `=` are part of it. One that
needs a comma, or begins with a quote or a bracket, is JSON: text in double
quotes, or an object or a list, whose own text is then the value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from harness.exceptions import UsageFault
from harness.faults.catalogue import FAULTS, Kind, kind_named
from harness.faults.values import Value

_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Fault:
    """One misbehaviour: its kind, and the parameters that were given, in the order of the catalogue."""

    kind: Kind
    given: tuple[tuple[str, Value], ...] = ()

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def lenient(self) -> bool:
        """What the tables refuse of a configuration passes."""
        return self.name == "accept-any-session"

    def value(self, name: str) -> Value | None:
        """The value of a parameter, or its default."""
        for key, value in self.given:
            if key == name:
                return value
        parameter = self.kind.parameter(name)
        return parameter.default if parameter else None

    def text(self, name: str) -> str:
        value = self.value(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> int:
        value = self.value(name)
        assert isinstance(value, int)
        return value

    def seconds(self, name: str) -> float:
        value = self.value(name)
        assert isinstance(value, (int, float))
        return float(value)

    def __str__(self) -> str:
        """As `parse_fault` reads it."""
        written = ",".join(f"{key}={_written(value)}" for key, value in self.given)
        return f"{self.name}:{written}" if written else self.name


def parse_fault(text: str) -> Fault:
    """The fault that is written so; raises UsageFault, which says what there is."""
    name, colon, rest = text.partition(":")
    kind = kind_named(name.strip())
    if kind is None:
        raise UsageFault(f"there is no fault {name.strip()!r}", known=tuple(kind.name for kind in FAULTS))
    if colon and not rest.strip():
        raise UsageFault(
            f"the fault {text!r} has a colon and no parameters",
            known=tuple(one.name for one in kind.parameters),
            hint=f"write {kind.name} alone, or {kind.name}:key=value",
        )
    given: dict[str, Value] = {}
    while rest.strip():
        key, rest = _key(rest, kind, text)
        raw, rest = _value(rest, key, kind)
        parameter = kind.parameter(key)
        if parameter is None:
            known = tuple(one.name for one in kind.parameters)
            hint = None if known else "leave it out: this fault has no parameters"
            raise UsageFault(f"the fault {kind.name} has no parameter {key!r}", known=known, hint=hint)
        if key in given:
            raise UsageFault(f"the fault {kind.name} has {key} twice", hint="say it once")
        try:
            given[key] = parameter.read(raw)
        except ValueError as error:
            raise UsageFault(
                f"the fault {kind.name} cannot have {key}={raw!r}", hint=f"give {error}"
            ) from None
    try:
        kind.check(given)
    except ValueError as error:
        raise UsageFault(f"the fault {text!r} cannot be", hint=f"give {error}") from None
    ordered = tuple((one.name, given[one.name]) for one in kind.parameters if one.name in given)
    return Fault(kind, ordered)


def _key(rest: str, kind: Kind, text: str) -> tuple[str, str]:
    key, equals, after = rest.partition("=")
    if not equals:
        raise UsageFault(
            f"{rest.strip()!r} in the fault {text!r} has no value",
            hint=f"write {kind.name}:key=value,key=value; a value with a comma stands in double quotes",
        )
    return key.strip(), after


def _value(rest: str, key: str, kind: Kind) -> tuple[str, str]:
    """The text of the value that `rest` begins with, and what comes after its comma."""
    rest = rest.lstrip()
    if rest[:1] not in ('"', "{", "["):
        plain, _, after = rest.partition(",")
        return plain.rstrip(), after
    try:
        value, end = _DECODER.raw_decode(rest)
    except (ValueError, RecursionError):
        raise UsageFault(
            f"the value of {key} in the fault {kind.name} begins as JSON and is none: {rest!r:.80}",
            hint="close the quotes and brackets; other text that begins with one stands in quotes",
        ) from None
    after = rest[end:].lstrip()
    if after[:1] not in ("", ","):
        raise UsageFault(
            f"after the value of {key} in the fault {kind.name} stands {after!r:.40}",
            hint="put a comma there",
        )
    return value if isinstance(value, str) else rest[:end], after[1:]


def _written(value: Value) -> str:
    text = f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
    if text[:1] in ("{", "["):
        return text if _is_json(text) else json.dumps(text, ensure_ascii=False)
    if text != text.strip() or "," in text or text[:1] == '"':
        return json.dumps(text, ensure_ascii=False)
    return text


def _is_json(text: str) -> bool:
    try:
        return _DECODER.raw_decode(text)[1] == len(text)
    except (ValueError, RecursionError):
        return False
