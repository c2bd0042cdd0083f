"""Permits in the database: granted, kept while a call is under way, and settled by its outcome.

The statements behind `budgets`; waiting is not done here. Rows are locked in one order everywhere: the epoch, the
budget, the feed, the permit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from mixhaul_store.budget_rules import Books, Rules, closed_until, wait_until
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.errors import StaleEpoch

Connection = AsyncConnection[Any]

# A process that is stopped inside of a grant must not hold up the others.
_SHORT = (
    "SELECT set_config('idle_in_transaction_session_timeout', '5s', true), set_config('lock_timeout', '5s', true),"
    " set_config('statement_timeout', '10s', true)"
)
_KEEP_FOR = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class FeedPause:
    """The feed whose `not_before` goes with the permits, its pause, and the epoch of the leader that reads it."""

    organisation_id: int
    feed: str
    pause_seconds: float
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class Granted:
    """A permit's row."""

    id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """One budget as one caller uses it."""

    key: str
    priority: str
    holder: str
    rules: Rules
    feed: FeedPause | None


async def budget_id(db: Database, key: str) -> int:
    """The budget's row, made where there is none."""
    async with db.connection() as connection:
        await connection.execute("INSERT INTO request_budgets (key) VALUES (%s) ON CONFLICT DO NOTHING", (key,))
        cursor = await connection.execute("SELECT id FROM request_budgets WHERE key = %s", (key,))
        row = await cursor.fetchone()
    assert row is not None  # noqa: S101  (just inserted; budgets are not deleted)
    number: int = row[0]
    return number


