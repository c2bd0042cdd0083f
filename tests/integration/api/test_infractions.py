"""Infractions: filters, days of any length, amendments, CSV, counts; through real HTTP from a real PostgreSQL."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from mixhaul_api.infraction_rows import speed
from mixhaul_api.queries import infractions as queries
from mixhaul_api.queries.infractions import Filters, InfractionRow
from mixhaul_store.database import Database
from support import api_data
from support.api_data import BRAKING, DRIVER, DRIVER_OF_B, IGNITION, ORGANISATION_A, ORGANISATION_B, SPEEDING
from support.api_server import token

ORGANISATION = 777
NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)
ANA, BIA, NOBODY = 101, 102, 199
TRUCK, VAN = 201, 202
SOUTH, SOUTH_EAST, NORTH = 301, 302, 303
MANY = 1700


def events() -> list[dict[str, Any]]:
    """What happened, by name."""
    return [
        {"name": "plain", "driver": ANA, "at": NOON},
        {"name": "fast", "driver": ANA, "at": NOON + timedelta(hours=1), "value": 101.25},
        {"name": "brake", "driver": ANA, "at": NOON + timedelta(hours=2), "event_type": BRAKING, "value": None},
        {"name": "van", "driver": ANA, "at": NOON + timedelta(hours=3), "vehicle_external_id": VAN},
        {"name": "moved", "driver": ANA, "at": NOON + timedelta(hours=4), "reported_driver_external_id": BIA},
        {"name": "nobody", "driver": None, "at": NOON + timedelta(hours=5), "reported_driver_external_id": ANA},
        {"name": "bia", "driver": BIA, "at": NOON + timedelta(hours=6), "start_address": '=1+1;"x"\n,'},
        {"name": "ignition", "driver": ANA, "at": NOON + timedelta(hours=7), "event_type": IGNITION},
        {"name": "unlisted", "driver": NOBODY, "at": NOON + timedelta(hours=8), "vehicle_external_id": VAN},
    ]


NAMES = {9000 + number: one["name"] for number, one in enumerate(events())}


@pytest.fixture(scope="module")
def organisation(fleet: Any, client_wait: Any) -> Iterator[int]:
    """One of its own, beside those that are planted."""
    with psycopg.connect(fleet.url) as connection:
        found = api_data.organisation(connection, api_data.API_URL, ORGANISATION, "Sul", "America/Sao_Paulo")
        for site, parent in ((SOUTH, None), (SOUTH_EAST, SOUTH), (NORTH, None)):
            connection.execute(
                "INSERT INTO sites (organisation_id, external_id, parent_external_id, name) VALUES (%s, %s, %s, %s)",
                (found, site, parent, str(site)),
            )
        for driver, site in ((ANA, SOUTH_EAST), (BIA, NORTH)):
            connection.execute(
                "INSERT INTO drivers (organisation_id, external_id, name, site_external_id) VALUES (%s, %s, %s, %s)",
                (found, driver, "Ana" if driver == ANA else "@Bia", site),
            )
        for vehicle, site in ((TRUCK, NORTH), (VAN, SOUTH)):
            connection.execute(
                "INSERT INTO vehicles (organisation_id, external_id, description, site_external_id)"
                " VALUES (%s, %s, %s, %s)",
                (found, vehicle, "-Truck" if vehicle == TRUCK else "Van", site),
            )
        for number, severity in ((SPEEDING, "high"), (BRAKING, "low"), (IGNITION, "none")):
            api_data.event_type(connection, found, number, f"Tipo {severity}", is_infraction=severity != "none")
            connection.execute(
                "UPDATE event_types SET severity = %s, family = %s WHERE organisation_id = %s AND external_id = %s",
                (severity, f"família {severity}", found, number),
            )
        for number, one in enumerate(events()):
            at, driver, kind = one.pop("at"), one.pop("driver"), one.pop("event_type", SPEEDING)
            del one["name"]
            values = {"driver_external_id": driver, "vehicle_external_id": TRUCK, "start_speed_kmh": None} | one
            api_data.event(connection, found, 9000 + number, driver or 0, at, event_type=kind, values=values)
    client_wait(ORGANISATION)
    yield found
    for table in ("telemetry_events", "event_types", "vehicles", "drivers", "sites"):
        fleet.execute(f"DELETE FROM {table} WHERE organisation_id = %s", found)
    fleet.execute("DELETE FROM organisations WHERE id = %s", found)


@pytest.fixture(scope="module")
def client_wait(api: Any, key_file: Any) -> Any:
    """Waits until the process has met an organisation."""

    def wait(number: int) -> None:
        headers = {"Authorization": f"Bearer {token(key_file, str(number))}"}
        while not httpx.get(f"{api.url}/api/status", headers=headers).json()["items"]:
            time.sleep(0.05)

    return wait


def names(answer: Any) -> list[str]:
    return [NAMES[int(one["id"])] for one in answer.raise_for_status().json()["items"]]


OF_ANA = ["moved", "van", "brake", "fast", "plain"]


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({}, OF_ANA),
        ({"type": BRAKING}, ["brake"]),
        ({"family": "família low"}, ["brake"]),
        ({"family": ["família low", "família high"]}, OF_ANA),
        ({"severity": "high"}, ["moved", "van", "fast", "plain"]),
        ({"severity": ["low", "medium"]}, ["brake"]),
        ({"severity": "none"}, []),
        ({"vehicleId": VAN}, ["van"]),
        ({"siteId": SOUTH}, ["van"]),
        ({"siteId": NORTH}, ["moved", "brake", "fast", "plain"]),
        ({"siteId": 9}, []),
        ({"minOverKmh": "13.5"}, ["moved", "van", "fast", "plain"]),
        ({"minOverKmh": "13.6"}, ["fast"]),
        ({"minOverKmh": "0"}, ["moved", "van", "fast", "plain"]),
        ({"from": "2026-10-20T13:00:00Z", "to": "2026-10-20T15:00:00Z"}, ["brake", "fast"]),
        ({"from": "2026-10-21"}, []),
        ({"severity": "high", "vehicleId": TRUCK, "minOverKmh": "20"}, ["fast"]),
    ],
    ids=str,
)
def test_a_drivers_infractions_are_narrowed(
    client: Any, organisation: int, parameters: dict[str, Any], wanted: list[str]
) -> None:
    answer = client(ORGANISATION).get(
        f"/api/drivers/{ANA}/infractions", params=parameters | {"includeTotal": "true", "limit": 2}
    )
    assert names(answer) == wanted[:2]
    assert answer.json()["total"] == {"count": len(wanted), "isExact": True}
    whole = client(ORGANISATION).get(f"/api/drivers/{ANA}/infractions", params=parameters)
    assert names(whole) == wanted
    assert "total" not in whole.json()


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({}, ["unlisted", "bia", "nobody", *OF_ANA]),
        # The driver's site, or the vehicle's where no driver is listed.
        ({"siteId": SOUTH}, ["unlisted", *OF_ANA]),
        ({"siteId": SOUTH_EAST}, OF_ANA),
        ({"siteId": NORTH}, ["bia", "nobody"]),
        ({"vehicleId": VAN}, ["unlisted", "van"]),
        ({"severity": "low"}, ["brake"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("limit", [1, 3, 200])
def test_the_fleets_infractions_are_narrowed(
    client: Any, organisation: int, parameters: dict[str, Any], wanted: list[str], limit: int
) -> None:
    found, cursor = [], None
    while True:
        given = parameters | {"limit": limit, "includeTotal": "true"} | ({"cursor": cursor} if cursor else {})
        answer = client(ORGANISATION).get("/api/infractions", params=given)
        found += names(answer)
        assert answer.json()["total"]["count"] == len(wanted)
        cursor = answer.json()["nextCursor"]
        if cursor is None:
            break
    assert found == wanted


def test_several_organisations_are_one_list_newest_first(client: Any) -> None:
    both = client(ORGANISATION_A, ORGANISATION_B)
    whole = both.get("/api/infractions", params={"limit": 200}).raise_for_status().json()["items"]
    paged: list[Any] = []
    cursor: dict[str, str] = {}
    while len(paged) < len(whole):
        page = both.get("/api/infractions", params={"limit": 17} | cursor).raise_for_status().json()
        paged += page["items"]
        cursor = {"cursor": page["nextCursor"] or ""}
    assert paged == whole
    assert {one["driverId"] for one in whole} > {str(DRIVER), str(DRIVER_OF_B)}
    times = [datetime.fromisoformat(one["occurredAt"]) for one in whole]
    assert times == sorted(times, reverse=True)


def test_who_had_it_before_is_for_auditors(client: Any, organisation: int) -> None:
    for role in ("reader", "analyst", "auditor", "admin"):
        caller = client(ORGANISATION, role=role)
        moved, *others = caller.get(f"/api/drivers/{ANA}/infractions").json()["items"]
        assert (moved["amended"], moved["driverId"], moved["driverName"]) == (True, str(ANA), "Ana")
        assert [one["amended"] for one in others] == [False] * 4
        assert ("formerDriverId" in moved) is (role == "auditor")
        (nobody,) = [one for one in caller.get("/api/infractions").json()["items"] if one["driverId"] is None]
        assert nobody["amended"] is True
        rows = caller.get("/api/infractions", headers={"Accept": "text/csv"}).text
        assert ("formerDriverId" in rows) is (role == "auditor")
        if role == "auditor":
            assert (moved["formerDriverId"], nobody["formerDriverId"]) == (str(BIA), str(ANA))


def test_days_of_23_and_25_hours(client: Any, fleet: Any, organisation: int) -> None:
    """In New York the 8th of March 2026 has 23 hours, the 1st of November 25."""
    zone = {"timeZone": "America/New_York"}
    starts = {"2026-03-08": datetime(2026, 3, 8, 5, tzinfo=UTC), "2026-11-01": datetime(2026, 11, 1, 4, tzinfo=UTC)}
    hours = {"2026-03-08": 23, "2026-11-01": 25}
    number = 20_000
    with psycopg.connect(fleet.url) as connection:
        for day, start in starts.items():
            for offset in (
                timedelta(seconds=-1),
                timedelta(0),
                timedelta(hours=hours[day], seconds=-1),
                timedelta(hours=hours[day]),
            ):
                api_data.event(connection, organisation, number, BIA, start + offset)
                number += 1
    caller = client(ORGANISATION)
    try:
        for index, (day, start) in enumerate(starts.items()):
            first = 20_000 + 4 * index
            found = caller.get(f"/api/drivers/{BIA}/infractions", params=zone | {"from": day, "to": day}).json()[
                "items"
            ]
            assert [int(one["id"]) for one in found] == [first + 2, first + 1]
            assert {one["occurredAt"][:10] for one in found} == {day}
            day_before = (start - timedelta(hours=12)).date().isoformat()
            day_after = (start + timedelta(hours=36)).date().isoformat()
            counts = caller.get(
                f"/api/drivers/{BIA}/infraction-counts", params=zone | {"from": day_before, "to": day_after}
            ).json()
            assert [(one["date"], one["count"]) for one in counts["days"]] == [
                (day_before, 1),
                (day, 2),
                (day_after, 1),
            ]
    finally:
        fleet.execute("DELETE FROM telemetry_events WHERE organisation_id = %s AND external_id >= 20000", organisation)


def test_counts_by_day_and_type(client: Any, organisation: int) -> None:
    caller = client(ORGANISATION)
    path = f"/api/drivers/{ANA}/infraction-counts"
    answer = caller.get(path, params={"from": "2026-10-19", "to": "2026-10-20"}).raise_for_status().json()
    assert answer["count"] == 5
    assert answer["timeZone"] == "America/Sao_Paulo"
    assert [(one["type"]["id"], one["type"]["severity"], one["count"]) for one in answer["types"]] == [
        (str(SPEEDING), "high", 4),
        (str(BRAKING), "low", 1),
    ]
    assert answer["days"] == [
        {"date": "2026-10-19", "count": 0, "types": []},
        {
            "date": "2026-10-20",
            "count": 5,
            "types": [{"typeId": str(SPEEDING), "count": 4}, {"typeId": str(BRAKING), "count": 1}],
        },
    ]
    narrowed = caller.get(path, params={"from": "2026-10-20", "to": "2026-10-20", "severity": "low"}).json()
    assert [one["count"] for one in narrowed["days"]] == [1]
    for wrong in (("2026-10-20", "2026-10-19"), ("2025-01-01", "2026-10-20"), ("2026-10-20T00:00:00Z", "2026-10-20")):
        assert caller.get(path, params={"from": wrong[0], "to": wrong[1]}).status_code == 400


def test_plain_csv_says_what_json_says(client: Any, organisation: int) -> None:
    caller = client(ORGANISATION)
    answer = caller.get("/api/infractions", headers={"Accept": "text/csv"}, params={"limit": 1}).raise_for_status()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    items = caller.get("/api/infractions").json()["items"]
    assert len(rows) == len(items) == 8
    for row, item in zip(rows, items, strict=True):
        assert row["id"] == item["id"]
        assert row["occurredAt"] == item["occurredAt"]
        assert row["driverId"] == (item["driverId"] or "")
        assert row["overByKmh"] == ("" if item["speed"]["overByKmh"] is None else str(item["speed"]["overByKmh"]))
        assert row["address"] == item["place"]["address"]
        assert row["latitude"] == str(item["place"]["latitude"])
        assert row["amended"] == str(item["amended"]).lower()


def test_excel_in_brazil_opens_the_other_form(client: Any, organisation: int) -> None:
    answer = client(ORGANISATION).get(
        "/api/infractions",
        headers={"Accept": "text/csv"},
        params={"csvForm": "excel-br", "timeZone": "America/Sao_Paulo"},
    )
    assert answer.content.startswith(b"\xef\xbb\xbfIn\xc3\xadcio;Fim;")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=";"))
    (bia,) = [row for row in rows if row["Motorista"].endswith("Bia")]
    assert bia["Início"] == "20/10/2026 15:00:00"
    assert (bia["Velocidade (km/h)"], bia["Limite (km/h)"], bia["Excesso (km/h)"]) == ("83,5", "70", "13,5")
    assert (bia["Gravidade"], bia["Alterado"]) == ("alta", "não")
    # Nothing that a spreadsheet would take for a formula, apart from ids, which are ours and would lose digits.
    assert (bia["Motorista"], bia["Local"], bia["Veículo"]) == ("'@Bia", '\'=1+1;"x"\n,', "'-Truck")
    assert bia["Código do evento"] == '="9006"'
    assert bia["Latitude"] == "-22,9056"


def test_csv_is_streamed_in_batches(client: Any, fleet: Any, organisation: int, api: Any) -> None:
    """Three times what one statement reads, with the same times, so that places are told apart by ids."""
    fleet.execute(
        "INSERT INTO telemetry_events (organisation_id, external_id, occurred_at, observed_at, raw_page_id,"
        " driver_external_id, reported_driver_external_id, event_type_external_id)"
        " SELECT %s, 50000 + n, %s::timestamptz - n / 40 * interval '1 hour', now(), 1, %s, %s, %s"
        " FROM generate_series(1, %s) n",
        *(organisation, NOON - timedelta(days=90), BIA, BIA, SPEEDING, MANY),
    )
    try:
        with client(ORGANISATION, checked=False).stream(
            "GET", f"/api/drivers/{BIA}/infractions", headers={"Accept": "text/csv", "Accept-Encoding": "identity"}
        ) as answer:
            assert answer.headers.get("transfer-encoding") == "chunked"
            body = b"".join(answer.iter_bytes())
        rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
        assert len({row["id"] for row in rows}) == len(rows) == MANY + 1
        times = [datetime.fromisoformat(row["occurredAt"]) for row in rows]
        assert times == sorted(times, reverse=True)
    finally:
        fleet.execute("DELETE FROM telemetry_events WHERE organisation_id = %s AND external_id > 50000", organisation)


@pytest.mark.parametrize(
    ("header", "status"), [("text/csv", 200), ("application/json", 200), ("text/html", 406), ("text/*", 200)]
)
def test_what_is_not_there_is_not_acceptable(client: Any, organisation: int, header: str, status: int) -> None:
    assert client(ORGANISATION).get("/api/infractions", headers={"Accept": header}).status_code == status


async def test_the_database_knows_the_same_over_speed_as_the_answer(database: Database, database_url: str) -> None:
    kinds = [(None, None), ("km/h", "Maximum"), (" KPH ", None), ("km/h", "minimum"), ("rpm", "Maximum")]
    with psycopg.connect(database_url) as connection:
        organisation = api_data.organisation(connection, api_data.API_URL, 1, "1", None)
        api_data.event_type(connection, organisation, SPEEDING, "x", is_infraction=True)
        number = 0
        for units, kind in kinds:
            for value in (None, 60.0, 70.0, 90.0):
                for start in (None, 65.0, 95.0):
                    for limit in (None, 70.0):
                        number += 1
                        values = {"value": value, "value_units": units, "value_type": kind, "start_speed_kmh": start}
                        values |= {"speed_limit": limit if number % 3 else None, "start_position_speed_limit": limit}
                        api_data.event(connection, organisation, number, 1, NOON, values=values)
    async with database.connection() as connection:
        for least in (0.0, 5.0, 20.0, 25.1):
            every = await queries.page(connection, [organisation], Filters(), before=None, limit=1000)
            found = await queries.page(connection, [organisation], Filters(min_over_kmh=least), before=None, limit=1000)
            assert [one.external_id for one in found] == [one.external_id for one in every if _over(one, least)]
            assert len(every) == number
            assert 0 < len(found) < number or least > 25


def _over(row: InfractionRow, least: float) -> bool:
    over = speed(row)["overByKmh"]
    return over is not None and over > 0 and over >= least
