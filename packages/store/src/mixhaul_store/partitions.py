"""The monthly partitions: made ahead, and the DEFAULT one emptied.

Page transactions never run DDL. A month without a partition is no error: its rows are in the DEFAULT partition, found
by every query, until `drain_default` moves them. What is older than ten years or more than 400 days ahead stays there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString

import psycopg
import structlog
from psycopg import AsyncConnection, Connection

from mixhaul_store import months
from mixhaul_store.database import Database
from mixhaul_store.errors import LockTimeout
from mixhaul_store.metrics import measured

log = structlog.get_logger("mixhaul_store.partitions")

LOCK_TIMEOUT = "2s"
# Raw pages are partitioned by the time of their request, so only the present matters.
RAW_PAGES_BACK_DAYS = 31

_MONTHS: LiteralString = "SELECT month FROM mixhaul_partition_months(%s)"
_CREATE: LiteralString = "SELECT mixhaul_create_partition(%s, %s)"
_ATTACH: LiteralString = "SELECT mixhaul_attach_partition(%s, %s)"
_MOVE: LiteralString = "SELECT mixhaul_move_month(%s, %s)"
_SHORT_LOCKS: LiteralString = "SELECT set_config('lock_timeout', %s, true)"
_DEFAULT_MONTHS: dict[str, LiteralString] = {
    "telemetry_events": "SELECT DISTINCT date_trunc('month', occurred_at, 'UTC')::date FROM telemetry_events_default",
    "raw_pages": "SELECT DISTINCT date_trunc('month', observed_at, 'UTC')::date FROM raw_pages_default",
}
TABLES = tuple(_DEFAULT_MONTHS)


@dataclass(frozen=True, slots=True)
class _Wanted:
    table: str
    months: tuple[date, ...]


def _plan(*, now: datetime, back_days: int, ahead_days: int) -> Iterator[_Wanted]:
    for table in TABLES:
        back = min(back_days, RAW_PAGES_BACK_DAYS) if table == "raw_pages" else back_days
        yield _Wanted(table, months.wanted(now=now, back_days=back, ahead_days=ahead_days))


async def attached_months(connection: AsyncConnection[Any], table: str) -> list[date]:
    """The months that have a partition of their own."""
    return [row[0] for row in await (await connection.execute(_MONTHS, (table,))).fetchall()]


async def default_months(connection: AsyncConnection[Any], table: str) -> list[date]:
    """The months that have rows in the DEFAULT partition, which is searched for them."""
    return [row[0] for row in await (await connection.execute(_DEFAULT_MONTHS[table])).fetchall()]


async def ensure(database: Database, *, now: datetime, back_days: int = 400, ahead_days: int = 60) -> int:
    """Make the partitions that are missing; returns how many. Safe to run anywhere at any time.

    A month whose rows lie in the DEFAULT partition is left to `drain_default`. Where the locks are not to be had within
    two seconds, the rest of that table is left to the next run.
    """
    made = 0
    for wanted in _plan(now=now, back_days=back_days, ahead_days=ahead_days):
        async with database.connection() as connection:
            there = await attached_months(connection, wanted.table)
        try:
            for month in (month for month in wanted.months if month not in there):
                await _call(database, _CREATE, wanted.table, month)
                made += bool(await _call(database, _ATTACH, wanted.table, month))
        except LockTimeout:
            log.warning("partitions not made yet: locked", table=wanted.table)
    return made


async def drain_default(database: Database, *, table: str, now: datetime) -> int:
    """Move whole months out of the DEFAULT partition; returns how many rows.

    Each month in one transaction, all or nothing. Writers of the organisations that have rows in it wait meanwhile
    (some 10 us a row); everybody else only for the moment in which the new partition is attached.
    """
    async with database.connection() as connection:
        found = await default_months(connection, table)
    moved = 0
    for month in months.movable(found, now=now):
        try:
            with measured("move_month"):
                rows = await _call(database, _MOVE, table, month)
        except LockTimeout:
            log.warning("month not moved yet: locked", table=table, month=str(month))
            continue
        log.info("month moved out of the default partition", table=table, month=str(month), rows=rows)
        moved += rows
    return moved


async def _call(database: Database, statement: LiteralString, table: str, month: date) -> Any:
    async with database.transaction() as connection:
        await connection.execute(_SHORT_LOCKS, (LOCK_TIMEOUT,))
        cursor = await connection.execute(statement, (table, month))
        row = await cursor.fetchone()
        return None if row is None else row[0]


def ensure_now(connection: Connection[Any], *, now: datetime, back_days: int = 400, ahead_days: int = 60) -> None:
    """What `ensure` does, for the migration, on its connection in autocommit mode."""
    for wanted in _plan(now=now, back_days=back_days, ahead_days=ahead_days):
        there = {row[0] for row in connection.execute(_MONTHS, (wanted.table,))}
        for month in (month for month in wanted.months if month not in there):
            for statement in (_CREATE, _ATTACH):
                try:
                    with connection.transaction():
                        connection.execute(_SHORT_LOCKS, (LOCK_TIMEOUT,))
                        connection.execute(statement, (wanted.table, month))
                except psycopg.errors.LockNotAvailable:
                    log.warning("partition not made yet", table=wanted.table, month=str(month))
