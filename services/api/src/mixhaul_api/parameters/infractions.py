"""Parameters of the infractions' routes."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from mixhaul_api.csv_forms import CsvForm
from mixhaul_api.parameters.common import (
    CsvChoice,
    Flag,
    Id,
    Moment,
    OneOrganisation,
    Paged,
    Parameters,
    Severity,
    Text,
    Zone,
)
from mixhaul_api.periods import parse_moment

_MOST_CHOICES: Final = 50
MOST_OVER_KMH: Final = 500
_NUMBER: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")


def _over(text: object) -> object:
    if isinstance(text, float):
        return text
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or float(text) > MOST_OVER_KMH:
        raise ValueError(f"must be a number from 0 to {MOST_OVER_KMH}, with a decimal point")
    return float(text)


def _day(text: object) -> object:
    found = parse_moment(text) if isinstance(text, str) else text
    if type(found) is not date:
        raise ValueError("must be a date (2026-11-24)")
    return found


OverSpeed = Annotated[
    float,
    BeforeValidator(_over),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": MOST_OVER_KMH, "examples": [10]}),
]
Day = Annotated[
    date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-11-01"]})
]


class _Kinds(Parameters):
    """Which infractions: by their types and vehicles."""

    type: list[Id] = Field(
        default_factory=list,
        max_length=_MOST_CHOICES,
        description="Only these event types; may be given several times.",
    )
    family: list[Text] = Field(
        default_factory=list,
        max_length=_MOST_CHOICES,
        description="Only types of these families; may be given several times.",
    )
    severity: list[Severity] = Field(
        default_factory=list,
        max_length=_MOST_CHOICES,
        description="Only types of these severities; may be given several times.",
    )
    vehicle_id: Id | None = Field(default=None, description="Only events with this vehicle.")
    min_over_kmh: OverSpeed | None = Field(
        default=None, description="Only where the speed was known to be over the limit by this much at least, in km/h."
    )


class _Infractions(Paged, _Kinds):
    """A list of infractions, as JSON in pages or as CSV in one piece."""

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
    include_total: Flag = Field(
        default=False, description="Count all that the filters let through too; at most 100,000 are counted."
    )
    csv_form: CsvChoice = Field(
        default=CsvForm.PLAIN,
        description="For `Accept: text/csv`: `plain`, or the form that Excel opens in Brazil. CSV holds the whole "
        "list, whatever `limit` and `cursor` are.",
    )


class DriverInfractions(_Infractions):
    """GET /api/drivers/{driverId}/infractions"""

    driver_id: Id = Field(description="The driver's id.")
    site_id: Id | None = Field(
        default=None, description="Only events with vehicles of this site and of those below it."
    )


class FleetInfractions(_Infractions):
    """GET /api/infractions"""

    site_id: Id | None = Field(
        default=None,
        description="Only events of this site and of those below it: the driver's, or the vehicle's where the event "
        "names no driver that is listed.",
    )


class InfractionCountsOf(OneOrganisation, _Kinds):
    """GET /api/drivers/{driverId}/infraction-counts"""

    driver_id: Id = Field(description="The driver's id.")
    from_: Day = Field(alias="from", description="The first day.")
    to: Day = Field(description="The last day; at most 400 days with both.")
    time_zone: Zone | None = Field(
        default=None,
        description="The time zone (IANA) whose days these are. Default: that of the organisation where MiX gives an "
        "IANA name, or else UTC.",
    )
