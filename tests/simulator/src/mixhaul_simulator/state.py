"""When a fleet began, remembered from run to run.

The same seed and begin make the same fleet, so this is all that another run needs to continue it. What the control port
added by hand is not remembered, nor are tokens: a client has to log in again.
"""

from __future__ import annotations

import json
from pathlib import Path

from mixhaul_simulator.clock import wall_ms
from mixhaul_simulator.errors import StartRefused


def remembered_start(path: Path, *, shape: dict[str, float]) -> tuple[int, bool]:
    """The begin of the fleet in milliseconds, and whether it was remembered. `shape` is what else makes the fleet."""
    if path.exists():
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            known, start_ms = dict(state["fleet"]), int(state["startMs"])
        except (ValueError, KeyError, TypeError) as error:
            raise StartRefused(
                f"--state-file {path} is not one of this program's: name another or delete it"
            ) from error
        for name, value in shape.items():
            if known.get(name) != value:
                raise StartRefused(
                    f"--state-file {path} belongs to a fleet with {name} {known.get(name)}, not {value}: name another"
                )
        return start_ms, True
    start_ms = wall_ms()
    path.write_text(json.dumps({"fleet": shape, "startMs": start_ms}) + "\n", encoding="utf-8")
    return start_ms, False
