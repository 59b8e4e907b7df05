from __future__ import annotations

import asyncio
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.drivers import Environments, Implementation
from harness.drivers.environments import default_folder
from harness.exceptions import EnvironmentFault


def wheel(folder: Path, name: str = "tinything", version: str = "1.0") -> str:
    """A wheel of one module, made here: nothing is fetched to install it."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name_, text in files.items():
            archive.writestr(name_, text)
    return str(path)


def needing(*requirements: str, name: str = "tiny@1.0", folders: tuple[str, ...] = ()) -> Implementation:
    return Implementation(name, Path("driver.py"), (), requirements=requirements, folders=folders)


async def test_without_requirements_the_harnesss_own_interpreter_serves(tmp_path: Path) -> None:
    found = await Environments(tmp_path).interpreter(Implementation("reference", Path("x.py"), ()))
    assert found == (Path(sys.executable), None)
    assert list(tmp_path.iterdir()) == []


async def test_an_environment_is_made_once_and_kept(tmp_path: Path) -> None:
    told: list[str] = []
    wanted = needing(wheel(tmp_path), folders=("data/deep",))
    environments = Environments(tmp_path / "cache", told.append)
    python, place = await environments.interpreter(wanted)
    shown = subprocess.run(
        [python, "-c", "import tinything; print(tinything.VERSION)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "1.0"
    assert place == environments.place(wanted)
    assert place is not None
    assert (place / "data" / "deep").is_dir()
    assert len(told) == 1
    assert [path.name for path in place.parent.iterdir()] == [place.name], "nothing is left beside it"
    made = python.lstat().st_ctime_ns
    again = Environments(tmp_path / "cache", told.append)
    assert await again.interpreter(wanted) == (python, place)
    assert python.lstat().st_ctime_ns == made
    assert len(told) == 1


async def test_who_asks_at_the_same_time_gets_the_same_environment(tmp_path: Path) -> None:
    told: list[str] = []
    wanted = needing(wheel(tmp_path))
    environments = Environments(tmp_path / "cache", told.append)
    found = await asyncio.gather(*(environments.interpreter(wanted) for _ in range(4)))
    assert len(set(found)) == 1
    assert len(told) == 1


async def test_two_processes_that_make_the_same_one_do_not_break_each_other(tmp_path: Path) -> None:
    wanted = needing(wheel(tmp_path))
    cache = tmp_path / "cache"
    found = await asyncio.gather(*(Environments(cache).interpreter(wanted) for _ in range(2)))
    assert found[0] == found[1]
    assert found[0][0].exists()
    assert len(list((cache / "environments").iterdir())) == 1


async def test_what_cannot_be_installed_is_told_with_the_last_lines(tmp_path: Path) -> None:
    missing = tmp_path / "nothing-1.0-py3-none-any.whl"
    environments = Environments(tmp_path / "cache")
    with pytest.raises(EnvironmentFault) as fault:
        await environments.interpreter(needing(str(missing)))
    assert fault.value.implementation == "tiny@1.0"
    assert missing.name in fault.value.last_lines
    assert len(fault.value.last_lines.splitlines()) <= 15
    assert "tiny@1.0" in str(fault.value)
    place = environments.place(needing(str(missing)))
    assert not place.exists()
    assert list(place.parent.iterdir()) == [], "nothing half made is left"


async def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(EnvironmentFault) as fault:
        await Environments(tmp_path / "cache").interpreter(needing(wheel(tmp_path)))
    assert "cache" in fault.value.last_lines


async def test_an_environment_that_was_not_finished_is_never_used(tmp_path: Path) -> None:
    wanted = needing(wheel(tmp_path))
    environments = Environments(tmp_path / "cache")
    making = asyncio.create_task(environments.interpreter(wanted))
    while not list((tmp_path / "cache").glob("environments/.*/pyvenv.cfg")):
        await asyncio.sleep(0.001)
        assert not making.done(), "it was made faster than it could be interrupted"
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    place = environments.place(wanted)
    assert not place.exists()
    assert list(place.parent.iterdir()) == []
    python, _ = await environments.interpreter(wanted)
    assert subprocess.run([python, "-c", "import tinything"], check=False).returncode == 0


async def test_what_a_killed_harness_left_behind_is_never_used(tmp_path: Path) -> None:
    wanted = needing(wheel(tmp_path))
    environments = Environments(tmp_path / "cache")
    place = environments.place(wanted)
    (place.parent / f".{place.name}-abc" / "bin").mkdir(parents=True)
    (place.parent / f".{place.name}-abc" / "bin" / "python").write_text("no interpreter")
    python, _ = await environments.interpreter(wanted)
    assert subprocess.run([python, "-c", "import tinything"], check=False).returncode == 0


def test_each_version_has_a_place_of_its_own_and_shims_share_it(tmp_path: Path) -> None:
    environments = Environments(tmp_path)
    one = environments.place(needing("x==1.0", name="f@1.0"))
    assert one != environments.place(needing("x==2.0", name="f@2.0"))
    assert one != environments.place(needing("x==1.0", "y", name="f@1.0"))
    assert one == environments.place(needing("x==1.0", name="f@1.0+shim.py:build"))
    assert one.is_relative_to(tmp_path)


def test_the_folder_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REALTIME_HARNESS_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert default_folder() == tmp_path
    monkeypatch.delenv("REALTIME_HARNESS_CACHE")
    assert default_folder() == Path("/xdg/realtime-harness")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache" / "realtime-harness"


@pytest.mark.heavy
async def test_a_package_of_the_index_is_installed(tmp_path: Path) -> None:
    python, _ = await Environments(tmp_path).interpreter(needing("six==1.17.0"))
    assert subprocess.run([python, "-c", "import six"], check=False).returncode == 0
