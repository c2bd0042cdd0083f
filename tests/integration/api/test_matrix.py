"""Each route of the OpenAPI document with each role, no token, a foreign organisation, a foreign site, in each form.

A route that is added is tried here by itself; only what it needs in its address may have to be told to `VALUES`.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mixhaul_api import openapi
from support import api_data
from support.api_data import DRIVER, MARK_A, NOW, ORGANISATION_A, ORGANISATION_B, SITE, SPEEDING, VEHICLE, Fleet
from support.api_server import ApiProcess, Contract, running, token
from support.postgres import Server

ROLES = ("reader", "analyst", "auditor", "admin")
REGION, ELSEWHERE = 50, 99  # SITE is below REGION
DRIVER_ELSEWHERE, VEHICLE_ELSEWHERE, EVENT_ELSEWHERE = 7700000000000000077, 7800000000000000078, 7900000000000000079
MARK_ELSEWHERE = "mark-of-elsewhere"

# What a valid request says, by parameter; all others are left out.
VALUES: dict[str, object] = {
    "driverId": DRIVER,
    "eventTypeId": SPEEDING,
    "vehicleId": VEHICLE,
    "siteId": SITE,
    "eventId": api_data.FIRST_EVENT,
    "organisationId": ORGANISATION_A,
    "month": "2026-11",
    "from": "2026-11-01",
    "to": "2026-11-30",
    "dryRun": "true",
}
BODIES: dict[str, object] = {"classifyEventType": {"isInfraction": True}}
# Who may, where that is not everybody: the table of docs/api.md, written down once more.
ONLY = {
    "classifyEventType": {"admin"},
    "eraseDriver": {"admin"},
    "getAuditLog": {"auditor"},
    "getDriverRanking": {"analyst", "auditor", "admin"},
    "getEventRawRecord": {"auditor"},
}
# For tokens without a limit to sites.
WHOLE_ORGANISATION = {"classifyEventType", "getAuditLog"}
# What only a driver, a vehicle or an event of a site has in it.
OF_SITE = (f"{MARK_A}-personal", f"{MARK_A} Rod.", f"{MARK_A} Caminhão", "João da Silva", str(DRIVER))
OF_ELSEWHERE = (MARK_ELSEWHERE, str(DRIVER_ELSEWHERE), str(VEHICLE_ELSEWHERE), str(EVENT_ELSEWHERE))


@dataclass(frozen=True, slots=True)
class Asking:
    """A request that is right for organisation A, in one of the route's forms."""

    operation: str
    method: str
    url: str
    accept: str
    body: object

    def __str__(self) -> str:
        return f"{self.operation} as {self.accept}"


def askings() -> Iterator[Asking]:
    for path, methods in openapi.document()["paths"].items():
        for method, operation in methods.items():
            url, query = path, {}
            for parameter in operation["parameters"]:
                name = parameter["name"]
                if parameter["in"] == "path":
                    url = url.replace("{" + name + "}", str(VALUES[name]))
                elif parameter["required"] or name in ("organisationId", "from", "to", "dryRun"):
                    query[name] = str(VALUES[name])
            for accept in operation["responses"]["200"]["content"]:
                address = f"{url}?{httpx.QueryParams(query)}" if query else url
                yield Asking(
                    operation["operationId"], method.upper(), address, accept, BODIES.get(operation["operationId"])
                )


ASKINGS = tuple(askings())
each_asking = pytest.mark.parametrize("asking", ASKINGS, ids=str)


