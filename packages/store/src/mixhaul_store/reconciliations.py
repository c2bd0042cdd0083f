"""The book of comparisons: each UTC day of an organisation against what MiX's range endpoint says of it.

A comparison adds its figures part by part, each in the transaction that stores what the part brought, so that one that
is cut off still says what it found. Who compares, and when, is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.intervals import Interval

Connection = AsyncConnection[Any]
Reason = Literal["daily", "request"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a comparison found, as the columns of `reconciliations`."""

    compared: int = 0
    missing: int = 0
    differing: int = 0
    filled: int = 0
    unfilled: int = 0
    rewritten: int = 0
    quarantined: int = 0
    only_here: int = 0
    explanations: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Figures) -> Figures:
        explained = dict(self.explanations)
        for name, number in other.explanations.items():
            explained[name] = explained.get(name, 0) + number
        numbers = {name: getattr(self, name) + getattr(other, name) for name in _NUMBERS}
        return replace(Figures(explanations=explained), **numbers)


_NUMBERS = ("compared", "missing", "differing", "filled", "unfilled", "rewritten", "quarantined", "only_here")
_COLUMNS = f"{', '.join(_NUMBERS)}, explanations"


@dataclass(frozen=True, slots=True)
class Day:
    """One comparison that ended."""

    day: date
    finished_at: datetime
    figures: Figures


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What explains that an event is missing: intervals of creation time that are not filled yet, and when the feed
    last said that there is no more."""

    open_gaps: tuple[Interval, ...]
    caught_up_at: datetime | None


async def begin(
    db: Database,
    *,
    epoch: Epoch,
    organisation_id: int,
    day: date,
    up_to: datetime,
    reason: Reason,
    work_request_id: int | None = None,
) -> int:
    """Open a comparison; its id. Raises `StaleEpoch`."""
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        cursor = await conn.execute(
            "INSERT INTO reconciliations (organisation_id, day, up_to, reason, work_request_id)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING id",
            (organisation_id, day, up_to, reason, work_request_id),
        )
        row = await cursor.fetchone()
    assert row is not None  # noqa: S101  (INSERT of one row)
    number: int = row[0]
    return number


async def add(conn: Connection, number: int, figures: Figures) -> None:
    """What a part of the day came to, within the caller's transaction."""
    cursor = await conn.execute(f"SELECT {_COLUMNS} FROM reconciliations WHERE id = %s FOR UPDATE".encode(), (number,))
    row = await cursor.fetchone()
    if row is None:
        return  # its organisation is gone
    total = _figures(row) + figures
    await conn.execute(
        f"UPDATE reconciliations SET {', '.join(f'{name} = %s' for name in _NUMBERS)}, explanations = %s"
        " WHERE id = %s".encode(),
        (*(getattr(total, name) for name in _NUMBERS), Jsonb(dict(total.explanations)), number),
    )


async def finish(db: Database, number: int, *, epoch: Epoch) -> Figures | None:
    """The whole day was compared; what it came to. None where its organisation is gone."""
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        cursor = await conn.execute(
            f"UPDATE reconciliations SET finished_at = clock_timestamp() WHERE id = %s RETURNING {_COLUMNS}".encode(),
            (number,),
        )
        row = await cursor.fetchone()
    return None if row is None else _figures(row)


async def last_of_days(db: Database, organisation_id: int, *, since: date) -> dict[date, Day]:
    """The last comparison that ended of each day, from `since` on."""
    async with db.connection() as conn:
        cursor = await conn.execute(
            f"""
            SELECT DISTINCT ON (day) day, finished_at, {_COLUMNS} FROM reconciliations
             WHERE organisation_id = %s AND day >= %s AND finished_at IS NOT NULL
             ORDER BY day, started_at DESC, id DESC
            """.encode(),
            (organisation_id, since),
        )
        return {row[0]: Day(row[0], row[1], _figures(row[2:])) for row in await cursor.fetchall()}


async def of_request(db: Database, work_request_id: int) -> dict[tuple[int, date], Figures]:
    """What a request's comparisons came to, by MiX's organisation id and day; those that were cut off count too."""
    names = ", ".join(f"r.{name}" for name in _NUMBERS)
    async with db.connection() as conn:
        cursor = await conn.execute(
            f"""
            SELECT o.external_id, r.day, r.finished_at IS NOT NULL, {names}, r.explanations
              FROM reconciliations r JOIN organisations o ON o.id = r.organisation_id
             WHERE r.work_request_id = %s ORDER BY o.external_id, r.day, r.id
            """.encode(),
            (work_request_id,),
        )
        found: dict[tuple[int, date], Figures] = {}
        for organisation, day, finished, *numbers in await cursor.fetchall():
            figures = _figures(numbers)
            before = found.get((organisation, day))
            if before is not None:
                figures = _continued(before, figures, finished=finished)
            found[organisation, day] = figures
        return found


async def first_day(db: Database, organisation_id: int, *, proposal: date) -> date:
    """From which day on this organisation is compared by itself: what was decided first stays."""
    async with db.connection() as conn:
        cursor = await conn.execute(
            "INSERT INTO late_truth AS t (organisation_id, compared_from) VALUES (%s, %s)"
            " ON CONFLICT (organisation_id) DO UPDATE"
            " SET compared_from = coalesce(t.compared_from, excluded.compared_from) RETURNING compared_from",
            (organisation_id, proposal),
        )
        row = await cursor.fetchone()
    assert row is not None  # noqa: S101  (RETURNING)
    first: date = row[0]
    return first


async def feed_began(db: Database, organisation_id: int) -> datetime | None:
    """When the organisation's feed was first read; None: not yet."""
    async with db.connection() as conn:
        cursor = await conn.execute(
            "SELECT least((SELECT min(observed_at) FROM raw_pages WHERE organisation_id = %(id)s AND feed = 'events'),"
            " (SELECT min(last_poll_at) FROM etl_control WHERE organisation_id = %(id)s AND feed = 'events'))",
            {"id": organisation_id},
        )
        row = await cursor.fetchone()
    began: datetime | None = row[0] if row else None
    return began


async def surroundings(db: Database, organisation_id: int, feed: str) -> Surroundings:
    """As they are now."""
    async with db.connection() as conn:
        cursor = await conn.execute(
            "SELECT coalesce(filled_up_to, from_time), to_time FROM gaps"
            " WHERE organisation_id = %s AND feed = %s AND state = 'open'"
            " AND coalesce(filled_up_to, from_time) < to_time",
            (organisation_id, feed),
        )
        gaps = tuple(Interval(*row) for row in await cursor.fetchall())
        cursor = await conn.execute(
            "SELECT caught_up_at FROM etl_control WHERE organisation_id = %s AND feed = %s", (organisation_id, feed)
        )
        row = await cursor.fetchone()
    return Surroundings(gaps, row[0] if row else None)


def _continued(before: Figures, after: Figures, *, finished: bool) -> Figures:
    """A day that was begun anew after a cut: what was found before was filled then, and is not found again."""
    if not finished:
        return before + after
    found = ("missing", "differing", "filled")
    numbers = {name: getattr(after, name) + (getattr(before, name) if name in found else 0) for name in _NUMBERS}
    return replace(Figures(explanations=before.explanations) + after, **numbers)


def _figures(row: Any) -> Figures:
    return Figures(*row)
