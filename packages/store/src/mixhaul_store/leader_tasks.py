"""When the leader's own tasks were last done, so that another leader or a restart neither repeats nor forgets them.

Who may do them is decided by leading, not here. Times are the database's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch, assert_epoch

_LONGEST_ERROR = 2000
_MOST_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class TaskState:
    """A row of leader_tasks, and what time it is there."""

    started_at: datetime
    succeeded_at: datetime | None
    failures: int
    now: datetime


def due_in(state: TaskState | None, *, every: timedelta, retry: timedelta) -> timedelta:
    """How long until a task is due; not positive: now.

    One that failed or was killed is due again after `retry`, doubled with each further failure, but never later than a
    period after it was begun.
    """
    if state is None:
        return timedelta()
    done = state.succeeded_at is not None and state.succeeded_at >= state.started_at
    wait = every if done else min(every, retry * 2 ** min(max(state.failures - 1, 0), _MOST_DOUBLINGS))
    return state.started_at + wait - state.now


async def read(db: Database, name: str) -> TaskState | None:
    """None: it was never begun."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            "SELECT started_at, succeeded_at, failures, clock_timestamp() FROM leader_tasks WHERE name = %s", (name,)
        )
        row = await cursor.fetchone()
    return None if row is None else TaskState(*row)


async def begin(db: Database, name: str, *, epoch: Epoch) -> None:
    """It is begun. Raises `StaleEpoch` where another process leads."""
    async with db.transaction() as connection:
        await assert_epoch(connection, epoch)
        await connection.execute(
            "INSERT INTO leader_tasks (name, started_at) VALUES (%s, clock_timestamp())"
            " ON CONFLICT (name) DO UPDATE SET started_at = excluded.started_at",
            (name,),
        )


async def end(db: Database, name: str, *, error: str | None) -> None:
    """It is done, or it failed."""
    async with db.connection() as connection:
        await connection.execute(
            "UPDATE leader_tasks SET succeeded_at = CASE WHEN %(error)s::text IS NULL THEN clock_timestamp()"
            " ELSE succeeded_at END, failures = CASE WHEN %(error)s::text IS NULL THEN 0 ELSE failures + 1 END,"
            " last_error = %(error)s WHERE name = %(name)s",
            {"name": name, "error": None if error is None else error.replace("\0", "\ufffd")[:_LONGEST_ERROR]},
        )
