"""Infractions, newest first: a driver's, or those of whole organisations, by an index that has their order.

Each combination of filters is a statement of its own: a condition that is not there costs the planner nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.periods import Period
from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.limits import SiteLimit, event_within, nameable, within
from mixhaul_api.queries.limits import parameters as limit_parameters

MOST_COUNTED: Final = 100_000
KMH: Final = ("km/h", "kmh", "kph", "kmph")

_LIMIT: Final = "coalesce(e.speed_limit, e.start_position_speed_limit)"
# As `handlers.infractions.speed` has it.
_SPEED: Final = f"""CASE WHEN lower(btrim(e.value_units)) IN {KMH} AND lower(coalesce(e.value_type, '')) <> 'minimum'
    THEN greatest(e.value, e.start_speed_kmh) ELSE e.start_speed_kmh END"""
_AMENDED: Final = "e.driver_external_id IS DISTINCT FROM e.reported_driver_external_id"
COLUMNS: Final = f"""
    e.external_id, e.occurred_at, e.organisation_id, {nameable()} AS driver_id, n.name AS driver_name,
    e.started_at, e.ended_at, e.total_time_seconds, e.total_occurrences,
    {_AMENDED} AS amended,
    CASE WHEN {_AMENDED} THEN {nameable(driver="e.reported_driver_external_id")} END AS former_driver_id,
    e.value, e.value_type, e.value_units, e.start_speed_kmh, {_LIMIT} AS speed_limit,
    e.start_address, e.start_latitude, e.start_longitude,
    e.event_type_external_id AS type_id, t.description AS type_description, t.family,
    coalesce(t.severity, 'none') AS type_severity,
    e.vehicle_external_id, v.description AS vehicle_description, v.registration_number, v.fleet_number"""
_SUPPORT: Final = """
JOIN event_types t ON t.organisation_id = e.organisation_id AND t.external_id = e.event_type_external_id
LEFT JOIN vehicles v ON v.organisation_id = e.organisation_id AND v.external_id = e.vehicle_external_id"""
_DRIVER: Final = "LEFT JOIN drivers n ON n.organisation_id = e.organisation_id AND n.external_id = e.driver_external_id"


class InfractionRow(NamedTuple):
    """An event with the names of its driver, type and vehicle."""

    external_id: int
    occurred_at: datetime
    organisation_id: int
    driver_id: int | None
    driver_name: str | None
    started_at: datetime | None
    ended_at: datetime | None
    total_time_seconds: int | None
    total_occurrences: int | None
    amended: bool
    former_driver_id: int | None
    value: float | None
    value_type: str | None
    value_units: str | None
    start_speed_kmh: float | None
    speed_limit: float | None
    address: str | None
    latitude: float | None
    longitude: float | None
    type_id: int
    type_description: str | None
    type_family: str | None
    type_severity: str
    vehicle_id: int | None
    vehicle_description: str | None
    registration_number: str | None
    fleet_number: str | None


class Place(NamedTuple):
    """Where in the list a row stands."""

    occurred_at: datetime
    external_id: int
    organisation_id: int = 0


@dataclass(frozen=True, slots=True)
class Filters:
    """Which infractions. Without a driver they are those of whole organisations, limited to the sites of events."""

    period: Period = Period(None, None)  # noqa: RUF009  (a frozen value)
    driver_id: int | None = None
    types: Sequence[int] = ()
    families: Sequence[str] = ()
    severities: Sequence[str] = ()
    vehicle_id: int | None = None
    min_over_kmh: float | None = None
    sites: SiteLimit | None = None

    def of_organisation(self, organisation: str) -> str:
        """SQL: the event's organisation is that one; the `+ 0` is how the index of all events is asked for."""
        narrow = self.driver_id is not None or self.vehicle_id is not None
        return f"e.organisation_id = {organisation}" if narrow else f"e.organisation_id + 0 = {organisation}"

    def conditions(self) -> list[str]:
        """SQL: all but the organisation and the place in the list."""
        found = ["t.is_infraction"]
        if self.driver_id is not None:
            found.append("e.driver_external_id = %(driver)s::bigint")
        if self.period.start is not None:
            found.append("e.occurred_at >= %(start)s::timestamptz")
        if self.period.end is not None:
            found.append("e.occurred_at < %(end)s::timestamptz")
        if self.types:
            found.append("e.event_type_external_id = ANY(%(types)s::bigint[])")
        if self.families:
            found.append("t.family = ANY(%(families)s::text[])")
        if self.severities:
            found.append("t.severity = ANY(%(severities)s::text[])")
        if self.vehicle_id is not None:
            found.append("e.vehicle_external_id = %(vehicle)s::bigint")
        if self.min_over_kmh is not None:
            found.append(f"({_SPEED}) - {_LIMIT} >= greatest(%(over)s::float8, 1e-9)")
        if self.sites is not None:
            # A driver's events are all of the driver's site.
            by_vehicle = within(self.sites, organisation="v.organisation_id", site="v.site_external_id")
            found.append(event_within(self.sites) if self.driver_id is None else by_vehicle)
        return found

    def parameters(self) -> dict[str, object]:
        """What `conditions` needs."""
        return limit_parameters(self.sites) | {
            "driver": self.driver_id,
            "start": self.period.start,
            "end": self.period.end,
            "types": list(self.types),
            "families": list(self.families),
            "severities": list(self.severities),
            "vehicle": self.vehicle_id,
            "over": self.min_over_kmh,
        }


