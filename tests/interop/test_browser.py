"""A page in Chromium has whole turns by the browser's own WebSocket.

It can bring its key in the query or as a subprotocol, and in no header. The page comes from a
file, from http:// or from https://: `ws://127.0.0.1` is no mixed content on any of them, for
Chromium trusts the loopback. The certificate is trusted by the hash of its key, which
`--ignore-certificate-errors-spki-list` takes from whoever has a profile of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from harness.messages import Json
from tests.interop.conftest import Tls
from tests.interop.serving import DIALECTS, Client, check, plans_for, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROGRAMS = Path(__file__).parent / "programs"

pytestmark = [pytest.mark.heavy, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]

BROWSER = Client("Chromium", ("query", "subprotocol"), tells_status=False)


class Site:
    """Serves one page, and is told what came of it."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.page = b""
        self.results: list[Json] = []
        self.told = Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(site.page)

            def do_POST(self) -> None:
                site.results = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                site.told.set()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.origin = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_address[1]}"


@contextlib.contextmanager
def site(tls: ssl.SSLContext | None) -> Iterator[Site]:
    found = Site(tls)
    Thread(target=found.server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()


async def visit(page: str, told: Event, folder: Path, spki: str) -> None:
    """Opens a page in a browser of its own until it has told what came of it."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--ignore-certificate-errors-spki-list={spki}", f"--user-data-dir={folder / 'profile'}",
        "--enable-logging=stderr", "--remote-debugging-port=0", page,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    said = asyncio.create_task(process.stderr.read() if process.stderr else asyncio.sleep(0, b""))
    try:
        heard = await asyncio.to_thread(told.wait, 60)
    finally:
        process.terminate()
        await process.wait()
    assert heard, (await said).decode()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("page", "over"),
    [
        ("file", "plain"),
        ("http", "plain"),
        ("https", "plain"),
        ("file", "tls"),
        ("http", "tls"),
        ("https", "tls"),
    ],
)
async def test_chromium(dialect: str, page: str, over: str, tls: Tls, tmp_path: Path) -> None:
    secure = over == "tls"
    async with serving(dialect, tls.context if secure else None) as server:
        plans = await plans_for(server, BROWSER, tls.trusted if secure else None)
        with site(tls.context if page == "https" else None) as served:
            html = (PROGRAMS / "page.html").read_text("utf-8")
            html = html.replace("TALK", (PROGRAMS / "talk.cjs").read_text("utf-8"))
            html = html.replace("of PLANS", f"of {json.dumps(plans)}").replace(
                "fetch(REPORT", f"fetch({json.dumps(served.origin)}"
            )
            served.page = html.encode()
            file = tmp_path / "page.html"
            file.write_text(html, encoding="utf-8")
            address = file.as_uri() if page == "file" else f"{served.origin}/"
            await visit(address, served.told, tmp_path, tls.spki)
            results = served.results
        check(server, BROWSER, plans, results)
