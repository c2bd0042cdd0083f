"""Parameters of the drivers' routes."""

from __future__ import annotations

from pydantic import Field

from mixhaul_api.parameters.common import Id, OneOrganisation, Paged, Text


class DriverSearch(Paged):
    """GET /api/drivers"""

    search: Text | None = Field(
        default=None,
        description="Words or parts of words of the name, in any order, whatever their case and accents.",
        examples=["joao sil"],
    )


class OneDriver(OneOrganisation):
    """GET /api/drivers/{driverId}"""

    driver_id: Id = Field(description="The driver's id.")
