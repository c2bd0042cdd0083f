"""Drivers, infractions, event types and status, through real HTTP from a real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from support import api_data
from support.api_data import (
    BRAKING,
    DRIVER,
    DRIVER_OF_B,
    DRIVER_OF_BOTH,
    DRIVER_WITHOUT_ROW,
    FIRST_EVENT,
    MARK_A,
    NOW,
    ORGANISATION_A,
    ORGANISATION_B,
    ORGANISATION_EMPTY,
    SPEEDING,
)

UAT_A = f"{ORGANISATION_A}@integrate.uat.example:8443"
INFRACTIONS = f"/api/drivers/{DRIVER}/infractions"


def every_page(client: httpx.Client, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """All items, page by page."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get(path, params=parameters | cursor).raise_for_status().json()
        items += page["items"]
        if page["nextCursor"] is None:
            return items
        cursor = {"cursor": page["nextCursor"]}


@pytest.mark.parametrize(
    ("search", "names"),
    [
        (
            "silva",
            ["SILVA, Pedro", "Silvana Prado", "Silva Removido", "João da Silva", "Maria Silva", "Antônio Vasilva"],
        ),
        ("JOAO sil", ["João da Silva"]),
        ("silva joão", ["João da Silva"]),
        ("tônio", ["Antônio Vasilva"]),
        ("cagla", ["Çağla Ünal"]),
        ("strasse", ["Straße Groß"]),
        ("%_\\", ["Zé %_\\ Especial"]),
        ("％", ["Zé %_\\ Especial"]),
        ("   ", None),
        ("nobody has this name", []),
    ],
    ids=str,
)
def test_search_finds_people_as_people_type(client: Any, search: str, names: list[str] | None) -> None:
    found = client(ORGANISATION_A).get("/api/drivers", params={"search": search, "limit": 200}).json()["items"]
    if names is None:
        assert len(found) > 30
    else:
        assert [one["name"] for one in found] == names


@pytest.mark.parametrize("search", [None, "motorista", "a"])
@pytest.mark.parametrize("limit", [1, 7, 200])
def test_pages_of_drivers_hold_each_once_in_the_order_of_one_page(client: Any, search: str | None, limit: int) -> None:
    both = client(ORGANISATION_A, ORGANISATION_B)
    wanted = {} if search is None else {"search": search}
    whole = every_page(both, "/api/drivers", limit=200, **wanted)
    paged = every_page(both, "/api/drivers", limit=limit, **wanted)
    assert paged == whole
    assert len({(one["organisationId"], one["id"]) for one in whole}) == len(whole) > 0
    if search is None:
        assert [one["name"] for one in whole if one["organisationId"] == str(ORGANISATION_A)][-2:] == [None, None]


def test_a_driver_is_shown_with_its_site_and_ids_as_text(client: Any) -> None:
    assert client(ORGANISATION_A, role="analyst").get(f"/api/drivers/{DRIVER}").json() == {
        "id": str(DRIVER),
        "organisationId": str(ORGANISATION_A),
        "name": "João da Silva",
        "siteId": str(api_data.SITE),
        "siteName": f"{MARK_A} Campinas",
        "country": "BR",
        "isSystemDriver": False,
        "active": True,
        "lastSeenAt": client(ORGANISATION_A).get(f"/api/drivers/{DRIVER}").json()["lastSeenAt"],
        "employeeNumber": f"{MARK_A}-personal-number",
        "mobileNumber": f"{MARK_A}-personal-phone",
        "email": f"{MARK_A}-personal@mail.example",
        "extendedDriverId": f"{MARK_A}-personal-tag",
        "imageUri": f"https://images.example/{MARK_A}-personal",
    }


@pytest.mark.parametrize(("role", "sees"), [("reader", False), ("analyst", True), ("auditor", True), ("admin", True)])
def test_personal_data_is_for_the_roles_that_need_it(client: Any, role: str, sees: bool) -> None:
    caller = client(ORGANISATION_A, role=role)
    answers = [
        caller.get("/api/drivers", params={"limit": 200}).text,
        caller.get("/api/drivers", params={"search": "silva"}).text,
        caller.get(f"/api/drivers/{DRIVER}").text,
    ]
    assert all(("-personal" in answer) is sees for answer in answers)


