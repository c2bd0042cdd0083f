"""The ingestor, dying or standing still at a named point: VICTIM_POINT, VICTIM_HIT (the n-th time), VICTIM_ACTION.

Runs the product's own command line in this very process; the only thing added is the hook of
`mixhaul_runtime.checkpoints`. Each point that is met is written to `VICTIM_LOG`, the fatal one last.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from mixhaul_runtime import checkpoints


class Victim:
    """Counts the visits of the chosen point and acts on the n-th."""

    def __init__(self, *, point: str, hit: int, action: str, log: Path) -> None:
        self._point = point
        self._left = hit
        self._signal = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[action]
        self._log = log

    def __call__(self, name: checkpoints.Checkpoint) -> None:
        if name != self._point:
            return
        self._left -= 1
        if self._left == 0:
            with self._log.open("a", encoding="ascii") as file:
                file.write(f"{name}\n")
                file.flush()
                os.fsync(file.fileno())
            os.kill(os.getpid(), self._signal)


def main() -> None:
    """Arm the point that the environment names, then run the product."""
    if point := os.environ.get("VICTIM_POINT"):
        checkpoints.hook = Victim(
            point=point,
            hit=int(os.environ.get("VICTIM_HIT", "1")),
            action=os.environ.get("VICTIM_ACTION", "kill"),
            log=Path(os.environ["VICTIM_LOG"]),
        )
    from mixhaul_ingestor.cli import main as ingestor

    ingestor()


if __name__ == "__main__":
    main()
