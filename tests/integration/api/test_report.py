"""The performance report over HTTP: figures counted by hand, in JSON, CSV and HTML."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from support import report_data as data
from support.api_server import ApiProcess, Contract, running, token
from support.postgres import Server

LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def planted(postgres_server: Server) -> Iterator[str]:
    with postgres_server.database() as url:
        with psycopg.connect(url) as connection:
            data.plant(connection)
        yield url


@pytest.fixture(scope="module")
def reporting(planted: str, key_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    logo = tmp_path_factory.mktemp("logo") / "logo.svg"
    logo.write_bytes(LOGO)
    with running(
        database_url=planted,
        jwt_key_file=str(key_file),
        api_report_logo_file=str(logo),
        api_report_company_name="Litoral & Filhos",
        api_report_acknowledgement_en="I have <read> this.",
        api_report_remarks_lines="5",
    ) as process:
        yield process


@pytest.fixture
def ask(reporting: ApiProcess, key_file: Path, contract: Contract) -> Ask:
    """Ask for a report; every answer is held to the OpenAPI document."""

    def asked(driver: int, *, role: str = "analyst", accept: str = "application/json", **query: str) -> httpx.Response:
        bearer = token(key_file, str(data.ORGANISATION), role=role)
        answer = httpx.get(
            f"{reporting.url}/api/drivers/{driver}/performance-report",
            params={"month": data.MONTH} | query,
            headers={"Authorization": f"Bearer {bearer}", "Accept": accept},
        )
        contract.check(answer)
        return answer

    return asked


def counted(line: dict[str, Any]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(infractions, seconds) of the months and of the weeks."""
    months, weeks = (
        [(one["infractions"], one["durationSeconds"]) for one in line[part]] for part in ("months", "weeks")
    )
    return months, weeks


def test_the_figures_of_an_ordinary_driver(ask: Ask) -> None:
    report = ask(data.ORDINARY).json()
    assert report["driver"] == {
        "id": str(data.ORDINARY),
        "name": "João Antônio da Silva Pereira",
        "siteId": str(data.SITE),
        "siteName": "Filial Campinas",
        "active": True,
        "employeeNumber": "19739",
    }
    assert [one["month"] for one in report["months"]] == ["2026-01", "2026-02", "2026-03"]
    assert [one["week"][-3:] for one in report["weeks"]] == ["W09", "W10", "W11", "W12", "W13", "W14"]
    assert {one["type"]["id"]: counted(one) for one in report["types"]} == {
        str(data.SPEEDING): (
            [(5, 150), (3, 126), (7, 1161)],
            [(1, 61), (1, 100), (0, 0), (5, 1000), (0, 0), (0, 0)],
        ),
        str(data.BRAKING): (
            [(0, 0), (3, 126), (1, 0)],
            [(0, 0), (1, 0), (0, 0), (0, 0), (0, 0), (0, 0)],
        ),
        str(data.CORNERING): (
            [(0, 0), (0, 0), (1, 9)],
            [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (1, 9)],
        ),
    }
    assert counted(report["total"])[0] == [(5, 150), (6, 252), (9, 1170)]
    assert report["total"]["months"][-1]["minutes"] == 19.5
    assert report["total"]["trend"] == {"average": 5.5, "change": 3.5, "percent": 63.6, "direction": "up"}
    assert report["rank"] == {"position": 2, "sharing": 1, "drivers": 4}
    assert report["complete"] is True
    assert [one["missing"] for one in report["months"]] == [[], [], []]
    assert report["freshness"]["asOf"] == "2026-04-02T08:58:00.000-03:00"
    times = [one["occurredAt"] for one in report["infractions"]]
    assert len(times) == 9
    assert times == sorted(times)
    assert (times[0], times[-1]) == ("2026-03-01T00:00:00.000-03:00", "2026-03-31T23:59:59.000-03:00")


@pytest.mark.parametrize(
    ("driver", "infractions", "rank"),
    [
        (data.NONE, 0, {"position": 1, "sharing": 1, "drivers": 4}),
        (data.MIDDLING, 20, {"position": 3, "sharing": 1, "drivers": 4}),
        (data.BAD, 400, {"position": 4, "sharing": 1, "drivers": 4}),
        (data.PARKED, 0, None),
        (data.ELSEWHERE, 0, None),
        (data.UNLISTED, 3, None),
    ],
    ids=["none", "middling", "bad", "did not drive", "of no site", "not listed yet"],
)
def test_amended_events_count_for_whom_they_count_now(
    ask: Ask, driver: int, infractions: int, rank: dict[str, int] | None
) -> None:
    report = ask(driver).json()
    assert report["total"]["months"][-1]["infractions"] == infractions
    assert len(report["infractions"]) == infractions
    assert report["rank"] == rank


