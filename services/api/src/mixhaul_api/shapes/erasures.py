"""The erasure of a driver."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.shapes.common import IdText, OrganisationIdText, Time


class Erased(TypedDict):
    """What goes."""

    members: Annotated[
        list[str],
        Field(description="Columns of the driver that held something; empty: nothing was left of it, or never there."),
    ]
    vehicles: Annotated[int, Field(ge=0, description="Vehicles whose default driver it was.")]


class Remaining(TypedDict):
    """What stays."""

    events: Annotated[
        int, Field(ge=0, description="Events that go on counting for vehicles, sites and totals, and for no driver.")
    ]
    auditEntries: Annotated[int, Field(ge=0, description="Entries of the audit log with the driver's id.")]


class Erasure(TypedDict):
    """A driver's erasure. It can't be undone, and no later delivery of MiX undoes it."""

    driverId: IdText
    organisationId: OrganisationIdText
    dryRun: bool
    erasedAt: Annotated[Time | None, Field(description="null: not erased, which only a dry run answers.")]
    erased: Erased
    remaining: Remaining
