"""The guard against silent skips, on real runs of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import skips

TESTS = Path(__file__).parents[2]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "support.skips", "-c", "/dev/null", "--rootdir", str(folder)]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *arguments, str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "body",
    [
        "import pytest\n@pytest.mark.skip(reason='lazy')\ndef test_a(): pass\ndef test_b(): pass\n",
        "import pytest\ndef test_b(): pass\ndef test_a(): pytest.skip('lazy')\n",
        "import pytest\npytest.skip('lazy', allow_module_level=True)\n",
    ],
    ids=["marked", "inside", "module"],
)
def test_a_skip_that_nobody_allowed_fails_the_run(body: str, tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(body)
    ended = run(tmp_path)
    assert ended.returncode == 1, ended.stdout
    assert "skipped, but not in tests/allowed-skips.txt" in ended.stdout
    assert "lazy" in ended.stdout


def test_it_works_with_parallel_processes_and_leaves_good_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("import pytest\ndef test_b(): pass\ndef test_a(): pytest.skip('lazy')\n")
    assert run(tmp_path, "-p", "xdist", "-n", "1").returncode == 1
    assert run(tmp_path, "-k", "test_b").returncode == 0


def test_a_line_covers_the_tests_and_the_reason_that_it_names() -> None:
    (allowed,) = skips.parse("# why\n\ntests/a.py::test_x[*] -- no promtool\n")
    assert allowed.covers("tests/a.py::test_x[1-[2]]", "Skipped: no promtool here")
    assert not allowed.covers("tests/a.py::test_x[1]", "too slow")
    assert not allowed.covers("tests/a.py::test_y", "no promtool")


def test_a_line_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="no reason"):
        skips.parse("tests/a.py::test_x\n")
