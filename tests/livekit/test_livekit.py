"""LiveKit, which nobody here wrote, has a conversation with `serve`.

It sends three updates before it has read session.created, and gives up on an item whose id
does not come back within 5 s, on an answer whose metadata does not within 10 s.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from uv import find_uv_bin

pytestmark = pytest.mark.heavy

KEY = "key-0123456789abcdef"
VERSION = "1.8.9"
ENVIRONMENT = {**os.environ, "REALTIME_HARNESS_KEY": KEY, "PYTHONUNBUFFERED": "1"}

SCRIPT = """format: 1
answers:
  - when: weather
    answer: {call: {name: look, arguments: {city: Oslo}}}
  - {when: {result: look}, answer: {speech: {transcript: "It is {result}.", audio: {tone: 440, seconds: 1}}}}
  - {when: story, answer: {speech: {transcript: "Once upon a time there was a king and his castle.", audio: {tone: 440, seconds: 20}}}}
  - speech: {transcript: "You said {said}", audio: {tone: 440, seconds: 0.5}}
heard: [Stop.]
"""


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has LiveKit."""
    folder = tmp_path_factory.mktemp("livekit") / "environment"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    found = folder / "bin" / "python"
    packages = [f"livekit-agents=={VERSION}", f"livekit-plugins-openai=={VERSION}"]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", found, *packages], check=True)
    return found


@pytest.fixture(params=["azure-v1", "azure-2024-10-01-preview"])
def served(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    (tmp_path / "model.yaml").write_text(SCRIPT, encoding="utf-8")
    command = ["serve", "--model", str(tmp_path / "model.yaml"), "--dialect", request.param]
    with subprocess.Popen(
        [sys.executable, "-m", "harness", *command], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            while (found := re.search(r"ws://\S+", said)) is None:
                said += process.stdout.readline()
            yield request.param, found[0], process
        finally:
            process.terminate()


def test_livekit_talks_calls_a_tool_and_is_interrupted(
    python: Path, served: tuple[str, str, subprocess.Popen[str]]
) -> None:
    dialect, url, process = served
    version = [] if dialect == "azure-v1" else [dialect.removeprefix("azure-")]
    done = subprocess.run(
        [python, Path(__file__).with_name("client.py"), f"http://{urlsplit(url).netloc}", *version],
        capture_output=True,
        text=True,
        timeout=90,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    surfaced = json.loads(done.stdout)
    hello, call, result, story, last = surfaced["answers"]
    assert (hello, call, result, last) == ("You said Hello.", "", "It is wet.", "You said Stop.")
    assert story
    assert "Once upon a time there was a king and his castle.".startswith(story)
    assert surfaced["errors"] == []
    assert surfaced["heard"] == ["Stop."]
    assert 2 * 48_000 < surfaced["audio"] < 10 * 48_000

    process.terminate()
    shown, _ = process.communicate(timeout=10)
    assert "response.done  cancelled, turn_detected" in shown
    assert "5 answers, 0 refused events" in shown
