"""Organisations, sites, vehicles, single events, and how drivers compare."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.shapes.common import Freshness, IdText, NextCursor, OrganisationIdText, Time
from mixhaul_api.shapes.infractions import EventTypeRef, Infraction, Place, ZoneText


class Organisation(TypedDict):
    """An organisation that the token may see."""

    organisationId: OrganisationIdText
    name: str | None
    timeZone: Annotated[str | None, Field(description="As MiX names it.")]


class Organisations(TypedDict):
    """All that the token may see, in the order in which they came."""

    items: list[Organisation]


class Site(TypedDict):
    """A site. Sites are a tree: `parentId` is the one above, null at the top."""

    id: IdText
    organisationId: OrganisationIdText
    name: str | None
    type: Annotated[str | None, Field(description="As MiX calls it.", examples=["SiteGroup"])]
    parentId: IdText | None
    drivers: Annotated[int, Field(ge=0, description="Drivers that MiX lists at this very site.")]
    vehicles: Annotated[int, Field(ge=0, description="Vehicles that MiX lists at this very site.")]
    active: Annotated[bool, Field(description="false: MiX no longer lists this site.")]


class SitePage(TypedDict):
    """Sites by organisation and name."""

    items: list[Site]
    nextCursor: NextCursor
    freshness: list[Freshness]


class LatestEvent(TypedDict):
    """A vehicle's latest event, of any type."""

    id: IdText
    occurredAt: Time
    type: EventTypeRef | None
    driverId: IdText | None
    driverName: str | None
    place: Place | None


class Vehicle(TypedDict):
    """A vehicle, and the last that was heard of it."""

    id: IdText
    organisationId: OrganisationIdText
    description: str | None
    registrationNumber: str | None
    fleetNumber: str | None
    make: str | None
    model: str | None
    year: str | None
    siteId: IdText | None
    siteName: str | None
    active: Annotated[bool, Field(description="false: MiX no longer lists this vehicle.")]
    lastSeenAt: Annotated[Time, Field(description="When MiX last listed this vehicle.")]
    latestEvent: Annotated[LatestEvent | None, Field(description="null: none is known.")]


class VehiclePage(TypedDict):
    """Vehicles by organisation and description."""

    items: list[Vehicle]
    nextCursor: NextCursor
    freshness: list[Freshness]


class Event(Infraction):
    """An event of any type."""

    isInfraction: bool  # noqa: N815  (a TypedDict)
    category: Annotated[str | None, Field(examples=["Detail"])]
    endPlace: Place | None  # noqa: N815
    odometerKm: Annotated[float | None, Field(description="At its start.")]  # noqa: N815
    fuelUsedLitres: float | None  # noqa: N815
    observedAt: Annotated[Time, Field(description="When MiX was asked for this version of it.")]  # noqa: N815


class RawRecord(TypedDict):
    """An event as MiX sent it."""

    id: IdText
    organisationId: OrganisationIdText
    observedAt: Annotated[Time, Field(description="When MiX was asked for the answer that has it.")]
    record: Annotated[str, Field(description="Its own text in that answer, byte for byte.")]


class BySeverity(TypedDict):
    """Infractions by how much they matter."""

    none: Annotated[int, Field(ge=0)]
    low: Annotated[int, Field(ge=0)]
    medium: Annotated[int, Field(ge=0)]
    high: Annotated[int, Field(ge=0)]


class RankedDriver(TypedDict):
    """A driver among others."""

    rank: Annotated[int, Field(ge=1, description="1: the fewest infractions. Equal ones share a rank.")]
    driverId: IdText
    organisationId: OrganisationIdText
    driverName: str | None
    siteId: IdText | None
    siteName: str | None
    infractions: Annotated[int, Field(ge=0)]
    severities: BySeverity
    events: Annotated[int, Field(ge=1)]


class RankingTotals(TypedDict):
    """Of all drivers that are ranked."""

    drivers: Annotated[int, Field(ge=0, description="Drivers with any event in the period; others are not ranked.")]
    infractions: Annotated[int, Field(ge=0)]
    severities: BySeverity
    events: Annotated[int, Field(ge=0)]


class Ranking(TypedDict):
    """Drivers by their infractions in a period, and the totals."""

    items: list[RankedDriver]
    totals: RankingTotals
    nextCursor: NextCursor
    freshness: list[Freshness]
    timeZone: ZoneText
