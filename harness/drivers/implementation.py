"""Names of implementations, and what they stand for.

NAME[@VERSION][:VARIANT][+FILE.py:FUNCTION]     a bundled driver; FUNCTION builds the shim under test
cmd:COMMAND                                     any program that speaks the driver protocol
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from harness.documents import read_document
from harness.exceptions import UsageFault

BUNDLED = ("reference", "openai", "rename-shim")
"""What a plain `check` judges."""

_NAME = re.compile(
    r"^(?P<name>[a-z][a-z0-9-]*)(?:@(?P<version>[A-Za-z0-9.]+))?(?::(?P<variant>[a-z0-9-]+))?$"
)

_START_SECONDS = 30.0


@dataclass(frozen=True)
class Implementation:
    """One implementation: how it was named, and how its driver is run.

    `command` is complete but for the interpreter, which the environment gives
    where `program` is set. `requirements` empty means the harness's own
    environment.
    """

    name: str
    program: Path | None
    command: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    factory: str | None = None
    folders: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    start_seconds: float = _START_SECONDS

    @property
    def environment_name(self) -> str:
        """The part of the name that an environment depends on: without shim and variant."""
        return self.name.split("+")[0].split(":")[0]


def programs_folder() -> Path:
    return Path(str(resources.files("harness.drivers").joinpath("programs")))


@cache
def _registry() -> dict[str, Any]:
    value = read_document(
        Path(str(resources.files("harness.drivers").joinpath("implementations.yaml")))
    ).value
    assert isinstance(value, dict)
    return value


def implementation_names() -> tuple[str, ...]:
    """The names of the bundled drivers."""
    return tuple(_registry())


def parse_implementation(text: str) -> Implementation:
    """What a name on the command line stands for; raises UsageFault where it stands for nothing."""
    if text.startswith("cmd:"):
        try:
            command = tuple(shlex.split(text.removeprefix("cmd:")))
        except ValueError as error:
            raise UsageFault(f"{text!r} is no command: {error}") from None
        if not command:
            raise UsageFault("cmd: names no command", hint='write cmd:"node my_driver.mjs"')
        return Implementation(text, None, command)
    plain, plus, shim = text.partition("+")
    match = _NAME.match(plain)
    if match is None or match["name"] not in _registry():
        raise UsageFault(
            f"there is no implementation {text!r}", known=(*implementation_names(), "cmd:COMMAND")
        )
    entry = _registry()[match["name"]]
    version = match["version"] or entry.get("version")
    if match["version"] and "version" not in entry:
        raise UsageFault(f"{match['name']!r} comes with the harness and has no versions")
    if match["variant"] and "variant" not in entry:
        raise UsageFault(f"{match['name']!r} has no variants")
    arguments = (entry["variant"], match["variant"]) if match["variant"] else ()
    named = f"{match['name']}@{version}" if version else match["name"]
    named += f":{match['variant']}" if match["variant"] else ""
    return Implementation(
        name=named + (f"+{shim}" if plus else ""),
        program=programs_folder() / entry["program"],
        command=arguments,
        requirements=tuple(line.format(version=version) for line in entry.get("requirements", ())),
        factory=_factory(shim) if plus else None,
        folders=tuple(entry.get("folders", ())),
        variables=tuple(entry.get("variables", {}).items()),
        start_seconds=float(entry.get("start_seconds", _START_SECONDS)),
    )


def _factory(shim: str) -> str:
    file, colon, function = shim.rpartition(":")
    if not colon or not function.isidentifier():
        raise UsageFault(f"{shim!r} does not name a shim", hint="write +path/to/file.py:function")
    path = Path(file)
    if not path.is_file():
        raise UsageFault(
            f"there is no file {file!r}", hint="the shim is named relative to the current folder"
        )
    return f"{path.resolve()}:{function}"
