"""What a performance report counts: a driver's infractions by type and part of time, and its place in its site.

All of it reads the index on (organisation, driver, time, id) and only the months that it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.limits import SiteLimit, event_within, not_erased, parameters, within
from mixhaul_api.report.calendar import Span
from mixhaul_api.report.completeness import Books
from mixhaul_api.report.figures import Counted

# The length of an infraction in whole seconds, as `handlers.infractions.duration` has it; more than a year is rubbish
# that must not make a sum overflow.
_SECONDS: Final = """CASE
        WHEN e.total_time_seconds BETWEEN 0 AND 31622400 THEN e.total_time_seconds
        WHEN e.total_time_seconds >= 0 THEN 0
        WHEN e.ended_at - e.started_at BETWEEN interval '0' AND interval '366 days'
            THEN round(extract(epoch FROM e.ended_at - e.started_at))
        ELSE 0 END"""


def counts_statement(limit: SiteLimit | None) -> str:
    return f"""
SELECT e.event_type_external_id, t.description, t.family,
       width_bucket(e.occurred_at, %(edges)s::timestamptz[]) - 1 AS part,
       count(*), sum({_SECONDS})::bigint
FROM telemetry_events e
JOIN event_types t ON t.organisation_id = e.organisation_id AND t.external_id = e.event_type_external_id
WHERE e.organisation_id = %(organisation)s::bigint AND e.driver_external_id = %(driver)s::bigint
  AND e.occurred_at >= %(start)s::timestamptz AND e.occurred_at < %(end)s::timestamptz AND t.is_infraction
  AND {event_within(limit)}
GROUP BY 1, 2, 3, 4
"""


# Among drivers with any event in the month: who did not drive is no better than who drove well.
def rank_statement(limit: SiteLimit | None) -> str:
    return f"""
WITH counted AS (
    SELECT d.external_id, c.infractions
    FROM drivers d
    CROSS JOIN LATERAL (
        SELECT count(*) AS events, count(*) FILTER (WHERE t.is_infraction) AS infractions
        FROM telemetry_events e
        LEFT JOIN event_types t
               ON t.organisation_id = e.organisation_id AND t.external_id = e.event_type_external_id
        WHERE e.organisation_id = d.organisation_id AND e.driver_external_id = d.external_id
          AND e.occurred_at >= %(start)s::timestamptz AND e.occurred_at < %(end)s::timestamptz
    ) c
    WHERE d.organisation_id = %(organisation)s::bigint AND d.site_external_id = %(site)s::bigint
      AND d.is_system_driver IS NOT TRUE AND c.events > 0
      AND {within(limit)} AND {not_erased()}
)
SELECT 1 + count(*) FILTER (WHERE other.infractions < own.infractions),
       count(*) FILTER (WHERE other.infractions = own.infractions), count(*)
FROM counted own CROSS JOIN counted other
WHERE own.external_id = %(driver)s::bigint
HAVING count(*) > 0
"""


# Of each day the last comparison counts: an earlier one may have found what was filled since. One that was cut off
# still says what it found.
_BOOKS: Final = """
SELECT o.claimed_at, o.event_days,
       ARRAY(SELECT ARRAY[w.parameters ->> 'from', w.parameters ->> 'to'] FROM work_requests w
             WHERE w.source = o.source AND w.kind = 'backfill' AND w.state = 'succeeded'),
       ARRAY(SELECT day FROM (SELECT DISTINCT ON (day) day, missing - filled AS unfilled FROM reconciliations
                              WHERE organisation_id = o.id AND day BETWEEN %(first)s::date AND %(last)s::date
                              ORDER BY day, started_at DESC) latest
             WHERE unfilled > 0)
FROM organisations o WHERE o.id = %(organisation)s::bigint
"""


class Rank(NamedTuple):
    """A place among the drivers of a site, the fewest infractions first; `sharing` have it together."""

    position: int
    sharing: int
    drivers: int


async def counts(
    connection: AsyncConnection[Any],
    organisation_id: int,
    driver_id: int,
    *,
    edges: Sequence[datetime],
    limit: SiteLimit | None,
) -> list[Counted]:
    """Infractions and their seconds by type and part; part n is from edge n to edge n + 1."""
    given: dict[str, object] = {
        "organisation": organisation_id,
        "driver": driver_id,
        "edges": list(edges),
        "start": edges[0],
        "end": edges[-1],
    }
    rows = await fetched(connection, "report.counts", counts_statement(limit), given | parameters(limit))
    return [Counted(*row) for row in rows]


async def rank(
    connection: AsyncConnection[Any],
    organisation_id: int,
    driver_id: int,
    *,
    site_id: int,
    span: Span,
    limit: SiteLimit | None,
) -> Rank | None:
    """Where a driver stands in its site; None where it had no event at all."""
    given: dict[str, object] = {"organisation": organisation_id, "driver": driver_id, "site": site_id}
    given |= {"start": span.start, "end": span.end}
    # A plan for these very times is more than twice as fast as one for any.
    rows = await fetched(connection, "report.rank", rank_statement(limit), given | parameters(limit), prepare=False)
    return Rank(*rows[0]) if rows else None


async def books(connection: AsyncConnection[Any], organisation_id: int, *, start: datetime, end: datetime) -> Books:
    """What tells whether all events of that time are there, beside the feed's progress."""
    given = {"organisation": organisation_id, "first": start.date(), "last": end.date()}
    ((claimed_at, kept_days, backfills, missing_days),) = await fetched(connection, "report.books", _BOOKS, given)
    return Books(
        claimed_at=claimed_at,
        backfills=[
            (begin, last)
            for pair in backfills
            if (begin := _time(pair[0])) is not None and (last := _time(pair[1])) is not None
        ],
        kept_days=kept_days,
        missing_days=missing_days,
    )


def _time(text: str | None) -> datetime | None:
    """A time in a request for work; None where it names none that is one."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
