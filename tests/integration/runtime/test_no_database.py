"""In a pod no program starts a database of its own when nobody names one: it ends with a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "command",
    [
        "mixhaul-ingestor stream --kubernetes",
        "mixhaul-ingestor migrate",
        "mixhaul-ingestor status",
        "mixhaul-api serve",
    ],
)
def test_it_ends_and_says_what_to_set(command: str, tmp_path: Path) -> None:
    program, *arguments = command.split()
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        env={
            "MIXHAUL_EMBEDDED_DATABASE": "false",
            "MIXHAUL_DATA_DIR": str(tmp_path / "data"),
            "MIXHAUL_ADMIN_PORT": "0",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78, done.stderr
    (sentence,) = (line for line in done.stderr.splitlines() if line.startswith(f"{program}: "))
    assert "MIXHAUL_DATABASE_URL is not set" in sentence
    assert not (tmp_path / "data").exists()