def test_a_reader_sees_neither_the_rank_nor_personal_data(ask: Ask) -> None:
    report = ask(data.ORDINARY, role="reader").json()
    assert "rank" not in report
    assert "employeeNumber" not in report["driver"]
    page = ask(data.ORDINARY, role="reader", accept="text/html").text
    assert "Posição na unidade" not in page
    assert "19739" not in page
    assert "19739" not in ask(data.ORDINARY, role="reader", accept="text/csv").text
    assert "Posição na unidade" in ask(data.ORDINARY, accept="text/html").text


def test_another_time_zone_has_other_months(ask: Ask) -> None:
    # What happens in the first three hours of March in UTC is of February in São Paulo, and so on.
    report = ask(data.ORDINARY, timeZone="Asia/Tokyo").json()
    assert report["timeZone"] == "Asia/Tokyo"
    # The one of 31 March 23:59:59 in São Paulo is of April; that of 1 March 00:00 still of March.
    assert report["total"]["months"][-1]["infractions"] == 8


@pytest.fixture
def behind(planted: str) -> Iterator[psycopg.Connection[Any]]:
    """For changes to how far the feed has come; put back afterwards."""
    with psycopg.connect(planted, autocommit=True) as connection:
        yield connection
        connection.execute("DELETE FROM gaps")
        connection.execute("DELETE FROM reconciliations")
        connection.execute("DELETE FROM work_requests")
        connection.execute("UPDATE organisations SET event_days = NULL")
        data.reach(connection, 1, data.AS_OF)


def test_a_feed_that_is_behind_makes_no_complete_form(ask: Ask, behind: psycopg.Connection[Any]) -> None:
    data.reach(behind, 1, data.APRIL.replace(day=1) - (data.APRIL - data.MARCH) / 2)
    report = ask(data.ORDINARY).json()
    assert report["complete"] is False
    assert [one["missing"] for one in report["months"]] == [[], [], ["not-up-to-date"]]
    assert report["total"]["trend"] is None
    page = ask(data.ORDINARY, accept="text/html").text
    assert "Dados incompletos" in page
    assert "os dados recebidos não chegam ao fim do mês" in page


def test_an_open_gap_makes_no_complete_form(ask: Ask, behind: psycopg.Connection[Any]) -> None:
    behind.execute(
        "INSERT INTO gaps (organisation_id, feed, from_time, to_time, cause)"
        " VALUES (1, 'events', '2026-03-10', '2026-03-11', 'test')"
    )
    report = ask(data.ORDINARY, language="en").json()
    # What happened in February may have been created in it too.
    assert [one["missing"] for one in report["months"]] == [[], ["open-gaps"], ["open-gaps"]]
    page = ask(data.NONE, language="en", accept="text/html").text
    assert "Incomplete data" in page
    assert "No infractions known so far" in page
    assert "No infractions recorded" not in page


def compared(connection: psycopg.Connection[Any], day: str, at: str, unfilled: int) -> None:
    """A comparison that was cut off before it wrote its last figures."""
    connection.execute(
        "INSERT INTO reconciliations (organisation_id, day, reason, started_at, up_to, missing, filled)"
        " VALUES (1, %s, 'daily', %s, %s, 3, %s)",
        (day, at, at, 3 - unfilled),
    )


def test_the_last_comparison_with_mix_decides_whether_events_are_missing(
    ask: Ask, behind: psycopg.Connection[Any]
) -> None:
    compared(behind, "2026-02-10", "2026-02-12", 2)
    compared(behind, "2026-03-10", "2026-03-12", 2)
    assert [one["missing"] for one in ask(data.ORDINARY).json()["months"]] == [
        [],
        ["events-missing"],
        ["events-missing"],
    ]
    compared(behind, "2026-03-10", "2026-03-19", 0)
    assert [one["missing"] for one in ask(data.ORDINARY).json()["months"]] == [[], ["events-missing"], []]


def test_events_that_are_not_kept_make_no_complete_form(ask: Ask, behind: psycopg.Connection[Any]) -> None:
    behind.execute("UPDATE organisations SET event_days = 1")
    assert [one["missing"] for one in ask(data.ORDINARY).json()["months"]] == [["not-kept"]] * 3


