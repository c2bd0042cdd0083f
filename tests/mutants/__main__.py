"""Apply each deliberate bug to a copy of the tree and run the one test that must notice.

    python -m mutants [NAME...]       all, or those whose name holds one of the words

First the unchanged copy must pass the same command. Exits with 1 for a mutant that survives, or dies of anything but an
assertion in its own test, and with 2 where a mutant does not fit the code any more.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant, Stale
from mutants.verdict import judge

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("packages", "services", "operator", "tests", "docs", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", ".hypothesis", ".pytest_cache", "node_modules")
LONGEST_SECONDS = 300


def copied(to: Path) -> None:
    """The tree, without what was made from it."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=LEFT_OUT, symlinks=True)
        else:
            shutil.copy2(source, to / name)


def run(tree: Path, tests: list[str]) -> list[dict[str, Any]]:
    """What became of these tests in that tree, whose code goes before the installed one."""
    folders = [*tree.glob("packages/*/src"), *tree.glob("services/*/src"), tree / "operator" / "src"]
    folders += [tree / "tests" / "simulator" / "src", tree / "tests"]
    report = tree / "report.json"
    report.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MUTANTS_REPORT": str(report),
    }
    plugins = ("-p", "mutants.reporter", "-p", "no:cacheprovider", "-p", "no:schemathesis")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *tests],
        cwd=tree,
        env=environment,
        stdout=(tree / "pytest.log").open("wb"),
        stderr=subprocess.STDOUT,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8")) if report.exists() else []
    return found


def uses_the_copy(tree: Path) -> bool:
    """Whether the tests of a copy see the copy's code."""
    test = tree / "tests" / "unit" / "test_where_the_code_is.py"
    test.write_text(
        f"import mixhaul_store\n\ndef test_it():\n    assert mixhaul_store.__file__.startswith({str(tree)!r})\n"
    )
    report = run(tree, ["tests/unit/test_where_the_code_is.py"])
    test.unlink()
    return bool(report) and all(entry["outcome"] == "passed" for entry in report)


def tried(mutant: Mutant, tree: Path) -> str | None:
    """None where it is dead. The copy is as before afterwards."""
    before = {edit.file: (tree / edit.file).read_bytes() for edit in mutant.edits}
    try:
        for edit in mutant.edits:
            edit.apply(tree)
        try:
            return judge(run(tree, [mutant.test]), test=mutant.test)
        except subprocess.TimeoutExpired:
            return "ran out of time"
    finally:
        for file, text in before.items():
            (tree / file).write_bytes(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    words = parser.parse_args().words
    chosen = [one for one in MUTANTS if not words or any(word in one.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="mixhaul-mutants-", dir="/var/tmp") as folder:
        tree = Path(folder)
        tree.chmod(0o755)
        copied(tree)
        if not uses_the_copy(tree):
            print(f"the tests of a copy do not see its code: {(tree / 'pytest.log').read_text()[-2000:]}")
            return 2
        unchanged = run(tree, sorted({one.test for one in chosen}))
        bad = [entry for entry in unchanged if entry["outcome"] == "failed"]
        if bad or not unchanged:
            print(f"the unchanged copy fails: {bad[:3]}\n{(tree / 'pytest.log').read_text()[-3000:]}")
            return 2
        print(f"unchanged: {len({entry['test'] for entry in unchanged})} tests pass")
        return _all(chosen, tree)


def _all(chosen: list[Mutant], tree: Path) -> int:
    width = max(len(one.name) for one in chosen)
    survivors, stale = 0, 0
    for one in chosen:
        began = time.monotonic()
        try:
            trouble = tried(one, tree)
        except Stale as error:
            stale += 1
            trouble = f"STALE: {error}"
        else:
            survivors += trouble is not None
        by = one.test.rpartition("::")[2]
        print(f"{one.name:{width}}  {trouble or 'killed by ' + by}  ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"{len(chosen)} mutants: {len(chosen) - survivors - stale} killed, {survivors} not, {stale} stale")
    return 2 if stale else 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
