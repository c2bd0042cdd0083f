"""Where the test bed's programs and images are. `env.sh` says the same to the shell scripts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSION = (HERE / "kubernetes-version").read_text().strip()

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mixhaul"
BIN = Path(os.environ.get("MIXHAUL_CLUSTER_BIN") or CACHE / f"kubernetes-{VERSION}" / "bin")

_MEMORY = "/dev/shm"  # noqa: S108 - what is made there has a random name and its owner's rights
FAST = Path(_MEMORY if os.access(_MEMORY, os.W_OK) else tempfile.gettempdir())
"""Memory where there is some to be had: etcd is bound by many small writes."""
