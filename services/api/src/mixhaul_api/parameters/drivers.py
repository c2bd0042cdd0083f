"""Parameters of the drivers' routes."""

from __future__ import annotations

from pydantic import Field

from mixhaul_api.parameters.common import Id, OneOrganisation, Paged, Text


class DriverSearch(Paged):
    """GET /api/drivers"""

    search: Text | None = Field(
        default=None,
        description="Words or parts of words of the name, in any order, whatever case and accents; a word of four "
        "letters or more may have a typing error, one of eight or more two. For roles that see personal data also the "
        "beginning of an employee number. Parts within words need three letters. At most eight words count.",
        examples=["joao sil"],
    )


class OneDriver(OneOrganisation):
    """GET /api/drivers/{driverId}"""

    driver_id: Id = Field(description="The driver's id.")
