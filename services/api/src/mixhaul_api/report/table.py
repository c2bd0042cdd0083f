"""The report's figures as CSV: a row for each type and span, and one with no type for all types together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

from mixhaul_api.csv_forms import Cell, CsvForm, IdCell, beginning, line
from mixhaul_api.shapes.report import PerformanceReport, ReportFigures, ReportLine

# For programs the names of the JSON's members; for people their own words.
_NAMES: Final = (
    *("driverId", "driver", "site", "span", "name", "firstDay", "lastDay", "complete", "asOf"),
    *("typeId", "type", "infractions", "durationSeconds", "minutes"),
)
_HEADS: Final = {
    "pt": (
        *("Código do motorista", "Motorista", "Unidade", "Período", "Nome", "Primeiro dia", "Último dia"),
        *("Dados completos", "Dados até", "Código do tipo", "Tipo de infração", "Infrações", "Segundos", "Minutos"),
    ),
    "en": (
        *("Driver id", "Driver", "Site", "Span", "Name", "First day", "Last day"),
        *("Complete", "Data as of", "Type id", "Type of infraction", "Infractions", "Seconds", "Minutes"),
    ),
}
_SPANS: Final = {"pt": ("mês", "semana"), "en": ("month", "week")}
_TRUTHS: Final = {"pt": ("sim", "não"), "en": ("yes", "no")}


def table(report: PerformanceReport, form: CsvForm) -> bytes:
    """The whole file."""
    head = _NAMES if form is CsvForm.PLAIN else _HEADS[report["language"]]
    return beginning(form) + b"".join([line(form, head), *(line(form, row) for row in _rows(report, form))])


def _rows(report: PerformanceReport, form: CsvForm) -> Iterator[list[Cell]]:
    driver = report["driver"]
    about: list[Cell] = [IdCell(driver["id"]), driver["name"], driver["siteName"]]
    lines: list[tuple[list[Cell], ReportLine]] = [([None, None], report["total"])]
    lines += [([IdCell(one["type"]["id"]), one["type"]["description"]], one) for one in report["types"]]
    for kind, figures in lines:
        for span, measured in zip(_spans(report, form), (*figures["months"], *figures["weeks"]), strict=True):
            yield [*about, *span, *kind, *_measures(measured)]


def _spans(report: PerformanceReport, form: CsvForm) -> Iterator[list[Cell]]:
    month, week = ("month", "week") if form is CsvForm.PLAIN else _SPANS[report["language"]]
    moment = report["freshness"]["asOf"]
    as_of = None if moment is None else datetime.fromisoformat(moment)
    for one in report["months"]:
        complete = _truth(not one["missing"], report, form)
        yield [month, one["month"], _day(one["firstDay"]), _day(one["lastDay"]), complete, as_of]
    for part in report["weeks"]:
        complete = _truth(report["complete"], report, form)
        yield [week, part["week"], _day(part["firstDay"]), _day(part["lastDay"]), complete, as_of]


def _truth(value: bool, report: PerformanceReport, form: CsvForm) -> Cell:
    if form is CsvForm.PLAIN:
        return value
    yes, no = _TRUTHS[report["language"]]
    return yes if value else no


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _measures(figures: ReportFigures) -> list[Cell]:
    return [figures["infractions"], figures["durationSeconds"], figures["minutes"]]
