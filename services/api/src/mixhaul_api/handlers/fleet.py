"""Organisations, sites, vehicles, and how drivers compare."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from mixhaul_api import cursors
from mixhaul_api.call import Call, freshness_of, only_one
from mixhaul_api.directory import Scope
from mixhaul_api.handlers.infractions import MOST_DAYS, sites_of, zone_of
from mixhaul_api.ids import format_id
from mixhaul_api.infraction_rows import place
from mixhaul_api.parameters.common import NoBody, NoParameters
from mixhaul_api.parameters.fleet import DriverRanking, OneVehicle, SiteSearch, VehicleSearch
from mixhaul_api.periods import UTC_ZONE, parse_zone, period, show
from mixhaul_api.privacy import masked
from mixhaul_api.problems import invalid_parameter
from mixhaul_api.queries import ranking as ranking_queries
from mixhaul_api.queries import sites as site_queries
from mixhaul_api.queries import vehicles as vehicle_queries
from mixhaul_api.queries.ranking import RankedRow
from mixhaul_api.queries.vehicles import VehicleRow
from mixhaul_api.shapes.fleet import (
    BySeverity,
    LatestEvent,
    Organisations,
    RankedDriver,
    Ranking,
    SitePage,
    Vehicle,
    VehiclePage,
)
from mixhaul_api.shapes.infractions import EventTypeRef


async def organisations(call: Call[NoParameters, NoBody]) -> Organisations:
    """GET /api/organisations"""
    return {
        "items": [
            {"organisationId": one.public_id, "name": one.name, "timeZone": one.time_zone}
            for one in call.scope.organisations
        ]
    }


async def sites(call: Call[SiteSearch, NoBody]) -> SitePage:
    """GET /api/sites"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    of = cursors.fingerprint("sites", {"organisation": wanted.organisation_id})
    after = None
    if wanted.cursor is not None:
        after = site_queries.Place(*cursors.decode(wanted.cursor, of=of, types=site_queries.PLACE_TYPES))  # type: ignore[arg-type]
    async with call.services.database.connection() as connection:
        freshness = await freshness_of(connection, scope)
        rows = await site_queries.page(connection, scope.ids, sites=scope.sites, after=after, limit=wanted.limit + 1)
    shown = rows[: wanted.limit]
    return {
        "items": [
            {
                "id": str(row.external_id),
                "organisationId": scope.public_id(row.organisation_id),
                "name": row.name,
                "type": row.type,
                "parentId": format_id(row.parent_id),
                "drivers": row.drivers,
                "vehicles": row.vehicles,
                "active": row.active,
            }
            for _, row in shown
        ],
        "nextCursor": cursors.encode(shown[-1][0], of=of) if len(rows) > wanted.limit else None,
        "freshness": freshness,
    }


async def vehicles(call: Call[VehicleSearch, NoBody]) -> VehiclePage:
    """GET /api/vehicles"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    filters = {"search": wanted.search, "site": wanted.site_id, "organisation": wanted.organisation_id}
    of = cursors.fingerprint("vehicles", filters)
    after = None
    if wanted.cursor is not None:
        after = site_queries.Place(*cursors.decode(wanted.cursor, of=of, types=site_queries.PLACE_TYPES))  # type: ignore[arg-type]
    async with call.services.database.connection() as connection:
        freshness = await freshness_of(connection, scope)
        within = await sites_of(connection, scope, wanted.site_id)
        rows = await vehicle_queries.page(
            connection, scope.ids, search=wanted.search, sites=within, after=after, limit=wanted.limit + 1
        )
    shown = rows[: wanted.limit]
    zone = _zone(wanted.time_zone)
    return {
        "items": masked([vehicle(row, scope.public_id(row.organisation_id), zone) for _, row in shown], call.caller),
        "nextCursor": cursors.encode(shown[-1][0], of=of) if len(rows) > wanted.limit else None,
        "freshness": freshness,
    }


async def vehicle_by_id(call: Call[OneVehicle, NoBody]) -> Vehicle:
    """GET /api/vehicles/{vehicleId}"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.database.connection() as connection:
        rows = await vehicle_queries.by_id(connection, scope.ids, wanted.vehicle_id, sites=scope.sites)
    only_one([row.organisation_id for row in rows], scope, what="vehicle", shown=str(wanted.vehicle_id))
    found = vehicle(rows[0], scope.public_id(rows[0].organisation_id), _zone(wanted.time_zone))
    return masked(found, call.caller)


