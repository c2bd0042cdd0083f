"""When a fleet began and when it stood still, remembered from run to run.

The same seed, begin and times of standing still make the same fleet, so this is all that another run needs to continue
it. What else the control port did is not remembered, nor are tokens: a client has to log in again.
"""

from __future__ import annotations

import json
from pathlib import Path

from mixhaul_simulator.clock import wall_ms
from mixhaul_simulator.errors import StartRefused

Interval = tuple[int, int]


class StateFile:
    """The file of `--state-file`. Times are milliseconds since 1970; `stops` are whole intervals in order.

    A stop that was not ended lasts until the next run begins.
    """

    def __init__(self, path: Path, *, shape: dict[str, float]) -> None:
        self._path = path
        self._shape = shape
        self._stopped_ms: int | None = None
        self.resumed = path.exists()
        self.stops: tuple[Interval, ...] = ()
        if not self.resumed:
            self.start_ms = wall_ms()
            self._write()
            return
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            known, self.start_ms = dict(state["fleet"]), int(state["startMs"])
            stops = [(int(begin), None if end is None else int(end)) for begin, end in state.get("stops", ())]
        except (ValueError, KeyError, TypeError) as error:
            raise StartRefused(
                f"--state-file {path} is not one of this program's: name another or delete it"
            ) from error
        for name, value in shape.items():
            if known.get(name) != value:
                raise StartRefused(
                    f"--state-file {path} belongs to a fleet with {name} {known.get(name)}, not {value}: name another"
                )
        self.stops = tuple((begin, wall_ms() if end is None else end) for begin, end in stops)
        self._write()

    def stopped(self, at_ms: int) -> None:
        """No event is made after this time."""
        if self._stopped_ms is None:
            self._stopped_ms = at_ms
            self._write()

    def went_on(self, at_ms: int) -> None:
        """Events are made again."""
        if self._stopped_ms is not None:
            self.stops = (*self.stops, (self._stopped_ms, at_ms))
            self._stopped_ms = None
            self._write()

    def _write(self) -> None:
        stops: list[tuple[int, int | None]] = [*self.stops]
        if self._stopped_ms is not None:
            stops.append((self._stopped_ms, None))
        draft = self._path.with_name(self._path.name + ".part")
        draft.write_text(
            json.dumps({"fleet": self._shape, "startMs": self.start_ms, "stops": stops}) + "\n", encoding="utf-8"
        )
        draft.replace(self._path)


def after_stops(due_ms: int, stops: tuple[Interval, ...]) -> int:
    """When something is made that was due then: what is due while the fleet stands still waits for its end."""
    for begin, end in stops:
        if begin < due_ms <= end:
            due_ms = end
    return due_ms
