"""The performance report as a real browser prints it: what is on the paper is what the JSON says.

`make test-report` runs this; it needs Chromium.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pypdf import PdfReader

from mixhaul_api.report.texts import TEXTS
from support import report_data as data
from support.api_server import ApiProcess, running, secret_key, token
from support.chromium import opened
from support.postgres import Server

A4 = (210 / 25.4 * 72, 297 / 25.4 * 72)
DRIVERS = {"none": data.NONE, "ordinary": data.ORDINARY, "bad": data.BAD}
MONTHS = {
    "pt": ("jan.", "fev.", "mar."),
    "en": ("Jan", "Feb", "Mar"),
}
Ask = Callable[..., httpx.Response]


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed report, and the JSON of the same one. Texts are without any white space: where lines break is free."""

    report: dict[str, Any]
    pages: list[str]
    sizes: list[tuple[float, float]]
    console: str

    @property
    def text(self) -> str:
        return "".join(self.pages)


@pytest.fixture(scope="module")
def api(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiProcess, Path]]:
    folder = tmp_path_factory.mktemp("report")
    key_file = secret_key(folder)
    logo = folder / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 9"><path d="M0 0h30v9H0z"/></svg>')
    with postgres_server.database() as url:
        with psycopg.connect(url) as connection:
            data.plant(connection)
        with running(database_url=url, jwt_key_file=str(key_file), api_report_logo_file=str(logo)) as process:
            yield process, key_file


@pytest.fixture(scope="module")
def ask(api: tuple[ApiProcess, Path]) -> Ask:
    process, key_file = api

    def asked(driver: int, *, accept: str, **query: str) -> httpx.Response:
        bearer = token(key_file, str(data.ORGANISATION), role="analyst")
        return httpx.get(
            f"{process.url}/api/drivers/{driver}/performance-report",
            params={"month": data.MONTH} | query,
            headers={"Authorization": f"Bearer {bearer}", "Accept": accept},
        ).raise_for_status()

    return asked


@pytest.fixture(scope="module")
def printed(ask: Ask, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Printed]:
    """Print a report once for all tests that look at it."""
    kept: dict[tuple[int, str, str], Printed] = {}

    def prints(driver: int, language: str, month: str = data.MONTH) -> Printed:
        key = driver, language, month
        if key not in kept:
            pdf = tmp_path_factory.mktemp("pdf") / "report.pdf"
            with opened(ask(driver, accept="text/html", language=language, month=month)) as browser:
                console = browser.printed(pdf)
            pages = PdfReader(pdf).pages
            kept[key] = Printed(
                report=ask(driver, accept="application/json", language=language, month=month).json(),
                pages=[squeezed(page.extract_text()) for page in pages],
                sizes=[(float(page.mediabox.width), float(page.mediabox.height)) for page in pages],
                console=console,
            )
        return kept[key]

    return prints


def squeezed(text: str) -> str:
    """Without white space; and a ligature of the font (fi) is two letters."""
    text = unicodedata.normalize("NFKC", text)
    return re.sub(r"\s+", "", text)


def number(value: float, language: str) -> str:
    """With one place at most."""
    text = f"{round(value, 1):,.1f}".removesuffix(".0")
    return text.translate(str.maketrans(",.", ".,")) if language == "pt" else text


def length(seconds: float, language: str) -> str:
    return f"{number(int(seconds) // 60, language)}:{int(seconds) % 60:02}"


def cells(line: dict[str, Any], language: str) -> str:
    """A line of the table as it stands there."""

    def cell(one: dict[str, Any]) -> str:
        if not one["infractions"]:
            return "0"
        return number(one["infractions"], language) + length(one["durationSeconds"], language)

    trend = line["trend"]
    change = "–"
    if trend is not None:
        mark = {"up": "▲+", "down": "▼", "same": "="}[trend["direction"]]
        change = mark + (number(trend["change"], language) if trend["change"] else "")
    return "".join([*map(cell, line["months"]), change, *map(cell, line["weeks"])])


def listed(place: int, one: dict[str, Any], language: str) -> str:
    """An infraction as it stands in the list."""
    at = datetime.fromisoformat(one["occurredAt"])
    day = f"{at:%d/%m}" if language == "pt" else f"{at.day}{at:%b}"
    where = one["place"]["address"] or "; ".join(
        str(one["place"][name]).replace(".", "," if language == "pt" else ".") for name in ("latitude", "longitude")
    )
    speed = f"{number(one['speed']['kmh'], language)}/{number(one['speed']['limitKmh'], language)}"
    lasted = "–" if one["durationSeconds"] is None else length(one["durationSeconds"], language)
    registration = one["vehicle"]["registrationNumber"]
    return squeezed(f"{place}{day}{at:%H:%M:%S}{one['type']['description']}{registration}{where}{speed}{lasted}")


