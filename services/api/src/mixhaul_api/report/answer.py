"""From what was counted to the answer of `shapes.report`: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from mixhaul_api.directory import Organisation, Scope
from mixhaul_api.freshness import Progress, described
from mixhaul_api.ids import format_id
from mixhaul_api.parameters.report import Language
from mixhaul_api.periods import show
from mixhaul_api.queries.drivers import DriverRow
from mixhaul_api.queries.report import Rank
from mixhaul_api.report.calendar import Calendar, iso_week
from mixhaul_api.report.completeness import Books, missing
from mixhaul_api.report.figures import Counted, Figures, Line, Trend, by_type, together
from mixhaul_api.report.form import Form
from mixhaul_api.report.texts import TEXTS
from mixhaul_api.shapes.infractions import Infraction
from mixhaul_api.shapes.report import (
    PerformanceReport,
    ReportDriver,
    ReportFigures,
    ReportForm,
    ReportLine,
    ReportMonth,
    ReportRank,
    ReportTrend,
    ReportTypeLine,
)

MOST_LISTED: Final = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What the database said, all of one moment. `driver` is None where only events name it."""

    driver_id: int
    driver: DriverRow | None
    progress: Progress
    books: Books
    counts: Sequence[Counted]
    rank: Rank | None
    infractions: Sequence[Infraction]


def answer(
    found: Found,
    *,
    organisation: Organisation,
    calendar: Calendar,
    zone: ZoneInfo,
    language: Language,
    form: Form,
    ranked: bool,
) -> PerformanceReport:
    """The report; `ranked` where its reader may know how it compares with others."""
    months: list[ReportMonth] = [
        {
            "month": f"{one.first:%Y-%m}",
            "firstDay": one.first.isoformat(),
            "lastDay": one.last.isoformat(),
            "missing": [reason.value for reason in missing(one, found.progress, found.books)],
        }
        for one in calendar.months
    ]
    comparable = not any(one["missing"] for one in months)
    lines = by_type(found.counts, weeks=len(calendar.weeks))
    total = together(lines, weeks=len(calendar.weeks))
    freshness = described(found.progress, Scope((organisation,)))
    # In the report's own time zone, as all times that are printed.
    if freshness["asOf"] is not None:
        freshness["asOf"] = show(datetime.fromisoformat(freshness["asOf"]), zone)
    report: PerformanceReport = {
        "organisationId": organisation.public_id,
        "organisationName": organisation.name,
        "driver": _driver(found),
        "language": language,
        "timeZone": zone.key,
        "generatedAt": show(found.progress.now, zone),
        "complete": not months[-1]["missing"],
        "freshness": freshness,
        "months": months,
        "weeks": [
            {"week": iso_week(one), "firstDay": one.first.isoformat(), "lastDay": one.last.isoformat()}
            for one in calendar.weeks
        ],
        "types": [
            ReportTypeLine(
                type={"id": str(one.type_id), "description": one.description, "family": one.family},
                **_line(one.line, comparable=comparable),
            )
            for one in lines
        ],
        "total": _line(total, comparable=comparable),
        "infractions": list(found.infractions),
        "infractionsOmitted": total.months[-1].infractions - len(found.infractions),
        "form": _form(form, organisation, language),
    }
    if ranked:
        report["rank"] = _rank(found.rank)
    return report


def _driver(found: Found) -> ReportDriver:
    row = found.driver
    if row is None:
        return {
            "id": str(found.driver_id),
            "name": None,
            "siteId": None,
            "siteName": None,
            "active": None,
            "employeeNumber": None,
        }
    return {
        "id": str(found.driver_id),
        "name": row.name,
        "siteId": format_id(row.site_external_id),
        "siteName": row.site_name,
        "active": row.active,
        "employeeNumber": row.employee_number,
    }


def _line(line: Line, *, comparable: bool) -> ReportLine:
    return {
        "months": [_figures(one) for one in line.months],
        "weeks": [_figures(one) for one in line.weeks],
        "trend": _trend(line.trend) if comparable else None,
    }


def _figures(figures: Figures) -> ReportFigures:
    return {
        "infractions": figures.infractions,
        "durationSeconds": figures.seconds,
        "minutes": round(figures.seconds / 60, 2),
    }


def _trend(trend: Trend) -> ReportTrend:
    return {
        "average": trend.average,
        "change": trend.change,
        "percent": trend.percent,
        "direction": trend.direction,
    }


def _rank(rank: Rank | None) -> ReportRank | None:
    return None if rank is None else {"position": rank.position, "sharing": rank.sharing, "drivers": rank.drivers}


def _form(form: Form, organisation: Organisation, language: Language) -> ReportForm:
    return {
        "company": form.company or organisation.name or organisation.public_id,
        "acknowledgement": form.acknowledgements[language],
        "remarksLines": form.remarks_lines,
        "signatures": list(TEXTS[language].signatures),
    }
