"""Parameters of the performance report."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from mixhaul_api.csv_forms import CsvForm
from mixhaul_api.parameters.common import CsvChoice, Id, OneOrganisation, Zone

_PATTERN: Final = "^20[0-9]{2}-(0[1-9]|1[0-2])$"
_MONTH: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
LANGUAGES: Final = ("pt", "en")
Language = Literal["pt", "en"]


def _month(text: object) -> date:
    if isinstance(text, date):
        return text
    found = _MONTH.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be a month from 2000-01 to 2099-12")
    return date(int(found[1]), int(found[2]), 1)


def _language(text: object) -> object:
    if text not in LANGUAGES:
        raise ValueError(f"must be one of {', '.join(LANGUAGES)}")
    return text


Month = Annotated[
    date,
    BeforeValidator(_month),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["2026-11"]}),
]


class DriverReport(OneOrganisation):
    """GET /api/drivers/{driverId}/performance-report"""

    driver_id: Id = Field(description="The driver's id.")
    month: Month = Field(description="The month of the report.")
    time_zone: Zone | None = Field(
        default=None,
        description="The time zone (IANA) whose days and months these are. Default: that of the organisation where MiX "
        "gives an IANA name, or else UTC.",
    )
    language: Annotated[Language, BeforeValidator(_language)] = Field(
        default="pt", description="The language of texts, and in HTML of dates and numbers: `pt` is that of Brazil."
    )
    csv_form: CsvChoice = Field(
        default=CsvForm.PLAIN, description="For `Accept: text/csv`: `plain`, or the form that Excel opens in Brazil."
    )
