"""Drivers."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.shapes.common import Freshness, IdText, NextCursor, OrganisationIdText, Time


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


class DriverPage(TypedDict):
    """Drivers, the best match first; without a search by organisation and name."""

    items: list[Driver]
    nextCursor: NextCursor
    freshness: list[Freshness]
