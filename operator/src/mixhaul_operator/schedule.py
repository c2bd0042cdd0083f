"""Cron arithmetic: when a sync was due, and when it is due next. It decides nothing about whether one ran."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

_MOST_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class Times:
    """The two last times at which a run was due, and the next one. UTC."""

    before_last: datetime
    last: datetime
    next: datetime


class Calendar:
    """Remembers the times of each cron line until the next one has come: a thousand sources often share one line."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Times] = {}

    def times(self, schedule: str, time_zone: str, *, now: datetime) -> Times:
        """The times around `now`."""
        key = (schedule, time_zone)
        found = self._known.get(key)
        if found is None or not found.last <= now < found.next:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            found = self._known[key] = times(schedule, time_zone, now=now)
        return found


def times(schedule: str, time_zone: str, *, now: datetime) -> Times:
    """The times around `now`; one that falls on `now` itself counts as past."""
    local = now.astimezone(ZoneInfo(time_zone))
    # Backwards gives what lies before the moment: a little later, for `now` itself to be found.
    back = CronSim(schedule, local + timedelta(microseconds=1), reverse=True)
    last, before_last = next(back), next(back)
    return Times(
        before_last=before_last.astimezone(UTC),
        last=last.astimezone(UTC),
        next=next(CronSim(schedule, local)).astimezone(UTC),
    )
