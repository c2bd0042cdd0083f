"""The audit log, for auditors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from mixhaul_api import cursors
from mixhaul_api.call import Call
from mixhaul_api.directory import Scope
from mixhaul_api.parameters.audit import AuditSearch
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.periods import UTC_ZONE, Period, period, show
from mixhaul_api.problems import invalid_parameter
from mixhaul_api.queries import audit as queries
from mixhaul_api.queries.audit import AuditRow, Place
from mixhaul_api.shapes.audit import AuditEntry, AuditPage

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


async def page(call: Call[AuditSearch, NoBody]) -> AuditPage:
    """GET /api/audit"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    within = _period(wanted)
    of = cursors.fingerprint("audit", wanted.model_dump(mode="json", exclude={"limit", "cursor"}))
    before = None
    if wanted.cursor is not None:
        moment, number = cursors.decode(wanted.cursor, of=of, types=(int, int))
        before = _place(int(moment), int(number))
    async with call.services.database.connection() as connection:
        rows = await queries.page(
            connection,
            scope.ids,
            period=within,
            driver_id=wanted.driver_id,
            actor=wanted.actor,
            action=wanted.action,
            before=before,
            limit=wanted.limit + 1,
        )
    shown = rows[: wanted.limit]
    next_cursor = None
    if len(rows) > wanted.limit:
        next_cursor = cursors.encode(((shown[-1].at - _EPOCH) // _MICROSECOND, shown[-1].id), of=of)
    return {"items": [_entry(row, scope) for row in shown], "nextCursor": next_cursor}


def _entry(row: AuditRow, scope: Scope) -> AuditEntry:
    return {
        "id": str(row.id),
        "at": show(row.at),
        "organisationId": scope.public_id(row.organisation_id),
        "actor": row.actor,
        "action": row.action,
        "route": row.route,
        "driverIds": [str(one) for one in row.subject_ids or ()],
        "subject": row.subject,
        "requestId": row.request_id,
        "details": row.details,
    }


def _period(wanted: AuditSearch) -> Period:
    try:
        return period(wanted.from_, wanted.to, UTC_ZONE)
    except ValueError as error:
        raise invalid_parameter("to", str(error)) from error


def _place(moment: int, number: int) -> Place:
    try:
        return Place(_EPOCH + moment * _MICROSECOND, number)
    except OverflowError as error:
        raise invalid_parameter("cursor", "is not one that this API gave") from error
