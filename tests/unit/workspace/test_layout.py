"""What must stay true of the checkout as a whole."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support import skips

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = dict(re.findall(r"^([a-z0-9-]+):[^#\n]*(?:## (.+))?$", MAKEFILE, re.MULTILINE))
PACKAGES = sorted(
    path.parent
    for pattern in ("*", "*/*")
    for path in ROOT.glob(f"{pattern}/pyproject.toml")
    if not path.relative_to(ROOT).parts[0].startswith(".")
)
SOURCES = [path for package in PACKAGES for path in sorted((package / "src").rglob("*.py"))]


def test_operator_is_no_python_package_and_holds_no_tests() -> None:
    """With importlib mode a test inside `operator/` would replace Python's own module of that name."""
    operator = ROOT / "operator"
    assert not (operator / "__init__.py").exists()
    assert [path for pattern in ("test_*.py", "*_test.py", "conftest.py") for path in operator.rglob(pattern)] == []
    import operator as pythons_own

    assert pythons_own.itemgetter(0)("x") == "x"


def test_the_readme_names_the_test_command_and_ci_runs_it() -> None:
    assert "make test\n" in README
    assert re.search(r"^stage \S+ make test$", CI, re.MULTILINE)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_every_make_target_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|^stage .*)make ([a-z][a-z0-9-]+)(?=[`\s]|$)", text, re.MULTILINE))
    assert named
    assert named - set(TARGETS) == set()


def test_every_target_is_in_the_help_and_phony() -> None:
    phony = set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE))
    assert [target for target, text in TARGETS.items() if not text] == []
    assert phony == set(TARGETS)


def test_make_alone_shows_the_help() -> None:
    shown = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, timeout=30, check=True).stdout
    assert [target for target in TARGETS if f"  {target} " not in shown] == []


@pytest.mark.parametrize("script", ["tools/bootstrap", ".ci/run"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


def test_every_allowed_skip_is_about_a_test_that_exists() -> None:
    for allowed in skips.parse(skips.ALLOWED.read_text(encoding="utf-8")):
        assert (ROOT / allowed.tests.partition("::")[0]).is_file(), allowed


def test_every_package_has_one_version_and_is_typed() -> None:
    versions = {tomllib.loads((each / "pyproject.toml").read_text())["project"]["version"] for each in PACKAGES}
    assert len(versions) == 1
    assert [str(each) for each in PACKAGES if not list(each.glob("src/*/py.typed"))] == []


def test_every_module_says_what_it_is_for_and_is_short_enough_to_read() -> None:
    silent = [str(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    long = [str(path) for path in SOURCES if path.read_text(encoding="utf-8").count("\n") > 450]
    assert (silent, long) == ([], [])


def test_generated_files_are_what_their_sources_say() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate.py"), "--check", "--without-database"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
