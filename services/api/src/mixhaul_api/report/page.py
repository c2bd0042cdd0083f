"""The report as one HTML page, made to be printed on A4 and to need nothing else: no script, no address to load.

It is made from the answer's own JSON, so it shows what that shows, and nothing that was masked there.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import date
from functools import cache
from importlib import resources
from types import SimpleNamespace
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from mixhaul_api.report.completeness import Missing
from mixhaul_api.report.formats import Formats
from mixhaul_api.report.texts import TEXTS, Texts
from mixhaul_api.shapes.infractions import Place
from mixhaul_api.shapes.report import PerformanceReport

CONTENT_TYPE: Final = "text/html; charset=utf-8"
_UNSAFE_IN_CSS: Final = re.compile(r"[^A-Za-z0-9 ]")


def page(report: PerformanceReport, *, logo: str | None) -> tuple[bytes, str]:
    """The page, and the Content-Security-Policy that lets its style and its logo in and nothing else."""
    texts = TEXTS[report["language"]]
    formats = Formats.of(texts)
    months = [_dated(one) for one in report["months"]]
    own = months[-1]
    name = report["driver"]["name"] or texts.name_unknown
    foot = f"{name} · {report['driver']['id']} · {formats.month(own.first)} · {formats.moment(report['generatedAt'])}"
    style = _style(foot=foot, page=texts.page)
    policy = _policy(style)
    text = _template().render(
        report=report,
        t=texts,
        f=formats,
        logo=logo,
        style=Markup(style),  # noqa: S704  (ours, but for the foot, in which only letters and digits stand as they are)
        policy=policy,
        name=name,
        month=formats.month(own.first),
        months=months,
        own=own,
        weeks=[_dated(one) for one in report["weeks"]],
        total=report["total"]["months"][-1],
        complete=not any(one["missing"] for one in report["months"]),
        reasons=[texts.reasons[Missing(one)] for one in report["months"][-1]["missing"]],
        as_of=_as_of(report, texts, formats),
        place=lambda place: _coordinates(place, formats),
        whole=round,
    )
    return text.encode(), f"{policy}; frame-ancestors 'none'"


def _as_of(report: PerformanceReport, texts: Texts, formats: Formats) -> str:
    moment = report["freshness"]["asOf"]
    return texts.as_of_nothing if moment is None else formats.moment(moment)


def _coordinates(place: Place, formats: Formats) -> str:
    if place["latitude"] is None or place["longitude"] is None:
        return "–"
    return f"{formats.degrees(place['latitude'])}; {formats.degrees(place['longitude'])}"


def _dated(one: Any) -> SimpleNamespace:
    """A month or a week with days instead of texts."""
    return SimpleNamespace(
        first=date.fromisoformat(one["firstDay"]),
        last=date.fromisoformat(one["lastDay"]),
        missing=one.get("missing", ()),
        number=int(one["week"].rpartition("W")[2]) if "week" in one else None,
    )


def _style(*, foot: str, page: str) -> str:
    """The style sheet with the texts that stand at the foot of each page."""
    return _read("page.css").replace("FOOT", _css_string(foot)).replace("PAGE", _css_string(page))


def _css_string(text: str) -> str:
    """A string of CSS whatever is in the text: a name may hold quotes and `</style>`."""
    return '"' + _UNSAFE_IN_CSS.sub(lambda found: f"\\{ord(found[0]):06x} ", text) + '"'


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_read("page.html"))


@cache
def _read(name: str) -> str:
    return resources.files("mixhaul_api.report").joinpath(name).read_text(encoding="utf-8")
