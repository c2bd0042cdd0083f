"""Infractions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.shapes.common import Freshness, IdText, NextCursor, OrganisationIdText, Time


class EventTypeRef(TypedDict):
    """What happened."""

    id: IdText
    description: str | None
    family: str | None


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
    driverId: IdText
    occurredAt: Time
    endedAt: Time | None
    durationSeconds: Annotated[float | None, Field(ge=0)]
    occurrences: int | None
    type: EventTypeRef
    speed: Speed
    measure: Measure | None
    place: Place | None
    vehicle: VehicleRef | None
    reassigned: Annotated[bool, Field(description="MiX moved the event to this driver after it had come.")]


class InfractionPage(TypedDict):
    """Infractions, the newest first."""

    items: list[Infraction]
    nextCursor: NextCursor
    freshness: list[Freshness]
    timeZone: Annotated[str, Field(description="The time zone of the times in this answer.", examples=["UTC"])]
