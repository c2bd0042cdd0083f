"""Infractions: a driver's, the fleet's, and how many there were on each day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from mixhaul_api import csv_forms, cursors, infraction_csv
from mixhaul_api.audit import VIEWED, View
from mixhaul_api.auth.permissions import Permission
from mixhaul_api.call import Call, freshness_of, only_one
from mixhaul_api.directory import Scope
from mixhaul_api.infraction_rows import infraction
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.infractions import DriverInfractions, FleetInfractions, InfractionCountsOf
from mixhaul_api.periods import UTC_ZONE, Period, known_zone, midnight, parse_zone, period
from mixhaul_api.privacy import masked
from mixhaul_api.problems import Problem, invalid_parameter
from mixhaul_api.queries import drivers as driver_queries
from mixhaul_api.queries import infractions as queries
from mixhaul_api.queries.infractions import Filters, InfractionRow, Place
from mixhaul_api.queries.limits import SiteLimit, sites_below
from mixhaul_api.representation import Representation
from mixhaul_api.shapes.infractions import Infraction, InfractionCounts, InfractionPage

CSV: Final = "text/csv"
_OF_DRIVER: Final = "GET /api/drivers/{driverId}/infractions"
MOST_DAYS: Final = 400
# Lines of CSV that are read at once: no more of them are in memory, and no connection waits for a slow reader.
BATCH: Final = 500
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_Wanted = DriverInfractions | FleetInfractions


async def of_driver(call: Call[DriverInfractions, NoBody]) -> InfractionPage | Representation:
    """GET /api/drivers/{driverId}/infractions"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.database.connection() as connection:
        found = await driver_queries.organisations_of(connection, scope.ids, wanted.driver_id, sites=scope.sites)
        organisation = scope.of(only_one(found, scope, what="driver", shown=str(wanted.driver_id)))
        # That the driver is of the token's sites was looked at; what remains are the vehicles' sites.
        vehicles = await sites_of(connection, Scope((organisation,)), wanted.site_id)
        one = Scope((organisation,))
        return await _listed(call, connection, one, filters_of(wanted, zone_of(wanted.time_zone, one), vehicles))