@pytest.mark.parametrize("language", ["pt", "en"])
@pytest.mark.parametrize("which", DRIVERS)
def test_the_paper_says_what_the_json_says(printed: Callable[..., Printed], which: str, language: str) -> None:
    found = printed(DRIVERS[which], language)
    report, text, texts = found.report, found.text, TEXTS[language]
    assert report["total"]["months"][-1]["infractions"] == {"none": 0, "ordinary": 9, "bad": 400}[which]
    for line in report["types"]:
        assert squeezed(line["type"]["description"]) + cells(line, language) in text
    assert squeezed(texts.total) + cells(report["total"], language) in text
    own, trend, rank = report["total"]["months"][-1], report["total"]["trend"], report["rank"]
    for title, value in (
        (texts.infractions + texts.in_the_month, number(own["infractions"], language)),
        (texts.duration + texts.duration_unit, length(own["durationSeconds"], language)),
        (texts.rank, texts.rank_value.format(position=rank["position"], drivers=rank["drivers"])),
        (texts.employee_number, report["driver"]["employeeNumber"]),
        (texts.driver, report["driver"]["name"]),
        (texts.site, report["driver"]["siteName"]),
        (texts.number, report["driver"]["id"]),
    ):
        assert squeezed(title + value) in text
    assert squeezed(texts.trend_basis.format(average=number(trend["average"], language))) in text
    for place, one in enumerate(report["infractions"], 1):
        assert listed(place, one, language) in text
    assert len(report["infractions"]) == own["infractions"]
    assert squeezed(report["form"]["acknowledgement"]) in text
    assert squeezed(texts.incomplete) not in text
    assert all(month in text for month in MONTHS[language])


@pytest.mark.parametrize("language", ["pt", "en"])
@pytest.mark.parametrize("which", DRIVERS)
def test_it_is_a4_and_one_page_for_an_ordinary_driver(
    printed: Callable[..., Printed], which: str, language: str
) -> None:
    found = printed(DRIVERS[which], language)
    assert all(size == pytest.approx(A4, abs=1) for size in found.sizes)
    assert len(found.pages) > 1 if which == "bad" else len(found.pages) == 1
    assert found.console == ""


@pytest.mark.parametrize("language", ["pt", "en"])
def test_a_long_report_breaks_where_it_may(printed: Callable[..., Printed], language: str) -> None:
    found = printed(data.BAD, language)
    texts, count = TEXTS[language], len(found.pages)
    head = squeezed(texts.when + texts.type + texts.vehicle + texts.place)
    rows = [re.findall(r"ABC1D23", page) for page in found.pages]
    assert sum(map(len, rows)) == 400
    for place, (page, here) in enumerate(zip(found.pages, rows, strict=True), 1):
        foot = f"{texts.page}{place}/{count}"
        assert foot in page
        assert squeezed(found.report["driver"]["name"]) in page
        if here:
            assert page.count(head) == 1
            # No single row below a head, and none alone on the last page.
            assert len(here) >= 2
    closing = [squeezed(one) for one in (texts.remarks, texts.acknowledgement, *texts.signatures, texts.late)]
    with_signatures = [page for page in found.pages if closing[1] in page]
    assert with_signatures == [found.pages[-1]]
    assert all(one in found.pages[-1] for one in closing)


def test_what_is_not_complete_says_so_on_paper(printed: Callable[..., Printed]) -> None:
    found = printed(data.ORDINARY, "pt", "2099-12")
    assert found.report["complete"] is False
    assert squeezed(TEXTS["pt"].incomplete + ": o mês ainda não terminou") in found.text
    assert squeezed(TEXTS["pt"].none_so_far) in found.text
    assert "dez.de2099*" in found.text
    assert len(found.pages) == 1


def test_it_is_shown_as_a_sheet_on_the_screen(ask: Ask, tmp_path: Path) -> None:
    png = tmp_path / "shown.png"
    with opened(ask(data.ORDINARY, accept="text/html")) as browser:
        assert browser.shown(png, width=900, height=1250) == ""
    picture = png.read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (900, 1250)
