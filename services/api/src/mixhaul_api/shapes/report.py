"""The performance report."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api.report.completeness import Missing
from mixhaul_api.shapes.common import Freshness, IdText, OrganisationIdText, Time
from mixhaul_api.shapes.infractions import EventTypeRef, Infraction

Day = Annotated[str, Field(json_schema_extra={"format": "date"}, examples=["2026-11-01"])]
Count = Annotated[int, Field(ge=0)]
Lacking = Annotated[
    list[
        Annotated[
            str,
            Field(json_schema_extra={"enum": [reason.value for reason in Missing]}),
        ]
    ],
    Field(
        description="Why figures are not final: the month is not over; the feed has not reached its end; gaps are open "
        "that may hold its events; a comparison with MiX found events that could not be had; it began before this "
        "organisation's events were collected; events of it were deleted by retention. Empty: complete."
    ),
]


class ReportDriver(TypedDict):
    """Whom the report is about. `employeeNumber` is personal data."""

    id: IdText
    name: Annotated[str | None, Field(description="null: MiX has not listed this driver yet.")]
    siteId: IdText | None
    siteName: str | None
    active: bool | None
    employeeNumber: NotRequired[str | None]


class ReportMonth(TypedDict):
    """A calendar month of `timeZone`."""

    month: Annotated[str, Field(examples=["2026-11"])]
    firstDay: Day
    lastDay: Day
    missing: Lacking


class ReportWeek(TypedDict):
    """An ISO week, Monday to Sunday, cut off at the ends of the month."""

    week: Annotated[str, Field(description="As ISO 8601 names it.", examples=["2026-W45"])]
    firstDay: Day
    lastDay: Day


class ReportFigures(TypedDict):
    """Infractions of a span."""

    infractions: Count
    durationSeconds: Annotated[int, Field(ge=0, description="Together; those of unknown length count as 0.")]
    minutes: Annotated[float, Field(ge=0, description="The same in minutes, rounded to two places.")]


class ReportTrend(TypedDict):
    """The month's infractions against the average of the two months before."""

    average: Annotated[float, Field(ge=0)]
    change: float
    percent: Annotated[float | None, Field(description="null: there were none before.")]
    direction: Annotated[str, Field(json_schema_extra={"enum": ["up", "down", "same"]})]


class ReportLine(TypedDict):
    """Figures in the order of `months` and `weeks` of the report."""

    months: Annotated[list[ReportFigures], Field(min_length=3, max_length=3)]
    weeks: Annotated[list[ReportFigures], Field(min_length=4, max_length=6)]
    trend: Annotated[ReportTrend | None, Field(description="null while one of the months is not complete.")]


class ReportTypeLine(ReportLine):
    """Figures of one type of infraction."""

    type: EventTypeRef


class ReportRank(TypedDict):
    """The place among the drivers of the same site who had any event in the month, the fewest infractions first."""

    position: Annotated[int, Field(ge=1)]
    sharing: Annotated[int, Field(ge=1, description="How many drivers have this place together.")]
    drivers: Annotated[int, Field(ge=1)]


class ReportForm(TypedDict):
    """What is printed around the figures."""

    company: str
    acknowledgement: str
    remarksLines: Annotated[int, Field(ge=0, le=20)]
    signatures: list[str]


class PerformanceReport(TypedDict):
    """A driver's month, with the two months before it and its weeks."""

    organisationId: OrganisationIdText
    organisationName: str | None
    driver: ReportDriver
    language: Annotated[str, Field(json_schema_extra={"enum": ["pt", "en"]})]
    timeZone: Annotated[str, Field(examples=["America/Sao_Paulo"])]
    generatedAt: Time
    complete: Annotated[bool, Field(description="Whether the month itself is: see `missing` of the last of `months`.")]
    freshness: Freshness
    months: Annotated[
        list[ReportMonth], Field(min_length=3, max_length=3, description="The oldest first, the report's own last.")
    ]
    weeks: Annotated[list[ReportWeek], Field(min_length=4, max_length=6, description="Of the report's own month.")]
    types: Annotated[
        list[ReportTypeLine], Field(description="Every type with an infraction in the three months, the worst first.")
    ]
    total: ReportLine
    rank: NotRequired[
        Annotated[
            ReportRank | None,
            Field(
                description="Absent for the role `reader`. null: the driver has no site, or had no event in the month."
            ),
        ]
    ]
    infractions: Annotated[
        list[Infraction], Field(max_length=1000, description="Of the month, the oldest first; at most 1000.")
    ]
    infractionsOmitted: Annotated[Count, Field(description="How many later ones are counted but not listed.")]
    form: ReportForm
