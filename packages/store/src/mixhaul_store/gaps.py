"""The ledger of gaps: intervals of creation time that a feed may have missed, and what is left to read of each.

A gap is booked in the transaction that starts the feed anew, and closed in the one that stores the last thing that was
left of it. Everything here runs under the lock of the organisation, which the caller has taken, or takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store import windows
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.intervals import Interval, OpenGap, absorb, filled, to_read, touched
from mixhaul_store.intervals import windows as in_windows
from mixhaul_store.page_rows import LOCK_ORGANISATION

Connection = AsyncConnection[Any]

_OPEN = """
SELECT id, from_time, to_time, filled_up_to, cause, created_at, attempts
  FROM gaps WHERE organisation_id = %s AND feed = %s AND state = 'open' ORDER BY created_at, id
"""
# A gap that is not over yet by this clock is not read yet: what will be created in it can't be read now.
_UNPLANNED = """
SELECT g.id, g.from_time, g.to_time, g.filled_up_to, c.largest_lateness, clock_timestamp()
  FROM gaps g LEFT JOIN etl_control c USING (organisation_id, feed)
 WHERE g.organisation_id = %s AND g.feed = %s AND g.state = 'open' AND g.to_time <= clock_timestamp()
   AND NOT EXISTS (SELECT FROM backfill_windows w WHERE w.gap_id = g.id)
"""


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    gap: OpenGap
    cause: str
    created_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class GapsLeft:
    """What is open of an organisation's gaps: how many, and how much is left to read, in seconds of event time."""

    organisation_id: int
    gaps: int
    unread_seconds: float


async def book(conn: Connection, *, organisation_id: int, feed: str, span: Interval, cause: str) -> None:
    """Write down that something may be missing. Open gaps that it overlaps or touches become one with it; the cause
    stays that of the first."""
    rows = await _open(conn, organisation_id=organisation_id, feed=feed)
    merged = absorb([row.gap for row in rows], span)
    if merged is None:
        return
    met = touched([row.gap for row in rows], span)
    old = [row for row in rows if row.gap in met]
    # Their windows go with them: what was read before knows nothing of what was created since.
    await conn.execute("DELETE FROM gaps WHERE id = ANY(%s)", ([row.id for row in old],))
    await conn.execute(
        "INSERT INTO gaps (organisation_id, feed, from_time, to_time, filled_up_to, cause, created_at, attempts)"
        " VALUES (%s, %s, %s, %s, %s, %s, coalesce(%s, clock_timestamp()), %s)",
        (
            organisation_id,
            feed,
            merged.span.start,
            merged.span.end,
            merged.filled_up_to,
            old[0].cause if old else cause,
            old[0].created_at if old else None,
            max((row.attempts for row in old), default=0),
        ),
    )


async def latest_end(conn: Connection, organisation_id: int, feed: str) -> datetime | None:
    """Where the latest gap of the feed ends, filled or not."""
    cursor = await conn.execute(
        "SELECT max(to_time) FROM gaps WHERE organisation_id = %s AND feed = %s", (organisation_id, feed)
    )
    row = await cursor.fetchone()
    end: datetime | None = row[0] if row else None
    return end


async def plan(db: Database, *, epoch: Epoch, organisation_id: int, feed: str) -> int:
    """Lay out the windows of gaps that have none; how many were laid out. Raises `StaleEpoch`."""
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        await conn.execute(LOCK_ORGANISATION, (organisation_id,))
        made = 0
        cursor = await conn.execute(_UNPLANNED, (organisation_id, feed))
        for gap_id, start, end, filled_up_to, lateness, now in await cursor.fetchall():
            whole = to_read(OpenGap(Interval(start, end), filled_up_to), lateness=lateness, now=now)
            pieces = in_windows(whole)
            await windows.add(conn, organisation_id=organisation_id, spans=pieces, gap_id=gap_id)
            made += len(pieces)
    return made


async def part_was_read(conn: Connection, gap_id: int) -> None:
    """A window of a gap was stored and is gone: move how far it is filled, or close it."""
    cursor = await conn.execute("SELECT from_time, to_time, filled_up_to FROM gaps WHERE id = %s FOR UPDATE", (gap_id,))
    row = await cursor.fetchone()
    if row is None:
        return
    unread = await windows.spans(conn, gap_id=gap_id)
    gap = OpenGap(Interval(row[0], row[1]), row[2])
    await conn.execute(
        "UPDATE gaps SET filled_up_to = %(filled)s, attempts = attempts + 1, last_error = ("
        "SELECT last_error FROM backfill_windows WHERE gap_id = %(id)s ORDER BY attempts DESC, id LIMIT 1),"
        " state = CASE WHEN %(closed)s THEN 'closed' ELSE state END,"
        " closed_at = CASE WHEN %(closed)s THEN clock_timestamp() END WHERE id = %(id)s",
        {"filled": filled(gap, unread=unread), "closed": not unread, "id": gap_id},
    )


async def left(db: Database, feed: str) -> list[GapsLeft]:
    """Every organisation with open gaps. Of a gap that has no windows yet its own length counts."""
    async with db.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT g.organisation_id, count(*),
                   sum(coalesce(w.seconds, extract(epoch FROM g.to_time - coalesce(g.filled_up_to, g.from_time)))
                      )::float8
              FROM gaps g LEFT JOIN LATERAL (
                    SELECT sum(extract(epoch FROM to_time - from_time)) AS seconds
                      FROM backfill_windows WHERE gap_id = g.id) w ON true
             WHERE g.state = 'open' AND g.feed = %s GROUP BY 1
            """,
            (feed,),
        )
        return [GapsLeft(*row) for row in await cursor.fetchall()]


async def _open(conn: Connection, *, organisation_id: int, feed: str) -> Sequence[_Row]:
    cursor = await conn.execute(_OPEN, (organisation_id, feed))
    return [
        _Row(id_, OpenGap(Interval(start, end), filled_up_to), cause, created_at, attempts)
        for id_, start, end, filled_up_to, cause, created_at, attempts in await cursor.fetchall()
    ]
