"""The spans of a report: its month, the two months before, and the weeks of the month, in a reader's time zone.

A week is an ISO week (Monday to Sunday), cut off at the ends of the month: the weeks of a month are four to six, the
first and the last may be short, and together they are exactly the month. Every span begins at its first day's midnight
of the time zone, so a day of 23 or 25 hours makes it shorter or longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from mixhaul_api.periods import midnight

MONTHS: Final = 3
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Whole days from `first` to `last`, both within; `start` belongs to it and `end` does not."""

    first: date
    last: date
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Calendar:
    """`months` are the two before and the report's own, the oldest first; `weeks` are of the report's own."""

    months: tuple[Span, ...]
    weeks: tuple[Span, ...]

    @property
    def month(self) -> Span:
        return self.months[-1]

    @property
    def edges(self) -> list[datetime]:
        """Where one span ends and the next begins: the months before, then the weeks, then the end."""
        return [span.start for span in (*self.months[:-1], *self.weeks)] + [self.month.end]


def calendar(month: date, zone: ZoneInfo) -> Calendar:
    """The spans of the month that begins on that day."""
    firsts = [_months_later(month, number) for number in range(1 - MONTHS, 2)]
    months = tuple(span(first, following - _DAY, zone) for first, following in pairwise(firsts))
    last = months[-1].last
    begins = [month, *(day for day in _days(month + _DAY, last) if day.isoweekday() == 1)]
    ends = [*(day - _DAY for day in begins[1:]), last]
    return Calendar(months, tuple(span(first, end, zone) for first, end in zip(begins, ends, strict=True)))


def span(first: date, last: date, zone: ZoneInfo) -> Span:
    """Whole days of a time zone."""
    return Span(first, last, midnight(first, zone), midnight(last + _DAY, zone))


def iso_week(one: Span) -> str:
    """As ISO 8601 names it, such as 2026-W01: the year of a week is not always that of its days."""
    year, week, _ = one.first.isocalendar()
    return f"{year}-W{week:02}"


def _months_later(first: date, number: int) -> date:
    year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
    return date(year, month + 1, 1)


def _days(first: date, last: date) -> Sequence[date]:
    return [first + number * _DAY for number in range((last - first).days + 1)]
