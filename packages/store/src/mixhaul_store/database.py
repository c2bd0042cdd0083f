"""The pool of connections to PostgreSQL.

Connections are in autocommit mode: what belongs together goes into `transaction()`. psycopg's errors leave both
contexts as types of `errors`; inside of them they are still psycopg's. Nothing is retried here. A broken connection is
thrown away, and one that broke while it was idle is noticed before it is handed out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from mixhaul_store import connections, server_check, urls
from mixhaul_store.connections import CONNECT_OPTIONS, StoreConnection
from mixhaul_store.errors import CommitUnknown, DatabaseUnavailable, PoolExhausted, StoreError
from mixhaul_store.metrics import POOLS, counted
from mixhaul_store.translation import translate

# Pages queue for the rest of the pool: permits and heartbeats don't wait behind them.
LEFT_BY_WRITERS = 2


@dataclass(frozen=True, slots=True)
class PoolState:
    """Connections in use and at rest, and how often something had to wait for one."""

    busy: int
    idle: int
    waits: int


class Database:
    """An async context manager. Opening does not wait for the server: the first use does, for up to 5 s."""

    def __init__(
        self,
        url: str,
        *,
        application_name: str,
        min_size: int = 1,
        max_size: int = 4,
        statement_timeout_seconds: float = 60,
        wait_seconds: float = 5,
        pool: str = "main",
    ) -> None:
        self._url = urls.checked(url)
        self.where = urls.shown(self._url)
        self.application_name = application_name
        self.pool_name = pool
        self._statement_timeout = statement_timeout_seconds
        self._wait_seconds = wait_seconds
        self._turns = asyncio.Semaphore(max(1, max_size - LEFT_BY_WRITERS))
        self._busy = 0
        self._connect_error: psycopg.Error | None = None
        self._connect_error_at = 0.0
        self._pool: AsyncConnectionPool[AsyncConnection[TupleRow]] = AsyncConnectionPool(
            self._url,
            connection_class=_remembering(self),
            kwargs=CONNECT_OPTIONS | {"application_name": application_name},
            min_size=min_size,
            max_size=max_size,
            open=False,
            name=pool,
            configure=self._configure,
            check=connections.check_quiet,
            timeout=wait_seconds,
            # Short, so that the growing pause between attempts never gets long; `_again` begins anew.
            reconnect_timeout=2,
            reconnect_failed=self._again,
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        POOLS.add(self)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        POOLS.remove(self)
        # A connection attempt that nobody answers would hold this up for longer.
        await self._pool.close(timeout=2)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """A connection in autocommit mode, in UTC."""
        try:
            async with self._pool.connection() as connection:
                self._busy += 1
                try:
                    yield connection
                finally:
                    self._busy -= 1
        except PoolTimeout as error:
            raise counted(self._no_connection()) from error
        except PoolClosed as error:
            raise DatabaseUnavailable("this program is ending", where=self.where) from error
        except psycopg.Error as error:
            raise counted(translate(error, where=self.where)) from error
        except CommitUnknown as error:
            counted(error)
            raise

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """A connection for a page: waits for its turn as long as that takes, and leaves connections to the others."""
        async with self._turns, self.connection() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """A connection inside of a transaction, committed at the end, rolled back by any exception."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def connect(self, *, statement_timeout_seconds: float) -> AsyncConnection[TupleRow]:
        """A connection of one's own outside of the pool, for what must not wait behind others. The caller closes it.

        Errors of statements on it are psycopg's.
        """
        options = CONNECT_OPTIONS | {"application_name": self.application_name}
        try:
            connection = await StoreConnection.connect(self._url, **options)
            try:
                await connections.configure(connection, statement_timeout_seconds=statement_timeout_seconds)
            except BaseException:
                await connection.close()
                raise
        except psycopg.Error as error:
            raise counted(translate(error, where=self.where)) from error
        return connection

    async def check(self, *, writable: bool = True) -> None:
        """Raise unless the server is new enough, speaks UTF-8, has the extensions and (if asked for) takes writes."""
        async with self.connection() as connection:
            cursor = await connection.execute(server_check.QUERY, server_check.PARAMETERS)
            row = await cursor.fetchone()
        assert row is not None  # noqa: S101  (a SELECT without FROM)
        error = server_check.objection(server_check.Facts(*row), where=self.where, writable=writable)
        if error is not None:
            raise error

    def pool_state(self) -> PoolState:
        """For the metrics."""
        stats = self._pool.get_stats()
        return PoolState(busy=self._busy, idle=stats.get("pool_available", 0), waits=stats.get("requests_queued", 0))

    async def _configure(self, connection: AsyncConnection[Any]) -> None:
        await connections.configure(connection, statement_timeout_seconds=self._statement_timeout)

    async def _again(self, pool: AsyncConnectionPool[Any]) -> None:
        if pool.get_stats().get("requests_waiting", 0):
            await pool.check()

    def _no_connection(self) -> StoreError:
        if self._busy >= self._pool.max_size:
            return PoolExhausted(size=self._pool.max_size, seconds=self._wait_seconds)
        recent = time.monotonic() - self._connect_error_at <= self._wait_seconds + 1
        if self._connect_error is not None and recent:
            return translate(self._connect_error, where=self.where)
        return DatabaseUnavailable("no answer in time", where=self.where)

    def _remember(self, error: psycopg.Error | None) -> None:
        self._connect_error = error
        self._connect_error_at = time.monotonic()


def _remembering(database: Database) -> type[StoreConnection]:
    """The pool says only that there was no connection in time; the reason is what its last attempt met."""

    class PooledConnection(StoreConnection):
        @classmethod
        async def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
            try:
                connection = await super().connect(conninfo, **kwargs)
            except psycopg.Error as error:
                database._remember(error)
                raise
            database._remember(None)
            return connection

    return PooledConnection
