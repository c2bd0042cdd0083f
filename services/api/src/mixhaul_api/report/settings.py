"""How the printed report looks: the company's name and logo, its words, and space to write."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from pydantic import Field

from mixhaul_runtime.settings import MixhaulSettings

MOST_REMARKS_LINES: Final = 20


class ReportSettings(MixhaulSettings):
    """The form around the figures."""

    for_programs: ClassVar[tuple[str, ...]] = ("mixhaul-api",)

    api_report_logo_file: Path | None = Field(
        default=None,
        description="Picture at the head of the printed performance report: SVG, PNG, JPEG or WebP, at most 256 KiB.",
    )
    api_report_company_name: str | None = Field(
        default=None,
        max_length=100,
        description="Company at the head of the performance report. Default: the organisation's name in MiX.",
    )
    api_report_acknowledgement_pt: str | None = Field(
        default=None,
        max_length=2000,
        description="What a driver signs on the performance report, in Portuguese. Default: that it was "
        "shown and explained, and that signing is not agreeing.",
    )
    api_report_acknowledgement_en: str | None = Field(default=None, max_length=2000, description="The same in English.")
    api_report_remarks_lines: int = Field(
        default=3,
        ge=0,
        le=MOST_REMARKS_LINES,
        description="Empty lines for remarks on the performance report; 0: no room for remarks.",
    )
