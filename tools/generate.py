"""Makes the generated files from their sources, or with `--check` fails where one is not what its source says."""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import chart_values  # noqa: E402 - found by the line above
import configuration_docs  # noqa: E402 - as above
import dashboards  # noqa: E402 - as above
import mixsource_docs  # noqa: E402 - as above

from mixhaul_source import crd  # noqa: E402


def _metrics_docs() -> str:
    """By a process that has imported nothing yet."""
    command = [sys.executable, str(ROOT / "tools" / "metrics_docs.py")]
    return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout


def _schema_docs() -> str:
    """Described by a PostgreSQL that is started for it."""
    command = [sys.executable, "-m", "mixhaul_store.schema_docs"]
    return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout


FILES: Final[dict[str, Callable[[], str]]] = {
    f"crds/{crd.FILE_NAME}": crd.render,
    "docs/configuration.md": configuration_docs.render,
    "docs/metrics.md": _metrics_docs,
    "docs/mixsource.md": mixsource_docs.render,
    f"charts/mixhaul/crds/{crd.FILE_NAME}": chart_values.crd_copy,
    "charts/mixhaul/values.schema.json": chart_values.schema,
    "charts/mixhaul/README.md": chart_values.readme,
    **{
        f"charts/mixhaul/files/dashboards/{name}.json": partial(dashboards.rendered, made)
        for name, made in dashboards.DASHBOARDS.items()
    },
}
FROM_DATABASE: Final[dict[str, Callable[[], str]]] = {"docs/schema.md": _schema_docs}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file differs")
    parser.add_argument("--without-database", action="store_true", help="leave out what needs a PostgreSQL")
    arguments = parser.parse_args()
    wanted = FILES if arguments.without_database else FILES | FROM_DATABASE
    stale = [name for name, make in wanted.items() if not _up_to_date(name, make(), write=not arguments.check)]
    if stale and arguments.check:
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
        draft = path.with_name(f"{path.name}.part")
        draft.write_text(wanted, encoding="utf-8")
        draft.replace(path)
        print(f"generated {name}")
    else:
        difference = difflib.unified_diff(
            found.splitlines(), wanted.splitlines(), name, f"{name} (wanted)", lineterm="", n=1
        )
        print("\n".join(list(difference)[:60]))
    return False


if __name__ == "__main__":
    sys.exit(main())
