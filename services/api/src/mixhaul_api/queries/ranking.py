"""Drivers by their infractions in a period, with the totals of all of them.

Counted anew for each page, from the index of the whole fleet's events: a long period of a large fleet takes its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.periods import Period
from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.limits import SiteLimit, within
from mixhaul_api.queries.limits import parameters as limit_parameters

SEVERITIES: Final = ("none", "low", "medium", "high")


class RankedRow(NamedTuple):
    """A driver's place and counts."""

    organisation_id: int
    driver_id: int
    driver_name: str | None
    site_id: int | None
    site_name: str | None
    rank: int
    events: int
    infractions: int
    none: int
    low: int
    medium: int
    high: int


class Totals(NamedTuple):
    """Of all drivers that are ranked."""

    drivers: int = 0
    events: int = 0
    infractions: int = 0
    none: int = 0
    low: int = 0
    medium: int = 0
    high: int = 0


class Place(NamedTuple):
    """Where in the list a driver stands."""

    infractions: int
    organisation_id: int
    driver_id: int


PLACE_TYPES: Final = (int, int, int)


def _statement(*, sites: SiteLimit | None, fewest: bool, going_on: bool) -> str:
    by_severity = ", ".join(
        f"count(*) FILTER (WHERE t.is_infraction AND t.severity = '{one}') AS \"{one}\"" for one in SEVERITIES
    )
    sums = ", ".join(f'sum("{one}") AS "{one}"' for one in ("events", "infractions", *SEVERITIES))
    sign = "" if fewest else "-"
    further = (
        f"WHERE ({sign}r.infractions, r.organisation_id, r.driver_id)"
        f" > ({sign}%(infractions)s::bigint, %(organisation)s::bigint, %(id)s::bigint)"
        if going_on
        else ""
    )
    return f"""
WITH counted AS (
    SELECT e.organisation_id, e.driver_external_id AS driver_id, count(*) AS events,
           count(*) FILTER (WHERE t.is_infraction) AS infractions, {by_severity}
    FROM telemetry_events e
    LEFT JOIN event_types t ON t.organisation_id = e.organisation_id AND t.external_id = e.event_type_external_id
    WHERE e.organisation_id + 0 = ANY(%(organisations)s::bigint[])
      AND e.occurred_at >= %(start)s::timestamptz AND e.occurred_at < %(end)s::timestamptz
    GROUP BY 1, 2
), ranked AS (
    SELECT c.*, d.name, d.site_external_id, rank() OVER (ORDER BY c.infractions) AS rank
    FROM counted c
    JOIN drivers d ON d.organisation_id = c.organisation_id AND d.external_id = c.driver_id
    WHERE d.is_system_driver IS NOT TRUE AND d.erased_at IS NULL AND {within(sites)}
), totals AS (
    SELECT count(*) AS drivers, {sums} FROM ranked
)
SELECT t.drivers, t.events, t.infractions, t."none", t.low, t.medium, t.high,
       r.organisation_id, r.driver_id, r.name, r.site_external_id, r.site_name, r.rank, r.events, r.infractions,
       r."none", r.low, r.medium, r.high
FROM totals t
LEFT JOIN LATERAL (
    SELECT r.*, s.name AS site_name FROM ranked r
    LEFT JOIN sites s ON s.organisation_id = r.organisation_id AND s.external_id = r.site_external_id
    {further}
    ORDER BY {sign}r.infractions, r.organisation_id, r.driver_id LIMIT %(limit)s
) r ON true
ORDER BY {sign}r.infractions, r.organisation_id, r.driver_id
"""


async def page(
    connection: AsyncConnection[Any],
    organisation_ids: Sequence[int],
    *,
    period: Period,
    sites: SiteLimit | None,
    fewest: bool,
    after: Place | None,
    limit: int,
) -> tuple[Totals, list[RankedRow]]:
    """The totals and the next drivers."""
    given: dict[str, object] = {
        "organisations": list(organisation_ids),
        "start": period.start,
        "end": period.end,
        "limit": limit,
    } | limit_parameters(sites)
    if after is not None:
        given |= dict(zip(("infractions", "organisation", "id"), after, strict=True))
    rows = await fetched(
        connection, "ranking.page", _statement(sites=sites, fewest=fewest, going_on=after is not None), given
    )
    own = len(Totals._fields)
    totals = Totals(*(int(value or 0) for value in rows[0][:own]))
    return totals, [RankedRow(*row[own:]) for row in rows if row[own] is not None]
