"""The form as the settings want it, read once when the API starts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mixhaul_api.errors import LogoUnusable
from mixhaul_api.report.settings import ReportSettings
from mixhaul_api.report.texts import TEXTS

LARGEST_LOGO: Final = 256 * 1024
_KINDS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


@dataclass(frozen=True, slots=True)
class Form:
    """What every report has around its figures. `logo` is a data URI."""

    company: str | None
    logo: str | None
    acknowledgements: Mapping[str, str]
    remarks_lines: int


def form_of(settings: ReportSettings) -> Form:
    """The form; `LogoUnusable` where the logo's file is no picture."""
    own = {"pt": settings.api_report_acknowledgement_pt, "en": settings.api_report_acknowledgement_en}
    path = settings.api_report_logo_file
    return Form(
        company=settings.api_report_company_name,
        logo=None if path is None else logo(path),
        acknowledgements={code: own.get(code) or texts.acknowledgement for code, texts in TEXTS.items()},
        remarks_lines=settings.api_report_remarks_lines,
    )


def logo(path: Path) -> str:
    """The picture in a file, as a data URI. As an image even an SVG runs no script and loads nothing."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_LOGO + 1)
    except (OSError, ValueError) as error:
        raise LogoUnusable(path, getattr(error, "strerror", None) or "it is no path of a file") from error
    if len(content) > LARGEST_LOGO:
        raise LogoUnusable(path, f"it is larger than {LARGEST_LOGO // 1024} KiB")
    kind = kind_of(content)
    if kind is None:
        raise LogoUnusable(path, "it is neither SVG, PNG, JPEG nor WebP")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def kind_of(content: bytes) -> str | None:
    """The media type of a picture by its first bytes."""
    for beginning, kind in _KINDS:
        if content.startswith(beginning):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/svg+xml" if b"<svg" in content[:4096] else None
