"""What has outlived its retention: which months may be dropped whole, which are trimmed. Pure.

A month is dropped once nobody keeps anything of it; one organisation that keeps everything, or of which it is not known
how long it keeps, holds all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from mixhaul_store import months


@dataclass(frozen=True, slots=True)
class Policy:
    """What a source says in `spec.retention`; None keeps for ever."""

    event_days: int | None = None
    raw_days: int | None = None


KEEP: Policy = Policy()


@dataclass(frozen=True, slots=True)
class Slice:
    """A month of one organisation, as far as it is older than its rows are kept: [begin, end)."""

    organisation_id: int
    begin: datetime
    end: datetime


def cut(days: Sequence[int | None], *, now: datetime) -> datetime | None:
    """The time before which nobody keeps anything; None where somebody keeps everything, or there is nobody."""
    known = [each for each in days if each is not None]
    return now - timedelta(days=max(known)) if known and len(known) == len(days) else None


def droppable(found: Sequence[date], *, before: datetime | None) -> tuple[date, ...]:
    """The months that ended before then."""
    if before is None:
        return ()
    return tuple(month for month in sorted(found) if midnight(months.following(month)) <= before)


def slices(days: Mapping[int, int | None], found: Sequence[date], *, now: datetime) -> tuple[Slice, ...]:
    """For each organisation the months that hold rows older than it keeps them, the oldest first."""
    made: list[Slice] = []
    for organisation_id, kept in days.items():
        if kept is None:
            continue
        since = now - timedelta(days=kept)
        for month in sorted(found):
            begin, end = midnight(month), min(midnight(months.following(month)), since)
            if begin < end:
                made.append(Slice(organisation_id, begin, end))
    return tuple(made)


def midnight(day: date) -> datetime:
    """Its first moment, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
