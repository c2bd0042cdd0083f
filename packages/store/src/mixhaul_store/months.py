"""Months as partitions know them: pure arithmetic, in UTC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

# Dates from clocks that were reset (1970, 1980) or run ahead (2099) stay in the DEFAULT partition: a partition for each
# of their months would cost every query planning time.
OLDEST_YEARS = 10
NEWEST_DAYS = 400


def month_of(moment: datetime) -> date:
    """The first day of the month that an aware time falls into."""
    if moment.tzinfo is None:
        raise ValueError("a time without zone has no month")
    return moment.astimezone(UTC).date().replace(day=1)


def following(month: date) -> date:
    """The month after."""
    return (month + timedelta(days=32)).replace(day=1)


def between(first: date, last: date) -> Iterator[date]:
    """Every month from `first` to `last`, both included."""
    month = first
    while month <= last:
        yield month
        month = following(month)


def wanted(*, now: datetime, back_days: int, ahead_days: int) -> tuple[date, ...]:
    """The months that touch the interval from so many days ago to so many days ahead."""
    return tuple(between(month_of(now - timedelta(days=back_days)), month_of(now + timedelta(days=ahead_days))))


def movable(months: Sequence[date], *, now: datetime) -> tuple[date, ...]:
    """Those that get a partition of their own; the others stay where they are."""
    oldest = month_of(now).replace(year=now.year - OLDEST_YEARS)
    newest = month_of(now + timedelta(days=NEWEST_DAYS))
    return tuple(month for month in sorted(months) if oldest <= month <= newest)
