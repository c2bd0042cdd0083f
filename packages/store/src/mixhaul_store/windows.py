"""Windows of event time that history has still to be asked for: of a gap, or of a request.

A window goes in the transaction that stores what it brought (`done`), so a kill at any point leaves it to be read
again. One owner's windows are read by one worker at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.intervals import Interval, newest_part
from mixhaul_store.intervals import windows as in_windows
from mixhaul_store.page_rows import LOCK_ORGANISATION, Written

Connection = AsyncConnection[Any]

_LONGEST_ERROR = 2000
_NEXT = """
SELECT w.id, w.organisation_id, w.from_time, w.to_time, w.attempts, w.gap_id, w.work_request_id,
       coalesce(w.not_before, '-infinity') <= clock_timestamp() AS due,
       coalesce(w.not_before, clock_timestamp()) - clock_timestamp()
  FROM backfill_windows w
 WHERE {condition} AND w.not_before IS DISTINCT FROM 'infinity'
 ORDER BY due DESC, CASE WHEN w.not_before > clock_timestamp() THEN w.not_before END, w.to_time DESC LIMIT 1
"""


_COUNT = """
UPDATE work_requests r
   SET progress = progress || jsonb_build_object(
           'answers', coalesce((progress->>'answers')::bigint, 0) + 1,
           'inserted', coalesce((progress->>'inserted')::bigint, 0) + %(inserted)s,
           'updated', coalesce((progress->>'updated')::bigint, 0) + %(updated)s,
           'left_seconds', (SELECT coalesce(sum(extract(epoch FROM to_time - from_time)), 0)::float8
                              FROM backfill_windows w WHERE w.work_request_id = r.id))
 WHERE id = %(request)s
