"""Work that somebody asks for, by annotation, command line or the stream itself; the leader takes and executes it.

A request is there once for a source and a request id, however often it is asked for. One whose worker died is taken
again, so what it does must be safe to do twice. A worker that stood still may go on beside the one that took over:
what only one may write is fenced by the epoch, not here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb

from mixhaul_store.database import Database

# Six heartbeats.
ABANDONED_AFTER_SECONDS = 60.0
_LONGEST_MESSAGE = 2000

State = Literal["pending", "running", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """One row of work_requests that this process has taken."""

    id: int
    source: str
    request_id: str
    kind: str
    parameters: dict[str, Any]
    attempts: int
    progress: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WorkState:
    """How far a request is, for whoever follows it."""

    id: int
    source: str
    request_id: str
    state: State
    message: str | None
    progress: dict[str, Any]
    heartbeat_at: datetime | None


async def ask(db: Database, *, source: str, request_id: str, kind: str, parameters: Mapping[str, Any]) -> bool:
    """Ask for work. False where this very request is known already, whatever became of it."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            "INSERT INTO work_requests (source, request_id, kind, parameters) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (source, request_id) DO NOTHING",
            (source, request_id, kind, Jsonb(dict(parameters))),
        )
    return cursor.rowcount == 1


async def unfinished(db: Database, *, source: str, kind: str, parameters: Mapping[str, Any]) -> str | None:
    """The id of a request for the same that nobody has finished yet."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            "SELECT request_id FROM work_requests WHERE source = %s AND kind = %s AND parameters = %s"
            " AND state IN ('pending', 'running') ORDER BY requested_at DESC LIMIT 1",
            (source, kind, Jsonb(dict(parameters))),
        )
        row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def read(db: Database, *, source: str, request_id: str) -> WorkState | None:
    """How far it is."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            "SELECT id, source, request_id, state, message, progress, heartbeat_at FROM work_requests"
            " WHERE source = %s AND request_id = %s",
            (source, request_id),
        )
        row = await cursor.fetchone()
    return None if row is None else WorkState(*row)


async def take(
    db: Database,
    *,
    kinds: Sequence[str],
    sources: Sequence[str] | None,
    not_ids: Sequence[int] = (),
    abandoned_after_seconds: float = ABANDONED_AFTER_SECONDS,
) -> WorkRequest | None:
    """The oldest request that waits, or whose worker has not said for so long that it lives that it must be dead.

    `sources` None: of any source. `not_ids` are those that this process executes already.
    """
    async with db.connection() as connection:
        cursor = await connection.execute(
            """
            UPDATE work_requests
               SET state = 'running', started_at = coalesce(started_at, clock_timestamp()),
                   heartbeat_at = clock_timestamp(), attempts = attempts + 1, not_before = NULL
             WHERE id = (
                SELECT id FROM work_requests
                 WHERE kind = ANY(%(kinds)s) AND (%(sources)s::text[] IS NULL OR source = ANY(%(sources)s))
                   AND id <> ALL(%(not_ids)s::bigint[])
                   AND ((state = 'pending' AND coalesce(not_before, '-infinity') <= clock_timestamp())
                        OR (state = 'running' AND coalesce(heartbeat_at, started_at)
                            < clock_timestamp() - %(abandoned)s * interval '1 second'))
                 ORDER BY requested_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING id, source, request_id, kind, parameters, attempts, progress
            """,
            {
                "kinds": list(kinds),
                "sources": None if sources is None else list(sources),
                "not_ids": list(not_ids),
                "abandoned": abandoned_after_seconds,
            },
        )
        row = await cursor.fetchone()
    return None if row is None else WorkRequest(*row)


async def beat(db: Database, ids: Sequence[int]) -> None:
    """Say that these are still being executed."""
    async with db.connection() as connection:
        await connection.execute(
            "UPDATE work_requests SET heartbeat_at = clock_timestamp() WHERE id = ANY(%s) AND state = 'running'",
            (list(ids),),
        )


async def note(db: Database, request_id: int, progress: Mapping[str, Any]) -> None:
    """Keep figures; those of other names stay."""
    async with db.connection() as connection:
        await connection.execute(
            "UPDATE work_requests SET progress = progress || %s WHERE id = %s", (Jsonb(dict(progress)), request_id)
        )


async def give_back(db: Database, request_id: int, *, after_seconds: float = 0.0, message: str | None = None) -> None:
    """It is not done: to be taken again, not before so many seconds have passed."""
    async with db.connection() as connection:
        await connection.execute(
            "UPDATE work_requests SET state = 'pending', message = coalesce(%s, message), heartbeat_at = NULL,"
            " not_before = clock_timestamp() + %s * interval '1 second' WHERE id = %s AND state = 'running'",
            (_shown(message), after_seconds, request_id),
        )


async def finish(db: Database, request_id: int, *, ok: bool, message: str) -> None:
    """Say how it ended."""
    async with db.connection() as connection:
        await connection.execute(
            "UPDATE work_requests SET state = %s, message = %s, finished_at = clock_timestamp() WHERE id = %s",
            ("succeeded" if ok else "failed", _shown(message), request_id),
        )


def _shown(message: str | None) -> str | None:
    return None if message is None else message.replace("\0", "\ufffd")[:_LONGEST_MESSAGE]
