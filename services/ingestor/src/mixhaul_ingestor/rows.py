"""From the client's records to the store's rows, column by column: the two packages do not know each other.

The order of `event_row` is `mixhaul_store.records.EVENT_VALUE_COLUMNS`; a test compares the two by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from mixhaul_mix.errors import RecordRejected
from mixhaul_mix.events import Event, Position, decode_event, event_id, event_ids
from mixhaul_store.records import EventRow, Record, Rejected, digest

NO_POSITION: tuple[None, ...] = (None,) * 20


def prepare(raws: Sequence[msgspec.Raw]) -> tuple[list[Record], list[Rejected]]:
    """The identity of each record of a page; those without a usable id are rejected."""
    ids = event_ids(raws)
    if ids is not None:
        whole = [bytes(raw) for raw in raws]
        return list(map(Record, ids, map(digest, whole), whole)), []
    records: list[Record] = []
    rejected: list[Rejected] = []
    for raw in raws:
        data = bytes(raw)
        mark = digest(data)
        try:
            records.append(Record(event_id(data), mark, data))
        except RecordRejected as error:
            rejected.append(Rejected(external_id=None, digest=mark, raw=data, reason=error.reason))
    return records, rejected


def decode_records(records: Sequence[Record]) -> tuple[list[EventRow], list[Rejected]]:
    """Typed rows of the records that the store does not have like this yet."""
    rows: list[EventRow] = []
    rejected: list[Rejected] = []
    for record in records:
        try:
            rows.append(event_row(decode_event(record.raw)))
        except (RecordRejected, RecursionError) as error:
            reason = error.reason if isinstance(error, RecordRejected) else "it is nested too deeply"
            rejected.append(
                Rejected(external_id=record.external_id, digest=record.digest, raw=record.raw, reason=reason)
            )
    return rows, rejected


def event_row(event: Event) -> EventRow:
    """One event as the values of its row, with the time that decides its place."""
    start, end = event.start_position, event.end_position
    return EventRow(
        event.event_id,
        _occurred_at(event),
        (
            event.driver_id,
            event.asset_id,
            event.event_type_id,
            event.event_category,
            event.start_date_time,
            event.end_date_time,
            event.start_odometer_kilometres,
            event.end_odometer_kilometres,
            event.value,
            event.value_type,
            event.value_units,
            event.fuel_used_litres,
            event.total_time_seconds,
            event.total_occurances,
            _json(event.media_urls),
            event.location_id,
            event.speed_limit,
            *(NO_POSITION if start is None else _position(start)),
            *(NO_POSITION if end is None else _position(end)),
            _json(event.extra),
        ),
    )


def _occurred_at(event: Event) -> datetime | None:
    """The start, or else the end, or the time of a position; None where the feed names no time at all."""
    if event.start_date_time is not None:
        return event.start_date_time
    if event.end_date_time is not None:
        return event.end_date_time
    for position in (event.start_position, event.end_position):
        if position is not None and position.timestamp is not None:
            return position.timestamp
    return None


def _position(position: Position) -> tuple[Any, ...]:
    return (
        position.position_id,
        position.asset_id,
        position.driver_id,
        position.timestamp,
        position.latitude,
        position.longitude,
        position.speed_kilometres_per_hour,
        position.speed_limit,
        position.altitude_metres,
        position.heading,
        position.number_of_satellites,
        position.hdop,
        position.vdop,
        position.pdop,
        position.age_of_reading_seconds,
        position.distance_since_reading_kilometres,
        position.odometer_kilometres,
        position.formatted_address,
        position.source,
        position.is_avl,
    )


def _json(value: object) -> str | None:
    """JSON text for a jsonb column; whole numbers of any size survive."""
    return None if value is None else msgspec.json.encode(value).decode()
