"""Support data as MiX lists it: one struct a row, unknown fields in `extra`; a list says which rows were refused.

A row needs its id and nothing else. Another field that can't be read stays in `extra` under its own name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from mixhaul_mix import lenient
from mixhaul_mix.errors import RecordRejected
from mixhaul_mix.shapes import EXTRA_NAME, Shape, read_row, row_text, shape

T = TypeVar("T")
S = TypeVar("S", bound=Struct)


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A whole list. `rejected` has one reason for each row that can't be used."""

    rows: list[T]
    rejected: list[str]
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class RecordList:
    """An answer of history or amendments: whole, its body as it came, its records not read yet."""

    body: bytes
    records: list[Raw]
    observed_at: datetime


class Driver(Struct, rename="pascal", kw_only=True):
    """`is_system_driver` is computed from `fm_driver_id`, as MiX's own client does."""

    driver_id: int
    name: str | None = None
    employee_number: str | None = None
    site_id: int | None = None
    mobile_number: str | None = None
    email: str | None = None
    fm_driver_id: int | None = None
    is_system_driver: bool | None = None
    extended_driver_id: str | None = None
    extended_driver_id_type: str | None = None
    country: str | None = None
    image_uri: str | None = None
    additional_detail_fields: list[Any] | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict, name=EXTRA_NAME)


class Vehicle(Struct, rename="pascal", kw_only=True):
    """MiX: asset. `engine_hours` is as it came; `engine_seconds` is None where that is no ISO 8601 duration."""

    asset_id: int
    description: str | None = None
    registration_number: str | None = None
    fleet_number: str | None = None
    make: str | None = None
    model: str | None = None
    year: str | None = None
    vin_number: str | None = None
    site_id: int | None = None
    fuel_type: str | None = None
    odometer: Decimal | None = None
    engine_hours: str | None = None
    default_driver_id: int | None = None
    user_state: str | None = None
    created_date: datetime | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict, name=EXTRA_NAME)

    @property
    def engine_seconds(self) -> float | None:
        """`engine_hours` as a number."""
        return None if self.engine_hours is None else lenient.duration_seconds(self.engine_hours)


class EventType(Struct, rename="pascal", kw_only=True):
    """One entry of the event-type library."""

    event_type_id: int
    description: str | None = None
    event_type: str | None = None
    display_units: str | None = None
    format_type: str | None = None
    value_name: str | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict, name=EXTRA_NAME)


class Organisation(Struct, rename="pascal", kw_only=True):
    """An organisation that the login sees."""

    group_id: int
    name: str | None = None
    type: str | None = None
    display_time_zone: str | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict, name=EXTRA_NAME)


class Site(Struct, rename="pascal", kw_only=True):
    """A group of the tree below an organisation, the root included. `parent_group_id` is None for the root."""

    group_id: int
    name: str | None = None
    type: str | None = None
    parent_group_id: int | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict, name=EXTRA_NAME)


_ID_TYPES: Final[dict[str | int, str]] = {
    -3: "None",
    -2: "Hex",
    -1: "Ascii",
    "None": "None",
    "Hex": "Hex",
    "Ascii": "Ascii",
}
_GROUP_TYPES: Final[dict[str | int, str]] = {
    key: name
    for number, name in (
        (1, "OrganisationGroup"),
        (4, "SiteGroup"),
        (5, "OrganisationSubGroup"),
        (6, "DefaultSite"),
    )
    for key in (number, name)
}


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise lenient.Unreadable("is no list")
    return [lenient.to_json(item) for item in value]


def _texts(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, row_text)


DRIVER: Final = shape(
    Driver,
    _texts("name", "employee_number", "mobile_number", "email", "extended_driver_id", "country", "image_uri")
    | {
        "driver_id": lenient.to_id,
        "site_id": lenient.to_id,
        "fm_driver_id": lenient.to_id,
        "is_system_driver": lenient.to_bool,
        "extended_driver_id_type": lenient.to_choice(_ID_TYPES),
        "additional_detail_fields": _list,
    },
)
VEHICLE: Final = shape(
    Vehicle,
    _texts(
        "description",
        "registration_number",
        "fleet_number",
        "make",
        "model",
        "year",
        "vin_number",
        "fuel_type",
        "engine_hours",
        "user_state",
    )
    | {
        "asset_id": lenient.to_id,
        "site_id": lenient.to_id,
        "odometer": lenient.to_decimal,
        "default_driver_id": lenient.to_id,
        "created_date": lenient.to_time,
    },
)
EVENT_TYPE: Final = shape(
    EventType,
    _texts("description", "event_type", "display_units", "format_type", "value_name")
    | {"event_type_id": lenient.to_id},
)
ORGANISATION: Final = shape(
    Organisation,
    _texts("name", "display_time_zone") | {"group_id": lenient.to_id, "type": lenient.to_choice(_GROUP_TYPES)},
)
_SITE: Final = shape(
    Site,
    _texts("name")
    | {"group_id": lenient.to_id, "type": lenient.to_choice(_GROUP_TYPES), "parent_group_id": lenient.to_id},
)


def listing(form: Shape[S], raws: list[Raw], *, observed_at: datetime) -> Listing[S]:
    """Every row of a list."""
    rows: list[S] = []
    rejected: list[str] = []
    for number, raw in enumerate(raws, start=1):
        try:
            rows.append(read_row(form, lenient.parse(bytes(raw))))
        except (RecordRejected, lenient.NotJson) as error:
            rejected.append(f"row {number}: {error}")
    return Listing(rows, rejected, observed_at)


def drivers(raws: list[Raw], *, observed_at: datetime) -> Listing[Driver]:
    """Drivers, with `is_system_driver` computed where `FmDriverId` is known."""
    listed = listing(DRIVER, raws, observed_at=observed_at)
    for row in listed.rows:
        if row.fm_driver_id is not None:
            row.is_system_driver = row.fm_driver_id in {0, 1}
    return listed


def sites(roots: list[Any], *, observed_at: datetime) -> Listing[Site]:
    """The tree, flat, parents before children. Where a group can't be used, its children hang on its parent."""
    rows: list[Site] = []
    rejected: list[str] = []
    waiting: list[tuple[Any, int | None]] = [(root, None) for root in reversed(roots)]
    while waiting:
        value, parent = waiting.pop()
        children = value.pop("SubGroups", None) if isinstance(value, dict) else None
        try:
            row = read_row(_SITE, value)
        except RecordRejected as error:
            rejected.append(f"group below {parent}: {error}")
        else:
            row.parent_group_id = parent
            rows.append(row)
            parent = row.group_id
        if isinstance(children, list):
            waiting.extend((child, parent) for child in reversed(children))
    return Listing(rows, rejected, observed_at)
