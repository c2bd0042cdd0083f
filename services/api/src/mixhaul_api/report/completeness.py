"""What a report can't know yet: a form that is signed must not pretend to be complete.

It can't rule out that a vehicle out of coverage uploads an event later: the form says as of when it is, and that.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from mixhaul_api.freshness import Progress, as_of
from mixhaul_api.report.calendar import Span

# A gap is an interval of creation time; an event is created up to so much after it happened.
LATENESS: Final = timedelta(days=30)
# The feed begins with events that were created that long before.
FEED_DEPTH: Final = timedelta(days=7)


class Missing(StrEnum):
    """Why a span's figures may still change."""

    NOT_OVER = "not-over"
    NOT_UP_TO_DATE = "not-up-to-date"
    OPEN_GAPS = "open-gaps"
    BEFORE_THE_HAUL = "before-the-haul"


def missing(span: Span, progress: Progress, *, hauled_since: datetime) -> list[Missing]:
    """Why the figures of a span may still change; nothing where they are complete as far as MiX had them."""
    found = []
    if progress.now < span.end:
        found.append(Missing.NOT_OVER)
    reached = as_of(progress)
    # While the span goes on, its end is not what the feed can have reached.
    if reached is None or (progress.now >= span.end and reached < span.end):
        found.append(Missing.NOT_UP_TO_DATE)
    if _has_gap(span, progress):
        found.append(Missing.OPEN_GAPS)
    if span.start < hauled_since:
        found.append(Missing.BEFORE_THE_HAUL)
    return found


def _has_gap(span: Span, progress: Progress) -> bool:
    # Those that are not listed are older: nobody knows here how old.
    if progress.gap_count > len(progress.gaps):
        return True
    return any(end > span.start and start < span.end + LATENESS for start, end in progress.gaps)
