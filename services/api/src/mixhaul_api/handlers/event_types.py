"""The catalogue of event types, and which of them count as infractions."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from mixhaul_api import cursors
from mixhaul_api.call import Call, freshness_of, only_one
from mixhaul_api.directory import Scope
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.event_types import Classification, EventTypeSearch, OneEventType
from mixhaul_api.periods import show_if
from mixhaul_api.queries import event_types as queries
from mixhaul_api.shapes.event_types import EventType, EventTypePage


async def find(call: Call[EventTypeSearch, NoBody]) -> EventTypePage:
    """GET /api/event-types"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    of = cursors.fingerprint(
        "event-types",
        {
            "search": wanted.search,
            "organisation": wanted.organisation_id,
            "isInfraction": wanted.is_infraction,
            "family": wanted.family,
            "severity": wanted.severity,
        },
    )
    after = None
    if wanted.cursor is not None:
        after = queries.Place(*cursors.decode(wanted.cursor, of=of, types=queries.Place.TYPES))  # type: ignore[arg-type]
    async with call.services.database.connection() as connection:
        freshness = await freshness_of(connection, scope)
        rows = await queries.page(
            connection,
            scope.ids,
            search=wanted.search,
            is_infraction=wanted.is_infraction,
            family=wanted.family,
            severity=wanted.severity,
            after=after,
            limit=wanted.limit + 1,
        )
    shown = rows[: wanted.limit]
    return {
        "items": [event_type(row, scope.public_id(row.organisation_id)) for _, row in shown],
        "nextCursor": cursors.encode(shown[-1][0].values, of=of) if len(rows) > wanted.limit else None,
        "freshness": freshness,
    }


async def classify(call: Call[OneEventType, Classification]) -> EventType:
    """PATCH /api/event-types/{eventTypeId}: the sync never changes it again."""
    wanted, decision = call.parameters, call.body
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.primary.transaction() as connection:
        organisation_id = await _organisation(connection, scope, wanted.event_type_id)
        await queries.lock_organisation(connection, organisation_id)
        # Read again under the lock, since the audit tells what was before.
        was = await queries.locked(connection, organisation_id, wanted.event_type_id)
        now = await queries.decide(
            connection,
            was,
            is_infraction=decision.is_infraction,
            family=decision.family if decision.sets_family else was.family,
            severity=decision.severity or was.severity,
            by=call.caller.subject,
            request_id=call.request_id,
        )
    return event_type(now, scope.public_id(organisation_id))


async def _organisation(connection: AsyncConnection[Any], scope: Scope, event_type_id: int) -> int:
    rows = await queries.by_id(connection, scope.ids, event_type_id)
    return only_one([row.organisation_id for row in rows], scope, what="event type", shown=str(event_type_id))


def event_type(row: queries.EventTypeRow, organisation_id: str) -> EventType:
    """An event type as the API shows it."""
    return {
        "id": str(row.external_id),
        "organisationId": organisation_id,
        "description": row.description,
        "eventType": row.event_type,
        "displayUnits": row.display_units,
        "valueName": row.value_name,
        "family": row.family,
        "isInfraction": row.is_infraction,
        "severity": row.severity,
        "classified": {
            "origin": row.classification_origin,
            "by": row.classified_by,
            "at": show_if(row.classified_at),
        },
        "active": row.active,
    }
