"""MiX's rules of traffic, by the machine's monotonic clock: a request's arrival, the first byte of an answer.

At most so many calls in any rolling minute for an organisation, and a pause after a page that said that there is no
more. Every breach is recorded; whether it is also refused is a setting.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from mixhaul_simulator.records import Records

_WINDOW: Final = 60.0


@dataclass(frozen=True, slots=True)
class _NoMore:
    at: float
    asked_at: float


@dataclass(slots=True)
class _Window:
    arrivals: deque[float] = field(default_factory=deque)
    said_no_more: dict[str, _NoMore] = field(default_factory=dict)


class Limits:
    """Counts for each organisation, whatever process, login or route the calls come from."""

    def __init__(self, *, requests_per_minute: int, pause_seconds: float, enforce: bool, records: Records) -> None:
        self.requests_per_minute = requests_per_minute
        self.pause_seconds = pause_seconds
        self.enforce = enforce
        self._records = records
        self._windows: dict[int, _Window] = {}

    def arrived(self, organisation: int, *, at: float, feed: str | None) -> float | None:
        """Count a call. Answers the seconds to wait where the call is to be refused, or None."""
        window = self._windows.setdefault(organisation, _Window())
        arrivals = window.arrivals
        while arrivals and arrivals[0] <= at - _WINDOW:
            arrivals.popleft()
        wait: float | None = None
        if len(arrivals) >= self.requests_per_minute:
            wait = arrivals[len(arrivals) - self.requests_per_minute] + _WINDOW - at
            self._records.violation("rate", organisation=organisation, calls=len(arrivals) + 1, wait=round(wait, 4))
        said = window.said_no_more.get(feed) if feed is not None else None
        if said is not None and at - said.at < self.pause_seconds:
            short = self.pause_seconds - (at - said.at)
            self._records.violation(
                "pause",
                organisation=organisation,
                feed=feed,
                shortBySeconds=round(short, 4),
                sinceThatCallArrivedSeconds=round(at - said.asked_at, 4),
            )
            wait = max(wait or 0.0, short)
        if wait is not None and self.enforce:
            return wait
        arrivals.append(at)
        return None

    def said_no_more(self, organisation: int, *, at: float, asked_at: float, feed: str) -> None:
        """A page that says that there is no more begins to leave: the pause begins.

        Where the page can't be used, `at` is when the call arrived: its sender can know of nothing later.
        """
        self._windows.setdefault(organisation, _Window()).said_no_more[feed] = _NoMore(at, asked_at)

    def reset(self) -> None:
        """Forget what was counted: another test begins."""
        self._windows.clear()