@pytest.fixture(scope="module")
def fleet(postgres_server: Server) -> Iterator[Fleet]:
    """A's driver and vehicle are at SITE, below REGION; others of both are elsewhere."""
    with api_data.planted(postgres_server) as found:
        a = found.organisations["a"]
        found.execute("UPDATE sites SET parent_external_id = %s WHERE external_id = %s", REGION, SITE)
        for number, name in ((REGION, "Região"), (ELSEWHERE, MARK_ELSEWHERE)):
            found.execute("INSERT INTO sites (organisation_id, external_id, name) VALUES (%s, %s, %s)", a, number, name)
        found.execute("UPDATE vehicles SET site_external_id = %s, default_driver_external_id = %s", SITE, DRIVER)
        found.execute(
            "INSERT INTO vehicles (organisation_id, external_id, description, site_external_id,"
            " default_driver_external_id) VALUES (%s, %s, %s, %s, %s)",
            *(a, VEHICLE_ELSEWHERE, MARK_ELSEWHERE, ELSEWHERE, DRIVER_ELSEWHERE),
        )
        with api_data.psycopg.connect(found.url) as connection:
            api_data.driver(connection, a, DRIVER_ELSEWHERE, f"{MARK_ELSEWHERE} Souza", mark=MARK_ELSEWHERE)
            api_data.event(
                connection, a, EVENT_ELSEWHERE, DRIVER_ELSEWHERE, NOW, mark=MARK_ELSEWHERE,
                values={"vehicle_external_id": VEHICLE_ELSEWHERE},
            )  # fmt: skip
        found.execute("UPDATE drivers SET site_external_id = %s WHERE external_id = %s", ELSEWHERE, DRIVER_ELSEWHERE)
        yield found


@pytest.fixture(scope="module")
def api(fleet: Fleet, key_file: Any) -> Iterator[ApiProcess]:
    with running(database_url=fleet.url, jwt_key_file=str(key_file)) as process:
        yield process


@pytest.fixture(scope="module")
def http(api: ApiProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api.url) as client:
        yield client


def ask(http: httpx.Client, contract: Contract, asking: Asking, bearer: str | None, **headers: str) -> httpx.Response:
    given = {"Accept": asking.accept} | headers | ({} if bearer is None else {"Authorization": f"Bearer {bearer}"})
    answer = http.request(asking.method, asking.url, json=asking.body, headers=given)
    contract.check(answer)
    return answer


@each_asking
@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_the_table_says_and_no_more(
    http: httpx.Client, contract: Contract, key_file: Any, asking: Asking, role: str
) -> None:
    answer = ask(http, contract, asking, token(key_file, str(ORGANISATION_A), role=role))
    permitted = role in ONLY.get(asking.operation, ROLES)
    assert answer.status_code == (200 if permitted else 403), answer.text
    if role == "reader":
        assert "personal" not in answer.text
    if role != "auditor":
        assert "formerDriver" not in answer.text


def test_personal_data_is_there_for_those_who_may_see_it(http: httpx.Client, contract: Contract, key_file: Any) -> None:
    """Otherwise its absence above would say nothing."""
    seen = dict.fromkeys(ROLES, 0)
    for asking, role in itertools.product(ASKINGS, ROLES):
        seen[role] += "personal" in ask(http, contract, asking, token(key_file, str(ORGANISATION_A), role=role)).text
    assert seen.pop("reader") == 0
    assert min(seen.values()) >= 2


@each_asking
def test_no_token_is_a_401(http: httpx.Client, contract: Contract, asking: Asking) -> None:
    answer = ask(http, contract, asking, None)
    assert (answer.status_code, MARK_A in answer.text) == (401, False)


@each_asking
@pytest.mark.parametrize("role", ROLES)
def test_a_foreign_organisation_does_not_exist(
    http: httpx.Client, contract: Contract, key_file: Any, asking: Asking, role: str
) -> None:
    answer = ask(http, contract, asking, token(key_file, str(ORGANISATION_B), role=role))
    if role not in ONLY.get(asking.operation, ROLES):
        assert answer.status_code == 403
    elif "organisationId" in asking.url or re.search(r"/-?\d", asking.url):
        assert answer.status_code == 404
    assert MARK_A not in answer.text


