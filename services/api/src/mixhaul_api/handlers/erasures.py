"""Erasing a driver, as the LGPD (Brazil's data protection law) lets a person ask for."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from mixhaul_api.call import Call, only_one
from mixhaul_api.directory import Scope
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.erasures import DriverErasure
from mixhaul_api.periods import show_if
from mixhaul_api.queries import audit
from mixhaul_api.queries import drivers as driver_queries
from mixhaul_api.queries import erasures as queries
from mixhaul_api.shapes.erasures import Erasure

ROUTE = "POST /api/drivers/{driverId}/erasure"


async def erase(call: Call[DriverErasure, NoBody]) -> Erasure:
    """POST /api/drivers/{driverId}/erasure: done once; asked for again, it answers the same."""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.primary.transaction() as connection:
        organisation_id = await _organisation(connection, scope, wanted.driver_id)
        await queries.lock(connection, organisation_id)
        affected = await queries.affected(connection, organisation_id, wanted.driver_id)
        erased_at = (await queries.done(connection, [organisation_id], wanted.driver_id)).get(organisation_id)
        action = "driver.erasure-tried"
        if erased_at is None and not wanted.dry_run:
            action = "driver.erased"
            erased_at = await queries.erase(
                connection, organisation_id, wanted.driver_id, by=call.caller.subject, request_id=call.request_id
            )
        entry = audit.Entry(
            organisation_id=organisation_id,
            actor=call.caller.subject,
            action=action,
            route=ROUTE,
            request_id=call.request_id,
            subject_ids=(wanted.driver_id,),
            details={"members": affected.members, "vehicles": affected.vehicles},
        )
        await audit.append(connection, [entry])
    return {
        "driverId": str(wanted.driver_id),
        "organisationId": scope.public_id(organisation_id),
        "dryRun": wanted.dry_run,
        "erasedAt": show_if(erased_at),
        "erased": {"members": affected.members, "vehicles": affected.vehicles},
        "remaining": {"events": affected.events, "auditEntries": affected.audit_entries},
    }


async def _organisation(connection: AsyncConnection[Any], scope: Scope, driver_id: int) -> int:
    """Where the driver is, or was before it was erased: those of a token without a limit to sites may ask again."""
    found = await driver_queries.organisations_of(connection, scope.ids, driver_id, sites=scope.sites)
    if scope.sites is None:
        found = sorted({*found, *await queries.done(connection, scope.ids, driver_id)})
    return only_one(found, scope, what="driver", shown=str(driver_id))
