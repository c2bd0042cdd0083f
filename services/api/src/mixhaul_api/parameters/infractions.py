"""Parameters of the infractions' routes."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from mixhaul_api.parameters.common import Id, Moment, Paged, Zone

_MOST_TYPES: Final = 50


class DriverInfractions(Paged):
    """GET /api/drivers/{driverId}/infractions"""

    driver_id: Id = Field(description="The driver's id.")
    from_: Moment | None = Field(
        default=None,
        alias="from",
        description="Not before this time. A date begins at midnight of `timeZone`. An offset's `+` is `%2B` in a URL.",
    )
    to: Moment | None = Field(
        default=None, description="Before this time. A date belongs to the period as a whole day of `timeZone`."
    )
    time_zone: Zone | None = Field(
        default=None,
        description="The reader's time zone (IANA): for dates in `from` and `to`, and for all times of the answer. "
        "Default: that of the organisation where MiX gives an IANA name, or else UTC.",
    )
    type: list[Id] = Field(
        default_factory=list,
        max_length=_MOST_TYPES,
        description="Only these event types; may be given several times.",
    )
