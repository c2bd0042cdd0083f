"""What the operator reads beside `progress`: logins, runs that failed as a whole, the answers to requests.

Each is one query for all sources, and each runs with the operator's own role, which sees no token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mixhaul_store.database import Database


@dataclass(frozen=True, slots=True)
class LoginState:
    """What the identity server said of a login. `refused_at` is None once it was accepted, or the Secret changed."""

    identity_url: str
    client_id: str
    # Of a person, often an e-mail address.
    username: str = field(repr=False)
    accepted: bool
    refused_at: datetime | None
    refused_error: str | None


@dataclass(frozen=True, slots=True)
class WholeRun:
    """The last sync of a source that ended before it came to any organisation."""

    source: str
    finished_at: datetime
    succeeded: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class RequestState:
    """How far a piece of work is that was asked for."""

    source: str
    request_id: str
    state: str
    message: str | None
    requested_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """An organisation that a source wants and another one, the owner, has."""

    source: str
    api_url: str
    organisation: int
    name: str | None
    owner: str


async def read_conflicts(db: Database) -> list[Conflict]:
    """Those of all sources, with the owner of now."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT c.source, c.api_url, c.external_id, o.name, o.source
              FROM organisation_conflicts c JOIN organisations o USING (api_url, external_id)
             WHERE o.source <> c.source ORDER BY c.source, c.external_id
            """
        )
        return [Conflict(*row) for row in await cursor.fetchall()]


async def read_logins(db: Database) -> list[LoginState]:
    """Every login that was ever tried. A refusal lasts for an hour, which tells when it was."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT identity_url, client_id, username, access_expires_at IS NOT NULL,
                   CASE WHEN refused_revision = revision THEN refused_until - interval '1 hour' END, refused_error
              FROM api_credentials
            """
        )
        return [LoginState(*row) for row in await cursor.fetchall()]


async def read_whole_runs(db: Database) -> list[WholeRun]:
    """The last one of each source, if it has any."""
    async with db.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT DISTINCT ON (source) source, finished_at, result = 'succeeded', error
              FROM sync_runs WHERE organisation_id IS NULL AND finished_at IS NOT NULL
             ORDER BY source, finished_at DESC
            """
        )
        return [WholeRun(*row) for row in await cursor.fetchall()]


async def read_requests(db: Database, wanted: Sequence[tuple[str, str]]) -> list[RequestState]:
    """Those of `(source, request id)` that are known."""
    if not wanted:
        return []
    async with db.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT w.source, w.request_id, w.state, w.message, w.requested_at, w.finished_at
              FROM work_requests w
              JOIN unnest(%s::text[], %s::text[]) AS asked (source, request_id) USING (source, request_id)
            """,
            ([source for source, _ in wanted], [request_id for _, request_id in wanted]),
        )
        return [RequestState(*row) for row in await cursor.fetchall()]
