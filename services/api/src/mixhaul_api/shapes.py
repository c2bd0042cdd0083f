"""What the API answers: typed dictionaries, from which mypy checks the handlers and the OpenAPI document is written.

They describe, and cost nothing at run time; the tests compare real answers with them. `typing_extensions` because
pydantic reads its TypedDict on Python 3.11 too.
"""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api import ids

IdText = Annotated[
    str, Field(pattern=ids.PATTERN, description="A signed 64-bit number as text.", examples=["-5126071423112345678"])
]
OrganisationIdText = Annotated[
    str,
    Field(
        description="The organisation's id in MiX. Where two data centres use the same one, the later one has `@` and "
        "its data API's address behind it.",
        examples=["6243816725049817314"],
    ),
]
Time = Annotated[
    str,
    Field(
        description="RFC 3339 with an offset.",
        json_schema_extra={"format": "date-time"},
        examples=["2026-11-24T08:15:30.000-03:00"],
    ),
]


# `from` is a word of Python's, so this one can't be written as a class.
GapInterval = TypedDict("GapInterval", {"from": Time, "to": Time})


class Freshness(TypedDict):
    """As of when the answer is, for one organisation."""

    organisationId: OrganisationIdText
    asOf: Annotated[
        Time | None,
        Field(
            description="What MiX had stored by then is in the answer, gaps apart. null: nothing was fetched yet, so "
            "an empty list says nothing."
        ),
    ]
    lagSeconds: Annotated[float | None, Field(ge=0, description="How long ago `asOf` is.")]
    gaps: Annotated[
        list[GapInterval],
        Field(max_length=20, description="Open gaps, by creation time in MiX, the newest 20 of them."),
    ]
    syncedAt: Annotated[Time | None, Field(description="When drivers, vehicles and event types last came as a whole.")]


class Driver(TypedDict):
    """A driver. The last five members are personal data: only for the roles analyst, auditor and admin."""

    id: IdText
    organisationId: OrganisationIdText
    name: str | None
    siteId: IdText | None
    siteName: str | None
    country: str | None
    isSystemDriver: Annotated[bool | None, Field(description="A placeholder of MiX, no person.")]
    active: Annotated[bool, Field(description="false: MiX no longer lists this driver.")]
    lastSeenAt: Annotated[Time, Field(description="When MiX last listed this driver.")]
    employeeNumber: NotRequired[str | None]
    mobileNumber: NotRequired[str | None]
    email: NotRequired[str | None]
    extendedDriverId: NotRequired[Annotated[str | None, Field(description="What the driver identifies with.")]]
    imageUri: NotRequired[str | None]


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


class Classified(TypedDict):
    """Who decided whether a type counts as an infraction."""

    origin: Annotated[str, Field(json_schema_extra={"enum": ["default", "person"]})]
    by: Annotated[str | None, Field(description="`sub` of the token that it was changed with.")]
    at: Time | None


class EventType(TypedDict):
    """A type of event."""

    id: IdText
    organisationId: OrganisationIdText
    description: str | None
    eventType: str | None
    displayUnits: str | None
    valueName: str | None
    family: str | None
    isInfraction: bool
    classified: Classified
    active: Annotated[bool, Field(description="false: MiX no longer lists this type.")]


NextCursor = Annotated[str | None, Field(description="For the parameter `cursor`; null: this was the last page.")]


class DriverPage(TypedDict):
    """Drivers, the best match first; without a search by organisation and name."""

    items: list[Driver]
    nextCursor: NextCursor
    freshness: list[Freshness]


class InfractionPage(TypedDict):
    """Infractions, the newest first."""

    items: list[Infraction]
    nextCursor: NextCursor
    freshness: list[Freshness]
    timeZone: Annotated[str, Field(description="The time zone of the times in this answer.", examples=["UTC"])]


class EventTypePage(TypedDict):
    """Event types by organisation and description."""

    items: list[EventType]
    nextCursor: NextCursor
    freshness: list[Freshness]


class LastSync(TypedDict):
    """The last finished sync of drivers, vehicles, event types and sites."""

    finishedAt: Time
    result: Annotated[str, Field(json_schema_extra={"enum": ["succeeded", "failed"]})]


class OrganisationStatus(TypedDict):
    """How far one organisation's data has come."""

    organisationId: OrganisationIdText
    name: str | None
    timeZone: Annotated[str | None, Field(description="As MiX names it.")]
    asOf: Time | None
    lagSeconds: Annotated[float | None, Field(ge=0)]
    caughtUp: Annotated[bool, Field(description="MiX had nothing more at the last poll.")]
    lastPollAt: Time | None
    lastDataAt: Annotated[Time | None, Field(description="When events last came.")]
    consecutiveErrors: Annotated[int, Field(ge=0, description="Polls that failed since the last one that didn't.")]
    gapCount: Annotated[int, Field(ge=0)]
    gaps: Annotated[list[GapInterval], Field(max_length=20)]
    lastSync: LastSync | None


class Status(TypedDict):
    """The state of every organisation that the token may see."""

    items: list[OrganisationStatus]
