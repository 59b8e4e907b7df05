"""Runs a driver as a process and speaks the driver protocol with it.

The process is hostile until proven otherwise: its lines are checked, its log is
redacted as it comes, it has a group of its own, and the whole group is ended
when the case is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path

from harness.drivers.implementation import Implementation
from harness.drivers.notices import Notices, is_hello
from harness.messages import Json
from harness.observations import Capabilities, LogLine, Observed
from harness.redaction import Redactor

_MAX_LINE = 8 * 1024 * 1024
_GRACE_SECONDS = 1.0
_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
_MARK = "REALTIME_HARNESS_CASE"
_DROPPED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

_TRUSTING = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE")
"""How a client is told whose certificates to trust: Python and whatever else uses OpenSSL; Node; requests."""

_TRUSTING_OTHERS = (
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "WEBSOCKET_CLIENT_CA_BUNDLE",
    "NODE_TLS_REJECT_UNAUTHORIZED",
)
"""What some ask before those, or what has them trust anybody."""


class DriverHost:
    """One driver process; `observed` fills while it runs.

    `ca_file` is whose certificates it is to trust, where it will dial over TLS.
    """

    def __init__(self, implementation: Implementation, key: str, ca_file: Path | None = None) -> None:
        self.implementation = implementation
        self.observed = Observed()
        self.last_notice = time.monotonic()
        self.done: set[int] = set()
        self._key = key
        self._ca_file = ca_file
        self._mark = f"{_MARK}={secrets.token_hex(8)}"
        self._redactor = Redactor((key,))
        self._notices = Notices()
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    async def start(self, interpreter: Path, environment: Path | None) -> None:
        """Starts the process; what it does then is in `observed`."""
        implementation = self.implementation
        command = list(implementation.command)
        if implementation.program is not None:
            command = [str(interpreter), str(implementation.program), *command]
        variables = {name: value.format(environment=environment) for name, value in implementation.variables}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_MAX_LINE,
                env=_clean_environment(self._ca_file) | variables | dict([self._mark.split("=")]),
                start_new_session=True,
            )
        except OSError as error:
            self._note_log("ERROR", "harness", f"cannot start {command[0]!r}: {error.strerror or error}")
            self.observed.exit_code = 127
            return
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            asyncio.create_task(self._read(self._process.stdout, self._take_line)),
            asyncio.create_task(self._read(self._process.stderr, self._take_stderr)),
        ]

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.returncode is not None

    async def write(self, message: Json) -> None:
        """Sends one line to the driver; one that is gone does not get it."""
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(ConnectionError, OSError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()

    async def wait_until(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Waits until something holds, the process ends, or the time is up."""
        deadline = time.monotonic() + seconds
        while not reached():
            left = deadline - time.monotonic()
            if left <= 0 or (self.ended and not self._unread()):
                return reached()
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(left, 0.05))
        return True

    async def stop(self) -> None:
        """Ends the process and everything it started."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ConnectionError, OSError):
            if process.stdin is not None:
                process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
        if process.returncode is not None:
            self.observed.exit_code = process.returncode
        # The group outlives its leader where it started children; the leader's id is not reused before this.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await asyncio.wait(self._readers, timeout=_GRACE_SECONDS)
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await asyncio.to_thread(_end_descendants, self._mark)
        # A descendant may still hold the pipes: without this their end is noticed after the loop is gone.
        transport = getattr(process, "_transport", None)
        if transport is not None:
            transport.close()

    def _unread(self) -> bool:
        return any(not reader.done() for reader in self._readers[:1])

    async def _read(self, stream: asyncio.StreamReader, take: Callable[[str], None]) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the limit; the rest of the line follows as lines of its own
                take("(a line longer than the harness reads)")
                continue
            if not line:
                return
            take(line.decode("utf-8", "replace").rstrip("\n"))
            self.last_notice = time.monotonic()
            self._changed.set()

    def _take_stderr(self, line: str) -> None:
        if line.strip():
            self._note_log("STDERR", "stderr", line)

    def _take_line(self, line: str) -> None:
        notice, fault = self._notices.read(line)
        if notice is not None and not fault:
            self._take_notice(notice)
            return
        if notice is not None and is_hello(notice) and self.observed.stage == "starting":
            self.observed.hello_fault = self._redacted(fault.removeprefix("hello: "))
        if line.strip() and len(self.observed.garbage) < 50:
            said = f"{fault}, in {line[:200]}" if fault else line[:300]
            self.observed.garbage.append(self._redacted(said)[:600])

    def _take_notice(self, notice: Json) -> None:
        type_ = notice["type"]
        if type_ == "hello":
            self.observed.capabilities = Capabilities.from_hello(notice)
            self.observed.stage = "said-hello"
        elif type_ == "ready":
            self.observed.stage = "ready"
        elif type_ == "observation":
            self.observed.note(self._redactor.value(notice) if notice["kind"] != "audio" else notice)
        elif type_ == "log":
            self._note_log(notice["level"], notice.get("logger", ""), notice["message"])
        elif type_ == "done":
            self.done.add(notice["intent"])
        elif type_ == "closed":
            self.observed.stage = "finished"

    def _note_log(self, level: str, logger: str, message: str) -> None:
        self.observed.log.append(LogLine(level, logger, self._redacted(message)[:4000]))

    def _redacted(self, text: str) -> str:
        if self._key in text:
            self.observed.leaked_key = True
        return self._redactor.text(text)


def _end_descendants(mark: str) -> None:
    """Ends what left the process group: every process that inherited the case's mark, where /proc tells."""
    wanted = mark.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)


def _clean_environment(ca_file: Path | None) -> dict[str, str]:
    """The caller's, without its secrets, proxies and Python paths; with a `ca_file`, trusting that."""
    dropped = _DROPPED if ca_file is None else (*_DROPPED, *_TRUSTING, *_TRUSTING_OTHERS)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in dropped and not any(word in name.upper() for word in _SECRET_WORDS)
    }
    if ca_file is not None:
        kept |= dict.fromkeys(_TRUSTING, str(ca_file))
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
