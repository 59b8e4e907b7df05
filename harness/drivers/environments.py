"""Isolated environments, one per implementation and version, made with `uv` and kept.

Frameworks exclude each other's dependencies, so each lives alone. An
environment is made beside its final place and moved there when it is whole, so
that an interrupted one is never used.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness.drivers.implementation import Implementation
from harness.exceptions import EnvironmentFault

_LAST_LINES = 15


def default_folder() -> Path:
    """Where environments are kept: $REALTIME_HARNESS_CACHE, else the user's cache folder."""
    named = os.environ.get("REALTIME_HARNESS_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "realtime-harness"


class Environments:
    """Makes environments where they are missing, each once at a time."""

    def __init__(self, folder: Path | None = None, progress: Callable[[str], None] | None = None) -> None:
        self.folder = folder or default_folder()
        self._progress = progress or (lambda _: None)
        self._locks: dict[Path, asyncio.Lock] = {}

    def place(self, implementation: Implementation) -> Path:
        """The folder of an implementation's environment, made or not."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        recipe = "\n".join((version, *implementation.requirements))
        digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
        return self.folder / "environments" / f"{implementation.environment_name}-{digest}"

    async def interpreter(self, implementation: Implementation) -> tuple[Path, Path | None]:
        """The Python to run the driver with, and the environment's folder; raises EnvironmentFault."""
        if not implementation.requirements:
            return Path(sys.executable), None
        place = self.place(implementation)
        async with self._locks.setdefault(place, asyncio.Lock()):
            if not _python(place).exists():
                self._progress(f"making the environment of {implementation.environment_name}")
                try:
                    await self._make(implementation, place)
                except OSError as error:  # no uv, no room, no right to write there
                    raise EnvironmentFault(implementation.name, str(error)) from None
        return _python(place), place

    async def _make(self, implementation: Implementation, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        try:
            uv = _find_uv()
            await _run(implementation, uv, "venv", "--quiet", "--relocatable", "--allow-existing",
                       "--python", sys.executable, str(building))  # fmt: skip
            await _run(implementation, uv, "pip", "install", "--quiet", "--python", str(_python(building)),
                       *implementation.requirements)  # fmt: skip
            for name in implementation.folders:
                (building / name).mkdir(parents=True, exist_ok=True)
            try:
                building.rename(place)
            except OSError:
                if not _python(place).exists():  # else another process was faster
                    raise
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _find_uv() -> str:
    from uv import find_uv_bin  # noqa: PLC0415 - only needed where something is installed

    return str(find_uv_bin())


async def _run(implementation: Implementation, *command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):  # it may have ended in this very moment
            process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        lines = output.decode("utf-8", "replace").strip().splitlines()
        raise EnvironmentFault(implementation.name, "\n".join(lines[-_LAST_LINES:]))
