"""Drivers: the list, and one."""

from __future__ import annotations

from typing import Final

from mixhaul_api import cursors, highlights
from mixhaul_api.auth.callers import Caller
from mixhaul_api.auth.permissions import Permission
from mixhaul_api.call import Call, freshness_of, only_one
from mixhaul_api.ids import format_id
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.drivers import DriverSearch, OneDriver
from mixhaul_api.periods import show
from mixhaul_api.privacy import masked
from mixhaul_api.queries import driver_search
from mixhaul_api.queries import drivers as queries
from mixhaul_api.queries.driver_ranks import Rank
from mixhaul_api.queries.driver_rows import DriverRow, Place
from mixhaul_api.shapes.drivers import Driver, DriverPage, Match

_MATCHES: Final = {
    Rank.NUMBER: "employeeNumber",
    Rank.PREFIX: "prefix",
    Rank.WORDS: "words",
    Rank.PARTS: "parts",
    Rank.SIMILAR: "similar",
}


async def find(call: Call[DriverSearch, NoBody]) -> DriverPage:
    """GET /api/drivers"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    of = cursors.fingerprint("drivers", {"search": wanted.search, "organisation": wanted.organisation_id})
    after = None
    if wanted.cursor is not None:
        after = Place(*cursors.decode(wanted.cursor, of=of, types=Place.TYPES))  # type: ignore[arg-type]
    async with call.services.database.connection() as connection:
        freshness = await freshness_of(connection, scope)
        terms = None if wanted.search is None else await driver_search.terms_of(connection, wanted.search)
        similar: frozenset[str] = frozenset()
        if terms is None or not terms.words:
            rows = await queries.page(connection, scope.ids, sites=scope.sites, after=after, limit=wanted.limit + 1)
        else:
            found = await driver_search.page(
                connection,
                scope.ids,
                terms=terms,
                numbers=searches_numbers(call.caller),
                sites=scope.sites,
                after=after,
                limit=wanted.limit + 1,
            )
            rows, similar = found.rows, found.similar
    shown = rows[: wanted.limit]
    items = []
    for place, row in shown:
        item = driver(row, scope.public_id(row.organisation_id), call.caller)
        if terms is not None and terms.words:
            item["match"] = match(row.name, Rank(place.rank), terms.words, similar)
        items.append(item)
    return {
        "items": items,
        "nextCursor": cursors.encode(shown[-1][0].values, of=of) if len(rows) > wanted.limit else None,
        "freshness": freshness,
    }


async def one(call: Call[OneDriver, NoBody]) -> Driver:
    """GET /api/drivers/{driverId}"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.database.connection() as connection:
        rows = await queries.by_id(connection, scope.ids, wanted.driver_id, sites=scope.sites)
    only_one([row.organisation_id for row in rows], scope, what="driver", shown=str(wanted.driver_id))
    return driver(rows[0], scope.public_id(rows[0].organisation_id), call.caller)


def searches_numbers(caller: Caller) -> bool:
    """Whether a search looks through employee numbers: who may not see one must not find out about it either."""
    return caller.may(Permission.EMPLOYEE_NUMBER)


def match(name: str | None, rank: Rank, words: tuple[str, ...], similar: frozenset[str]) -> Match:
    """Why a search found this driver."""
    marked = highlights.ranges(name or "", words, similar if rank is Rank.SIMILAR else ())
    return {
        "by": _MATCHES[rank],
        "highlights": [{"start": one.start, "length": one.length} for one in marked] if rank is not Rank.NUMBER else [],
    }


def driver(row: DriverRow, organisation_id: str, caller: Caller) -> Driver:
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
    shown["employeeNumber"] = row.employee_number
    shown["mobileNumber"] = row.mobile_number
    shown["email"] = row.email
    shown["extendedDriverId"] = row.extended_driver_id
    shown["imageUri"] = row.image_uri
    return masked(shown, caller)
