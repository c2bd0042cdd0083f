"""Parameters of the fleet's routes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from mixhaul_api.parameters.common import Id, OneOrganisation, Paged, Text, Zone
from mixhaul_api.parameters.infractions import Day

_ORDERS = ("most", "fewest")


def _order(text: object) -> object:
    if text not in _ORDERS:
        raise ValueError(f"must be {' or '.join(_ORDERS)}")
    return text


Order = Annotated[
    Literal["most", "fewest"],
    BeforeValidator(_order),
    WithJsonSchema({"type": "string", "enum": list(_ORDERS), "default": "most"}),
]


class SiteSearch(Paged):
    """GET /api/sites"""


class VehicleSearch(Paged):
    """GET /api/vehicles"""

    search: Text | None = Field(
        default=None,
        description="Parts of description, registration number or fleet number, whatever their case and accents; each "
        "word somewhere.",
        examples=["abc1"],
    )
    site_id: Id | None = Field(default=None, description="Only vehicles of this site and of those below it.")
    time_zone: Zone | None = Field(
        default=None, description="The time zone (IANA) of times in the answer. Default: UTC."
    )


class OneVehicle(OneOrganisation):
    """GET /api/vehicles/{vehicleId}"""

    vehicle_id: Id = Field(description="The vehicle's id.")
    time_zone: Zone | None = Field(
        default=None, description="The time zone (IANA) of times in the answer. Default: UTC."
    )


class OneEvent(OneOrganisation):
    """GET /api/events/{eventId}"""

    event_id: Id = Field(description="The event's id.")
    time_zone: Zone | None = Field(
        default=None, description="The time zone (IANA) of times in the answer. Default: UTC."
    )


class OneRawRecord(OneOrganisation):
    """GET /api/events/{eventId}/raw"""

    event_id: Id = Field(description="The event's id.")


class DriverRanking(Paged):
    """GET /api/driver-ranking"""

    from_: Day = Field(alias="from", description="The first day.")
    to: Day = Field(description="The last day; at most 400 days with both.")
    site_id: Id | None = Field(default=None, description="Only drivers of this site and of those below it.")
    order: Order = Field(default="most", description="Those with the most infractions first, or with the fewest.")
    time_zone: Zone | None = Field(
        default=None,
        description="The time zone (IANA) whose days these are. Default: that of the organisation where MiX gives an "
        "IANA name, or else UTC.",
    )