def test_what_was_backfilled_was_collected(ask: Ask, behind: psycopg.Connection[Any]) -> None:
    for request, state, begin, end in (
        ("1", "succeeded", "2025-03-01", "2025-06-01"),
        ("2", "failed", "2024-01-01", "2025-06-01"),
    ):
        behind.execute(
            "INSERT INTO work_requests (source, request_id, kind, parameters, state)"
            " VALUES ('fleet/mix', %s, 'backfill', jsonb_build_object('from', %s::text, 'to', %s::text), %s)",
            (request, begin, end, state),
        )
    report = ask(data.ORDINARY, month="2025-04").json()
    # March begins three hours later in São Paulo than in UTC.
    assert [one["missing"] for one in report["months"]] == [["before-the-haul"], [], []]


def test_months_before_the_haul_and_after_now_are_not_complete(ask: Ask) -> None:
    assert ask(data.ORDINARY, month="2025-06").json()["months"][0]["missing"] == ["before-the-haul"]
    future = ask(data.ORDINARY, month="2099-12").json()
    assert future["complete"] is False
    assert future["months"][-1]["missing"] == ["not-over"]


class Page(HTMLParser):
    """Its elements, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.style = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "style":
            self.style = self.style or data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("driver", [data.NONE, data.ORDINARY, data.BAD], ids=["none", "ordinary", "bad"])
@pytest.mark.parametrize("language", ["pt", "en"])
def test_the_page_needs_nothing_else_and_lets_nothing_in(ask: Ask, driver: int, language: str) -> None:
    answer = ask(driver, language=language, accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    addresses = [value for name, value in page.attributes if name in ("src", "href")]
    assert addresses == ["data:image/svg+xml;base64," + base64.b64encode(LOGO).decode()]
    assert "url(" not in page.style
    assert "@import" not in page.style
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    assert ("content", policy.removesuffix("; frame-ancestors 'none'")) in page.attributes
    # The name of the bad one holds markup and quotes.
    assert page.tags.count("style") == 1
    assert ask(driver).json()["driver"]["name"] in page.text
    assert "Litoral & Filhos" in page.text


def test_numbers_dates_and_words_are_those_of_the_language(ask: Ask) -> None:
    portuguese = Page(ask(data.ORDINARY, accept="text/html").text).text
    english = Page(ask(data.ORDINARY, accept="text/html", language="en").text).text
    for wanted in ("março de 2026", "jan. de 2026", "Semanas de março de 2026", "+63,6 %", "01/03/2026 – 31/03/2026"):
        assert wanted in portuguese
    for wanted in ("March 2026", "Jan 2026", "Weeks of March 2026", "+63.6 %", "1 Mar 2026 – 31 Mar 2026"):
        assert wanted in english
    assert "83,5 / 70" in portuguese
    assert "83.5 / 70" in english
    assert "I have <read> this." in english
    assert ask(data.ORDINARY, accept="text/html").text.count('<div class="line"></div>') == 5


def test_the_figures_as_csv(ask: Ask) -> None:
    answer = ask(data.ORDINARY, accept="text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="report--\d+-2026-03\.csv"', answer.headers["content-disposition"])
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    report = ask(data.ORDINARY).json()
    spans = [one["month"] for one in report["months"]] + [one["week"] for one in report["weeks"]]
    wanted = [
        (line.get("type", {}).get("id", ""), name, str(one["infractions"]), str(one["durationSeconds"]))
        for line in (report["total"], *report["types"])
        for name, one in zip(spans, (*line["months"], *line["weeks"]), strict=True)
    ]
    assert [(row["typeId"], row["name"], row["infractions"], row["durationSeconds"]) for row in rows] == wanted
    assert {row["driverId"] for row in rows} == {str(data.ORDINARY)}
    assert {row["complete"] for row in rows} == {"true"}


def test_the_figures_for_excel_in_brazil(ask: Ask) -> None:
    answer = ask(data.ORDINARY, accept="text/csv", csvForm="excel-br")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=";"))
    total = next(row for row in rows if row["Nome"] == "2026-03" and row["Código do tipo"] == "")
    assert (total["Infrações"], total["Segundos"], total["Minutos"]) == ("9", "1170", "19,5")
    assert total["Código do motorista"] == f'="{data.ORDINARY}"'
    assert (total["Primeiro dia"], total["Dados até"]) == ("01/03/2026", "02/04/2026 08:58:00")


def test_what_is_refused(ask: Ask) -> None:
    assert ask(data.ORDINARY, accept="application/pdf").status_code == 406
    for query in ({"month": "2026-13"}, {"month": "1999-12"}, {"language": "de"}, {"csvForm": "tsv"}, {"limit": "1"}):
        answer = ask(data.ORDINARY, **query)
        assert answer.status_code == 400
        assert [one["name"] for one in answer.json()["errors"]] == list(query)
    assert ask(4242).status_code == 404
    assert ask(data.ORDINARY, organisationId="42").status_code == 404
