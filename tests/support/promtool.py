"""Prometheus' own judgement of what `/metrics` says."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def check_metrics(exposition: str) -> None:
    """Fail with promtool's words where it does not accept the text. Skips where there is no promtool."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=exposition, capture_output=True, text=True, timeout=30, check=False
    )
    ours = [line for line in (checked.stdout + checked.stderr).splitlines() if "mixhaul_" in line]
    # It also lints the names of process and Python metrics, which are not ours: only a parse error (1) counts there.
    assert (checked.returncode in (0, 3), ours) == (True, []), checked.stdout + checked.stderr
