"""One event, and the bytes that it was made of."""

from __future__ import annotations

import asyncio
from typing import Final

from mixhaul_api import raw_records
from mixhaul_api.call import Call, only_one
from mixhaul_api.infraction_rows import infraction, place
from mixhaul_api.parameters.common import NoBody
from mixhaul_api.parameters.fleet import OneEvent, OneRawRecord
from mixhaul_api.periods import UTC_ZONE, parse_zone, show
from mixhaul_api.privacy import masked
from mixhaul_api.problems import NOT_FOUND, Problem
from mixhaul_api.queries import events as queries
from mixhaul_api.representation import Representation
from mixhaul_api.shapes.fleet import Event, RawRecord

BYTES: Final = "application/octet-stream"


async def one(call: Call[OneEvent, NoBody]) -> Event:
    """GET /api/events/{eventId}"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.database.connection() as connection:
        rows = await queries.by_id(connection, scope.ids, wanted.event_id, sites=scope.sites)
    only_one([row.organisation_id for row, _ in rows], scope, what="event", shown=str(wanted.event_id))
    (row, more), *_ = rows
    zone = UTC_ZONE if wanted.time_zone is None else parse_zone(wanted.time_zone)
    found: Event = {
        **infraction(row, scope.public_id(row.organisation_id), zone),
        "isInfraction": more.is_infraction,
        "category": more.category,
        "endPlace": place(more.end_address, more.end_latitude, more.end_longitude),
        "odometerKm": more.odometer_km,
        "fuelUsedLitres": more.fuel_used_litres,
        "observedAt": show(more.observed_at, zone),
    }
    return masked(found, call.caller)


async def raw(call: Call[OneRawRecord, NoBody]) -> RawRecord | Representation:
    """GET /api/events/{eventId}/raw"""
    wanted = call.parameters
    scope = call.scope.narrowed(wanted.organisation_id)
    async with call.services.database.connection() as connection:
        found = await queries.sources(connection, scope.ids, wanted.event_id, sites=scope.sites)
    only_one([one.organisation_id for one in found], scope, what="event", shown=str(wanted.event_id))
    source = found[0]
    record = None
    if source.body is not None:
        record = await asyncio.to_thread(raw_records.of_event, source.body, wanted.event_id)
    if record is None:
        raise Problem(NOT_FOUND, "The answer that this event came with is no longer kept.")
    # The record names them, in a text that nobody looks through.
    call.saw(source.organisation_id, source.drivers)
    if call.accept == BYTES:
        return Representation(BYTES, record)
    return {
        "id": str(wanted.event_id),
        "organisationId": scope.public_id(source.organisation_id),
        "observedAt": show(source.observed_at),
        "record": record.decode("utf-8", "replace"),
    }