@each_asking
@pytest.mark.parametrize("role", ROLES)
def test_a_foreign_site_does_not_exist(
    http: httpx.Client, contract: Contract, key_file: Any, asking: Asking, role: str
) -> None:
    elsewhere = token(key_file, str(ORGANISATION_A), role=role, sites=[ELSEWHERE])
    answer = ask(http, contract, asking, elsewhere)
    if role not in ONLY.get(asking.operation, ROLES) or asking.operation in WHOLE_ORGANISATION:
        assert answer.status_code == 403
    elif re.search(r"/(drivers|vehicles|events|sites)/-?\d", asking.url):
        assert answer.status_code == 404
    else:
        assert answer.status_code == 200
        assert [mark for mark in OF_SITE if mark in answer.text] == []


@each_asking
def test_a_site_holds_those_below_it_and_no_other(
    http: httpx.Client, contract: Contract, key_file: Any, asking: Asking
) -> None:
    (role, *_) = sorted(ONLY.get(asking.operation, {"analyst"}))
    answers = {
        site: ask(http, contract, asking, token(key_file, str(ORGANISATION_A), role=role, sites=[site]))
        for site in (REGION, SITE)
    }
    assert {one.status_code for one in answers.values()} == {403 if asking.operation in WHOLE_ORGANISATION else 200}
    for answer in answers.values():
        assert [mark for mark in OF_ELSEWHERE if mark in answer.text] == []
    assert ask(http, contract, asking, token(key_file, str(ORGANISATION_A), role=role, sites=[])).status_code != 500


def test_what_is_elsewhere_is_shown_to_those_who_are_not_limited(
    http: httpx.Client, contract: Contract, key_file: Any
) -> None:
    """Otherwise its absence above would say nothing."""
    bearer = token(key_file, str(ORGANISATION_A), role="analyst")
    texts = [ask(http, contract, one, bearer).text for one in ASKINGS if "analyst" in ONLY.get(one.operation, ROLES)]
    assert {mark for mark in OF_ELSEWHERE if any(mark in text for text in texts)} >= {
        MARK_ELSEWHERE,
        str(DRIVER_ELSEWHERE),
    }
    assert {mark for mark in OF_SITE if any(mark in text for text in texts)} == set(OF_SITE)


@pytest.mark.parametrize("times", [1, 2], ids=["from the database", "from memory"])
def test_each_view_of_a_driver_is_in_the_audit_log(
    http: httpx.Client, contract: Contract, key_file: Any, fleet: Fleet, times: int
) -> None:
    """Whose id is in an answer, or was asked for, is in the log, with who asked and by which route."""
    shown: dict[str, set[int]] = {}
    known = {row[0] for row in fleet.execute("SELECT external_id FROM drivers")}
    for number, (asking, role) in enumerate(itertools.product(ASKINGS, ROLES)):
        if asking.method != "GET" or asking.operation == "getAuditLog":
            continue
        subject = f"viewer-{times}-{number}"
        answer = ask(http, contract, asking, token(key_file, str(ORGANISATION_A), role=role, subject=subject))
        if answer.status_code == 200:
            there = {int(found) for found in re.findall(r"-?\d{4,19}", answer.text + asking.url)} & known
            if there:
                shown[subject] = there
    assert len(shown) > 20
    deadline = time.monotonic() + 20
    missing = shown
    while missing and time.monotonic() < deadline:
        rows = fleet.execute("SELECT actor, subject_ids, route, request_id FROM audit_log WHERE actor LIKE 'viewer-%%'")
        logged = {actor: set(ids or ()) for actor, ids, route, request_id in rows if route and request_id}
        missing = {one: ids for one, ids in shown.items() if not ids <= logged.get(one, set())}
        time.sleep(0.1)
    assert missing == {}


