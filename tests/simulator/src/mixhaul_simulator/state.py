"""When a fleet began, remembered from run to run.

The same seed and begin make the same fleet, so this is all that another run needs to continue it. What the control port
added by hand is not remembered, nor are tokens: a client has to log in again.
"""

from __future__ import annotations

import json
from pathlib import Path

from mixhaul_simulator.clock import wall_ms
from mixhaul_simulator.errors import StartRefused


def remembered_start(path: Path, *, seed: int, wanted_ms: int | None) -> tuple[int, bool]:
    """The begin of the fleet in milliseconds, and whether it was remembered."""
    if path.exists():
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            known_seed, start_ms = int(state["seed"]), int(state["startMs"])
        except (ValueError, KeyError, TypeError) as error:
            raise StartRefused(
                f"--state-file {path} is not one of this program's: name another or delete it"
            ) from error
        if known_seed != seed:
            raise StartRefused(f"--state-file {path} belongs to seed {known_seed}, not {seed}: name another")
        return start_ms, True
    start_ms = wall_ms() if wanted_ms is None else wanted_ms
    path.write_text(json.dumps({"seed": seed, "startMs": start_ms}) + "\n", encoding="utf-8")
    return start_ms, False
