"""Where each feed stands: the token that MiX gave last, and the gaps that a dead one left.

The cursor itself is moved by `pages.commit_page` and nowhere else; here it is read, started anew, and its errors noted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.page_rows import LOCK_ORGANISATION

_COLUMNS = (
    "last_successful_sincetoken, token_received_at, not_before, has_more_items, last_poll_at, last_data_at,"
    " caught_up_at, consecutive_errors, last_error"
)
_OPEN_GAPS = "organisation_id = %(organisation)s AND feed = %(feed)s AND state = 'open'"
_LONGEST_ERROR = 2000


@dataclass(frozen=True, slots=True)
class Cursor:
    """A feed's row of etl_control. `token` None: the feed has to be started, by `startFrom` or after a dead token."""

    token: str | None
    token_received_at: datetime | None
    not_before: datetime | None
    has_more_items: bool | None
    last_poll_at: datetime | None
    last_data_at: datetime | None
    caught_up_at: datetime | None
    consecutive_errors: int
    last_error: str | None


async def read_cursor(conn: AsyncConnection[Any], organisation_id: int, feed: str) -> Cursor:
    """The cursor; its row is made where there is none."""
    key = (organisation_id, feed)
    select = f"SELECT {_COLUMNS} FROM etl_control WHERE organisation_id = %s AND feed = %s"
    row = await (await conn.execute(select, key)).fetchone()
    if row is None:
        await conn.execute(
            "INSERT INTO etl_control (organisation_id, feed) VALUES (%s, %s) ON CONFLICT DO NOTHING", key
        )
        row = await (await conn.execute(select, key)).fetchone()
    assert row is not None  # noqa: S101  (just inserted, and only deleted with its organisation)
    return Cursor(*row)


def after_page(cursor: Cursor, *, token: str, has_more: bool, at: datetime) -> Cursor:
    """What `read_cursor` would say after a page was committed, without asking."""
    return replace(
        cursor,
        token=token,
        token_received_at=at,
        has_more_items=has_more,
        last_poll_at=at,
        caught_up_at=cursor.caught_up_at if has_more else at,
        consecutive_errors=0,
        last_error=None,
    )


async def record_poll_error(
    db: Database, *, epoch: Epoch, organisation_id: int, feed: str, error: str, kind: str
) -> None:
    """Count an attempt that brought no page. `kind` is the error's class, which programs go by. Raises `StaleEpoch`
    where another process leads."""
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        await conn.execute(
            "INSERT INTO etl_control AS c"
            " (organisation_id, feed, consecutive_errors, last_error, last_error_kind, last_error_at)"
            " VALUES (%s, %s, 1, %s, %s, clock_timestamp())"
            " ON CONFLICT (organisation_id, feed) DO UPDATE SET consecutive_errors = c.consecutive_errors + 1,"
            " last_error = excluded.last_error, last_error_kind = excluded.last_error_kind,"
            " last_error_at = excluded.last_error_at, updated_at = clock_timestamp()",
            (organisation_id, feed, error.replace("\0", "\ufffd")[:_LONGEST_ERROR], kind),
        )


async def reseed(
    db: Database,
    *,
    epoch: Epoch,
    organisation_id: int,
    feed: str,
    gap_from: datetime | None,
    gap_to: datetime | None,
    cause: str,
) -> None:
    """Forget the token and write down what is missing, in one transaction.

    An open gap of the feed that overlaps or touches the new one becomes one with it; the cause stays that of the first.
    `token_received_at` stays, so that a feed that was started anew can be told from one that never began.
    """
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        await conn.execute(LOCK_ORGANISATION, (organisation_id,))
        await conn.execute(
            "INSERT INTO etl_control (organisation_id, feed) VALUES (%s, %s)"
            " ON CONFLICT (organisation_id, feed) DO UPDATE"
            " SET last_successful_sincetoken = NULL, has_more_items = NULL, updated_at = clock_timestamp()",
            (organisation_id, feed),
        )
        if gap_from is not None and gap_to is not None and gap_from < gap_to:
            await _add_gap(conn, organisation_id=organisation_id, feed=feed, from_=gap_from, to=gap_to, cause=cause)


async def last_gap_end(conn: AsyncConnection[Any], organisation_id: int, feed: str) -> datetime | None:
    """Where the latest gap of the feed ends, filled or not."""
    cursor = await conn.execute(
        "SELECT max(to_time) FROM gaps WHERE organisation_id = %s AND feed = %s", (organisation_id, feed)
    )
    row = await cursor.fetchone()
    end: datetime | None = row[0] if row else None
    return end


async def _add_gap(
    conn: AsyncConnection[Any], *, organisation_id: int, feed: str, from_: datetime, to: datetime, cause: str
) -> None:
    values = {"organisation": organisation_id, "feed": feed, "from": from_, "to": to, "cause": cause}
    # What was filled of a gap that grows backwards or joins another is not known any more: it is filled again.
    await conn.execute(
        f"""
        WITH touching AS (
            DELETE FROM gaps WHERE {_OPEN_GAPS} AND from_time <= %(to)s AND to_time >= %(from)s
            RETURNING from_time, to_time, cause, created_at, attempts, filled_up_to
        )
        INSERT INTO gaps (organisation_id, feed, from_time, to_time, cause, created_at, attempts, filled_up_to)
        SELECT %(organisation)s, %(feed)s, least(min(from_time), %(from)s), greatest(max(to_time), %(to)s),
               coalesce((array_agg(cause ORDER BY created_at))[1], %(cause)s),
               coalesce(min(created_at), clock_timestamp()), coalesce(max(attempts), 0),
               CASE WHEN count(*) = 1 AND min(from_time) <= %(from)s THEN max(filled_up_to) END
          FROM touching
        """,
        values,
    )
