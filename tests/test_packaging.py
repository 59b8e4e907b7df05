"""The wheel, installed elsewhere, does the main job: nothing of it may come from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.heavy


def uv(*arguments: str, cwd: Path) -> None:
    done = subprocess.run([find_uv_bin(), *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT), cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_carries_schemas_dialects_scenarios_and_cassettes(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in (
        ("harness/schemas", "harness/schemas"),
        ("harness/dialects/data", "harness/dialects/data"),
        ("harness/html/templates", "harness/html/templates"),
        ("harness/drivers/programs", "harness/drivers/programs"),
        ("scenarios", "harness/bundled/scenarios"),
        ("cassettes", "harness/bundled/cassettes"),
    ):
        tracked = subprocess.run(
            ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        assert tracked, folder
        assert {path.replace(folder, inside, 1) for path in tracked} <= names
    assert "harness/bundled/baseline.yaml" in names
    assert "harness/py.typed" in names


def test_the_installed_wheel_does_the_main_job_elsewhere(wheel: Path, tmp_path: Path) -> None:
    uv("venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"), cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    uv("pip", "install", "--quiet", "--python", str(python), str(wheel), cwd=tmp_path)
    done = subprocess.run(
        [str(tmp_path / "venv/bin/realtime-harness"), "check"],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(ROOT) not in done.stdout
    footer = json.loads((tmp_path / "reports/results.jsonl").read_text("utf-8").splitlines()[-1])
    assert footer["end"]["cases"] == 168
    assert footer["end"]["unexpected"] == footer["end"]["stale"] == []
    assert (tmp_path / "reports/azure-v1.html").stat().st_size > 10_000
