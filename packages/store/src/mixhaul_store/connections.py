"""Our kind of connection: autocommit, UTC, and a lost answer to COMMIT has a type of its own.

It does not retry anything.
"""

from __future__ import annotations

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncTransaction
from psycopg.rows import TupleRow

from mixhaul_store.errors import CommitUnknown

CONNECT_TIMEOUT_SECONDS = 5

CONNECT_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # Sent data that nobody acknowledges: the peer's machine or the way to it is gone.
    "tcp_user_timeout": 20_000,
}


class StoreConnection(AsyncConnection[TupleRow]):
    """A connection whose transactions raise CommitUnknown when the answer to their COMMIT was lost."""

    @asynccontextmanager
    async def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> AsyncIterator[AsyncTransaction]:
        """As psycopg's; see the class."""
        outermost = self.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE
        committing = False
        try:
            async with super().transaction(savepoint_name, force_rollback) as transaction:
                yield transaction
                committing = outermost and not force_rollback
        except psycopg.Error as error:
            if committing and self._answer_lost(error):
                raise CommitUnknown from error
            raise

    def _answer_lost(self, error: psycopg.Error) -> bool:
        # A session that was terminated (class 57P) may have been so after the commit record was written.
        return self.closed or self.broken or (error.sqlstate or "").startswith("57P")


async def configure(connection: AsyncConnection[Any], *, statement_timeout_seconds: float) -> None:
    """Settings of a new session, in one round trip; not by start-up options, which poolers refuse."""
    milliseconds = str(int(statement_timeout_seconds * 1000))
    await connection.execute(
        "SELECT set_config('TimeZone', 'UTC', false), set_config('statement_timeout', %s, false),"
        " set_config('idle_in_transaction_session_timeout', %s, false)",
        (milliseconds, milliseconds),
    )


async def check_quiet(connection: AsyncConnection[Any]) -> None:
    """Notice without a round trip that an idle session has ended: only then is there something to read."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    if poll.poll(0):
        await connection.execute("")