async def ask(db: Database, account: Account, *, budget: int) -> Granted | timedelta:
    """Grant a permit, or say how long to wait. `StaleEpoch`: this feed is read by another process."""
    async with db.transaction() as connection:
        await connection.execute(_SHORT, prepare=True)
        # First, so that a takeover ends this session if the process stands still from here on.
        if account.feed is not None:
            await assert_epoch(connection, account.feed.epoch)
        books = await _books(connection, account, budget=budget)
        until = wait_until(books, account.rules, account.priority)
        if until is not None:
            return until - books.now
        cursor = await connection.execute(
            "WITH old AS (DELETE FROM request_permits WHERE budget_id = %(budget)s AND frees_at < %(old)s)"
            " INSERT INTO request_permits (budget_id, priority, holder, granted_at, frees_at)"
            " VALUES (%(budget)s, %(priority)s, %(holder)s, %(now)s, %(frees)s) RETURNING id",
            {
                "budget": budget,
                "old": books.now - _KEEP_FOR,
                "priority": account.priority,
                "holder": account.holder,
                "now": books.now,
                "frees": account.rules.taken_until(books.now),
            },
            prepare=True,
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  (RETURNING)
        if account.feed is not None:
            await _rest(connection, account.feed, account.rules.silent_until(books.now))
        return Granted(id=row[0], at=books.now)


async def keep(db: Database, account: Account, granted: Granted) -> None:
    """The call is still under way: move what its unknown outcome would leave behind."""
    async with db.transaction() as connection:
        now = await _now(connection)
        if account.feed is not None:
            await _rest(connection, account.feed, account.rules.silent_until(now), at_least=True)
        await _free(connection, granted, account.rules.taken_until(now))


async def answered(db: Database, account: Account, granted: Granted, *, no_more: bool) -> None:
    """An answer was read. `no_more`: a feed page said so, and the pause begins."""
    async with db.transaction() as connection:
        now = await _now(connection)
        leads = await _leads(connection, account)
        await _end_silence(connection, account, leads, until=account.rules.paused_until(now) if no_more else None)
        await _free(connection, granted, account.rules.answered_until(now))


async def throttled(db: Database, account: Account, granted: Granted, *, retry_after_seconds: float | None) -> None:
    """MiX wants less: nobody calls until then."""
    async with db.transaction() as connection:
        now = await _now(connection)
        leads = await _leads(connection, account)
        await connection.execute(
            "UPDATE request_budgets SET closed_until = greatest(closed_until, %s) WHERE key = %s",
            (closed_until(now, retry_after_seconds), account.key),
        )
        await _end_silence(connection, account, leads, until=None)
        await _free(connection, granted, account.rules.answered_until(now))


async def give_back(db: Database, account: Account, granted: Granted) -> None:
    """The call was never sent: as if the permit had not been."""
    async with db.transaction() as connection:
        await connection.execute(_SHORT, prepare=True)
        await _end_silence(connection, account, await _leads(connection, account), until=None)
        await connection.execute("DELETE FROM request_permits WHERE id = %s", (granted.id,))


async def used(db: Database, key: str) -> int:
    """How many slots of a budget are taken now."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM request_permits p JOIN request_budgets b ON b.id = p.budget_id"
            " WHERE b.key = %s AND p.frees_at > clock_timestamp()",
            (key,),
        )
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _books(connection: Connection, account: Account, *, budget: int) -> Books:
    """Lock the budget and the feed's row, and only then read the clock."""
    cursor = await connection.execute(
        "SELECT closed_until FROM request_budgets WHERE id = %s FOR NO KEY UPDATE", (budget,), prepare=True
    )
    closed = await cursor.fetchone()
    assert closed is not None  # noqa: S101  (budgets are not deleted)
    not_before = None if account.feed is None else await _not_before(connection, account.feed)
    cursor = await connection.execute(
        "SELECT n.at, ARRAY(SELECT frees_at FROM request_permits WHERE budget_id = %s AND frees_at > n.at)"
        " FROM (SELECT clock_timestamp() AS at OFFSET 0) n",
        (budget,),
        prepare=True,
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101  (one row always)
    return Books(now=row[0], frees=row[1], closed_until=closed[0], not_before=not_before)


async def _not_before(connection: Connection, feed: FeedPause) -> datetime | None:
    """The end of the feed's rest, whose row stays locked; it is made where there is none."""
    key = (feed.organisation_id, feed.feed)
    cursor = await connection.execute(
        "SELECT not_before FROM etl_control WHERE organisation_id = %s AND feed = %s FOR NO KEY UPDATE",
        key,
        prepare=True,
    )
    row = await cursor.fetchone()
    if row is None:
        await connection.execute("INSERT INTO etl_control (organisation_id, feed) VALUES (%s, %s)", key)
        return None
    not_before: datetime | None = row[0]
    return not_before


async def _now(connection: Connection) -> datetime:
    row = await (await connection.execute(f"{_SHORT}, clock_timestamp()", prepare=True)).fetchone()
    assert row is not None  # noqa: S101  (one row always)
    now: datetime = row[-1]
    return now


async def _free(connection: Connection, granted: Granted, at: datetime) -> None:
    await connection.execute("UPDATE request_permits SET frees_at = %s WHERE id = %s", (at, granted.id), prepare=True)


async def _rest(connection: Connection, feed: FeedPause, until: datetime | None, *, at_least: bool = False) -> None:
    value = "greatest(not_before, %s)" if at_least else "%s"
    await connection.execute(
        f"UPDATE etl_control SET not_before = {value} WHERE organisation_id = %s AND feed = %s".encode(),
        (until, feed.organisation_id, feed.feed),
        prepare=True,
    )


async def _leads(connection: Connection, account: Account) -> bool:
    """Whether the feed is still this process's; the epoch's row is held from here on."""
    if account.feed is None:
        return False
    try:
        await assert_epoch(connection, account.feed.epoch)
    except StaleEpoch:
        return False
    return True


async def _end_silence(connection: Connection, account: Account, leads: bool, *, until: datetime | None) -> None:
    """Replace what the grant left behind. Whoever does not lead any more may only make the feed rest longer: the next
    leader's own call may be under way."""
    if account.feed is not None and (leads or until is not None):
        await _rest(connection, account.feed, until, at_least=not leads)
