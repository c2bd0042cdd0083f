"""An event as the API shows it: when, what, where, speed against limit, duration, vehicle. Pure functions."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from mixhaul_api.ids import format_id
from mixhaul_api.periods import show, show_if
from mixhaul_api.queries.infractions import KMH, InfractionRow
from mixhaul_api.shapes.infractions import Infraction, Place, Speed


def infraction(row: InfractionRow, organisation_id: str, zone: ZoneInfo) -> Infraction:
    """All of it; who may not see a member has it taken out afterwards."""
    measure = vehicle = None
    if row.value is not None:
        measure = {"amount": row.value, "kind": row.value_type, "units": row.value_units}
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
        "driverId": format_id(row.driver_id),
        "driverName": row.driver_name,
        "occurredAt": show(row.occurred_at, zone),
        "endedAt": show_if(row.ended_at, zone),
        "durationSeconds": duration(row),
        "occurrences": row.total_occurrences,
        "type": {
            "id": str(row.type_id),
            "description": row.type_description,
            "family": row.type_family,
            "severity": row.type_severity,
        },
        "speed": speed(row),
        "measure": measure,  # type: ignore[typeddict-item]
        "place": place(row.address, row.latitude, row.longitude),
        "vehicle": vehicle,  # type: ignore[typeddict-item]
        "amended": row.amended,
        "formerDriverId": format_id(row.former_driver_id),
    }


def place(address: str | None, latitude: float | None, longitude: float | None) -> Place | None:
    """Where it was; None where nothing is known."""
    if address is None and latitude is None:
        return None
    link = None
    if latitude is not None and longitude is not None:
        link = f"https://www.openstreetmap.org/?mlat={latitude:.6f}&mlon={longitude:.6f}#map=17/{latitude:.6f}/{longitude:.6f}"
    return {"address": address, "latitude": latitude, "longitude": longitude, "mapUrl": link}


def speed(row: InfractionRow) -> Speed:
    """The highest speed where the event measured one, or that at its start; and by how much it is over the limit."""
    kmh = row.start_speed_kmh
    measured = row.value_units is not None and row.value_units.strip().casefold() in KMH
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
