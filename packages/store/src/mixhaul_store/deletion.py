"""Deletes what belongs to a MixSource that is gone and wanted that (`deletionPolicy: Delete`), by the leader.

First the cursor goes, and with it the right to write: whatever still runs finds no organisation any more. Then the
data, in batches; then the organisation's row. A run that was cut off is taken up again. What another life of the
source, or another source, has claimed meanwhile is not touched. The audit log stays, and so do the books of the
request budget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import structlog
from psycopg import AsyncConnection, sql

from mixhaul_store import partitions
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.metrics import measured
from mixhaul_store.months import following
from mixhaul_store.retention import Keeper
from mixhaul_store.retention_plan import Slice, midnight

log = structlog.get_logger("mixhaul_store.deletion")

# Nobody may delete from them. What proves what was done stays; erasures go with their organisation's row.
KEPT: Final = ("audit_log", "erasures")
# Needed until the end: the budget and the pause of the feed outlive the data by a minute or two.
_LAST: Final = ("etl_control",)
_BATCH: Final = 1000

_OURS: LiteralString = "source = %(source)s AND (source_uid = %(uid)s OR source_uid IS NULL)"
_FIND: LiteralString = f"SELECT id FROM organisations WHERE {_OURS} AND deleted_at IS NULL ORDER BY id"
_BEGIN: LiteralString = f"""
UPDATE organisations
   SET deletion_began_at = coalesce(deletion_began_at, clock_timestamp()), watermark = watermark + 1
 WHERE id = %(organisation)s AND {_OURS} AND deleted_at IS NULL
"""
_FORGET_CURSOR: LiteralString = """
UPDATE etl_control
   SET last_successful_sincetoken = NULL, token_received_at = NULL, has_more_items = NULL, last_poll_at = NULL,
       last_data_at = NULL, caught_up_at = NULL, consecutive_errors = 0, last_error = NULL, last_error_kind = NULL,
       last_error_at = NULL, begun_at = NULL, largest_lateness = NULL
 WHERE organisation_id = %(organisation)s
"""
_TABLES: LiteralString = """
SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
   AND a.attname = 'organisation_id' AND NOT a.attisdropped AND c.relname NOT LIKE 'expired\\_%%'
   AND c.relname <> ALL (%s)
   AND has_table_privilege(c.oid, 'DELETE')
 ORDER BY c.relname <> 'drivers', c.relname
"""
_CALLS_COUNT: LiteralString = """
EXISTS (SELECT FROM request_permits p JOIN request_budgets b ON b.id = p.budget_id
         WHERE b.key = 'organisation:' || o.id AND p.frees_at > clock_timestamp())
"""
_EMPTY: LiteralString = f"""
UPDATE organisations o
   SET deleted_at = clock_timestamp(), name = NULL, time_zone = NULL, extra = NULL, event_days = NULL, raw_days = NULL
 WHERE id = %(organisation)s AND deletion_began_at IS NOT NULL AND {_CALLS_COUNT}
"""
_SWEEP: LiteralString = f"DELETE FROM organisations o WHERE deleted_at IS NOT NULL AND NOT {_CALLS_COUNT}"
# Only where no other life of the source has anything.
_ALONE: LiteralString = "NOT EXISTS (SELECT FROM organisations WHERE source = %(source)s AND deleted_at IS NULL)"
_OF_SOURCE: tuple[LiteralString, ...] = (
    f"DELETE FROM sync_runs WHERE source = %(source)s AND {_ALONE}",
    f"DELETE FROM upstream_totals WHERE source = %(source)s AND {_ALONE}",
    f"DELETE FROM organisation_conflicts WHERE source = %(source)s AND {_ALONE}",
    f"DELETE FROM work_requests WHERE source = %(source)s AND kind <> 'delete' AND {_ALONE}",
    f"""
    WITH used AS (DELETE FROM credential_uses WHERE source = %(source)s AND {_ALONE} RETURNING credential_id)
    DELETE FROM api_credentials c USING used u WHERE c.id = u.credential_id
       AND NOT EXISTS (SELECT FROM credential_uses o WHERE o.credential_id = c.id AND o.source <> %(source)s)
    """,
)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a run deleted; what earlier runs of the same deletion did is not in it."""

    organisations: int
    rows: int


