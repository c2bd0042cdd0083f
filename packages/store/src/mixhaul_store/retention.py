"""Lets data go that has outlived its retention, by the leader, so that nobody notices.

Months that nobody keeps are dropped whole: detached (with a short lock, or not this time), their keys deleted in
batches, their table dropped. Where one organisation keeps less than another, its rows go in batches under its lock.
Every transaction here is short and checks the epoch; an interrupted run is taken up by the next one. What is counted is
the time of the event (`occurred_at`), never when it came. Which policies are in force is the caller's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, LiteralString

import structlog
from psycopg import AsyncConnection

from mixhaul_store import partitions
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch
from mixhaul_store.errors import LockTimeout
from mixhaul_store.metrics import measured
from mixhaul_store.page_rows import LOCK_ORGANISATION
from mixhaul_store.retention_plan import KEEP, Policy, Slice, cut, droppable, slices

log = structlog.get_logger("mixhaul_store.retention")

# Readers that come while a lock is waited for wait behind it.
DETACH_LOCK_TIMEOUT: Final = "250ms"
DETACH_TRIES: Final = 8

_SET_LOCK_TIMEOUT: LiteralString = "SELECT set_config('lock_timeout', %s, true)"
_MIRROR: LiteralString = """
UPDATE organisations o SET event_days = p.event_days, raw_days = p.raw_days
  FROM organisations known
  LEFT JOIN unnest(%s::text[], %s::integer[], %s::integer[]) AS p (source, event_days, raw_days)
         ON p.source = known.source
 WHERE o.id = known.id AND (o.event_days, o.raw_days) IS DISTINCT FROM (p.event_days, p.raw_days)
