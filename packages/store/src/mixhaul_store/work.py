"""Work that somebody asks for, by annotation, command line or the stream itself; the leader takes and executes it.

A request is there once for a source and a request id, however often it is asked for. One whose leader died is taken
again: what it does must be safe to do twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from mixhaul_store.database import Database

ABANDONED_AFTER_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """One row of work_requests that this process has taken."""

    id: int
    source: str
    request_id: str
    kind: str
    parameters: dict[str, Any]


async def ask(db: Database, *, source: str, request_id: str, kind: str, parameters: Mapping[str, Any]) -> bool:
    """Ask for work. False where this very request is known already, whatever became of it."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            "INSERT INTO work_requests (source, request_id, kind, parameters) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (source, request_id) DO NOTHING",
            (source, request_id, kind, Jsonb(dict(parameters))),
        )
    return cursor.rowcount == 1


async def take(
    db: Database,
    *,
    kinds: Sequence[str],
    sources: Sequence[str],
    abandoned_after_seconds: float = ABANDONED_AFTER_SECONDS,
) -> WorkRequest | None:
    """The oldest request that waits, or that was taken and not finished for so long that its worker must be dead."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            """
            UPDATE work_requests SET state = 'running', started_at = clock_timestamp()
             WHERE id = (
                SELECT id FROM work_requests
                 WHERE kind = ANY(%(kinds)s) AND source = ANY(%(sources)s)
                   AND (state = 'pending' OR (state = 'running'
                        AND started_at < clock_timestamp() - %(abandoned)s * interval '1 second'))
                 ORDER BY requested_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING id, source, request_id, kind, parameters
            """,
            {"kinds": list(kinds), "sources": list(sources), "abandoned": abandoned_after_seconds},
        )
        row = await cursor.fetchone()
    return None if row is None else WorkRequest(*row)


async def finish(db: Database, request_id: int, *, ok: bool, message: str) -> None:
    """Say how it ended."""
    async with db.connection() as connection:
        await connection.execute(
            "UPDATE work_requests SET state = %s, message = %s, finished_at = clock_timestamp() WHERE id = %s",
            ("succeeded" if ok else "failed", message.replace("\0", "\ufffd")[:2000], request_id),
        )
