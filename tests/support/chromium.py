"""A real browser, headless: what it prints and shows of a page that an answer is.

The page comes from a server of the test, with the answer's own body and headers: a browser can't be told to send a
token, and the Content-Security-Policy must be obeyed as it was sent.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
SECONDS = 90
# As root there is no sandbox; the rest keeps it from calling home.
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    *("--enable-logging=stderr", "--log-level=0"),
)
_KEPT = ("content-type", "content-security-policy", "x-content-type-options")


def program() -> str:
    """The browser's path; a failure that says how to get it where there is none."""
    wanted = os.environ.get("MIXHAUL_TEST_CHROMIUM")
    found = wanted or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(
            "These tests need Chromium: install it (on Debian: apt-get install chromium), or name one in "
            "MIXHAUL_TEST_CHROMIUM.",
            pytrace=False,
        )
    return found


@dataclass(frozen=True, slots=True)
class Browser:
    """Prints and shows one page."""

    url: str

    def printed(self, pdf: Path) -> str:
        """Print it as a PDF; returns what the page's console said."""
        return self._run("--no-pdf-header-footer", f"--print-to-pdf={pdf}")

    def shown(self, png: Path, *, width: int, height: int) -> str:
        """Take a picture of it; returns what the page's console said."""
        return self._run(f"--window-size={width},{height}", f"--screenshot={png}")

    def _run(self, *options: str) -> str:
        with tempfile.TemporaryDirectory() as profile:
            ended = subprocess.run(
                [program(), *OPTIONS, f"--user-data-dir={profile}", *options, self.url],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        assert ended.returncode == 0, ended.stderr
        return "\n".join(line for line in ended.stderr.splitlines() if "CONSOLE" in line)


@contextmanager
def opened(answer: httpx.Response) -> Iterator[Browser]:
    """A browser for the page that the answer is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/page"
            self.send_response(200 if known else 404)
            for name in _KEPT if known else ():
                self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(answer.content if known else b"")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Browser(f"http://127.0.0.1:{server.server_port}/page")
        finally:
            server.shutdown()
            thread.join()
