"""What `helm test` runs in its pod, run here against a real API."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chart.rendering import containers, rendered
from support import api_server


def ask(url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The container's own command, with another address at its end."""
    (container,) = (each for each in containers(rendered("try-out")) if each.owner["kind"] == "Pod")
    assert container.command == ["python3", "-c"]
    script, address = container.value["args"]
    assert address == "http://mixhaul-api:80"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-c", script, url],
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("0123456789abcdef" * 4)
    return path


def test_it_asks_with_and_without_a_token(database_url: str, key_file: Path) -> None:
    with api_server.running(database_url=database_url, jwt_key_file=str(key_file)) as api:
        with_key = ask(api.url, MIXHAUL_JWT_KEY_FILE=str(key_file))
        assert (with_key.returncode, with_key.stderr) == (0, "")
        assert with_key.stdout.splitlines() == [
            "/openapi.json answers 200",
            "/api/status answers 401",
            "/api/status answers 200",
            "The API answers.",
        ]
        assert ask(api.url).stdout.count("answers 200") == 1

        other_key = key_file.with_name("other")
        other_key.write_text("f" * 64)
        refused = ask(api.url, MIXHAUL_JWT_KEY_FILE=str(other_key))
        assert refused.returncode == 1
        assert "/api/status answered 401 instead of 200" in refused.stderr

        elsewhere = ask(api.admin_url)
        assert elsewhere.returncode == 1
        assert "/openapi.json answered 404 instead of 200" in elsewhere.stderr
