"""Who may write: one row of `leader_epochs`, and a heartbeat that says when it may be taken over.

The epoch is what counts. `assert_epoch` at the beginning of a transaction holds the row until COMMIT, so a takeover
either waits for that transaction or ends its session, and what a former leader begins afterwards finds another epoch.
The heartbeat decides only *when* somebody else tries; two processes may believe to lead for a while, never write.
All times are the database's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from mixhaul_store.database import Database
from mixhaul_store.errors import LockTimeout, StaleEpoch, StatementCancelled, StoreError
from mixhaul_store.metrics import counted
from mixhaul_store.translation import translate

log = structlog.get_logger("mixhaul_store.elections")

T = TypeVar("T")

LOCK_TIMEOUT = "2s"
TAKEOVER_TRIES = 3
# PostgreSQL keeps 63 bytes of an application name.
LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Epoch:
    """The right to write under a lease, for as long as nobody has taken the next epoch."""

    lease: str
    epoch: int
    holder: str


def application_name(holder: str) -> str:
    """What every session of a worker is called, so that its successor can end them."""
    name = f"mixhaul:{holder}"
    if not holder or len(name) > LONGEST_NAME or not name.isascii() or not name.isprintable():
        raise ValueError(
            f"a holder is up to {LONGEST_NAME - len('mixhaul:')} printable ASCII characters, not {holder!r}"
        )
    return name


async def assert_epoch(connection: AsyncConnection[Any], epoch: Epoch) -> None:
    """Hold the epoch's row until the transaction ends; raise StaleEpoch when it is not this epoch any more."""
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        raise RuntimeError("assert_epoch belongs inside of a transaction: alone it fences nothing")
    cursor = await connection.execute(
        "SELECT epoch = %s AND holder = %s FROM leader_epochs WHERE lease = %s FOR SHARE",
        (epoch.epoch, epoch.holder, epoch.lease),
        prepare=True,
    )
    row = await cursor.fetchone()
    if row is None or not row[0]:
        raise StaleEpoch(epoch.lease, epoch.epoch)


