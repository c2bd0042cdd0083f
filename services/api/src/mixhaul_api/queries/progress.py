"""How far each organisation's event feed and last sync have come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from mixhaul_api.freshness import Progress
from mixhaul_api.queries.execution import fetched

# 20 gaps are shown; a hundred of them would be a story for /api/status, not for each answer.
_OF = """
SELECT o.id, clock_timestamp(),
       c.last_successful_sincetoken, c.token_received_at, c.has_more_items, c.caught_up_at, c.last_poll_at,
       c.last_data_at, coalesce(c.consecutive_errors, 0),
       g.starts, g.ends, coalesce(n.gaps, 0),
       s.finished_at, l.finished_at, l.result
FROM organisations o
LEFT JOIN etl_control c ON c.organisation_id = o.id AND c.feed = 'events'
CROSS JOIN LATERAL (
    SELECT array_agg(from_time ORDER BY from_time DESC) AS starts, array_agg(to_time ORDER BY from_time DESC) AS ends
    FROM (SELECT from_time, to_time FROM gaps
          WHERE organisation_id = o.id AND feed = 'events' AND state = 'open'
          ORDER BY from_time DESC LIMIT 20) newest
) g
CROSS JOIN LATERAL (
    SELECT count(*) AS gaps FROM gaps WHERE organisation_id = o.id AND feed = 'events' AND state = 'open'
) n
LEFT JOIN LATERAL (
    SELECT finished_at FROM sync_runs
    WHERE source = o.source AND organisation_id = o.id AND result = 'succeeded'
    ORDER BY started_at DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT finished_at, result FROM sync_runs
    WHERE source = o.source AND organisation_id = o.id AND finished_at IS NOT NULL
    ORDER BY started_at DESC LIMIT 1
) l ON true
WHERE o.id = ANY(%s)
ORDER BY o.id
"""


async def of(connection: AsyncConnection[Any], organisation_ids: Sequence[int]) -> list[Progress]:
    """The progress of these organisations."""
    rows = await fetched(connection, "progress", _OF, (list(organisation_ids),))
    return [
        Progress(
            organisation_id=row[0],
            now=row[1],
            token=row[2],
            token_received_at=row[3],
            has_more=row[4],
            caught_up_at=row[5],
            last_poll_at=row[6],
            last_data_at=row[7],
            consecutive_errors=row[8],
            gaps=tuple(zip(row[9] or (), row[10] or (), strict=True)),
            gap_count=row[11],
            synced_at=row[12],
            sync_finished_at=row[13],
            sync_result=row[14],
        )
        for row in rows
    ]
