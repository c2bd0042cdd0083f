"""One event: as it is stored, and where the bytes are that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.infractions import COLUMNS, InfractionRow
from mixhaul_api.queries.limits import SiteLimit, event_within, not_erased
from mixhaul_api.queries.limits import parameters as limit_parameters

_SUPPORT: Final = """
LEFT JOIN event_types t ON t.organisation_id = e.organisation_id AND t.external_id = e.event_type_external_id
LEFT JOIN vehicles v ON v.organisation_id = e.organisation_id AND v.external_id = e.vehicle_external_id
LEFT JOIN drivers n ON n.organisation_id = e.organisation_id AND n.external_id = e.driver_external_id"""


class EventRow(NamedTuple):
    """What an event of any type has beside what an infraction has."""

    is_infraction: bool
    category: str | None
    end_address: str | None
    end_latitude: float | None
    end_longitude: float | None
    odometer_km: float | None
    fuel_used_litres: float | None
    observed_at: datetime


async def by_id(
    connection: AsyncConnection[Any], organisation_ids: Sequence[int], event_id: int, *, sites: SiteLimit | None
) -> list[tuple[InfractionRow, EventRow]]:
    """The event in each of the organisations that has it."""
    rows = await fetched(
        connection,
        "events.one",
        "SELECT coalesce(t.is_infraction, false), e.event_category, e.end_address, e.end_latitude, e.end_longitude,"
        f" e.start_odometer_km::float8, e.fuel_used_litres, e.observed_at, {COLUMNS}"
        f" FROM telemetry_events e {_SUPPORT} WHERE e.organisation_id = ANY(%(organisations)s::bigint[])"
        f" AND e.external_id = %(event)s::bigint AND {event_within(sites)} ORDER BY e.organisation_id",
        {"organisations": list(organisation_ids), "event": event_id} | limit_parameters(sites),
    )
    own = len(EventRow._fields)
    return [(InfractionRow(*row[own:]), EventRow(*row[:own])) for row in rows]


class Source(NamedTuple):
    """Where an event came from; no body where its answer is no longer kept."""

    organisation_id: int
    observed_at: datetime
    drivers: list[int | None]
    body: bytes | None


async def sources(
    connection: AsyncConnection[Any], organisation_ids: Sequence[int], event_id: int, *, sites: SiteLimit | None
) -> list[Source]:
    """The answer that holds the event, in each of the organisations that has it. Not where its driver is erased."""
    nobody_erased = " AND ".join(
        not_erased(organisation="e.organisation_id", driver=f"e.{column}")
        for column in ("driver_external_id", "reported_driver_external_id")
    )
    rows = await fetched(
        connection,
        "events.raw",
        "SELECT e.organisation_id, e.observed_at, ARRAY[e.driver_external_id, e.reported_driver_external_id], p.body"
        " FROM telemetry_events e LEFT JOIN raw_pages p"
        " ON p.id = e.raw_page_id AND p.observed_at = e.observed_at AND p.organisation_id = e.organisation_id"
        " WHERE e.organisation_id = ANY(%(organisations)s::bigint[]) AND e.external_id = %(event)s::bigint"
        f" AND {event_within(sites)} AND {nobody_erased} ORDER BY e.organisation_id",
        {"organisations": list(organisation_ids), "event": event_id} | limit_parameters(sites),
    )
    return [Source(*row) for row in rows]
