"""When a call to MiX is allowed: the decision alone, on times that the database's clock gave.

What holds if every call follows it: never more than `limit` calls *arrive* at MiX in any window, wherever between its
grant and `transit + send_within` later a call arrives, and whether or not its answer is ever known. That takes slots
that stay taken from a grant until a window after the arrival at the latest; a bucket of tokens would let twice as many
through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

PRIORITIES = ("feed", "amendments", "sync", "reconciliation", "backfill")
"""From the most to the least urgent."""

THROTTLED_SECONDS = 60.0
LONGEST_CLOSED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The durations. `pause` is the feed's, which MiX asks for once it has said that there is no more."""

    limit: int
    window: timedelta
    transit: timedelta
    send_within: timedelta
    pause: timedelta = timedelta()

    def taken_until(self, now: datetime) -> datetime:
        """When a slot frees whose call was granted, or seen under way, now, and whose answer is not known."""
        return now + self.send_within + self.transit + self.window

    def answered_until(self, now: datetime) -> datetime:
        """When a slot frees whose answer was read now."""
        return now + self.window

    def silent_until(self, now: datetime) -> datetime:
        """Until when a feed rests whose call is under way: as if MiX were to say at the last moment 'no more'."""
        return now + self.send_within + self.transit + self.pause

    def paused_until(self, now: datetime) -> datetime:
        """Until when a feed rests that was told now that there is no more."""
        return now + self.pause


@dataclass(frozen=True, slots=True)
class Books:
    """What the database says: the clock, when each taken slot frees, and what else has to be waited for."""

    now: datetime
    frees: Sequence[datetime]
    closed_until: datetime | None = None
    not_before: datetime | None = None


def usable(priority: str, limit: int) -> int:
    """How many slots this priority may fill: each rank leaves one more free, but everybody has one."""
    return max(1, limit - PRIORITIES.index(priority))


def wait_until(books: Books, rules: Rules, priority: str) -> datetime | None:
    """None: granted now. Otherwise the earliest moment at which it may be, if nothing else happens."""
    taken = sorted(moment for moment in books.frees if moment > books.now)
    over = len(taken) - usable(priority, rules.limit)
    waits = [moment for moment in (books.closed_until, books.not_before) if moment is not None]
    if over >= 0:
        waits.append(taken[over])
    latest = max(waits, default=books.now)
    return latest if latest > books.now else None


def closed_until(now: datetime, retry_after_seconds: float | None) -> datetime:
    """How long a 429 closes the budget. An hour at most: a header that says more is not believed."""
    seconds = THROTTLED_SECONDS if retry_after_seconds is None else retry_after_seconds
    return now + timedelta(seconds=min(max(seconds, 0.0), LONGEST_CLOSED_SECONDS))
