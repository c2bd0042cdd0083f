"""Starts the embedded server on a folder, says where it is, and stops it when told, or ends as it is killed.

argv: FOLDER. Prints `URL PID`, or the name and the sentence of the error.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mixhaul_store.embedded import EmbeddedPostgres
from mixhaul_store.errors import StoreError

binaries = os.environ.get("TEST_BINARIES")
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False, binaries=Path(binaries) if binaries else None)
try:
    print(server.start(), server.pid, flush=True)
except StoreError as error:
    print(f"{type(error).__name__} {error}", flush=True)
else:
    sys.stdin.readline()
    server.stop()
