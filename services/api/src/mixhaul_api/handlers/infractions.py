"""A driver's infractions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mixhaul_api import cursors
from mixhaul_api.call import Call, freshness_of, only_one
from mixhaul_api.directory import Organisation, Scope
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.infractions import DriverInfractions
from mixhaul_api.periods import Period, known_zone, parse_zone, period, show, show_if
from mixhaul_api.problems import Problem, invalid_parameter
from mixhaul_api.queries import drivers as driver_queries
from mixhaul_api.queries import infractions as queries
from mixhaul_api.queries.infractions import InfractionRow, Place
from mixhaul_api.shapes.infractions import Infraction, InfractionPage, Speed

_KMH: Final = frozenset({"km/h", "kmh", "kph", "kmph"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


async def page(call: Call[DriverInfractions, NoBody]) -> InfractionPage:
    """GET /api/drivers/{driverId}/infractions"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    of = _fingerprint(wanted)
    before = _before(wanted.cursor, of=of)
    async with call.services.database.connection() as connection:
        found = await driver_queries.organisations_of(connection, scope.ids, wanted.driver_id)
        organisation = scope.of(only_one(found, scope, what="driver", shown=str(wanted.driver_id)))
        zone = _zone(wanted, organisation)
        within = _period(wanted, zone)
        freshness = await freshness_of(connection, Scope((organisation,)))
        rows = await queries.page(
            connection,
            organisation.id,
            wanted.driver_id,
            period=within,
            types=wanted.type,
            before=before,
            limit=wanted.limit + 1,
        )
    shown = rows[: wanted.limit]
    next_cursor = None
    if len(rows) > wanted.limit:
        next_cursor = cursors.encode((_microseconds(shown[-1].occurred_at), shown[-1].external_id), of=of)
    return {
        "items": [infraction(row, wanted.driver_id, organisation.public_id, zone) for row in shown],
        "nextCursor": next_cursor,
        "freshness": freshness,
        "timeZone": zone.key,
    }


def infraction(row: InfractionRow, driver_id: int, organisation_id: str, zone: ZoneInfo) -> Infraction:
    """An event as the form shows it: when, what, where, speed against limit, duration, vehicle."""
    measure = place = vehicle = None
    if row.value is not None:
        measure = {"amount": row.value, "kind": row.value_type, "units": row.value_units}
    if row.address is not None or row.latitude is not None:
        place = {"address": row.address, "latitude": row.latitude, "longitude": row.longitude}
    if row.vehicle_id is not None:
        vehicle = {
            "id": str(row.vehicle_id),
            "description": row.vehicle_description,
            "registrationNumber": row.registration_number,
            "fleetNumber": row.fleet_number,
        }
    return {
        "id": str(row.external_id),
        "organisationId": organisation_id,
        "driverId": str(driver_id),
        "occurredAt": show(row.occurred_at, zone),
        "endedAt": show_if(row.ended_at, zone),
        "durationSeconds": duration(row),
        "occurrences": row.total_occurrences,
        "type": {"id": str(row.type_id), "description": row.type_description, "family": row.type_family},
        "speed": speed(row),
        "measure": measure,  # type: ignore[typeddict-item]
        "place": place,  # type: ignore[typeddict-item]
        "vehicle": vehicle,  # type: ignore[typeddict-item]
        "reassigned": row.reassigned,
    }


def speed(row: InfractionRow) -> Speed:
    """The highest speed where the event measured one, or that at its start; and by how much it is over the limit."""
    kmh = row.start_speed_kmh
    measured = row.value_units is not None and row.value_units.strip().casefold() in _KMH
    if measured and row.value is not None and (row.value_type or "").casefold() != "minimum":
        kmh = row.value if kmh is None else max(kmh, row.value)
    over = None
    if kmh is not None and row.speed_limit is not None:
        over = round(max(0.0, kmh - row.speed_limit), 3)
    return {"kmh": kmh, "limitKmh": row.speed_limit, "overByKmh": over}


def duration(row: InfractionRow) -> float | None:
    """What MiX counted, or else from start to end; None where neither makes sense."""
    if row.total_time_seconds is not None and row.total_time_seconds >= 0:
        return float(row.total_time_seconds)
    if row.started_at is None or row.ended_at is None or row.ended_at < row.started_at:
        return None
    return (row.ended_at - row.started_at).total_seconds()


def _zone(wanted: DriverInfractions, organisation: Organisation) -> ZoneInfo:
    return parse_zone(wanted.time_zone) if wanted.time_zone is not None else known_zone(organisation.time_zone)


def _period(wanted: DriverInfractions, zone: ZoneInfo) -> Period:
    try:
        return period(wanted.from_, wanted.to, zone)
    except ValueError as error:
        raise invalid_parameter("to", str(error)) from error


def _fingerprint(wanted: DriverInfractions) -> str:
    filters = {
        "driver": wanted.driver_id,
        "organisation": wanted.organisation_id,
        "from": None if wanted.from_ is None else wanted.from_.isoformat(),
        "to": None if wanted.to is None else wanted.to.isoformat(),
        "zone": wanted.time_zone,
        "types": sorted(wanted.type),
    }
    return cursors.fingerprint("infractions", filters)


def _before(cursor: str | None, *, of: str) -> Place | None:
    if cursor is None:
        return None
    moment, external_id = cursors.decode(cursor, of=of, types=(int, int))
    try:
        return Place(_EPOCH + int(moment) * _MICROSECOND, int(external_id))
    except OverflowError as error:
        raise _no_time() from error


def _microseconds(moment: datetime) -> int:
    """Exact, where a float's seconds would not be."""
    return (moment - _EPOCH) // _MICROSECOND


def _no_time() -> Problem:
    return invalid_parameter("cursor", "is not one that this API gave")
