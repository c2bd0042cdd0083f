"""Infractions."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.shapes.common import Freshness, IdText, NextCursor, OrganisationIdText, SeverityText, Time

ZoneText = Annotated[str, Field(description="The time zone of the times in this answer.", examples=["UTC"])]


class EventTypeRef(TypedDict):
    """What happened."""

    id: IdText
    description: str | None
    family: str | None


class InfractionType(EventTypeRef):
    """What happened, and how much it matters."""

    severity: SeverityText


class Speed(TypedDict):
    """Speed against limit."""

    kmh: Annotated[float | None, Field(description="The highest speed where the event has it, or that at its start.")]
    limitKmh: float | None
    overByKmh: Annotated[float | None, Field(ge=0, description="null where speed or limit is not known.")]


class Measure(TypedDict):
    """What the vehicle's unit measured for this event."""

    amount: float
    kind: Annotated[str | None, Field(examples=["Maximum"])]
    units: Annotated[str | None, Field(examples=["km/h"])]


class Place(TypedDict):
    """Where it began."""

    address: str | None
    latitude: float | None
    longitude: float | None
    mapUrl: Annotated[str | None, Field(description="The place on a map (OpenStreetMap); null without coordinates.")]


class VehicleRef(TypedDict):
    """The vehicle. Its texts are null until a sync has brought them."""

    id: IdText
    description: str | None
    registrationNumber: str | None
    fleetNumber: str | None


class Infraction(TypedDict):
    """An event whose type counts as an infraction."""

    id: IdText
    organisationId: OrganisationIdText
    driverId: Annotated[IdText | None, Field(description="Whom it counts against today; null: nobody.")]
    driverName: str | None
    occurredAt: Time
    endedAt: Time | None
    durationSeconds: Annotated[float | None, Field(ge=0)]
    occurrences: int | None
    type: InfractionType
    speed: Speed
    measure: Measure | None
    place: Place | None
    vehicle: VehicleRef | None
    amended: Annotated[bool, Field(description="It counted against somebody else when it came: MiX amended that.")]
    formerDriverId: NotRequired[
        Annotated[IdText | None, Field(description="Whom it counted against at first. Only for the role auditor.")]
    ]


class Total(TypedDict):
    """How many there are."""

    count: Annotated[int, Field(ge=0)]
    isExact: Annotated[bool, Field(description="false: there are more than that.")]


class InfractionPage(TypedDict):
    """Infractions, the newest first."""

    items: list[Infraction]
    nextCursor: NextCursor
    total: NotRequired[Annotated[Total, Field(description="With `includeTotal`.")]]
    freshness: list[Freshness]
    timeZone: ZoneText


class TypeCount(TypedDict):
    """Infractions of one type in the whole period."""

    type: InfractionType
    count: Annotated[int, Field(ge=0)]


class DayTypeCount(TypedDict):
    """Infractions of one type on one day."""

    typeId: IdText
    count: Annotated[int, Field(ge=1)]


class DayCount(TypedDict):
    """One day of the time zone, also one without infractions."""

    date: Annotated[str, Field(json_schema_extra={"format": "date"})]
    count: Annotated[int, Field(ge=0)]
    types: list[DayTypeCount]


class InfractionCounts(TypedDict):
    """A driver's infractions by day and type."""

    organisationId: OrganisationIdText
    driverId: IdText
    count: Annotated[int, Field(ge=0)]
    types: Annotated[list[TypeCount], Field(description="The most frequent first.")]
    days: list[DayCount]
    freshness: list[Freshness]
    timeZone: ZoneText
