"""How far the data has come."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.shapes.common import GapInterval, OrganisationIdText, Time


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
