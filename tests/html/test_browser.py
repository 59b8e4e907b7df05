"""The report in a real browser: it opens, its script runs, and it asks the network for nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.cli.main import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [pytest.mark.heavy, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


def dom_of(page: Path, folder: Path, fragment: str = "") -> str:
    """The page's document after its script has run, with no network to reach."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
         "--enable-logging=stderr", "--dump-dom", f"{page.as_uri()}{fragment}"],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    main(["check", "-i", "reference", "-i", "rename-shim", "-o", str(folder)])
    return folder


def test_the_page_of_an_api_version_shows_its_matrix_and_its_findings(pages: Path, tmp_path: Path) -> None:
    dom = dom_of(pages / "azure-2024-10-01-preview.html", tmp_path)
    assert "no verdict here rests on a recording of Azure" in dom
    assert dom.count("session.lost") >= 4
    assert "How to mend it" in dom


def test_the_overview_leads_to_every_page(pages: Path, tmp_path: Path) -> None:
    dom = dom_of(pages / "index.html", tmp_path)
    assert 'href="azure-v1.html' in dom
    assert 'href="azure-2024-10-01-preview.html' in dom
