"""What can go wrong with the test bed itself, each with the sentence that says what to do.

ClusterError
├── NotBuilt         a program is not in the cache
├── DidNotStart      a server ended, or was not ready in time
├── NoCluster        nothing runs that one could enter
├── CommandFailed    kubectl, helm or another program ended with an error
└── Refused          the API server answered with a Status: this is what tests assert upon
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


class ClusterError(Exception):
    """Base of all of them."""


class NotBuilt(ClusterError):
    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} is missing: run `make cluster-build` (about 7 minutes the first time, then nothing)")


class DidNotStart(ClusterError):
    def __init__(self, what: str, why: str) -> None:
        self.what = what
        self.why = why
        super().__init__(f"{what} did not come: {why}")


class NoCluster(ClusterError):
    def __init__(self) -> None:
        super().__init__("no cluster runs: start one with `make cluster-up`")


class CommandFailed(ClusterError):
    def __init__(self, command: Sequence[str], code: int, output: str) -> None:
        self.command = tuple(command)
        self.code = code
        self.output = output
        super().__init__(f"`{' '.join(command)}` ended with {code}:\n{output}")


class Refused(ClusterError):
    """An answer of 400 or above. `reason` and `message` are empty where the body is no Status object."""

    def __init__(self, *, method: str, path: str, code: int, status: dict[str, Any]) -> None:
        self.code = code
        self.reason = str(status.get("reason", ""))
        self.message = str(status.get("message", ""))
        self.status = status
        super().__init__(f"{method} {path}: {code} {self.reason}: {self.message}")
