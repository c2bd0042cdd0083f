"""The performance report of a driver: JSON, or made of it CSV and a page to print."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from mixhaul_api import csv_forms
from mixhaul_api.auth.permissions import Permission
from mixhaul_api.call import Call, only_one
from mixhaul_api.directory import Organisation
from mixhaul_api.infraction_rows import infraction
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.report import DriverReport
from mixhaul_api.periods import Period, known_zone, parse_zone
from mixhaul_api.privacy import masked
from mixhaul_api.queries import drivers as driver_queries
from mixhaul_api.queries import infractions as infraction_queries
from mixhaul_api.queries import progress
from mixhaul_api.queries import report as queries
from mixhaul_api.queries.drivers import DriverRow
from mixhaul_api.queries.limits import SiteLimit
from mixhaul_api.report import page
from mixhaul_api.report.answer import MOST_LISTED, Found, answer
from mixhaul_api.report.calendar import Calendar, calendar
from mixhaul_api.report.table import table
from mixhaul_api.representation import JSON, Representation
from mixhaul_api.shapes.report import PerformanceReport

CSV: Final = "text/csv"
HTML: Final = "text/html"


async def report(call: Call[DriverReport, NoBody]) -> PerformanceReport | Representation:
    """GET /api/drivers/{driverId}/performance-report"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    ranked = call.caller.may(Permission.OTHERS_RANKING)
    async with call.services.database.transaction() as connection:
        # One moment for all of it: the table, the list and how complete they are must not contradict each other.
        await connection.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        rows = await driver_queries.by_id(connection, scope.ids, wanted.driver_id, sites=scope.sites)
        found_in = [row.organisation_id for row in rows] or await driver_queries.organisations_of(
            connection, scope.ids, wanted.driver_id, sites=scope.sites
        )
        organisation = scope.of(only_one(found_in, scope, what="driver", shown=str(wanted.driver_id)))
        zone = _zone(wanted.time_zone, organisation)
        spans = calendar(wanted.month, zone)
        found = await _read(
            connection,
            organisation,
            wanted,
            spans=spans,
            limit=scope.sites,
            zone=zone,
            row=rows[0] if rows else None,
            ranked=ranked,
        )
    shown = masked(
        answer(
            found,
            organisation=organisation,
            calendar=spans,
            zone=zone,
            language=wanted.language,
            form=call.services.form,
            ranked=ranked,
        ),
        call.caller,
    )
    if call.accept == JSON:
        return shown
    call.saw(organisation.id, [wanted.driver_id])
    if call.accept == CSV:
        return Representation(csv_forms.CONTENT_TYPE, table(shown, wanted.csv_form), _named(shown, "csv"))
    body, policy = page.page(shown, logo=call.services.form.logo)
    return Representation(page.CONTENT_TYPE, body, {"Content-Security-Policy": policy})


def _named(report: PerformanceReport, ending: str) -> dict[str, str]:
    """For a browser that stores it: no name of a person, which would be in a folder of downloads for ever."""
    name = f"report-{report['driver']['id']}-{report['months'][-1]['month']}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}


async def _read(
    connection: AsyncConnection[Any],
    organisation: Organisation,
    wanted: DriverReport,
    *,
    spans: Calendar,
    limit: SiteLimit | None,
    zone: ZoneInfo,
    row: DriverRow | None,
    ranked: bool,
) -> Found:
    month = spans.month
    (reached,) = await progress.of(connection, [organisation.id])
    counts = await queries.counts(connection, organisation.id, wanted.driver_id, edges=spans.edges, limit=limit)
    rank = None
    if ranked and row is not None and row.site_external_id is not None:
        rank = await queries.rank(
            connection, organisation.id, wanted.driver_id, site_id=row.site_external_id, span=month, limit=limit
        )
    newest = await infraction_queries.page(
        connection,
        [organisation.id],
        infraction_queries.Filters(period=Period(month.start, month.end), driver_id=wanted.driver_id),
        before=None,
        limit=MOST_LISTED,
    )
    return Found(
        driver_id=wanted.driver_id,
        driver=row,
        progress=reached,
        books=await queries.books(connection, organisation.id, start=spans.months[0].start, end=month.end),
        counts=counts,
        rank=rank,
        infractions=[infraction(one, organisation.public_id, zone) for one in reversed(newest)],
    )


def _zone(name: str | None, organisation: Organisation) -> ZoneInfo:
    return parse_zone(name) if name is not None else known_zone(organisation.time_zone)
