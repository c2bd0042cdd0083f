"""Parameters of the route that erases a driver."""

from __future__ import annotations

from pydantic import Field

from mixhaul_api.parameters.common import Flag, Id, OneOrganisation


class DriverErasure(OneOrganisation):
    """POST /api/drivers/{driverId}/erasure"""

    driver_id: Id = Field(description="The driver's id.")
    dry_run: Flag = Field(
        default=False, description="Only tell what would be erased and what would stay, and change nothing."
    )
