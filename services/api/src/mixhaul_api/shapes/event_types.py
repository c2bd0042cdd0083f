"""Event types."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.shapes.common import Freshness, IdText, NextCursor, OrganisationIdText, SeverityText, Time


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
    severity: SeverityText
    classified: Classified
    active: Annotated[bool, Field(description="false: MiX no longer lists this type.")]


class EventTypePage(TypedDict):
    """Event types by organisation and description."""

    items: list[EventType]
    nextCursor: NextCursor
    freshness: list[Freshness]
