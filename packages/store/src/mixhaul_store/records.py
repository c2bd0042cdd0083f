"""What travels between a feed and the store: records as they came, rows as they are stored, a page of both.

Nothing here looks into a record: whether its bytes are an event, and which, is the caller's decoder's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

_START_END_COLUMNS: tuple[tuple[str, str], ...] = (
    ("{}_position_id", "int8"),
    ("{}_position_vehicle_external_id", "int8"),
    ("{}_position_driver_external_id", "int8"),
    ("{}_position_at", "timestamptz"),
    ("{}_latitude", "float8"),
    ("{}_longitude", "float8"),
    ("{}_speed_kmh", "float8"),
    ("{}_position_speed_limit", "float8"),
    ("{}_altitude_metres", "int4"),
    ("{}_heading", "int4"),
    ("{}_satellites", "int4"),
    ("{}_hdop", "int4"),
    ("{}_vdop", "int4"),
    ("{}_pdop", "int4"),
    ("{}_age_of_reading_seconds", "int4"),
    ("{}_distance_since_reading_km", "int4"),
    ("{}_position_odometer_km", "numeric"),
    ("{}_address", "text"),
    ("{}_position_source", "text"),
    ("{}_is_avl", "bool"),
)

EVENT_COLUMN_TYPES: dict[str, str] = dict(
    (
        ("reported_driver_external_id", "int8"),
        ("vehicle_external_id", "int8"),
        ("event_type_external_id", "int8"),
        ("event_category", "text"),
        ("started_at", "timestamptz"),
        ("ended_at", "timestamptz"),
        ("start_odometer_km", "numeric"),
        ("end_odometer_km", "numeric"),
        ("value", "float8"),
        ("value_type", "text"),
        ("value_units", "text"),
        ("fuel_used_litres", "float8"),
        ("total_time_seconds", "int8"),
        ("total_occurrences", "int8"),
        ("media_urls", "jsonb"),
        ("location_external_id", "int8"),
        ("speed_limit", "float8"),
        *((name.format("start"), kind) for name, kind in _START_END_COLUMNS),
        *((name.format("end"), kind) for name, kind in _START_END_COLUMNS),
        ("extra", "jsonb"),
    )
)
"""The columns of telemetry_events that an event's own fields fill, in table order, with their PostgreSQL types."""

EVENT_VALUE_COLUMNS: tuple[str, ...] = tuple(EVENT_COLUMN_TYPES)


class Record(NamedTuple):
    """One record of a page: its identity and its own bytes. A tuple, since each page makes a thousand of them."""

    external_id: int
    digest: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that can't be stored typed. `reason` must not hold what the record says: it is logged and shown."""

    external_id: int | None
    digest: int
    raw: bytes
    reason: str


class EventRow(NamedTuple):
    """A decoded event. `values` are in the order of EVENT_VALUE_COLUMNS; a jsonb value is its JSON text.

    `occurred_at` is None where the event names no time at all: the store then uses the first `observed_at`.
    """

    external_id: int
    occurred_at: datetime | None
    values: tuple[Any, ...]


Decoder = Callable[[Sequence[Record]], tuple[list[EventRow], list[Rejected]]]
"""Called with those records only that are new or changed. Each is in one of the two answers, which keep the order."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Any answer that carries events. `observed_at` is the database's clock when the request was sent; `feed` is
    `events`, or `events:history` where an interval was asked for; `requested_token` is what was asked with."""

    organisation_id: int
    feed: str
    observed_at: datetime
    requested_token: str
    body: bytes
    records: Sequence[Record]
    rejected: Sequence[Rejected]


@dataclass(frozen=True, slots=True)
class Page(Answer):
    """One answer of a feed, and how to go on."""

    next_token: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class PageResult:
    """What a page changed. `unchanged` counts records that wrote nothing, doubled ones of the page among them.

    `quarantined` counts records that were not in quarantine yet, `expired` those that are older than events are kept.
    `unknown_references`: a new event names a driver, a vehicle or a type that the support tables lack.
    """

    inserted: int
    updated: int
    unchanged: int
    quarantined: int
    unknown_references: bool
    expired: int = 0


def digest(raw: bytes) -> int:
    """8 bytes of BLAKE2b over the record's own bytes, as a signed 64-bit number."""
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big", signed=True)
