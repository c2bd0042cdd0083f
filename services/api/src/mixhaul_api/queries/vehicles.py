"""Vehicles and the latest event of each, by the index on (organisation, vehicle, time, id)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.folding import contains, words_of
from mixhaul_api.queries.limits import SiteLimit, event_within, nameable, within
from mixhaul_api.queries.limits import parameters as limit_parameters
from mixhaul_api.queries.sites import Place

_FOLDED: Final = "coalesce(mixhaul_fold(v.description), '')"
_TEXT: Final = "concat_ws(' ', v.description, v.registration_number, v.fleet_number)"


class VehicleRow(NamedTuple):
    """A vehicle as it is stored, and its latest event."""

    organisation_id: int
    external_id: int
    description: str | None
    registration_number: str | None
    fleet_number: str | None
    make: str | None
    model: str | None
    year: str | None
    site_id: int | None
    site_name: str | None
    active: bool
    last_seen_at: datetime
    event_id: int | None
    occurred_at: datetime | None
    type_id: int | None
    type_description: str | None
    type_family: str | None
    driver_id: int | None
    driver_name: str | None
    address: str | None
    latitude: float | None
    longitude: float | None


def _with_events(vehicles: str, sites: SiteLimit | None) -> str:
    """The latest event is looked for after the page is cut: once for each vehicle that is shown."""
    return f"""
SELECT v.folded, v.organisation_id, v.external_id, v.description, v.registration_number, v.fleet_number, v.make,
       v.model, v.year, v.site_external_id, s.name, v.removed_at IS NULL, v.last_seen_at,
       e.external_id, e.occurred_at, e.event_type_external_id, t.description, t.family,
       e.driver_id, n.name, e.start_address, e.start_latitude, e.start_longitude
FROM ({vehicles}) v
LEFT JOIN sites s ON s.organisation_id = v.organisation_id AND s.external_id = v.site_external_id
LEFT JOIN LATERAL (
    SELECT e.*, {nameable()} AS driver_id FROM telemetry_events e
    WHERE e.organisation_id = v.organisation_id AND e.vehicle_external_id = v.external_id AND {event_within(sites)}
    ORDER BY e.occurred_at DESC, e.external_id DESC LIMIT 1
) e ON true
LEFT JOIN event_types t ON t.organisation_id = v.organisation_id AND t.external_id = e.event_type_external_id
LEFT JOIN drivers n ON n.organisation_id = v.organisation_id AND n.external_id = e.driver_id
ORDER BY v.organisation_id, v.folded COLLATE "C", v.external_id
"""


async def page(
    connection: AsyncConnection[Any],
    organisation_ids: Sequence[int],
    *,
    search: str | None,
    sites: SiteLimit | None,
    after: Place | None,
    limit: int,
) -> list[tuple[Place, VehicleRow]]:
    """The next vehicles by organisation and description."""
    given: dict[str, object] = {"organisations": list(organisation_ids), "limit": limit} | limit_parameters(sites)
    conditions = [
        "v.organisation_id = ANY(%(organisations)s::bigint[])",
        within(sites, organisation="v.organisation_id", site="v.site_external_id"),
    ]
    for number, word in enumerate(words_of(search)):
        conditions.append(contains(_TEXT, f"word{number}"))
        given[f"word{number}"] = word
    if after is not None:
        conditions.append(
            f'(v.organisation_id, {_FOLDED} COLLATE "C", v.external_id)'
            " > (%(organisation)s::bigint, %(folded)s::text, %(id)s::bigint)"
        )
        given |= dict(zip(("organisation", "folded", "id"), after, strict=True))
    vehicles = (
        f"SELECT v.*, {_FOLDED} AS folded FROM vehicles v WHERE {' AND '.join(conditions)}"
        f' ORDER BY v.organisation_id, {_FOLDED} COLLATE "C", v.external_id LIMIT %(limit)s'
    )
    return await _rows(connection, "vehicles.page", _with_events(vehicles, sites), given)


async def by_id(
    connection: AsyncConnection[Any], organisation_ids: Sequence[int], vehicle_id: int, *, sites: SiteLimit | None
) -> list[VehicleRow]:
    """The vehicle in each of the organisations that has it."""
    vehicles = (
        f"SELECT v.*, {_FOLDED} AS folded FROM vehicles v WHERE v.organisation_id = ANY(%(organisations)s::bigint[])"
        " AND v.external_id = %(vehicle)s::bigint"
        f" AND {within(sites, organisation='v.organisation_id', site='v.site_external_id')}"
    )
    given = {"organisations": list(organisation_ids), "vehicle": vehicle_id} | limit_parameters(sites)
    return [row for _, row in await _rows(connection, "vehicles.one", _with_events(vehicles, sites), given)]


async def _rows(
    connection: AsyncConnection[Any], query: str, statement: str, given: dict[str, object]
) -> list[tuple[Place, VehicleRow]]:
    rows = await fetched(connection, query, statement, given)
    return [(Place(row[1], row[0], row[2]), VehicleRow(*row[1:])) for row in rows]
