"""kubectl, helm and other programs as a test runs them: with their own settings, and an error that says everything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import CommandFailed
from cluster.paths import BIN


def environment(folder: Path, kubeconfig: Path) -> dict[str, str]:
    """Nothing of the developer's own clusters, plugins and repositories is seen or changed."""
    return {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "KUBECONFIG": str(kubeconfig),
        "KUBECACHEDIR": str(folder / "kubectl-cache"),
        "HELM_CACHE_HOME": str(folder / "helm" / "cache"),
        "HELM_CONFIG_HOME": str(folder / "helm" / "config"),
        "HELM_DATA_HOME": str(folder / "helm" / "data"),
    }


def run(
    *command: str,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    within: float = 120.0,
    ok: bool = True,
) -> str:
    """What the program said on stdout. `ok=False` gives stdout and stderr of a failure too, instead of raising."""
    done = subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=within, check=False)
    if done.returncode != 0:
        if ok:
            raise CommandFailed(command, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr
    return done.stdout
