"""Drivers."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.shapes.common import Freshness, IdText, NextCursor, OrganisationIdText, Time


class Highlight(TypedDict):
    """Characters of the name, counted as Unicode code points from 0."""

    start: Annotated[int, Field(ge=0)]
    length: Annotated[int, Field(ge=1)]


class Match(TypedDict):
    """Why a search found a driver."""

    by: Annotated[
        str,
        Field(
            description="Best first: the number begins with the text; the name begins with it; each word begins a word "
            "of the name; each word is somewhere in it; as the one before, but for a typing error.",
            json_schema_extra={"enum": ["employeeNumber", "prefix", "words", "parts", "similar"]},
        ),
    ]
    highlights: Annotated[list[Highlight], Field(description="What to mark in `name`, in its order.")]


class Driver(TypedDict):
    """A driver. Five members are personal data: only for the roles analyst, auditor and admin."""

    id: IdText
    organisationId: OrganisationIdText
    name: str | None
    siteId: IdText | None
    siteName: str | None
    country: str | None
    isSystemDriver: Annotated[bool | None, Field(description="A placeholder of MiX, no person.")]
    active: Annotated[bool, Field(description="false: MiX no longer lists this driver.")]
    lastSeenAt: Annotated[Time, Field(description="When MiX last listed this driver.")]
    match: NotRequired[Annotated[Match, Field(description="Only in a search.")]]
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