class LeaderRow:
    """One candidate of one lease. `holder` is unique to this process."""

    def __init__(self, db: Database, *, lease: str = "ingestor", holder: str, duration_seconds: float) -> None:
        application_name(holder)
        self._db = db
        self._lease = lease
        self._holder = holder
        self._duration = duration_seconds
        self._own: AsyncConnection[Any] | None = None

    async def acquire(self, *, force: bool = False) -> Epoch | None:
        """Take the next epoch if nobody leads, the leader's heartbeat is stale, it is our own, or `force`.

        A former leader that holds the row in a transaction loses its sessions after two seconds; one that has not been
        heard of for too long loses them in any case, so that nobody waits for what it has begun and never ends.
        """
        if not force and not await self._free():
            return None
        for _ in range(TAKEOVER_TRIES):
            try:
                taken = await self._take(force=force)
            except LockTimeout:
                await self._terminate_holder()
                continue
            if taken is None:
                return None
            epoch, silent = taken
            if silent is not None:
                await self._terminate(silent)
            return epoch
        raise LockTimeout

    async def renew(self, epoch: Epoch) -> bool:
        """Move the heartbeat; False when the epoch is not ours any more.

        On a connection of its own, so that no page transaction is in its way, and given up after a third of the
        lease's duration.
        """
        return await self._heartbeat(
            "UPDATE leader_heartbeats SET renewed_at = clock_timestamp(), duration_seconds = %(duration)s"
            " WHERE lease = %(lease)s AND epoch = %(epoch)s AND holder = %(holder)s",
            epoch,
        )

    async def release(self, epoch: Epoch) -> None:
        """Let the next one take over at once."""
        try:
            await self._heartbeat(
                "UPDATE leader_heartbeats SET renewed_at = '-infinity'"
                " WHERE lease = %(lease)s AND epoch = %(epoch)s AND holder = %(holder)s",
                epoch,
            )
        finally:
            await self._close()

    # -- taking over

    async def _free(self) -> bool:
        async with self._db.connection() as connection:
            cursor = await connection.execute(
                "SELECT holder = %s OR renewed_at + duration_seconds * interval '1 second' < clock_timestamp()"
                " FROM leader_heartbeats WHERE lease = %s",
                (self._holder, self._lease),
            )
            row = await cursor.fetchone()
        return row is None or bool(row[0])

    async def _take(self, *, force: bool) -> tuple[Epoch, str | None] | None:
        """The next epoch, and the former holder where it has grown silent without releasing."""
        async with self._db.transaction() as connection:
            await connection.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
            await connection.execute(
                "INSERT INTO leader_epochs (lease, epoch, holder, acquired_at) VALUES (%s, 0, '', now())"
                " ON CONFLICT DO NOTHING",
                (self._lease,),
            )
            await connection.execute(
                "INSERT INTO leader_heartbeats (lease, epoch, holder, renewed_at, duration_seconds)"
                " VALUES (%s, 0, '', '-infinity', 0) ON CONFLICT DO NOTHING",
                (self._lease,),
            )
            # Candidates queue up here; whoever comes second sees a fresh heartbeat.
            cursor = await connection.execute(
                "SELECT holder, renewed_at = '-infinity',"
                " renewed_at + duration_seconds * interval '1 second' < clock_timestamp()"
                " FROM leader_heartbeats WHERE lease = %s FOR UPDATE",
                (self._lease,),
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            former, released, stale = row
            if not (force or stale or former == self._holder):
                return None
            silent = former if stale and not released and former != self._holder else None
            cursor = await connection.execute(
                "UPDATE leader_epochs SET epoch = epoch + 1, holder = %s, acquired_at = clock_timestamp()"
                " WHERE lease = %s RETURNING epoch",
                (self._holder, self._lease),
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            await connection.execute(
                "UPDATE leader_heartbeats SET epoch = %s, holder = %s, renewed_at = clock_timestamp(),"
                " duration_seconds = %s WHERE lease = %s",
                (row[0], self._holder, self._duration, self._lease),
            )
            return Epoch(lease=self._lease, epoch=row[0], holder=self._holder), silent

    async def _terminate_holder(self) -> None:
        """End the sessions of whoever is written in the row: the time-outs of PostgreSQL do not reach a transaction
        whose client stands still in the middle of a COPY."""
        async with self._db.connection() as connection:
            cursor = await connection.execute(
                "SELECT e.holder, count(pg_terminate_backend(a.pid)) FROM leader_epochs e JOIN pg_stat_activity a"
                " ON a.application_name = 'mixhaul:' || e.holder AND a.datname = current_database()"
                " AND a.pid <> pg_backend_pid() WHERE e.lease = %s GROUP BY e.holder",
                (self._lease,),
            )
            for holder, sessions in await cursor.fetchall():
                log.warning("sessions of the former leader ended", lease=self._lease, holder=holder, sessions=sessions)

    async def _terminate(self, holder: str) -> None:
        """What is fenced by the epoch needs no session any more; what others wait for by its sessions is over."""
        try:
            async with self._db.connection() as connection:
                cursor = await connection.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s"
                    " AND datname = current_database() AND pid <> pg_backend_pid()",
                    (application_name(holder),),
                )
                row = await cursor.fetchone()
        except StoreError as error:
            log.warning("the sessions of the former leader were not ended", lease=self._lease, error=str(error))
            return
        if row is not None and row[0]:
            log.warning("sessions of a silent leader ended", lease=self._lease, holder=holder, sessions=row[0])

    # -- the heartbeat

    async def _heartbeat(self, statement: str, epoch: Epoch) -> bool:
        values = {
            "duration": self._duration,
            "lease": epoch.lease,
            "epoch": epoch.epoch,
            "holder": epoch.holder,
        }
        seconds = max(self._duration / 3, 0.05)
        try:
            cursor = await _bounded(self._execute(statement, values, seconds), seconds)
        except BaseException:
            await self._close()
            raise
        if cursor.rowcount == 0:
            await self._close()
        return cursor.rowcount == 1

    async def _execute(self, statement: str, values: dict[str, Any], seconds: float) -> psycopg.AsyncCursor[Any]:
        if self._own is None or self._own.closed:
            self._own = await self._db.connect(statement_timeout_seconds=seconds)
        try:
            return await self._own.execute(statement.encode(), values)
        except psycopg.Error as error:
            raise counted(translate(error, where=self._db.where)) from error

    async def _close(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            await own.close()


async def _bounded(work: Awaitable[T], seconds: float) -> T:
    """The result, or StatementCancelled at the deadline, also when the server does not answer to a cancel request."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if done:
            return task.result()
        raise StatementCancelled
    finally:
        if not task.done():
            # The first asks psycopg to cancel politely, which may take ten seconds; the second ends that.
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task}, timeout=1)