def test_an_infraction_says_when_what_where_how_fast_how_long_and_with_which_vehicle(client: Any) -> None:
    page = client(ORGANISATION_A).get(INFRACTIONS, params={"limit": 1}).json()
    assert page["items"] == [
        {
            "id": str(FIRST_EVENT),
            "organisationId": str(ORGANISATION_A),
            "driverId": str(DRIVER),
            "driverName": "João da Silva",
            "occurredAt": "2026-11-24T09:00:00.000-03:00",
            "endedAt": "2026-11-24T09:00:42.000-03:00",
            "durationSeconds": 42.0,
            "occurrences": 1,
            "type": {
                "id": str(SPEEDING),
                "description": f"{MARK_A} (Tr) Excesso de Velocidade 70 Km",
                "family": "driving infraction",
                "severity": "none",
            },
            "speed": {"kmh": 83.5, "limitKmh": 70.0, "overByKmh": 13.5},
            "measure": {"amount": 83.5, "kind": "Maximum", "units": "km/h"},
            "place": {
                "address": f"{MARK_A} Rod. Anhanguera",
                "latitude": -22.9056,
                "longitude": -47.0608,
                "mapUrl": "https://www.openstreetmap.org/?mlat=-22.905600&mlon=-47.060800#map=17/-22.905600/-47.060800",
            },
            "vehicle": {
                "id": str(api_data.VEHICLE),
                "description": f"{MARK_A} Caminhão",
                "registrationNumber": "ABC1D23",
                "fleetNumber": "12",
            },
            "amended": False,
        }
    ]
    assert page["timeZone"] == "America/Sao_Paulo"
    (freshness,) = page["freshness"]
    assert freshness["lagSeconds"] >= 0
    assert freshness | {"lagSeconds": 0} == {
        "organisationId": str(ORGANISATION_A),
        "asOf": "2026-11-24T12:00:00.000Z",
        "lagSeconds": 0,
        "gaps": [],
        "syncedAt": "2026-11-24T05:01:00.000Z",
    }


def test_infractions_come_newest_first_and_each_once_over_pages(client: Any) -> None:
    found = every_page(client(ORGANISATION_A), INFRACTIONS, limit=7)
    assert [one["id"] for one in found] == [str(FIRST_EVENT + number) for number in range(60)]


def test_a_page_goes_on_where_it_was_when_new_events_arrive(client: Any, fleet: Any) -> None:
    caller = client(ORGANISATION_A)
    first = caller.get(INFRACTIONS, params={"limit": 10}).json()
    late = FIRST_EVENT + 900
    with psycopg.connect(fleet.url) as connection:
        for number in range(20):
            api_data.event(connection, fleet.organisations["a"], late + number, DRIVER, NOW + timedelta(minutes=number))
    try:
        second = caller.get(INFRACTIONS, params={"limit": 10, "cursor": first["nextCursor"]}).json()
        newest = caller.get(INFRACTIONS, params={"limit": 1}).json()
    finally:
        fleet.execute("DELETE FROM telemetry_events WHERE external_id >= %s", late)
    assert [one["id"] for one in second["items"]] == [str(FIRST_EVENT + number) for number in range(10, 20)]
    assert [one["id"] for one in newest["items"]] == [str(late + 19)]


@pytest.mark.parametrize(
    ("parameters", "numbers"),
    [
        ({"from": "2026-11-23", "to": "2026-11-23"}, [1]),
        ({"from": "2026-11-23", "to": "2026-11-23", "timeZone": "Pacific/Kiritimati"}, [2]),
        ({"from": "2026-11-23T12:00:00Z", "to": "2026-11-24T12:00:00Z"}, [1]),
        ({"from": "2026-11-23T09:00:00-03:00", "to": "2026-11-24T12:00:00.000001Z"}, [0, 1]),
        ({"from": "2026-11-23T14:00:00+02:00", "to": "2026-11-24T12:00:00Z"}, [1]),
        ({"from": "2026-11-24"}, [0]),
        ({"to": "2026-09-26"}, [59]),
        ({"type": [str(BRAKING)]}, []),
        ({"type": [str(BRAKING), str(SPEEDING)], "from": "2026-11-24"}, [0]),
        ({"type": [str(api_data.IGNITION)]}, []),
    ],
    ids=str,
)
def test_a_period_and_types_narrow_the_list(client: Any, parameters: dict[str, Any], numbers: list[int]) -> None:
    found = client(ORGANISATION_A).get(INFRACTIONS, params=parameters).raise_for_status().json()["items"]
    assert [int(one["id"]) - FIRST_EVENT for one in found] == numbers


def test_an_offset_whose_plus_was_not_encoded_is_understood(client: Any) -> None:
    answer = client(ORGANISATION_A).get(f"{INFRACTIONS}?from=2026-11-24T14:00:00+02:00")
    assert [one["id"] for one in answer.json()["items"]] == [str(FIRST_EVENT)]


def test_times_are_in_the_readers_time_zone(client: Any) -> None:
    page = client(ORGANISATION_A).get(INFRACTIONS, params={"limit": 1, "timeZone": "Asia/Kolkata"}).json()
    assert page["items"][0]["occurredAt"] == "2026-11-24T17:30:00.000+05:30"
    assert page["timeZone"] == "Asia/Kolkata"
    without = client(ORGANISATION_B).get(f"/api/drivers/{DRIVER_OF_B}/infractions", params={"limit": 1}).json()
    assert without["items"][0]["occurredAt"] == "2026-11-24T12:00:00.000Z"


