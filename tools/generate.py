"""Makes the generated files from their sources, or with `--check` fails where one is not what its source says."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import configuration_docs  # noqa: E402 - found by the line above

from mixhaul_source import crd  # noqa: E402

FILES: Final[dict[str, Callable[[], str]]] = {
    f"crds/{crd.FILE_NAME}": crd.render,
    "docs/configuration.md": configuration_docs.render,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file differs")
    checking: bool = parser.parse_args().check
    stale = [name for name, make in FILES.items() if not _up_to_date(name, make(), write=not checking)]
    if stale and checking:
        print(f"not what their sources say: {', '.join(stale)}; run `make generate` and commit", file=sys.stderr)
        return 1
    return 0


def _up_to_date(name: str, wanted: str, *, write: bool) -> bool:
    path = ROOT / name
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    if found == wanted:
        return True
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
        print(f"generated {name}")
    else:
        lines = difflib.unified_diff(
            found.splitlines(), wanted.splitlines(), name, f"{name} (wanted)", lineterm="", n=1
        )
        print("\n".join(list(lines)[:60]))
    return False


if __name__ == "__main__":
    sys.exit(main())
