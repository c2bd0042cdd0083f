"""A driver's infractions, newest first, by the index on (organisation, driver, time, id)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.periods import Period
from mixhaul_api.queries.execution import fetched

_COLUMNS: Final = """
    e.external_id, e.occurred_at, e.started_at, e.ended_at, e.total_time_seconds, e.total_occurrences,
    e.driver_external_id IS DISTINCT FROM e.reported_driver_external_id,
    e.value, e.value_type, e.value_units, e.start_speed_kmh,
    coalesce(e.speed_limit, e.start_position_speed_limit),
    e.start_address, e.start_latitude, e.start_longitude,
    t.external_id, t.description, t.family,
    e.vehicle_external_id, v.description, v.registration_number, v.fleet_number"""


class InfractionRow(NamedTuple):
    """An event with the names of its type and vehicle."""

    external_id: int
    occurred_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    total_time_seconds: int | None
    total_occurrences: int | None
    reassigned: bool
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
    vehicle_id: int | None
    vehicle_description: str | None
    registration_number: str | None
    fleet_number: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the list a row stands."""

    occurred_at: datetime
    external_id: int


def statement(*, period: Period, types: Sequence[int], before: Place | None) -> str:
    """The query for this combination of filters; a condition that is not there costs the planner nothing."""
    conditions = ["e.organisation_id = %(organisation)s::bigint", "e.driver_external_id = %(driver)s::bigint"]
    if period.start is not None:
        conditions.append("e.occurred_at >= %(start)s::timestamptz")
    if period.end is not None:
        conditions.append("e.occurred_at < %(end)s::timestamptz")
    if types:
        conditions.append("e.event_type_external_id = ANY(%(types)s::bigint[])")
    if before is not None:
        # The first one again, alone: partitions are not pruned by a comparison of rows.
        conditions.append("e.occurred_at <= %(before)s::timestamptz")
        conditions.append("(e.occurred_at, e.external_id) < (%(before)s::timestamptz, %(before_id)s::bigint)")
    return f"""
SELECT {_COLUMNS}
FROM telemetry_events e
JOIN event_types t ON t.organisation_id = e.organisation_id AND t.external_id = e.event_type_external_id
LEFT JOIN vehicles v ON v.organisation_id = e.organisation_id AND v.external_id = e.vehicle_external_id
WHERE {" AND ".join(conditions)} AND t.is_infraction
ORDER BY e.occurred_at DESC, e.external_id DESC
LIMIT %(limit)s
"""


def arguments(
    organisation_id: int,
    driver_id: int,
    *,
    period: Period,
    types: Sequence[int],
    before: Place | None,
    limit: int,
) -> dict[str, object]:
    """The parameters of `statement`."""
    return {
        "organisation": organisation_id,
        "driver": driver_id,
        "start": period.start,
        "end": period.end,
        "types": list(types),
        "before": before.occurred_at if before else None,
        "before_id": before.external_id if before else None,
        "limit": limit,
    }


async def page(
    connection: AsyncConnection[Any],
    organisation_id: int,
    driver_id: int,
    *,
    period: Period,
    types: Sequence[int],
    before: Place | None,
    limit: int,
) -> list[InfractionRow]:
    """The next rows of the list."""
    rows = await fetched(
        connection,
        "infractions.page",
        statement(period=period, types=types, before=before),
        arguments(organisation_id, driver_id, period=period, types=types, before=before, limit=limit),
    )
    return [InfractionRow(*row) for row in rows]
