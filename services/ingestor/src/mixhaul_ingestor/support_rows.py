"""From the client's wire types to the store's rows, field by field: the two packages do not know each other."""

from __future__ import annotations

from mixhaul_mix import types as wire
from mixhaul_store.support import Driver, EventType, Site, Vehicle


def driver(row: wire.Driver) -> Driver:
    """One driver."""
    return Driver(
        external_id=row.driver_id,
        name=row.name,
        employee_number=row.employee_number,
        site_external_id=row.site_id,
        mobile_number=row.mobile_number,
        email=row.email,
        fm_driver_id=row.fm_driver_id,
        is_system_driver=row.is_system_driver,
        extended_driver_id=row.extended_driver_id,
        extended_driver_id_type=row.extended_driver_id_type,
        country=row.country,
        image_uri=row.image_uri,
        additional_detail_fields=row.additional_detail_fields,
        extra=row.extra,
    )


def vehicle(row: wire.Vehicle) -> Vehicle:
    """One vehicle."""
    return Vehicle(
        external_id=row.asset_id,
        description=row.description,
        registration_number=row.registration_number,
        fleet_number=row.fleet_number,
        make=row.make,
        model=row.model,
        year=row.year,
        vin_number=row.vin_number,
        site_external_id=row.site_id,
        fuel_type=row.fuel_type,
        odometer_km=row.odometer,
        engine_hours=row.engine_hours,
        engine_seconds=row.engine_seconds,
        default_driver_external_id=row.default_driver_id,
        user_state=row.user_state,
        created_at=row.created_date,
        extra=row.extra,
    )


def event_type(row: wire.EventType) -> EventType:
    """One event type."""
    return EventType(
        external_id=row.event_type_id,
        description=row.description,
        event_type=row.event_type,
        display_units=row.display_units,
        format_type=row.format_type,
        value_name=row.value_name,
        extra=row.extra,
    )


def site(row: wire.Site) -> Site:
    """One group of the tree."""
    return Site(
        external_id=row.group_id,
        parent_external_id=row.parent_group_id,
        name=row.name,
        type=row.type,
        extra=row.extra,
    )