def vehicle(row: VehicleRow, organisation_id: str, zone: ZoneInfo) -> Vehicle:
    """A vehicle as the API shows it."""
    return {
        "id": str(row.external_id),
        "organisationId": organisation_id,
        "description": row.description,
        "registrationNumber": row.registration_number,
        "fleetNumber": row.fleet_number,
        "make": row.make,
        "model": row.model,
        "year": row.year,
        "siteId": format_id(row.site_id),
        "siteName": row.site_name,
        "active": row.active,
        "lastSeenAt": show(row.last_seen_at, zone),
        "latestEvent": _latest(row, zone),
    }


def _latest(row: VehicleRow, zone: ZoneInfo) -> LatestEvent | None:
    if row.event_id is None or row.occurred_at is None:
        return None
    kind: EventTypeRef | None = None
    if row.type_id is not None:
        kind = {"id": str(row.type_id), "description": row.type_description, "family": row.type_family}
    return {
        "id": str(row.event_id),
        "occurredAt": show(row.occurred_at, zone),
        "type": kind,
        "driverId": format_id(row.driver_id),
        "driverName": row.driver_name,
        "place": place(row.address, row.latitude, row.longitude),
    }


async def ranking(call: Call[DriverRanking, NoBody]) -> Ranking:
    """GET /api/driver-ranking"""
    wanted = call.parameters
    if not 1 <= (wanted.to - wanted.from_).days + 1 <= MOST_DAYS:
        raise invalid_parameter("to", f"must be `from` or a later day, and at most {MOST_DAYS} days with it")
    scope = call.scope.narrowed(wanted.organisation_id)
    of = cursors.fingerprint("driver-ranking", wanted.model_dump(exclude={"limit", "cursor"}))
    after = None
    if wanted.cursor is not None:
        after = ranking_queries.Place(*cursors.decode(wanted.cursor, of=of, types=ranking_queries.PLACE_TYPES))  # type: ignore[arg-type]
    zone = zone_of(wanted.time_zone, scope)
    async with call.services.database.connection() as connection:
        freshness = await freshness_of(connection, scope)
        within = await sites_of(connection, scope, wanted.site_id)
        totals, rows = await ranking_queries.page(
            connection,
            scope.ids,
            period=period(wanted.from_, wanted.to, zone),
            sites=within,
            fewest=wanted.order == "fewest",
            after=after,
            limit=wanted.limit + 1,
        )
    shown = rows[: wanted.limit]
    last = shown[-1] if shown else None
    going_on = len(rows) > wanted.limit and last is not None
    return {
        "items": [_ranked(row, scope) for row in shown],
        "totals": {
            "drivers": totals.drivers,
            "infractions": totals.infractions,
            "severities": _severities(totals),
            "events": totals.events,
        },
        "nextCursor": cursors.encode((last.infractions, last.organisation_id, last.driver_id), of=of)
        if going_on and last is not None
        else None,
        "freshness": freshness,
        "timeZone": zone.key,
    }


def _ranked(row: RankedRow, scope: Scope) -> RankedDriver:
    return {
        "rank": row.rank,
        "driverId": str(row.driver_id),
        "organisationId": scope.public_id(row.organisation_id),
        "driverName": row.driver_name,
        "siteId": format_id(row.site_id),
        "siteName": row.site_name,
        "infractions": row.infractions,
        "severities": _severities(row),
        "events": row.events,
    }


def _severities(row: RankedRow | ranking_queries.Totals) -> BySeverity:
    return {"none": row.none, "low": row.low, "medium": row.medium, "high": row.high}


def _zone(name: str | None) -> ZoneInfo:
    return UTC_ZONE if name is None else parse_zone(name)