async def delete_source(
    db: Database,
    *,
    source: str,
    uid: str,
    epoch: Epoch,
    others: bool = False,
    batch: int = _BATCH,
    pause_seconds: float = 0.05,
    progress: Callable[[int], Awaitable[None]] | None = None,
) -> Deleted:
    """All data of this life of a source. `others`: a source of the same name is there again, whose books stay.

    `progress` is told the number of rows after each table. Raises `StaleEpoch`.
    """
    values = {"source": source, "uid": uid}
    async with db.connection() as connection:
        found = [row[0] for row in await (await connection.execute(_FIND, values)).fetchall()]
    rows = 0
    for organisation_id in found:
        if not await _begin(db, organisation_id, values, epoch=epoch):
            continue  # it was claimed meanwhile
        log.info("the data of an organisation is being deleted", source=source, organisation_id=organisation_id)
        deleting = _Deleting(db, organisation_id, epoch=epoch, batch=batch, pause_seconds=pause_seconds)
        for table in (*partitions.TABLES, *await deleting.tables()):
            rows += await deleting.empty(table)
            if progress is not None:
                await progress(rows)
        await deleting.end()
    async with db.transaction() as connection:
        await assert_epoch(connection, epoch)
        for statement in () if others else _OF_SOURCE:
            await connection.execute(statement, values)
    return Deleted(organisations=len(found), rows=rows)


async def sweep(db: Database, *, epoch: Epoch) -> int:
    """Delete the rows of organisations that are empty, once no call made for them counts any more."""
    async with db.transaction() as connection:
        await assert_epoch(connection, epoch)
        return (await connection.execute(_SWEEP)).rowcount


async def _begin(db: Database, organisation_id: int, values: dict[str, Any], *, epoch: Epoch) -> bool:
    async with db.transaction() as connection:
        await assert_epoch(connection, epoch)
        values = values | {"organisation": organisation_id}
        if (await connection.execute(_BEGIN, values)).rowcount != 1:
            return False
        await connection.execute(_FORGET_CURSOR, values)
        await connection.execute("DELETE FROM gaps WHERE organisation_id = %(organisation)s", values)
        return True


class _Deleting:
    """One organisation, which nobody else writes to any more."""

    def __init__(self, db: Database, organisation_id: int, *, epoch: Epoch, batch: int, pause_seconds: float) -> None:
        self._db = db
        self._organisation = organisation_id
        self._epoch = epoch
        self._batch = batch
        self._pause = pause_seconds
        self._keeper = Keeper(
            db,
            epoch=epoch,
            pause_seconds=pause_seconds,
            batch={"telemetry_events": batch, "raw_pages": max(1, batch // 20)},
        )

    async def tables(self) -> list[str]:
        """Every table that has something of an organisation, whoever added it."""
        async with self._db.connection() as connection:
            cursor = await connection.execute(_TABLES, ([*KEPT, *_LAST],))
            return [row[0] for row in await cursor.fetchall()]

    async def empty(self, table: str) -> int:
        """In batches; how many rows."""
        if table in partitions.TABLES:
            return sum([await self._keeper.trim(table, part) for part in await self._slices(table)])
        name = sql.Identifier(table)
        statement = sql.SQL(
            "DELETE FROM {} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {} WHERE organisation_id = %s LIMIT %s))"
        ).format(name, name)
        gone = 0
        while True:
            async with self._db.transaction() as connection:
                await assert_epoch(connection, self._epoch)
                with measured("delete_rows"):
                    count = (await connection.execute(statement, (self._organisation, self._batch))).rowcount
            gone += count
            if count < self._batch:
                return gone
            await asyncio.sleep(self._pause)

    async def end(self) -> None:
        """The row itself, or what is left of it for as long as calls count."""
        values = {"organisation": self._organisation}
        async with self._db.transaction() as connection:
            await assert_epoch(connection, self._epoch)
            if (await connection.execute(_EMPTY, values)).rowcount == 0:
                await self._drop(connection)

    async def _drop(self, connection: AsyncConnection[Any]) -> None:
        await connection.execute(
            "DELETE FROM organisations WHERE id = %s AND deletion_began_at IS NOT NULL", (self._organisation,)
        )

    async def _slices(self, table: str) -> list[Slice]:
        async with self._db.connection() as connection:
            found = {
                *await partitions.attached_months(connection, table),
                *await partitions.default_months(connection, table),
            }
        return [Slice(self._organisation, midnight(month), midnight(following(month))) for month in sorted(found)]
