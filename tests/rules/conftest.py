"""Where Prometheus' own tools are."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture(scope="session")
def promtool() -> str:
    """Debian's; `.ci/run` unpacks it."""
    found = shutil.which("promtool")
    if found is None:
        pytest.fail("promtool is not there: `apt-get install prometheus`, or unpack Debian's package into the PATH")
    return found
