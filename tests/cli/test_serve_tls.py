"""`realtime-harness serve --tls`: clients that connect over nothing else talk to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from harness.cli.main import main
from tests.talk import GA, PREVIEW

KEY = "key-0123456789abcdef"


@contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """A server in a process of its own, which is ended by Ctrl-C; its address without the scheme."""
    command = [sys.executable, "-m", "harness", "serve", "--model", "--tls", "--key", KEY, *options]
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, "")
            address = next(
                found[1] for line in lines if (found := re.search(r"(?:https|wss)://([0-9.:]+)", line))
            )
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
    assert process.returncode == 0


async def test_the_openai_package_needs_no_more_than_the_file_to_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca_file = tmp_path / "kept" / "ca.pem"
    with served(tmp_path, "-d", GA, "--ca-file", str(ca_file)) as address:
        monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
        client = AsyncOpenAI(base_url=f"https://{address}/openai/v1", api_key=KEY)
        async with client.realtime.connect(model="gpt-realtime") as connection:
            assert (await connection.recv()).type == "session.created"
    assert ca_file.exists()
    assert "PRIVATE" not in ca_file.read_text("ascii")


async def test_the_azure_client_gets_there_by_its_endpoint_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path, "-d", PREVIEW) as address:
        (ca_file,) = tmp_path.glob("*/ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
        client = AsyncAzureOpenAI(
            azure_endpoint=f"https://{address}", api_version="2024-10-01-preview", api_key=KEY
        )
        async with client.beta.realtime.connect(model="gpt-realtime") as connection:
            assert (await connection.recv()).type == "session.created"
    assert list(tmp_path.iterdir()) == []


def test_a_file_for_a_certificate_without_one_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--model", "--ca-file", str(tmp_path / "ca.pem")]) == 2
    assert "to mend it: add --tls" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_somebody_else_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ca.pem").write_text("mine")
    assert main(["serve", "--model", "--tls", "--ca-file", str(tmp_path / "ca.pem")]) == 2
    assert "is not the certificate of an earlier start" in capsys.readouterr().err
    assert (tmp_path / "ca.pem").read_text() == "mine"