def test_events_of_a_driver_who_has_no_record_yet_are_found(client: Any) -> None:
    caller = client(ORGANISATION_A)
    assert caller.get(f"/api/drivers/{DRIVER_WITHOUT_ROW}").status_code == 404
    found = caller.get(f"/api/drivers/{DRIVER_WITHOUT_ROW}/infractions").raise_for_status().json()["items"]
    assert [one["id"] for one in found] == [str(FIRST_EVENT + 500)]


def test_a_driver_in_two_organisations_needs_the_organisation(client: Any) -> None:
    both = client(ORGANISATION_A, ORGANISATION_B)
    for path in (f"/api/drivers/{DRIVER_OF_BOTH}", f"/api/drivers/{DRIVER_OF_BOTH}/infractions"):
        unclear = both.get(path)
        assert unclear.status_code == 409
        assert "organisationId=" in unclear.json()["detail"]
        for organisation in (ORGANISATION_A, ORGANISATION_B):
            clear = both.get(path, params={"organisationId": organisation}).raise_for_status().json()
            found = clear["items"][0] if "items" in clear else clear
            assert found["organisationId"] == str(organisation)
        assert client(ORGANISATION_A).get(path).status_code == 200


def test_two_data_centres_with_the_same_organisation_id_stay_apart(client: Any) -> None:
    first, second = client(ORGANISATION_A), client(UAT_A)
    assert first.get(f"/api/drivers/{DRIVER}").json()["name"] == "João da Silva"
    assert second.get(f"/api/drivers/{DRIVER}").json()["organisationId"] == UAT_A
    assert second.get(f"/api/drivers/{DRIVER}").json()["name"] != "João da Silva"
    qualified = client(f"{ORGANISATION_A}@integrate.example")
    assert qualified.get(f"/api/drivers/{DRIVER}").json()["organisationId"] == str(ORGANISATION_A)
    both = client(ORGANISATION_A, UAT_A)
    assert both.get(f"/api/drivers/{DRIVER}").status_code == 409
    assert both.get(f"/api/drivers/{DRIVER}", params={"organisationId": UAT_A}).status_code == 200


def test_nothing_ingested_yet_looks_different_from_no_infractions(client: Any) -> None:
    page = client(ORGANISATION_EMPTY).get("/api/drivers").json()
    assert page["items"] == []
    assert page["freshness"] == [
        {"organisationId": str(ORGANISATION_EMPTY), "asOf": None, "lagSeconds": None, "gaps": [], "syncedAt": None}
    ]


def test_a_token_for_no_known_organisation_sees_empty_lists(client: Any) -> None:
    caller = client("77")
    assert caller.get("/api/drivers").json() == {"items": [], "nextCursor": None, "freshness": []}
    assert caller.get("/api/event-types").json() == {"items": [], "nextCursor": None, "freshness": []}
    assert caller.get("/api/status").json() == {"items": []}
    assert caller.get(f"/api/drivers/{DRIVER}").status_code == 404


def test_a_feed_that_is_behind_says_as_of_its_cursor_and_names_its_gaps(client: Any) -> None:
    (freshness,) = client(ORGANISATION_B).get("/api/event-types").json()["freshness"]
    assert freshness["asOf"] == "2026-11-24T11:55:00.124Z"
    assert freshness["gaps"] == [{"from": "2026-11-15T12:00:00.000Z", "to": "2026-11-16T12:00:00.000Z"}]


def test_status_tells_each_organisation_apart(client: Any) -> None:
    items = client(ORGANISATION_A, ORGANISATION_B).get("/api/status").json()["items"]
    assert [one["organisationId"] for one in items] == [str(ORGANISATION_A), str(ORGANISATION_B)]
    assert [one["caughtUp"] for one in items] == [True, False]
    assert [one["gapCount"] for one in items] == [0, 1]
    assert items[0]["lastSync"] == {"finishedAt": "2026-11-24T05:01:00.000Z", "result": "succeeded"}
    assert items[0]["lastDataAt"] == "2026-11-24T11:59:00.000Z"


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({}, 3),
        ({"isInfraction": "true"}, 2),
        ({"isInfraction": "false"}, 1),
        ({"family": "driving infraction"}, 2),
        ({"family": "none such"}, 0),
        ({"search": "FREADA"}, 1),
        ({"search": "tr velocidade"}, 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("limit", [1, 200])
def test_event_types_are_listed_and_narrowed(client: Any, parameters: dict[str, str], count: int, limit: int) -> None:
    found = every_page(client(ORGANISATION_A), "/api/event-types", limit=limit, **parameters)
    assert len(found) == count
    assert [one["description"] for one in found] == sorted(one["description"] for one in found)


def test_head_answers_like_get_without_a_body(client: Any) -> None:
    answer = client(ORGANISATION_A, checked=False).head("/api/drivers")
    assert (answer.status_code, answer.content) == (200, b"")