def statement(filters: Filters, *, several: bool, before: Place | None) -> str:
    """A page: of one organisation straight from its index, of several merged from a page of each."""
    conditions = [filters.of_organisation("o.id" if several else "%(organisation)s::bigint"), *filters.conditions()]
    if before is not None:
        # The first one again, alone: partitions are not pruned by a comparison of rows.
        conditions.append("e.occurred_at <= %(before)s::timestamptz")
        conditions.append(
            "(e.occurred_at, e.external_id, e.organisation_id)"
            " < (%(before)s::timestamptz, %(before_id)s::bigint, %(before_organisation)s::bigint)"
            if several
            else "(e.occurred_at, e.external_id) < (%(before)s::timestamptz, %(before_id)s::bigint)"
        )
    one = f"""
SELECT {COLUMNS}
FROM telemetry_events e {_SUPPORT}
{_DRIVER}
WHERE {" AND ".join(conditions)}
ORDER BY e.occurred_at DESC, e.external_id DESC
LIMIT %(limit)s
"""
    if not several:
        return one
    return f"""
SELECT k.* FROM unnest(%(organisations)s::bigint[]) AS o(id) CROSS JOIN LATERAL ({one}) k
ORDER BY k.occurred_at DESC, k.external_id DESC, k.organisation_id DESC
LIMIT %(limit)s
"""


def arguments(
    organisation_ids: Sequence[int], filters: Filters, *, before: Place | None, limit: int
) -> dict[str, object]:
    """The parameters of `statement`."""
    return filters.parameters() | {
        "organisation": organisation_ids[0] if organisation_ids else None,
        "organisations": list(organisation_ids),
        "before": before.occurred_at if before else None,
        "before_id": before.external_id if before else None,
        "before_organisation": before.organisation_id if before else None,
        "limit": limit,
    }


async def page(
    connection: AsyncConnection[Any],
    organisation_ids: Sequence[int],
    filters: Filters,
    *,
    before: Place | None,
    limit: int,
) -> list[InfractionRow]:
    """The next rows of the list."""
    rows = await fetched(
        connection,
        "infractions.page",
        statement(filters, several=len(organisation_ids) != 1, before=before),
        arguments(organisation_ids, filters, before=before, limit=limit),
    )
    return [InfractionRow(*row) for row in rows]


async def total(connection: AsyncConnection[Any], organisation_ids: Sequence[int], filters: Filters) -> int:
    """How many there are, counted no further than `MOST_COUNTED` and one."""
    conditions = [filters.of_organisation("ANY(%(organisations)s::bigint[])"), *filters.conditions()]
    ((count,),) = await fetched(
        connection,
        "infractions.total",
        f"SELECT count(*) FROM (SELECT FROM telemetry_events e {_SUPPORT}"
        f" WHERE {' AND '.join(conditions)} LIMIT {MOST_COUNTED + 1}) counted",
        arguments(organisation_ids, filters, before=None, limit=0),
    )
    return int(count)


class CountRow(NamedTuple):
    """How many infractions of a type there were on a day, by the day's number from 0."""

    day: int
    type_id: int
    type_description: str | None
    type_family: str | None
    type_severity: str
    infractions: int


async def counts(
    connection: AsyncConnection[Any], organisation_id: int, filters: Filters, *, midnights: Sequence[datetime]
) -> list[CountRow]:
    """By day and type. `midnights`: when each day begins; the filters' period holds them all."""
    conditions = ["e.organisation_id = %(organisation)s::bigint", *filters.conditions()]
    rows = await fetched(
        connection,
        "infractions.counts",
        "SELECT width_bucket(e.occurred_at, %(midnights)s::timestamptz[]) - 1, e.event_type_external_id,"
        f" t.description, t.family, t.severity, count(*) FROM telemetry_events e {_SUPPORT}"
        f" WHERE {' AND '.join(conditions)} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2",
        arguments([organisation_id], filters, before=None, limit=0) | {"midnights": list(midnights)},
    )
    return [CountRow(*row) for row in rows]
