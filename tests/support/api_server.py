"""`mixhaul-api` as a process of its own, and answers held to its OpenAPI document."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

PROGRAM = Path(sys.executable).with_name("mixhaul-api")
START_SECONDS = 30.0


@dataclass(slots=True)
class ApiProcess:
    """A running process and all that it wrote."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""
    admin_url: str = ""
    _reader: threading.Thread | None = None

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of an event."""
        parsed = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [line for line in parsed if line.get("event") == event]

    def read(self) -> None:
        """Collect what it writes until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first log line of an event."""
        deadline = time.monotonic() + START_SECONDS
        while not self.logged(event):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no {event!r} in:\n{''.join(self.lines)}")
            time.sleep(0.02)
        return self.logged(event)[0]

    def readiness(self) -> httpx.Response:
        """What the probe sees."""
        return httpx.get(f"{self.admin_url}/readyz")


def environment(**settings: str) -> dict[str, str]:
    """The environment of a process: only these settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MIXHAUL_", "SANIC_"))}
    return kept | {f"MIXHAUL_{name.upper()}": value for name, value in settings.items()}


@contextmanager
def running(*, ready: bool = True, **settings: str) -> Iterator[ApiProcess]:
    """A server on free ports; ended by SIGTERM afterwards."""
    process = subprocess.Popen(
        [PROGRAM, "serve"],
        env=environment(**{"api_port": "0", "admin_port": "0"} | settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = ApiProcess(process)
    reader = threading.Thread(target=found.read, daemon=True)
    reader.start()
    try:
        serving = found.wait_for("serving")
        found.url = serving["url"]
        found.admin_url = f"http://127.0.0.1:{serving['admin_port']}"
        if ready:
            found.wait_for("ready")
        yield found
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            reader.join(5)
            assert process.stdout is not None
            process.stdout.close()


class Contract:
    """The OpenAPI document, to hold answers to it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._strict = _closed(document)
        self._paths = {
            path: re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + r"\Z") for path in document["paths"]
        }
        self._validator = cache(self._make_validator)

    def check(self, response: httpx.Response) -> None:
        """Fail unless the document knows this answer: status, content type, headers, and every member of the body."""
        asked = response.request.url.raw_path.decode().partition("?")[0]
        path = next(path for path, pattern in self._paths.items() if pattern.match(asked))
        answers = self._strict["paths"][path][response.request.method.lower()]["responses"]
        status = str(response.status_code)
        assert status in answers, f"{response.request.method} {path}: {status} is not documented: {response.text}"
        content_type = response.headers.get("content-type", "").removesuffix("; charset=utf-8")
        assert (content_type in answers[status]["content"]) if "content" in answers[status] else not content_type
        for name, header in answers[status]["headers"].items():
            described = self.document["components"]["headers"][name] if "$ref" in header else header
            assert name in response.headers or described.get("required") is False
        if content_type:
            self._validator(path, response.request.method.lower(), status, content_type).validate(
                response.json() if content_type.endswith("json") else response.text
            )

    def _make_validator(self, path: str, method: str, status: str, content_type: str) -> Any:
        schema = self._strict["paths"][path][method]["responses"][status]["content"][content_type]["schema"]
        return jsonschema_rs.Draft202012Validator(
            {"components": self._strict["components"], **schema}, validate_formats=True
        )


def _closed(schema: Any) -> Any:
    """With no member beyond those that are described."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _closed(value) for key, value in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found["additionalProperties"] = False
    return found


def secret_key(folder: Path) -> Path:
    """A file with a static key."""
    path = folder / "jwt.key"
    path.write_text("planted-static-key-of-the-tests-0123456789abcdef\n")
    return path


def token(
    key_file: Path,
    *organisations: str,
    role: str = "reader",
    subject: str = "test",
    sites: Collection[int] | None = None,
) -> str:
    """A token as `mixhaul-api token` makes it, made in this process because a process costs half a second."""
    from datetime import UTC, datetime, timedelta

    from mixhaul_api.auth.permissions import Role
    from mixhaul_api.auth.static_key import make_token, read_key

    return make_token(
        read_key(key_file),
        subject=subject,
        organisations=organisations,
        roles=[Role(role)],
        issuer="mixhaul",
        audience="mixhaul-api",
        now=datetime.now(UTC),
        ttl=timedelta(hours=1),
        sites=None if sites is None else [str(site) for site in sites],
    )
