"""The audit log."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.shapes.common import IdText, NextCursor, OrganisationIdText, Time


class AuditEntry(TypedDict):
    """Who saw or changed what. What a person typed to search by is never in it."""

    id: IdText
    at: Time
    organisationId: OrganisationIdText
    actor: Annotated[str, Field(description="`sub` of the token.")]
    action: Annotated[
        str,
        Field(
            description="`driver.viewed`, `driver.erased`, `driver.erasure-tried`, `event-type.classified`, "
            "`audit.viewed`; there may come others.",
            examples=["driver.viewed"],
        ),
    ]
    route: Annotated[str | None, Field(description="Method and template.", examples=["GET /api/drivers/{driverId}"])]
    driverIds: Annotated[list[IdText], Field(description="The drivers whose data was shown or changed.")]
    subject: Annotated[str | None, Field(description="What was changed, where that is no driver.")]
    requestId: str | None
    details: dict[str, Any] | None


class AuditPage(TypedDict):
    """Entries, the newest first."""

    items: list[AuditEntry]
    nextCursor: NextCursor
