"""Where each feed stands: the token that MiX gave last, and when it began.

The cursor itself is moved by `pages.commit_page` and nowhere else; here it is read, started anew, and its errors noted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection

from mixhaul_store import gaps
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.intervals import Interval
from mixhaul_store.page_rows import LOCK_ORGANISATION

_COLUMNS = (
    "last_successful_sincetoken, token_received_at, not_before, has_more_items, last_poll_at, last_data_at,"
    " caught_up_at, consecutive_errors, last_error, begun_at"
)
_LONGEST_ERROR = 2000
PAGE_MISSING: Final = "PageMissing"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A feed's row of etl_control. `token` None: the feed has to be started, by `startFrom` or after a dead token.

    `begun_at` is when a feed that starts from `Now` first began, whether a page came or not.
    """

    token: str | None
    token_received_at: datetime | None
    not_before: datetime | None
    has_more_items: bool | None
    last_poll_at: datetime | None
    last_data_at: datetime | None
    caught_up_at: datetime | None
    consecutive_errors: int
    last_error: str | None
    begun_at: datetime | None = None


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


async def begin(db: Database, *, epoch: Epoch, organisation_id: int, feed: str, at: datetime) -> datetime:
    """Remember that a feed begins now, before anything is asked for; answers when it first did. Raises `StaleEpoch`."""
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        cursor = await conn.execute(
            "INSERT INTO etl_control AS c (organisation_id, feed, begun_at) VALUES (%s, %s, %s)"
            " ON CONFLICT (organisation_id, feed) DO UPDATE SET begun_at = coalesce(c.begun_at, excluded.begun_at)"
            " RETURNING begun_at",
            (organisation_id, feed, at),
        )
        row = await cursor.fetchone()
    assert row is not None  # noqa: S101  (RETURNING)
    begun_at: datetime = row[0]
    return begun_at


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
            span = Interval(gap_from, gap_to)
            await gaps.book(conn, organisation_id=organisation_id, feed=feed, span=span, cause=cause)


async def book_missing_page(
    db: Database, *, epoch: Epoch, organisation_id: int, feed: str, span: Interval, at_least: timedelta
) -> bool:
    """A page does not come: what it may hold is a gap, though the cursor stays where it is. Whether one was booked.

    Not again while one of the feed is being filled, nor until the time since the last one is worth it; the next one
    begins where that one ended.
    """
    async with db.transaction() as conn:
        await assert_epoch(conn, epoch)
        await conn.execute(LOCK_ORGANISATION, (organisation_id,))
        cursor = await conn.execute(
            "SELECT count(*) FILTER (WHERE state = 'open'), max(to_time) FILTER (WHERE to_time >= %s) FROM gaps"
            " WHERE organisation_id = %s AND feed = %s AND cause = %s",
            (span.start, organisation_id, feed, PAGE_MISSING),
        )
        row = await cursor.fetchone()
        unfilled, last = (0, None) if row is None else row
        begin = span.start if last is None else last
        if unfilled or begin >= span.end or (last is not None and span.end - last < at_least):
            return False
        span = Interval(begin, span.end)
        await gaps.book(conn, organisation_id=organisation_id, feed=feed, span=span, cause=PAGE_MISSING)
    return True
