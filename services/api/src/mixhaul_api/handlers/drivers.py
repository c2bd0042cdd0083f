"""Drivers: the list, and one."""

from __future__ import annotations

from mixhaul_api import cursors
from mixhaul_api.call import Call, freshness_of, only_one
from mixhaul_api.ids import format_id
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.drivers import DriverSearch, OneDriver
from mixhaul_api.periods import show
from mixhaul_api.queries import drivers as queries
from mixhaul_api.shapes.drivers import Driver, DriverPage


async def find(call: Call[DriverSearch, NoBody]) -> DriverPage:
    """GET /api/drivers"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    of = cursors.fingerprint("drivers", {"search": wanted.search, "organisation": wanted.organisation_id})
    after = None
    if wanted.cursor is not None:
        after = queries.Place(*cursors.decode(wanted.cursor, of=of, types=queries.Place.TYPES))  # type: ignore[arg-type]
    async with call.services.database.connection() as connection:
        freshness = await freshness_of(connection, scope)
        rows = await queries.page(connection, scope.ids, search=wanted.search, after=after, limit=wanted.limit + 1)
    personal = call.caller.sees_personal_data
    shown = rows[: wanted.limit]
    return {
        "items": [driver(row, scope.public_id(row.organisation_id), personal=personal) for _, row in shown],
        "nextCursor": cursors.encode(shown[-1][0].values, of=of) if len(rows) > wanted.limit else None,
        "freshness": freshness,
    }


async def one(call: Call[OneDriver, NoBody]) -> Driver:
    """GET /api/drivers/{driverId}"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.database.connection() as connection:
        rows = await queries.by_id(connection, scope.ids, wanted.driver_id)
    only_one([row.organisation_id for row in rows], scope, what="driver", shown=str(wanted.driver_id))
    return driver(rows[0], scope.public_id(rows[0].organisation_id), personal=call.caller.sees_personal_data)


def driver(row: queries.DriverRow, organisation_id: str, *, personal: bool) -> Driver:
    """A driver as the API shows it; without personal data for those who may not see it."""
    shown: Driver = {
        "id": str(row.external_id),
        "organisationId": organisation_id,
        "name": row.name,
        "siteId": format_id(row.site_external_id),
        "siteName": row.site_name,
        "country": row.country,
        "isSystemDriver": row.is_system_driver,
        "active": row.active,
        "lastSeenAt": show(row.last_seen_at),
    }
    if personal:
        shown["employeeNumber"] = row.employee_number
        shown["mobileNumber"] = row.mobile_number
        shown["email"] = row.email
        shown["extendedDriverId"] = row.extended_driver_id
        shown["imageUri"] = row.image_uri
    return shown