def test_the_audit_log_holds_nothing_that_was_searched_for(
    http: httpx.Client, contract: Contract, key_file: Any, fleet: Fleet
) -> None:
    bearer = token(key_file, str(ORGANISATION_A), role="analyst", subject="searcher")
    for text in ("Silvana Prado", "nobody of that name", f"{MARK_A}-personal-number"):
        http.get("/api/drivers", params={"search": text}, headers={"Authorization": f"Bearer {bearer}"})

    def entries() -> list[Any]:
        return fleet.execute("SELECT subject_ids, details FROM audit_log WHERE actor = 'searcher' ORDER BY id")

    deadline = time.monotonic() + 20
    while len(entries()) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [(bool(ids), details["searched"]) for ids, details in entries()][:2] == [(True, True), (False, True)]
    everything = str(fleet.execute("SELECT * FROM audit_log"))
    for text in ("Silvana", "nobody", "personal", "search="):
        assert text not in everything


def test_an_erased_driver_is_nowhere(http: httpx.Client, contract: Contract, key_file: Any, fleet: Fleet) -> None:
    """The last test here, for it can't be undone."""
    admin = {"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A), role='admin', subject='eraser')}"}
    events = fleet.execute("SELECT count(*) FROM telemetry_events")
    path = f"/api/drivers/{DRIVER_ELSEWHERE}/erasure"
    dry = http.post(path, params={"dryRun": "true"}, headers=admin)
    contract.check(dry)
    assert dry.json()["erased"]["vehicles"] == 1
    assert {"name", "email", "employee_number"} <= set(dry.json()["erased"]["members"])
    assert fleet.execute("SELECT count(*) FROM erasures") == [(0,)]
    assert http.get(path.removesuffix("/erasure"), headers=admin).status_code == 200
    done = http.post(path, headers=admin | {"X-Request-ID": "please-erase"})
    contract.check(done)
    assert done.json()["erasedAt"] is not None
    assert http.get(path.removesuffix("/erasure"), headers=admin).status_code == 404, "seen at once"
    again = http.post(path, headers=admin)
    assert again.json()["erasedAt"] == done.json()["erasedAt"]
    assert again.json()["erased"] == {"members": [], "vehicles": 0}
    assert fleet.execute(
        "SELECT actor, action, subject_ids, organisation_id FROM audit_log WHERE request_id = 'please-erase'"
    ) == [("eraser", "driver.erased", [DRIVER_ELSEWHERE], fleet.organisations["a"])]
    assert fleet.execute("SELECT requested_by FROM erasures") == [("eraser",)]
    hidden = (f"{MARK_ELSEWHERE} Souza", f"{MARK_ELSEWHERE}-personal", str(DRIVER_ELSEWHERE))
    for asking, role in itertools.product(ASKINGS, ROLES):
        if asking.operation == "getAuditLog":
            continue
        whose = asking.url.replace(str(DRIVER), str(DRIVER_ELSEWHERE)).replace(str(VEHICLE), str(VEHICLE_ELSEWHERE))
        whose = whose.replace(str(api_data.FIRST_EVENT), str(EVENT_ELSEWHERE))
        for url in {asking.url, whose}:
            headers = {"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A), role=role)}"}
            answer = http.request(asking.method, url, json=asking.body, headers=headers | {"Accept": asking.accept})
            if answer.status_code < 400 and asking.operation != "eraseDriver":
                assert [one for one in hidden if one in answer.text] == [], f"{asking.method} {url}"
    for search in ("Souza", f"{MARK_ELSEWHERE}-personal-number"):
        found = http.get("/api/drivers", params={"search": search}, headers=admin).json()["items"]
        assert str(DRIVER_ELSEWHERE) not in str(found)
    assert fleet.execute("SELECT count(*) FROM telemetry_events") == events
    auditor = {"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A), role='auditor')}"}
    log = http.get("/api/audit", params={"driverId": str(DRIVER_ELSEWHERE), "limit": 200}, headers=auditor)
    contract.check(log)
    actions = [one["action"] for one in log.json()["items"]]
    assert (actions.count("driver.erased"), set(actions)) == (
        1,
        {"driver.erased", "driver.erasure-tried", "driver.viewed"},
    )