"""
# By key, so that no batch looks at a row twice; the bounds name the partition.
_TRIM_EVENTS: LiteralString = """
WITH doomed AS (
    SELECT external_id, occurred_at FROM telemetry_events
     WHERE organisation_id = %(organisation)s AND occurred_at >= %(begin)s AND occurred_at < %(end)s
       AND (%(after)s::bigint IS NULL OR external_id > %(after)s)
     ORDER BY external_id LIMIT %(batch)s
), rows AS (
    DELETE FROM telemetry_events e USING doomed d
     WHERE e.organisation_id = %(organisation)s AND e.occurred_at >= %(begin)s AND e.occurred_at < %(end)s
       AND e.external_id = d.external_id AND e.occurred_at = d.occurred_at
), keys AS (
    DELETE FROM event_keys k USING doomed d
     WHERE k.organisation_id = %(organisation)s AND k.external_id = d.external_id AND k.occurred_at = d.occurred_at
       AND k.occurred_at <> k.observed_at
)
SELECT count(*), max(external_id) FROM doomed
"""
_TRIM_RAW: LiteralString = """
WITH doomed AS (
    SELECT id, observed_at FROM raw_pages
     WHERE organisation_id = %(organisation)s AND observed_at >= %(begin)s AND observed_at < %(end)s
       AND (%(after)s::bigint IS NULL OR id > %(after)s)
     ORDER BY id LIMIT %(batch)s
), rows AS (
    DELETE FROM raw_pages r USING doomed d
     WHERE r.observed_at >= %(begin)s AND r.observed_at < %(end)s AND r.id = d.id AND r.observed_at = d.observed_at
)
SELECT count(*), max(id) FROM doomed
"""
_COUNT: dict[str, LiteralString] = {
    "telemetry_events": "SELECT count(*) FROM telemetry_events"
    " WHERE organisation_id = %s AND occurred_at >= %s AND occurred_at < %s",
    "raw_pages": "SELECT count(*) FROM raw_pages WHERE organisation_id = %s AND observed_at >= %s AND observed_at < %s",
}
_TRIM: dict[str, LiteralString] = {"telemetry_events": _TRIM_EVENTS, "raw_pages": _TRIM_RAW}
# A few hundred KB of WAL and some ms of lock each; a raw page is 100 times as large as an event.
_BATCH: Final = {"telemetry_events": 2000, "raw_pages": 50}


@dataclass(frozen=True, slots=True)
class Dropped:
    """A month that goes whole. `rows` is what PostgreSQL's statistics say, of all organisations."""

    table: str
    month: date
    rows: int


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Rows of one organisation that go in batches."""

    table: str
    organisation_id: int
    external_id: int
    source: str
    older_than: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """What goes, or went."""

    dropped: tuple[Dropped, ...]
    trimmed: tuple[Trimmed, ...]


@dataclass(frozen=True, slots=True)
class _Organisation:
    id: int
    external_id: int
    source: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class _Table:
    """What one of the two tables is about to lose."""

    name: str
    drop: tuple[date, ...]
    trim: tuple[Slice, ...]

    def of(self, organisation: _Organisation) -> list[Slice]:
        return [part for part in self.trim if part.organisation_id == organisation.id]

    def trimmed(self, organisation: _Organisation, *, rows: int) -> Trimmed:
        return Trimmed(
            table=self.name,
            organisation_id=organisation.id,
            external_id=organisation.external_id,
            source=organisation.source,
            older_than=max(part.end for part in self.of(organisation)),
            rows=rows,
        )


async def mirrored(db: Database) -> dict[str, Policy]:
    """The policies that the leader last wrote down, by source."""
    async with db.connection() as connection:
        cursor = await connection.execute("SELECT DISTINCT source, event_days, raw_days FROM organisations")
        return {source: Policy(events, raw) for source, events, raw in await cursor.fetchall()}


async def mirror(db: Database, policies: Mapping[str, Policy], *, epoch: Epoch) -> None:
    """Write down how long each of these sources keeps what it has, and that others keep everything: pages go by it."""
    async with db.transaction() as connection:
        await assert_epoch(connection, epoch)
        days = list(policies.values())
        await connection.execute(
            _MIRROR, (list(policies), [one.event_days for one in days], [one.raw_days for one in days])
        )


async def outlook(db: Database, policies: Mapping[str, Policy]) -> Outlook:
    """What `run` would let go, counted exactly where rows go in batches: that may take a while."""
    organisations, tables = await _survey(db, policies)
    dropped: list[Dropped] = []
    trimmed: list[Trimmed] = []
    async with db.connection() as connection:
        for table in tables:
            dropped += [Dropped(table.name, one, await _estimate(connection, table.name, one)) for one in table.drop]
            for organisation in organisations:
                rows = 0
                for part in table.of(organisation):
                    values = (part.organisation_id, part.begin, part.end)
                    row = await (await connection.execute(_COUNT[table.name], values)).fetchone()
                    rows += row[0] if row else 0
                if rows:
                    trimmed.append(table.trimmed(organisation, rows=rows))
    return Outlook(tuple(dropped), tuple(trimmed))


async def run(
    db: Database,
    policies: Mapping[str, Policy],
    *,
    epoch: Epoch,
    pause_seconds: float = 0.2,
    batch: Mapping[str, int] = _BATCH,
) -> Outlook:
    """Let it go. An organisation whose source has no policy here keeps everything. Raises `StaleEpoch`."""
    await mirror(db, policies, epoch=epoch)
    keeper = Keeper(db, epoch=epoch, pause_seconds=pause_seconds, batch=batch)
    organisations, tables = await _survey(db, policies)
    ids = [one.id for one in organisations]
    dropped: list[Dropped] = []
    trimmed: list[Trimmed] = []
    for table in tables:
        # Those that an earlier run had no time for come first.
        async with db.connection() as connection:
            left = [row[0] for row in await (await connection.execute(_EXPIRED, (table.name,))).fetchall()]
        for month in left:
            await keeper.finish(table.name, month, ids)
        for month in table.drop:
            async with db.connection() as connection:
                rows = await _estimate(connection, table.name, month)
            if await keeper.detach(table.name, month):
                await keeper.finish(table.name, month, ids)
                dropped.append(Dropped(table.name, month, rows))
        for organisation in organisations:
            rows = sum([await keeper.trim(table.name, part) for part in table.of(organisation)])
            if rows:
                trimmed.append(table.trimmed(organisation, rows=rows))
    return Outlook(tuple(dropped), tuple(trimmed))


_EXPIRED: LiteralString = "SELECT month FROM mixhaul_expired_months(%s)"


class Keeper:
    """The transactions of a run."""

    def __init__(self, db: Database, *, epoch: Epoch, pause_seconds: float, batch: Mapping[str, int]) -> None:
        self._db = db
        self._epoch = epoch
        self._pause = pause_seconds
        self._batch = batch

    async def detach(self, table: str, month: date) -> bool:
        """False where the locks are not to be had just now: the next run tries again."""
        for _ in range(DETACH_TRIES):
            try:
                async with self._transaction() as connection:
                    await connection.execute(_SET_LOCK_TIMEOUT, (DETACH_LOCK_TIMEOUT,))
                    cursor = await connection.execute("SELECT mixhaul_detach_month(%s, %s)", (table, month))
                    row = await cursor.fetchone()
                    return bool(row and row[0])
            except LockTimeout:
                await asyncio.sleep(self._pause)
        log.warning("a month is not dropped yet: locked", table=table, month=str(month))
        return False

    async def finish(self, table: str, month: date, organisations: Sequence[int]) -> None:
        """The keys, then the table."""
        if table == "telemetry_events":
            for organisation_id in organisations:
                await self._forget(month, organisation_id)
        async with self._transaction() as connection:
            await connection.execute("SELECT mixhaul_drop_expired(%s, %s)", (table, month))
        log.info("a month was dropped", table=table, month=str(month))

    async def _forget(self, month: date, organisation_id: int) -> None:
        after: int | None = None
        batch = self._batch["telemetry_events"]
        while True:
            async with self._locked(organisation_id) as connection:
                with measured("retention_keys"):
                    cursor = await connection.execute(
                        "SELECT events, last FROM mixhaul_forget_month(%s, %s, %s, %s)",
                        (month, organisation_id, after, batch),
                    )
                    row = await cursor.fetchone()
                seen, after = row or (0, None)
                if seen:
                    await _moved(connection, organisation_id)
            if seen < batch:
                return
            await asyncio.sleep(self._pause)

    async def trim(self, table: str, part: Slice) -> int:
        """Rows of one month of one organisation, in batches."""
        gone, after, batch = 0, None, self._batch[table]
        while True:
            values: dict[str, Any] = {
                "organisation": part.organisation_id,
                "begin": part.begin,
                "end": part.end,
                "after": after,
                "batch": batch,
            }
            async with self._locked(part.organisation_id) as connection:
                with measured("retention_rows"):
                    row = await (await connection.execute(_TRIM[table], values, prepare=False)).fetchone()
                seen, after = row or (0, None)
                if seen and table == "telemetry_events":
                    await _moved(connection, part.organisation_id)
            gone += seen
            if seen < batch:
                return gone
            await asyncio.sleep(self._pause)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        async with self._db.transaction() as connection:
            await assert_epoch(connection, self._epoch)
            yield connection

    @asynccontextmanager
    async def _locked(self, organisation_id: int) -> AsyncIterator[AsyncConnection[Any]]:
        async with self._transaction() as connection:
            await connection.execute(LOCK_ORGANISATION, (organisation_id,))
            yield connection


async def _moved(connection: AsyncConnection[Any], organisation_id: int) -> None:
    """Answers of the API have changed."""
    await connection.execute("UPDATE organisations SET watermark = watermark + 1 WHERE id = %s", (organisation_id,))


async def _survey(db: Database, policies: Mapping[str, Policy]) -> tuple[tuple[_Organisation, ...], tuple[_Table, ...]]:
    """Who keeps what, and what there is, by the database's clock."""
    async with db.connection() as connection:
        cursor = await connection.execute("SELECT id, external_id, source, clock_timestamp() FROM organisations")
        found = await cursor.fetchall()
        if not found:
            return (), ()
        organisations = tuple(_Organisation(row[0], row[1], row[2], policies.get(row[2], KEEP)) for row in found)
        now: datetime = found[0][3]
        tables: list[_Table] = []
        for name in partitions.TABLES:
            days = {
                one.id: one.policy.event_days if name == "telemetry_events" else one.policy.raw_days
                for one in organisations
            }
            attached = await partitions.attached_months(connection, name)
            drop = droppable(attached, before=cut(list(days.values()), now=now))
            others = {*attached, *await partitions.default_months(connection, name)} - {*drop}
            tables.append(_Table(name, drop, slices(days, sorted(others), now=now)))
    return organisations, tuple(tables)


async def _estimate(connection: AsyncConnection[Any], table: str, month: date) -> int:
    cursor = await connection.execute(
        "SELECT greatest(c.reltuples, s.n_live_tup, 0)::bigint FROM pg_class c"
        " LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid"
        " WHERE c.oid = to_regclass('public.' || mixhaul_partition_name(%s, %s))",
        (table, month),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def back_days(db: Database, *, most: int = 400) -> int:
    """How far back events may have to be stored, as far as partitions should be there beforehand."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            "SELECT CASE WHEN bool_and(event_days IS NOT NULL) THEN max(event_days) END FROM organisations"
        )
        row = await cursor.fetchone()
    return most if row is None or row[0] is None else min(most, row[0])
