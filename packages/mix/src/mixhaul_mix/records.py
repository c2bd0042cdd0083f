"""The records of the feed as structs, and the lenient reader that takes any form of them that MiX is known to use."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from mixhaul_mix import lenient
from mixhaul_mix.errors import RecordRejected
from mixhaul_mix.shapes import EXTRA_NAME, read, shape

Id = Annotated[int, Meta(ge=lenient.INT64[0], le=lenient.INT64[1])]
Int = Annotated[int, Meta(ge=lenient.INT32[0], le=lenient.INT32[1])]
Choices = dict[str | int, str]


def _choices(*names: str, first_number: int | None = None) -> Choices:
    choices: Choices = {name: name for name in names}
    if first_number is not None:
        choices.update(enumerate(names, start=first_number))
    return choices


CATEGORIES: Final = _choices("Detail", "Summary", "Notify", "Terminal")
VALUE_TYPES: Final = _choices("Minimum", "Maximum", "Average", "Current")
SOURCES: Final = _choices("Gps", "Satellite", "Beacon", "Calculated", "Hos", first_number=0)
AMENDMENT_TYPES: Final = _choices("QuarantinedEvent", "ReassignedEvent", first_number=0)


class Position(Struct, rename="pascal", gc=False, kw_only=True):
    """Where a vehicle was. Times are aware UTC."""

    position_id: Id | None = None
    asset_id: Id | None = None
    driver_id: Id | None = None
    timestamp: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    speed_kilometres_per_hour: float | None = None
    speed_limit: float | None = None
    altitude_metres: Int | None = None
    heading: Int | None = None
    number_of_satellites: Int | None = None
    hdop: Int | None = None
    vdop: Int | None = None
    pdop: Int | None = None
    age_of_reading_seconds: Int | None = None
    distance_since_reading_kilometres: Int | None = None
    odometer_kilometres: Decimal | None = None
    formatted_address: str | None = None
    source: str | None = None
    is_avl: bool | None = None


class Event(Struct, rename="pascal", gc=False, kw_only=True):
    """One event of the feed. Times are aware UTC; `total_occurances` is spelt as MiX spells it.

    `extra` holds the fields that the contract does not know, as they came; those of a position under its name. Write
    it with `msgspec.json.encode`: it may hold whole numbers of more than 64 bits.
    """

    event_id: Id
    asset_id: Id | None = None
    driver_id: Id | None = None
    event_type_id: Id | None = None
    event_category: str | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None
    start_odometer_kilometres: Decimal | None = None
    end_odometer_kilometres: Decimal | None = None
    start_position: Position | None = None
    end_position: Position | None = None
    value: float | None = None
    value_type: str | None = None
    value_units: str | None = None
    fuel_used_litres: float | None = None
    total_time_seconds: Id | None = None
    total_occurances: Id | None = None
    media_urls: dict[str, Any] | None = None
    location_id: Id | None = None
    speed_limit: float | None = None
    extra: dict[str, Any] | None = msgspec.field(default=None, name=EXTRA_NAME)


class Amendment(Struct, rename="pascal", gc=False, kw_only=True):
    """What MiX changed about an event afterwards. `amendment_type` is canonical where it is a known one."""

    event_id: int
    amendment_type: str
    amendment_date: datetime | None = None
    new_driver_id: int | None = None
    extra: dict[str, Any] | None = msgspec.field(default=None, name=EXTRA_NAME)


def _raw(value: Any) -> Any:
    return value


_POSITION: Final = shape(
    Position,
    {
        "position_id": lenient.to_id,
        "asset_id": lenient.to_id,
        "driver_id": lenient.to_id,
        "timestamp": lenient.to_time,
        "latitude": lenient.to_float,
        "longitude": lenient.to_float,
        "speed_kilometres_per_hour": lenient.to_float,
        "speed_limit": lenient.to_float,
        "altitude_metres": lenient.to_int32,
        "heading": lenient.to_int32,
        "number_of_satellites": lenient.to_int32,
        "hdop": lenient.to_int32,
        "vdop": lenient.to_int32,
        "pdop": lenient.to_int32,
        "age_of_reading_seconds": lenient.to_int32,
        "distance_since_reading_kilometres": lenient.to_int32,
        "odometer_kilometres": lenient.to_decimal,
        "formatted_address": lenient.to_text,
        "source": lenient.to_choice(SOURCES),
        "is_avl": lenient.to_bool,
    },
)
_EVENT: Final = shape(
    Event,
    {
        "event_id": lenient.to_id,
        "asset_id": lenient.to_id,
        "driver_id": lenient.to_id,
        "event_type_id": lenient.to_id,
        "event_category": lenient.to_choice(CATEGORIES),
        "start_date_time": lenient.to_time,
        "end_date_time": lenient.to_time,
        "start_odometer_kilometres": lenient.to_decimal,
        "end_odometer_kilometres": lenient.to_decimal,
        "start_position": _raw,
        "end_position": _raw,
        "value": lenient.to_float,
        "value_type": lenient.to_choice(VALUE_TYPES),
        "value_units": lenient.to_text,
        "fuel_used_litres": lenient.to_float,
        "total_time_seconds": lenient.to_int64,
        "total_occurances": lenient.to_int64,
        "media_urls": lenient.to_object,
        "location_id": lenient.to_id,
        "speed_limit": lenient.to_float,
    },
)
_AMENDMENT: Final = shape(
    Amendment,
    {
        "event_id": lenient.to_id,
        "amendment_type": lenient.to_choice(AMENDMENT_TYPES),
        "amendment_date": lenient.to_time,
        "new_driver_id": lenient.to_id,
    },
)


def read_event(raw: bytes) -> Event:
    """The event, in whatever form its fields came. Raises RecordRejected."""
    event, extra = read(_EVENT, parse(raw))
    for name, attribute in (("StartPosition", "start_position"), ("EndPosition", "end_position")):
        value = getattr(event, attribute)
        if value is not None:
            position, unknown = read(_POSITION, value, at=name)
            setattr(event, attribute, position)
            if unknown:
                extra[name] = unknown
    event.extra = extra or None
    return event


def decode_amendment(raw: bytes) -> Amendment:
    """The amendment. Raises RecordRejected."""
    amendment, extra = read(_AMENDMENT, parse(raw))
    amendment.extra = extra or None
    return amendment


def parse(raw: bytes) -> Any:
    """The JSON value of a record. Raises RecordRejected."""
    try:
        return lenient.parse(raw)
    except lenient.NotJson as error:
        raise RecordRejected(str(error)) from None


def read_id(raw: bytes) -> int:
    """Only the id of an event. Raises RecordRejected."""
    value = parse(raw)
    if not isinstance(value, dict):
        raise RecordRejected("the record is no object")
    if value.get("EventId") is None:
        raise RecordRejected("EventId is missing")
    try:
        return lenient.to_id(value["EventId"])
    except lenient.Unreadable as error:
        raise RecordRejected(f"EventId {error}") from None
