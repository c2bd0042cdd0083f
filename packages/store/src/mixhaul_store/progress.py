"""How far everything is: one row for each feed, in one query, for `status`, metrics and the operator's conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mixhaul_store.database import Database


@dataclass(frozen=True, slots=True)
class FeedProgress:
    """A feed of an organisation; `feed` and what belongs to it is None where the feed has not begun."""

    source: str
    organisation: int
    name: str | None
    api_url: str
    feed: str
    token: str | None
    token_received_at: datetime | None
    not_before: datetime | None
    has_more: bool | None
    last_poll_at: datetime | None
    last_data_at: datetime | None
    caught_up_at: datetime | None
    consecutive_errors: int
    last_error: str | None
    last_error_at: datetime | None
    open_gaps: int
    gap_seconds: float
    permits_used: int
    last_sync_at: datetime | None
    last_sync_result: str | None
    last_sync_error: str | None
    last_error_kind: str | None = None
    # Lists of the last sync that were too short to be believed.
    short_lists: Sequence[str] = ()
    # Events that MiX has, by the last comparison of each day, and that could not be filled.
    missing_events: int = 0


_READ = """
SELECT o.source, o.external_id, o.name, o.api_url, coalesce(c.feed, 'events'), c.last_successful_sincetoken,
       c.token_received_at, c.not_before, c.has_more_items, c.last_poll_at, c.last_data_at, c.caught_up_at,
       coalesce(c.consecutive_errors, 0), c.last_error, c.last_error_at,
       coalesce(g.n, 0), coalesce(g.seconds, 0)::float8, coalesce(p.used, 0), s.finished_at, s.result, s.error,
       c.last_error_kind, coalesce(s.short_lists, '{}'), coalesce(m.missing, 0)
  FROM organisations o
  LEFT JOIN etl_control c ON c.organisation_id = o.id
  LEFT JOIN LATERAL (
        SELECT count(*) AS n, sum(extract(epoch FROM to_time - coalesce(filled_up_to, from_time))) AS seconds
          FROM gaps WHERE gaps.organisation_id = o.id AND gaps.feed = c.feed AND state = 'open') g ON true
  LEFT JOIN LATERAL (
        SELECT count(*) AS used FROM request_permits r JOIN request_budgets b ON b.id = r.budget_id
         WHERE b.key = 'organisation:' || o.id AND r.frees_at > clock_timestamp()) p ON true
  LEFT JOIN LATERAL (
        SELECT finished_at, result, error, short_lists FROM sync_runs
         WHERE sync_runs.source = o.source AND coalesce(organisation_id, o.id) = o.id AND finished_at IS NOT NULL
         ORDER BY started_at DESC LIMIT 1) s ON true
  LEFT JOIN LATERAL (
        SELECT sum(unfilled)::int AS missing FROM reconciliations r
         WHERE r.organisation_id = o.id AND unfilled > 0
           AND NOT EXISTS (SELECT FROM reconciliations later
                            WHERE later.organisation_id = r.organisation_id AND later.day = r.day
                              AND (later.started_at, later.id) > (r.started_at, r.id)
                              AND later.finished_at IS NOT NULL)) m ON true
 ORDER BY o.source, o.external_id, c.feed
"""


async def read(db: Database) -> list[FeedProgress]:
    """Every organisation, whether its feed has begun or not."""
    async with db.connection() as connection:
        cursor = await connection.execute(_READ)
        return [FeedProgress(*row) for row in await cursor.fetchall()]
