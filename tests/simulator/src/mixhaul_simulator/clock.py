"""The movable clock. Rate windows, pauses and the life of access tokens do not use it: those are real time."""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_ms() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000


class MovableClock:
    """Runs with real time from where it was put last, or stands still."""

    def __init__(self, start_ms: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._base_ms = start_ms
        self._base = monotonic()
        self.frozen = False

    def now_ms(self) -> int:
        if self.frozen:
            return self._base_ms
        return self._base_ms + int((self._monotonic() - self._base) * 1000)

    def set(self, ms: int) -> None:
        self._base_ms = ms
        self._base = self._monotonic()

    def freeze(self, frozen: bool) -> None:
        self.set(self.now_ms())
        self.frozen = frozen
