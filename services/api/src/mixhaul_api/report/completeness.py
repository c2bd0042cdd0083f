"""What a report can't know yet: a form that is signed must not pretend to be complete.

It can't rule out that a vehicle out of coverage uploads an event later: the form says as of when it is, and that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from mixhaul_api.freshness import Progress, as_of
from mixhaul_api.report.calendar import Span

# A gap is an interval of creation time; an event is created up to so much after it happened.
LATENESS: Final = timedelta(days=30)
# The feed begins with events that were created that long before.
FEED_DEPTH: Final = timedelta(days=7)


class Missing(StrEnum):
    """Why a span's figures may not be all of it."""

    NOT_OVER = "not-over"
    NOT_UP_TO_DATE = "not-up-to-date"
    OPEN_GAPS = "open-gaps"
    EVENTS_MISSING = "events-missing"
    BEFORE_THE_HAUL = "before-the-haul"
    NOT_KEPT = "not-kept"


@dataclass(frozen=True, slots=True)
class Books:
    """What else tells whether all events of a time are there.

    `backfills` are those that went well and are not forgotten yet, by the time of the events. `missing_days` are days
    of UTC of which MiX has events that could not be had.
    """

    claimed_at: datetime
    backfills: Sequence[tuple[datetime, datetime]] = ()
    kept_days: int | None = None
    missing_days: Sequence[date] = ()

    @property
    def hauled_since(self) -> datetime:
        """From when on events were collected: by the feed, and by the backfills that lead up to it."""
        since = self.claimed_at - FEED_DEPTH
        for begin, end in sorted(self.backfills, reverse=True, key=lambda one: one[1]):
            if begin < since <= end:
                since = begin
        return since


def missing(span: Span, progress: Progress, books: Books) -> list[Missing]:
    """Why the figures of a span are not to be trusted yet; nothing where they are complete as far as MiX had them."""
    found = []
    if progress.now < span.end:
        found.append(Missing.NOT_OVER)
    reached = as_of(progress)
    # While the span goes on, its end is not what the feed can have reached.
    if reached is None or (progress.now >= span.end and reached < span.end):
        found.append(Missing.NOT_UP_TO_DATE)
    if _has_gap(span, progress):
        found.append(Missing.OPEN_GAPS)
    if any(span.start.date() <= day <= span.end.date() for day in books.missing_days):
        found.append(Missing.EVENTS_MISSING)
    if span.start < books.hauled_since:
        found.append(Missing.BEFORE_THE_HAUL)
    if books.kept_days is not None and span.start < progress.now - timedelta(days=books.kept_days):
        found.append(Missing.NOT_KEPT)
    return found


def _has_gap(span: Span, progress: Progress) -> bool:
    # Those that are not listed are older: nobody knows here how old.
    if progress.gap_count > len(progress.gaps):
        return True
    return any(end > span.start and start < span.end + LATENESS for start, end in progress.gaps)