"""


@dataclass(frozen=True, slots=True)
class Window:
    """One that is to be read. Either of the two owners is set."""

    id: int
    organisation_id: int
    span: Interval
    attempts: int
    gap_id: int | None
    work_request_id: int | None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose windows: a request's, or those of all gaps of an organisation."""

    organisation_id: int
    work_request_id: int | None = None

    @property
    def condition(self) -> str:
        """As SQL, with this object's fields as parameters."""
        mine = "w.gap_id IS NOT NULL" if self.work_request_id is None else "w.work_request_id = %(request)s"
        return f"w.organisation_id = %(organisation)s AND {mine}"

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of `condition`."""
        return {"organisation": self.organisation_id, "request": self.work_request_id}


@dataclass(frozen=True, slots=True)
class Next:
    """What to read next, and how long until something can be read; neither: there is nothing left."""

    window: Window | None
    wait: timedelta | None


async def add(
    conn: Connection,
    *,
    organisation_id: int,
    spans: Sequence[Interval],
    gap_id: int | None = None,
    work_request_id: int | None = None,
) -> None:
    """Lay windows out."""
    await conn.execute(
        "INSERT INTO backfill_windows (organisation_id, gap_id, work_request_id, from_time, to_time)"
        " SELECT %s, %s, %s, f, t FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS w (f, t)",
        (organisation_id, gap_id, work_request_id, [one.start for one in spans], [one.end for one in spans]),
    )


async def add_for_request(
    db: Database, request_id: int, span: Interval, *, organisation_ids: Sequence[int], epoch: Epoch
) -> None:
    """Lay out what a request asked for, once: one that is taken up again finds what is left. Raises `StaleEpoch`."""
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        total = span.length.total_seconds() * len(organisation_ids)
        cursor = await conn.execute(
            "UPDATE work_requests SET progress = progress || jsonb_build_object('total_seconds', %s::float8)"
            " WHERE id = %s AND NOT progress ? 'total_seconds'",
            (total, request_id),
        )
        if cursor.rowcount == 1:
            for organisation_id in organisation_ids:
                pieces = in_windows(span)
                await add(conn, organisation_id=organisation_id, spans=pieces, work_request_id=request_id)


async def forget_request(db: Database, request_id: int) -> None:
    """It is over: what was left of it is given up."""
    async with db.connection() as conn:
        await conn.execute("DELETE FROM backfill_windows WHERE work_request_id = %s", (request_id,))


async def next_of(db: Database, owner: Owner) -> Next:
    """The newest window whose time has come."""
    async with db.connection() as conn:
        cursor = await conn.execute(_NEXT.format(condition=owner.condition).encode(), owner.parameters)
        row = await cursor.fetchone()
    if row is None:
        return Next(None, None)
    id_, organisation_id, start, end, attempts, gap_id, request_id, due, wait = row
    if not due:
        return Next(None, wait)
    return Next(Window(id_, organisation_id, Interval(start, end), attempts, gap_id, request_id), None)


async def narrow(db: Database, window: Window, longest: timedelta, *, epoch: Epoch) -> Window | None:
    """Its newest part of this length, and the rest as a window of its own; None where it is gone (its gap grew)."""
    part, rest = newest_part(window.span, longest)
    if rest is None:
        return window
    async with db.transaction() as conn:
        await _fenced(conn, window, epoch)
        cursor = await conn.execute(
            "UPDATE backfill_windows SET from_time = %s, attempts = 0 WHERE id = %s", (part.start, window.id)
        )
        if cursor.rowcount != 1:
            return None
        await add(
            conn,
            organisation_id=window.organisation_id,
            spans=[rest],
            gap_id=window.gap_id,
            work_request_id=window.work_request_id,
        )
    return replace(window, span=part, attempts=0)


async def failed(db: Database, window: Window, *, epoch: Epoch, error: str, after: timedelta | None) -> None:
    """It could not be read: tried again after so long (None: never), and the reason is shown."""
    text = error.replace("\0", "\ufffd")[:_LONGEST_ERROR]
    async with db.transaction() as conn:
        await _fenced(conn, window, epoch)
        await conn.execute(
            "UPDATE backfill_windows SET attempts = attempts + 1, last_error = %s,"
            " not_before = coalesce(clock_timestamp() + %s::interval, 'infinity') WHERE id = %s",
            (text, after, window.id),
        )
        if window.gap_id is not None:
            await conn.execute(
                "UPDATE gaps SET attempts = attempts + 1, last_error = %s WHERE id = %s", (text, window.gap_id)
            )


async def done(conn: Connection, window: Window, written: Written) -> bool:
    """It was read and what it brought is being stored; its request's figures go with it. False where it is gone: its
    gap has grown meanwhile."""
    cursor = await conn.execute("DELETE FROM backfill_windows WHERE id = %s", (window.id,))
    if window.work_request_id is not None:
        await conn.execute(
            _COUNT,
            {"request": window.work_request_id, "inserted": written.inserted, "updated": written.updated},
        )
    return cursor.rowcount == 1


async def spans(conn: Connection, *, gap_id: int) -> list[Interval]:
    """What is left of a gap, as it is laid out."""
    cursor = await conn.execute("SELECT from_time, to_time FROM backfill_windows WHERE gap_id = %s", (gap_id,))
    return [Interval(*row) for row in await cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Unread:
    """What is left of a request: seconds of event time, and the reason of the newest part that can't be read."""

    seconds: float
    reason: str | None


async def unread(db: Database, request_id: int) -> Unread:
    """What is left of a request, over all organisations."""
    async with db.connection() as conn:
        cursor = await conn.execute(
            "SELECT coalesce(sum(extract(epoch FROM to_time - from_time)), 0)::float8,"
            " (array_agg(last_error ORDER BY to_time DESC) FILTER (WHERE last_error IS NOT NULL))[1]"
            " FROM backfill_windows WHERE work_request_id = %s",
            (request_id,),
        )
        row = await cursor.fetchone()
    assert row is not None  # noqa: S101  (one row always)
    return Unread(*row)


async def _fenced(conn: Connection, window: Window, epoch: Epoch) -> None:
    await assert_epoch(conn, epoch)
    await conn.execute(LOCK_ORGANISATION, (window.organisation_id,))
