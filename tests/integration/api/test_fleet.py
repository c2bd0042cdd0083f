"""Organisations, sites, vehicles, single events, their bytes, and how drivers compare."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from zstandard import ZstdCompressor

from support import api_data
from support.api_data import (
    BRAKING,
    DRIVER,
    FIRST_EVENT,
    IGNITION,
    MARK_A,
    NOW,
    ORGANISATION_A,
    ORGANISATION_B,
    SPEEDING,
    VEHICLE,
)
from support.api_server import token

ORGANISATION = 778
NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)
ANA, BIA, EVA, MACHINE = 101, 102, 103, 104
SOUTH, SOUTH_EAST, NORTH = 301, 302, 303
RAW = (
    b' {"EventId": 9000, "DriverId":101,\t"Value":1.0e2, "Text":"caf\xc3\xa9 \\u00e9"}',
    b'{"EventId":-9001,"DriverId":102}',
    b'{"EventId":"9002","DriverId":102}',
    b'{"EventId":[],"DriverId":"broken"}',
    b'{"EventId":9000,"DriverId":101,"Value":1.00}',
)


@pytest.fixture(scope="module")
def organisation(fleet: Any, api: Any, key_file: Any) -> Iterator[int]:
    """One of its own, beside those that are planted."""
    with psycopg.connect(fleet.url) as connection:
        found = api_data.organisation(connection, api_data.API_URL, ORGANISATION, "Norte", "America/Sao_Paulo")
        for site, parent, name in ((SOUTH, None, "Sul"), (SOUTH_EAST, SOUTH, "Ésse"), (NORTH, None, "norte")):
            connection.execute(
                "INSERT INTO sites (organisation_id, external_id, parent_external_id, name, type)"
                " VALUES (%s, %s, %s, %s, 'SiteGroup')",
                (found, site, parent, name),
            )
        for driver, site in ((ANA, SOUTH_EAST), (BIA, NORTH), (EVA, SOUTH), (MACHINE, NORTH)):
            connection.execute(
                "INSERT INTO drivers (organisation_id, external_id, name, site_external_id, is_system_driver)"
                " VALUES (%s, %s, %s, %s, %s)",
                (found, driver, f"D{driver}", site, driver == MACHINE),
            )
        for vehicle, site in ((1, SOUTH), (2, NORTH), (3, None)):
            connection.execute(
                "INSERT INTO vehicles (organisation_id, external_id, description, registration_number,"
                " site_external_id, removed_at) VALUES (%s, %s, %s, %s, %s, CASE WHEN %s THEN now() END)",
                (found, vehicle, f"Caminhão {vehicle}", f"ABC{vehicle}", site, vehicle == 3),
            )
        for number, severity in ((SPEEDING, "high"), (BRAKING, "low"), (IGNITION, "none")):
            api_data.event_type(connection, found, number, f"Tipo {severity}", is_infraction=severity != "none")
            connection.execute(
                "UPDATE event_types SET severity = %s WHERE organisation_id = %s AND external_id = %s",
                (severity, found, number),
            )
        row = connection.execute(
            "INSERT INTO raw_pages (organisation_id, feed, observed_at, records, body_bytes, body)"
            " VALUES (%s, 'events', %s, 5, 1, %s) RETURNING id",
            (found, NOON, ZstdCompressor().compress(b"\xef\xbb\xbf[" + b",\n".join(RAW) + b"]")),
        ).fetchone()
        assert row is not None
        page = {"raw_page_id": row[0], "observed_at": NOON}
        for number, driver, kind, vehicle in (
            (9000, ANA, SPEEDING, 1),
            (-9001, BIA, BRAKING, 1),
            (9002, BIA, SPEEDING, 2),
            (9003, BIA, IGNITION, 2),
            (9004, EVA, IGNITION, 2),
            (9005, MACHINE, SPEEDING, 2),
            (9006, EVA, 12345, 1),
        ):
            at = NOON + timedelta(minutes=abs(number) % 100)
            values = {"vehicle_external_id": vehicle} | page
            api_data.event(connection, found, number, driver, at, event_type=kind, values=values)
        api_data.event(connection, found, 9010, EVA, NOON + timedelta(days=3), event_type=SPEEDING)
    headers = {"Authorization": f"Bearer {token(key_file, str(ORGANISATION))}"}
    while not httpx.get(f"{api.url}/api/status", headers=headers).json()["items"]:
        time.sleep(0.05)
    yield found
    for table in ("telemetry_events", "raw_pages", "event_types", "vehicles", "drivers", "sites"):
        fleet.execute(f"DELETE FROM {table} WHERE organisation_id = %s", found)
    fleet.execute("DELETE FROM organisations WHERE id = %s", found)


def test_a_token_sees_its_organisations(client: Any) -> None:
    items = client(ORGANISATION_A, ORGANISATION_B).get("/api/organisations").json()["items"]
    assert [one["organisationId"] for one in items] == [str(ORGANISATION_A), str(ORGANISATION_B)]
    assert items[0] == {
        "organisationId": str(ORGANISATION_A),
        "name": f"{MARK_A} Transportes",
        "timeZone": "America/Sao_Paulo",
    }
    assert client("123456").get("/api/organisations").json() == {"items": []}


@pytest.mark.parametrize("limit", [1, 200])
def test_sites_come_by_name_with_what_is_at_them(client: Any, organisation: int, limit: int) -> None:
    items, cursor = [], {}
    while True:
        page = client(ORGANISATION).get("/api/sites", params={"limit": limit} | cursor).json()
        items += page["items"]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    shown = [(one["id"], one["name"], one["parentId"], one["drivers"], one["vehicles"]) for one in items]
    assert shown == [
        (str(SOUTH_EAST), "Ésse", str(SOUTH), 1, 0),
        (str(NORTH), "norte", None, 1, 1),
        (str(SOUTH), "Sul", None, 1, 1),
    ]


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({}, ["1", "2", "3"]),
        ({"search": "caminhao 2"}, ["2"]),
        ({"search": "abc1"}, ["1"]),
        ({"siteId": NORTH}, ["2"]),
        ({"siteId": SOUTH_EAST}, []),
        ({"search": "none such"}, []),
    ],
    ids=str,
)
def test_vehicles_are_found(client: Any, organisation: int, parameters: dict[str, Any], wanted: list[str]) -> None:
    found, cursor = [], {}
    while True:
        given = {"limit": 2} | parameters | cursor
        page = client(ORGANISATION).get("/api/vehicles", params=given).raise_for_status().json()
        found += [one["id"] for one in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert found == wanted


def test_a_vehicle_has_its_latest_event(client: Any, organisation: int) -> None:
    caller = client(ORGANISATION)
    vehicle = caller.get("/api/vehicles/2", params={"timeZone": "America/Sao_Paulo"}).json()
    assert vehicle == caller.get("/api/vehicles", params={"timeZone": "America/Sao_Paulo"}).json()["items"][1]
    assert (vehicle["registrationNumber"], vehicle["siteName"], vehicle["active"]) == ("ABC2", "norte", True)
    latest = vehicle["latestEvent"]
    assert latest["occurredAt"] == "2026-10-20T09:05:00.000-03:00"
    assert (latest["id"], latest["driverId"], latest["driverName"]) == ("9005", str(MACHINE), f"D{MACHINE}")
    assert latest["type"]["description"] == "Tipo high"
    unknown_type = caller.get("/api/vehicles/1").json()["latestEvent"]
    assert unknown_type["type"] == {"id": "12345", "description": None, "family": None}
    silent = caller.get("/api/vehicles/3").json()
    assert (silent["latestEvent"], silent["active"]) == (None, False)
    assert caller.get("/api/vehicles/4").status_code == 404


def test_a_vehicle_in_two_organisations_needs_the_organisation(client: Any) -> None:
    both = client(ORGANISATION_A, ORGANISATION_B)
    assert both.get(f"/api/vehicles/{VEHICLE}").status_code == 409
    assert both.get(f"/api/vehicles/{VEHICLE}", params={"organisationId": ORGANISATION_B}).status_code == 200


def test_an_event_of_any_type_is_found_by_its_id(client: Any, organisation: int) -> None:
    caller = client(ORGANISATION, role="analyst")
    event = caller.get("/api/events/9003", params={"timeZone": "America/Sao_Paulo"}).json()
    assert event["isInfraction"] is False
    assert (event["type"]["description"], event["type"]["severity"]) == ("Tipo none", "none")
    assert event["observedAt"] == "2026-10-20T09:00:00.000-03:00"
    assert (event["driverId"], event["vehicle"]["id"]) == (str(BIA), "2")
    assert caller.get("/api/events/9006").json()["type"] == {
        "id": "12345",
        "description": None,
        "family": None,
        "severity": "none",
    }
    assert caller.get("/api/events/1").status_code == 404
    infraction = client(ORGANISATION_A).get(f"/api/drivers/{DRIVER}/infractions", params={"timeZone": "UTC"}).json()
    event = client(ORGANISATION_A).get(f"/api/events/{FIRST_EVENT}", params={"timeZone": "UTC"}).json()
    assert infraction["items"][0].items() <= event.items()


@pytest.mark.parametrize(("event", "place"), [(9000, 4), (-9001, 1), (9002, 2)])
def test_auditors_see_an_events_own_bytes(client: Any, organisation: int, event: int, place: int) -> None:
    caller = client(ORGANISATION, role="auditor", checked=False)
    answer = caller.get(f"/api/events/{event}/raw", headers={"Accept": "application/octet-stream"})
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == RAW[place]
    shown = client(ORGANISATION, role="auditor").get(f"/api/events/{event}/raw").json()
    assert shown["record"] == RAW[place].decode()
    assert json.loads(shown["record"])


def test_nobody_else_does_and_what_is_gone_is_said_to_be_gone(client: Any, fleet: Any, organisation: int) -> None:
    for role in ("reader", "analyst", "admin"):
        assert client(ORGANISATION, role=role).get("/api/events/9000/raw").status_code == 403
    auditor = client(ORGANISATION, role="auditor")
    assert "no longer kept" in auditor.get("/api/events/9010/raw").json()["detail"]
    # In the page, but not as a record that can be read.
    assert auditor.get("/api/events/9003/raw").status_code == 404


def test_drivers_are_ranked_and_counted(client: Any, organisation: int) -> None:
    caller = client(ORGANISATION, role="analyst")
    day = {"from": "2026-10-20", "to": "2026-10-20"}
    answer = caller.get("/api/driver-ranking", params=day).raise_for_status().json()
    assert [(one["driverId"], one["rank"], one["infractions"], one["events"]) for one in answer["items"]] == [
        (str(BIA), 3, 2, 3),
        (str(ANA), 2, 1, 1),
        (str(EVA), 1, 0, 2),
    ]
    assert answer["items"][0]["severities"] == {"none": 0, "low": 1, "medium": 0, "high": 1}
    assert answer["items"][1]["siteName"] == "Ésse"
    assert answer["totals"] == {
        "drivers": 3,
        "infractions": 3,
        "severities": {"none": 0, "low": 1, "medium": 0, "high": 2},
        "events": 6,
    }
    fewest = caller.get("/api/driver-ranking", params=day | {"order": "fewest"}).json()
    assert fewest["items"] == answer["items"][::-1]
    longer = caller.get("/api/driver-ranking", params=day | {"to": "2026-10-23"}).json()
    assert longer["totals"]["infractions"] == 4
    assert [one["rank"] for one in longer["items"]] == [3, 1, 1]
    of_site = caller.get("/api/driver-ranking", params=day | {"siteId": SOUTH}).json()
    assert [(one["driverId"], one["rank"]) for one in of_site["items"]] == [(str(ANA), 2), (str(EVA), 1)]
    assert of_site["totals"]["drivers"] == 2


@pytest.mark.parametrize("order", ["most", "fewest"])
def test_pages_of_a_ranking_are_one_list(client: Any, organisation: int, order: str) -> None:
    caller = client(ORGANISATION, ORGANISATION_A, ORGANISATION_B, role="admin")
    given = {"from": "2026-09-01", "to": "2026-11-30", "order": order, "timeZone": "UTC"}
    whole = caller.get("/api/driver-ranking", params=given).json()
    paged: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = caller.get("/api/driver-ranking", params=given | {"limit": 1} | cursor).raise_for_status().json()
        assert page["totals"] == whole["totals"]
        paged += page["items"]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert paged == whole["items"]
    assert len(paged) > 4


def test_a_ranking_of_nothing_has_totals_too(client: Any, organisation: int) -> None:
    caller = client(ORGANISATION, role="admin")
    answer = caller.get("/api/driver-ranking", params={"from": "2020-01-01", "to": "2020-01-02"}).json()
    assert (answer["items"], answer["totals"]["drivers"], answer["nextCursor"]) == ([], 0, None)
    assert caller.get("/api/driver-ranking", params={"from": "2020-01-02", "to": "2020-01-01"}).status_code == 400
    assert caller.get("/api/driver-ranking", params={"from": "2020-01-02"}).status_code == 400
    assert (
        client(ORGANISATION).get("/api/driver-ranking", params={"from": "2020-01-01", "to": "2020-01-02"}).status_code
        == 403
    )


def test_the_fleet_of_a_cached_answer_is_never_older_than_a_change(client: Any, fleet: Any, organisation: int) -> None:
    caller = client(ORGANISATION)
    before = caller.get("/api/vehicles/1").json()["latestEvent"]["id"]
    with psycopg.connect(fleet.url) as connection:
        values = {"vehicle_external_id": 1}
        api_data.event(connection, organisation, 9999, ANA, NOW, event_type=SPEEDING, values=values)
        connection.execute("UPDATE organisations SET watermark = watermark + 1 WHERE id = %s", (organisation,))
    deadline = time.monotonic() + 20
    while caller.get("/api/vehicles/1").json()["latestEvent"]["id"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    fleet.execute("DELETE FROM telemetry_events WHERE external_id = 9999")