async def of_fleet(call: Call[FleetInfractions, NoBody]) -> InfractionPage | Representation:
    """GET /api/infractions"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.database.connection() as connection:
        sites = await sites_of(connection, scope, wanted.site_id)
        return await _listed(call, connection, scope, filters_of(wanted, zone_of(wanted.time_zone, scope), sites))


async def counts(call: Call[InfractionCountsOf, NoBody]) -> InfractionCounts:
    """GET /api/drivers/{driverId}/infraction-counts"""
    wanted = call.parameters
    days = (wanted.to - wanted.from_).days + 1
    if not 1 <= days <= MOST_DAYS:
        raise invalid_parameter("to", f"must be `from` or a later day, and at most {MOST_DAYS} days with it")
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.database.connection() as connection:
        found = await driver_queries.organisations_of(connection, scope.ids, wanted.driver_id, sites=scope.sites)
        organisation = scope.of(only_one(found, scope, what="driver", shown=str(wanted.driver_id)))
        one = Scope((organisation,))
        zone = zone_of(wanted.time_zone, one)
        freshness = await freshness_of(connection, one)
        filters = filters_of(wanted, zone, None)
        dates = [wanted.from_ + timedelta(days=number) for number in range(days)]
        midnights = [midnight(day, zone) for day in dates]
        rows = await queries.counts(connection, organisation.id, filters, midnights=midnights)
    by_type: dict[int, list[queries.CountRow]] = {}
    by_day: dict[int, list[queries.CountRow]] = {}
    for row in rows:
        by_type.setdefault(row.type_id, []).append(row)
        by_day.setdefault(row.day, []).append(row)
    totals = sorted(by_type.values(), key=lambda same: (-sum(row.infractions for row in same), same[0].type_id))
    return {
        "organisationId": organisation.public_id,
        "driverId": str(wanted.driver_id),
        "count": sum(row.infractions for row in rows),
        "types": [
            {
                "type": {
                    "id": str(same[0].type_id),
                    "description": same[0].type_description,
                    "family": same[0].type_family,
                    "severity": same[0].type_severity,
                },
                "count": sum(row.infractions for row in same),
            }
            for same in totals
        ],
        "days": [
            {
                "date": day.isoformat(),
                "count": sum(row.infractions for row in by_day.get(number, ())),
                "types": [{"typeId": str(row.type_id), "count": row.infractions} for row in by_day.get(number, ())],
            }
            for number, day in enumerate(dates)
        ],
        "freshness": freshness,
        "timeZone": zone.key,
    }


async def _listed(
    call: Call[Any, NoBody], connection: AsyncConnection[Any], scope: Scope, filters: Filters
) -> InfractionPage | Representation:
    """A page as JSON, or all of it as CSV."""
    wanted: _Wanted = call.parameters
    zone = zone_of(wanted.time_zone, scope)
    if call.accept == CSV:
        headers = {"Content-Disposition": 'attachment; filename="infractions.csv"'}
        return Representation(csv_forms.CONTENT_TYPE, _csv(call, scope, filters, zone), headers)
    of = _fingerprint(wanted)
    before = _before(wanted.cursor, of=of)
    freshness = await freshness_of(connection, scope)
    rows = await queries.page(connection, scope.ids, filters, before=before, limit=wanted.limit + 1)
    shown = rows[: wanted.limit]
    answer: InfractionPage = {
        "items": _shown(call, scope, shown, zone),
        "nextCursor": cursors.encode(_place(shown[-1]), of=of) if len(rows) > wanted.limit else None,
        "freshness": freshness,
        "timeZone": zone.key,
    }
    if wanted.include_total:
        count = await queries.total(connection, scope.ids, filters)
        answer["total"] = {"count": min(count, queries.MOST_COUNTED), "isExact": count <= queries.MOST_COUNTED}
    return answer


async def _csv(call: Call[Any, NoBody], scope: Scope, filters: Filters, zone: ZoneInfo) -> AsyncIterator[bytes]:
    """Batch by batch, each with a connection of its own while it is read."""
    form, former = call.parameters.csv_form, call.caller.may(Permission.FORMER_DRIVER)
    before: Place | None = None
    piece = infraction_csv.head(form, former=former)
    while True:
        async with call.services.database.connection() as connection:
            rows = await queries.page(connection, scope.ids, filters, before=before, limit=BATCH)
        _saw(call, rows)
        piece += b"".join(infraction_csv.row(form, one, former=former) for one in _shown(call, scope, rows, zone))
        yield piece
        if len(rows) < BATCH:
            return
        last = rows[-1]
        before, piece = Place(last.occurred_at, last.external_id, last.organisation_id), b""


def _saw(call: Call[Any, Any], rows: Sequence[InfractionRow]) -> None:
    """Here and not at the edge, which does not know what a stream is going to show."""
    route = "GET /api/infractions" if isinstance(call.parameters, FleetInfractions) else _OF_DRIVER
    seen: dict[int, set[int]] = {}
    for row in rows:
        if row.driver_id is not None:
            seen.setdefault(row.organisation_id, set()).add(row.driver_id)
    for organisation_id, drivers in seen.items():
        view = View(organisation_id, call.caller.subject, VIEWED, route, frozenset(drivers))
        call.services.audit.viewed(view, request_id=call.request_id)


def _shown(call: Call[Any, Any], scope: Scope, rows: Sequence[InfractionRow], zone: ZoneInfo) -> list[Infraction]:
    return masked([infraction(row, scope.public_id(row.organisation_id), zone) for row in rows], call.caller)


def filters_of(wanted: _Wanted | InfractionCountsOf, zone: ZoneInfo, sites: SiteLimit | None) -> Filters:
    """What the parameters ask for."""
    return Filters(
        period=_period(wanted, zone),
        driver_id=getattr(wanted, "driver_id", None),
        types=wanted.type,
        families=wanted.family,
        severities=wanted.severity,
        vehicle_id=wanted.vehicle_id,
        min_over_kmh=wanted.min_over_kmh,
        sites=sites,
    )


async def sites_of(connection: AsyncConnection[Any], scope: Scope, site_id: int | None) -> SiteLimit | None:
    """The token's sites, and of these only that one and those below it where one is asked for."""
    if site_id is None:
        return scope.sites
    below = await sites_below(connection, scope.ids, [site_id])
    return SiteLimit(below if scope.sites is None else below & scope.sites.pairs)


def zone_of(name: str | None, scope: Scope) -> ZoneInfo:
    """The reader's, or that which all organisations share, or UTC."""
    if name is not None:
        return parse_zone(name)
    zones = {known_zone(one.time_zone).key for one in scope.organisations}
    return ZoneInfo(zones.pop()) if len(zones) == 1 else UTC_ZONE


def _period(wanted: _Wanted | InfractionCountsOf, zone: ZoneInfo) -> Period:
    try:
        return period(wanted.from_, wanted.to, zone)
    except ValueError as error:
        raise invalid_parameter("to", str(error)) from error


def _fingerprint(wanted: _Wanted) -> str:
    """All that decides which rows are in the list, and in which order."""
    leaves = {"limit", "cursor", "include_total", "csv_form"}
    filters: Mapping[str, object] = wanted.model_dump(exclude=leaves, mode="python")
    return cursors.fingerprint(
        "infractions", {name: sorted(value) if isinstance(value, list) else value for name, value in filters.items()}
    )


def _place(row: InfractionRow) -> tuple[int, int, int]:
    return (row.occurred_at - _EPOCH) // _MICROSECOND, row.external_id, row.organisation_id


def _before(cursor: str | None, *, of: str) -> Place | None:
    if cursor is None:
        return None
    moment, external_id, organisation_id = cursors.decode(cursor, of=of, types=(int, int, int))
    try:
        return Place(_EPOCH + int(moment) * _MICROSECOND, int(external_id), int(organisation_id))
    except OverflowError as error:
        raise _no_time() from error


def _no_time() -> Problem:
    return invalid_parameter("cursor", "is not one that this API gave")
